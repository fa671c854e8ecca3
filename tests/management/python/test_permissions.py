"""scalekit.permissions: every method, seen again over REST and in a member's permissions."""

from scalekit.v1.roles.roles_pb2 import CreatePermission
from support.world import (
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

permissions = scalekit.permissions


def path(name):
    return f"/api/v1/permissions/{name}"


def make():
    body = {"name": f"{unique('files')}:read", "description": "Reads files"}
    return send("POST", "/api/v1/permissions", body)["permission"]["name"]


def make_role(**fields):
    return send("POST", "/api/v1/roles", {"name": unique("role"), "display_name": "A role", **fields})["role"]["name"]


def names(list):
    return {one.name for one in list}


def test_create_permission_makes_one():
    message = CreatePermission(name=f"{unique('files')}:write", description="Writes files")
    permissions.create_permission(message)
    assert get(path(message.name))["permission"]["description"] == "Writes files"
    with bad_request("(?i)exists|taken|already"):
        permissions.create_permission(message)
    with invalid("name"):
        permissions.create_permission(CreatePermission(name="no blanks"))


def test_get_permission_finds_it_by_its_name():
    name = make()
    assert permissions.get_permission(name)[0].permission.description == "Reads files"
    with not_found("permission not found"):
        permissions.get_permission(unique("absent"))


def test_list_permissions_goes_through_all_of_them():
    made = {make(), make(), make()}
    found, token = set(), None
    while token != "":
        page = permissions.list_permissions(page_token=token, page_size=2)[0]
        assert not names(page.permissions) & found
        found |= names(page.permissions)
        token = page.next_page_token
    assert made <= found
    with invalid("page_size"):
        permissions.list_permissions(page_size=101)


def test_update_permission_changes_the_description():
    name = make()
    permissions.update_permission(name, CreatePermission(name=name, description="Reads all files"))
    assert get(path(name))["permission"]["description"] == "Reads all files"
    with not_found():
        permissions.update_permission(unique("absent"), CreatePermission(name="absent"))


def test_delete_permission_takes_it_from_the_roles_too():
    name = make()
    role = make_role(permissions=[name])
    permissions.delete_permission(name)
    gone(path(name))
    assert not get(f"/api/v1/roles/{role}/permissions").get("permissions")
    with not_found():
        permissions.delete_permission(name)


def test_the_permissions_of_a_role_are_those_of_its_members():
    first, second, inherited = make(), make(), make()
    role = make_role(extends=make_role(permissions=[inherited]))
    organization = new_organization()["id"]
    user = new_user(organization, membership={"roles": [{"name": role}]})["id"]

    def allowed():
        shown = get(f"/api/v1/organizations/{organization}/users/{user}/permissions")
        return {one["name"] for one in shown["permissions"]}

    permissions.add_permissions_to_role(role, [first, second])
    assert allowed() == {first, second, inherited}
    assert names(permissions.list_role_permissions(role)[0].permissions) == {first, second}
    assert names(permissions.list_effective_role_permissions(role)[0].permissions) == {first, second, inherited}
    permissions.remove_permission_from_role(role, first)
    assert allowed() == {second, inherited}
    with not_found():
        permissions.add_permissions_to_role(unique("absent"), [first])
    with not_found():
        permissions.remove_permission_from_role(role, unique("absent"))
    with not_found():
        permissions.list_effective_role_permissions(unique("absent"))
