"""scalekit.users: people, memberships and invitations, seen again over REST and tokens."""

import pytest
from scalekit.v1.commons.commons_pb2 import MembershipStatus, Role
from scalekit.v1.users.users_pb2 import (
    CreateMembership,
    CreateUser,
    CreateUserProfile,
    UpdateMembership,
    UpdateUser,
    UpdateUserProfile,
)
from support.world import (
    NO_ORGANIZATION,
    NO_USER,
    claims,
    cli,
    conflict,
    get,
    gone,
    invalid,
    new_organization,
    new_user,
    not_found,
    refresh,
    scalekit,
    send,
    sign_in,
    somebody,
    unique,
)

users = scalekit.users


@pytest.fixture(scope="module")
def organization():
    """The first member is its creator; all that follow are members."""
    made = new_organization()["id"]
    new_user(made)
    return made


def seen(id):
    return get(f"/api/v1/users/{id}")["user"]


def membership_of(id, organization):
    found = [one for one in seen(id).get("memberships", []) if one["organization_id"] == organization]
    return found[0] if found else None


def new_role(**fields):
    body = {"name": unique("role"), "display_name": "A role", **fields}
    return send("POST", "/api/v1/roles", body)["role"]["name"]


def role_names(id, organization):
    return [role["name"] for role in membership_of(id, organization)["roles"]]


def test_create_user_and_membership_makes_a_person_and_a_member(organization):
    role = new_role()
    message = CreateUser(
        email=f"{unique('ada')}@people.test",
        external_id=unique("crm-"),
        membership=CreateMembership(roles=[Role(name=role)], metadata={"desk": "north"}),
        user_profile=CreateUserProfile(given_name="Ada", family_name="Lovelace", custom_attributes={"floor": "3"}),
        metadata={"team": "engines"},
    )
    made = users.create_user_and_membership(organization, message, send_invitation_email=False)[0].user
    shown = seen(made.id)
    assert (shown["email"], shown["external_id"]) == (message.email, message.external_id)
    assert shown["user_profile"]["first_name"] == "Ada"
    assert shown["user_profile"]["custom_attributes"] == {"floor": "3"}
    membership = membership_of(made.id, organization)
    assert (membership["membership_status"], membership["metadata"]) == ("ACTIVE", {"desk": "north"})
    assert role_names(made.id, organization) == [role]
    assert cli("user", "show", message.email)["id"] == made.id
    with conflict():
        users.create_user_and_membership(organization, message)
    with invalid("email"):
        users.create_user_and_membership(organization, CreateUser(email="no address"))
    with not_found():
        users.create_user_and_membership(NO_ORGANIZATION, CreateUser(email=f"{unique('a')}@people.test"))


def test_get_user_finds_by_either_identifier(organization):
    made = new_user(organization, external_id=unique("crm-"))
    found = users.get_user(made["id"])[0].user
    assert found.email == made["email"]
    assert users.get_user_by_external_id(made["external_id"])[0].user == found
    with not_found("user not found"):
        users.get_user(NO_USER)
    with not_found():
        users.get_user_by_external_id(unique("crm-"))


def test_list_users_and_list_organization_users_page_with_the_newest_first():
    organization = new_organization()["id"]
    made = [new_user(organization)["id"] for _ in range(3)][::-1]
    first = users.list_organization_users(organization, page_size=2)[0]
    assert ([user.id for user in first.users], first.total_size) == (made[:2], 3)
    second = users.list_organization_users(organization, page_size=2, page_token=first.next_page_token)[0]
    assert [user.id for user in second.users] == made[2:]
    everybody = users.list_users(page_size=2)[0]
    assert [user.id for user in everybody.users] == made[:2]
    assert users.list_users(page_size=2, page_token=everybody.next_page_token)[0].users[0].id == made[2]
    assert [user["id"] for user in get(f"/api/v1/organizations/{organization}/users")["users"]] == made
    with not_found():
        users.list_organization_users(NO_ORGANIZATION)
    with invalid("page_token"):
        users.list_users(page_token="nonsense")


def test_update_user_changes_what_is_named(organization):
    made = new_user(organization, external_id=unique("crm-"), metadata={"team": "engines"})
    users.update_user(made["id"], UpdateUser(user_profile=UpdateUserProfile(given_name="Ada", locale="en-GB")))
    users.update_user_by_external_id(made["external_id"], UpdateUser(user_profile=UpdateUserProfile(family_name="King")))
    profile = seen(made["id"])["user_profile"]
    assert (profile["given_name"], profile["family_name"], profile["locale"]) == ("Ada", "King", "en-GB")
    assert seen(made["id"])["metadata"] == {"team": "engines"}
    with not_found():
        users.update_user(NO_USER, UpdateUser(metadata={"team": "x"}))
    with not_found():
        users.update_user_by_external_id(unique("crm-"), UpdateUser(metadata={"team": "x"}))


