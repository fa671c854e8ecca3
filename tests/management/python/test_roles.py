"""scalekit.roles: every method, seen again over REST and in the members' own roles."""

import pytest
from scalekit.v1.roles.roles_pb2 import (
    CreateOrganizationRole,
    CreateRole,
    UpdateDefaultOrganizationRolesRequest,
    UpdateRole,
)
from support.world import (
    NO_ORGANIZATION,
    bad_request,
    get,
    gone,
    invalid,
    new_organization,
    new_user,
    not_found,
    scalekit,
    send,
    unique,
)

roles = scalekit.roles
ASSIGNED = "role cannot be deleted as it is assigned to users"
TAKEN = "(?i)exists|taken|already"


@pytest.fixture(scope="module")
def read():
    return send("POST", "/api/v1/permissions", {"name": unique("read"), "description": ""})["permission"]["name"]


def path(name):
    return f"/api/v1/roles/{name}"


def here(organization, name):
    return f"/api/v1/organizations/{organization}/roles/{name}"


def make(**fields):
    return send("POST", "/api/v1/roles", {"name": unique("role"), "display_name": "A role", **fields})["role"]["name"]


def make_here(organization, **fields):
    body = {"name": unique("role"), "display_name": "A role here", **fields}
    return send("POST", f"/api/v1/organizations/{organization}/roles", body)["role"]["name"]


def member_with(organization, role):
    return new_user(organization, membership={"roles": [{"name": role}]})["id"]


def roles_of(organization, user):
    return [role["name"] for role in get(f"/api/v1/organizations/{organization}/users/{user}/roles")["roles"]]


def test_create_role_makes_a_role_with_its_permissions_and_its_base(read):
    base = make()
    message = CreateRole(name=unique("role"), display_name="Editor", extends=base, permissions=[read])
    roles.create_role(message)
    shown = get(f"{path(message.name)}?include=permissions")["role"]
    assert (shown["display_name"], shown["extends"]) == ("Editor", base)
    assert [permission["name"] for permission in shown["permissions"]] == [read]
    with bad_request(TAKEN):
        roles.create_role(message)
    with invalid("name|required"):
        roles.create_role(CreateRole(display_name="No name"))


def test_get_role_and_list_roles_find_it():
    name = make(description="Looks")
    assert roles.get_role(name)[0].role.description == "Looks"
    listed = {role.name for role in roles.list_roles()[0].roles}
    assert {"admin", "member", name} <= listed
    assert listed == {role["name"] for role in get("/api/v1/roles")["roles"]}
    with not_found("role not found"):
        roles.get_role(unique("absent"))


def test_update_role_changes_what_is_named(read):
    name = make(description="Before")
    roles.update_role(name, UpdateRole(display_name="After", permissions=[read]))
    shown = get(path(name))["role"]
    assert (shown["display_name"], shown["description"]) == ("After", "Before")
    with not_found():
        roles.update_role(unique("absent"), UpdateRole(display_name="x"))


def test_delete_role_refuses_a_role_in_use_unless_its_users_get_another(organization):
    old, new = make(), make()
    user = member_with(organization, old)
    with bad_request(ASSIGNED):
        roles.delete_role(old)
    roles.delete_role(old, reassign_role_name=new)
    gone(path(old))
    assert roles_of(organization, user) == [new]
    with not_found():
        roles.delete_role(old)


def test_delete_role_base_ends_the_inheritance_that_list_dependent_roles_showed():
    base = make()
    name = make(extends=base)
    assert [role.name for role in roles.list_dependent_roles(base)[0].roles] == [name]
    roles.delete_role_base(name)
    assert "extends" not in get(path(name))["role"]
    assert not roles.list_dependent_roles(base)[0].roles


def test_get_role_users_count_counts_those_who_have_it(organization):
    name = make()
    member_with(organization, name)
    assert roles.get_role_users_count(name)[0].count == 1
    assert get(f"{path(name)}/users:count")["count"] == "1"


def test_update_default_roles_decides_what_a_new_member_gets(organization):
    name = make()
    try:
        assert roles.update_default_roles("admin", name)[0].default_member.name == name
        assert get(path(name))["role"]["default_member"] is True
        assert roles_of(organization, new_user(organization)["id"]) == [name]
    finally:
        roles.update_default_roles("admin", "member")
    assert get(path("member"))["role"]["default_member"] is True
    with not_found():
        roles.update_default_roles("admin", unique("absent"))


def test_an_organization_has_roles_of_its_own(organization, read):
    message = CreateOrganizationRole(name=unique("role"), display_name="Here", permissions=[read])
    assert roles.create_organization_role(organization, message)[0].role.is_org_role
    gone(here(new_organization()["id"], message.name))
    gone(path(message.name))
    assert roles.get_organization_role(organization, message.name)[0].role.display_name == "Here"
    listed = {role.name for role in roles.list_organization_roles(organization)[0].roles}
    assert {"member", message.name} <= listed
    roles.update_organization_role(organization, message.name, UpdateRole(display_name="Changed"))
    assert get(here(organization, message.name))["role"]["display_name"] == "Changed"
    with bad_request(TAKEN):
        roles.create_organization_role(organization, message)
    with not_found():
        roles.create_organization_role(NO_ORGANIZATION, message)
    with not_found():
        roles.get_organization_role(new_organization()["id"], message.name)
    with not_found():
        roles.update_organization_role(organization, unique("absent"), UpdateRole(display_name="x"))


def test_delete_organization_role_refuses_a_role_in_use_unless_its_users_get_another(organization):
    old, new = make_here(organization), make_here(organization)
    user = member_with(organization, old)
    assert roles.get_organization_role_users_count(organization, old)[0].count == 1
    with bad_request(ASSIGNED):
        roles.delete_organization_role(organization, old)
    roles.delete_organization_role(organization, old, reassign_role_name=new)
    gone(here(organization, old))
    assert roles_of(organization, user) == [new]


def test_delete_organization_role_base_ends_the_inheritance(organization):
    name = make_here(organization, extends=make())
    roles.delete_organization_role_base(organization, name)
    assert "extends" not in get(here(organization, name))["role"]


def test_update_default_organization_roles_decides_for_this_organization_alone():
    organization, other = new_organization()["id"], new_organization()["id"]
    for one in (organization, other):
        # The first member is its creator and has another role.
        new_user(one)
    name = make_here(organization)
    message = UpdateDefaultOrganizationRolesRequest(default_member_role=name)
    assert roles.update_default_organization_roles(organization, message)[0].default_member.name == name
    assert roles_of(organization, new_user(organization)["id"]) == [name]
    assert roles_of(other, new_user(other)["id"]) == ["member"]