def test_delete_user_ends_the_sessions_and_leaves_nothing_behind(organization):
    signed_in = sign_in(somebody())
    id = claims(signed_in["access_token"])["sub"]
    users.delete_user(id)
    gone(f"/api/v1/users/{id}")
    assert refresh(signed_in)["error"] == "invalid_grant"
    with not_found():
        users.delete_user(id)
    other = new_user(organization, external_id=unique("crm-"))
    users.delete_user_by_external_id(other["external_id"])
    gone(f"/api/v1/users/{other['id']}")
    with not_found():
        users.delete_user_by_external_id(other["external_id"])


def test_memberships_of_one_organization_leave_the_other(organization):
    home = new_organization()["id"]
    id = new_user(home)["id"]
    reader, writer = new_role(), new_role()
    users.create_membership(organization, id, CreateMembership(roles=[Role(name=reader)]), send_invitation_email=False)
    assert role_names(id, organization) == [reader]
    with conflict():
        users.create_membership(organization, id, CreateMembership())
    users.update_membership(organization, id, UpdateMembership(roles=[Role(name=writer)], metadata={"desk": "south"}))
    assert role_names(id, organization) == [writer]
    assert membership_of(id, organization)["metadata"] == {"desk": "south"}
    users.delete_membership(organization, id)
    assert membership_of(id, organization) is None
    assert membership_of(id, home)
    with not_found():
        users.delete_membership(organization, id)
    with not_found():
        users.update_membership(organization, id, UpdateMembership(roles=[Role(name=writer)]))
    # The user stays without any membership, so that they can be moved, and goes when that is asked for.
    users.delete_membership(home, id)
    users.create_membership(organization, id, CreateMembership(), send_invitation_email=False)
    users.delete_membership(organization, id)
    users.delete_user(id)


def test_memberships_by_external_id_do_the_same(organization):
    made = new_user(new_organization()["id"], external_id=unique("crm-"))
    id, external_id = made["id"], made["external_id"]
    role = new_role()
    users.create_membership_by_external_id(organization, external_id, CreateMembership(), send_invitation_email=False)
    assert role_names(id, organization) == ["member"]
    users.update_membership_by_external_id(organization, external_id, UpdateMembership(roles=[Role(name=role)]))
    assert role_names(id, organization) == [role]
    users.delete_membership_by_external_id(organization, external_id)
    assert membership_of(id, organization) is None
    absent = unique("crm-")
    with not_found():
        users.create_membership_by_external_id(organization, absent, CreateMembership())
    with not_found():
        users.update_membership_by_external_id(organization, absent, UpdateMembership())
    with not_found():
        users.delete_membership_by_external_id(organization, absent)


def test_resend_invite_counts_how_often(organization):
    message = CreateUser(email=f"{unique('guest')}@people.test")
    made = users.create_user_and_membership(organization, message)[0].user
    assert made.memberships[0].membership_status == MembershipStatus.PENDING_INVITE
    invite = users.resend_invite(organization, made.id)[0].invite
    assert (invite.status, invite.resent_count) == ("PENDING_INVITE", 1)
    assert invite.expires_at.seconds > invite.created_at.seconds
    again = send("PATCH", f"/api/v1/invites/organizations/{organization}/users/{made.id}/resend", {})
    assert again["invite"]["resent_count"] == 2
    with not_found():
        users.resend_invite(organization, NO_USER)


def test_list_user_roles_and_list_user_permissions_are_those_of_the_next_token():
    permission = unique("read")
    send("POST", "/api/v1/permissions", {"name": permission, "description": ""})
    role = new_role(permissions=[permission])
    signed_in = sign_in(somebody())
    person = claims(signed_in["access_token"])
    users.update_membership(person["oid"], person["sub"], UpdateMembership(roles=[Role(name=role)]))
    assert [one.name for one in users.list_user_roles(person["oid"], person["sub"])[0].roles] == [role]
    allowed = [one.name for one in users.list_user_permissions(person["oid"], person["sub"])[0].permissions]
    fresh = claims(refresh(signed_in)["access_token"])
    assert fresh["roles"] == [role]
    assert permission in allowed and permission in fresh["permissions"]
    other = new_organization()["id"]
    with not_found():
        users.list_user_roles(other, person["sub"])
    with not_found():
        users.list_user_permissions(other, person["sub"])
