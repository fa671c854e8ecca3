"""scalekit.organization: every method, seen again over REST and the command line."""

import time
from urllib.parse import urlsplit

from scalekit.v1.commons.commons_pb2 import TimeUnit
from scalekit.v1.organizations.organizations_pb2 import (
    CreateOrganization,
    Feature,
    SessionPolicyType,
    UpdateOrganization,
)
from support.world import (
    NO_ORGANIZATION,
    cli,
    conflict,
    get,
    gone,
    invalid,
    new_organization,
    new_user,
    not_found,
    rest,
    scalekit,
    unique,
)

organizations = scalekit.organization


def seen(id):
    return get(f"/api/v1/organizations/{id}")["organization"]


def test_create_organization_makes_what_rest_and_the_command_line_show():
    external_id = unique("crm-")
    message = CreateOrganization(display_name="Acme", external_id=external_id, metadata={"plan": "gold"})
    made = organizations.create_organization(message)[0].organization
    assert seen(made.id)["display_name"] == "Acme"
    assert seen(made.id)["metadata"] == {"plan": "gold"}
    assert cli("org", "show", made.id)["external_id"] == external_id
    with conflict("(?i)external"):
        organizations.create_organization(CreateOrganization(display_name="Second", external_id=external_id))
    with invalid("display_name"):
        organizations.create_organization(CreateOrganization())
    with invalid("metadata"):
        organizations.create_organization(
            CreateOrganization(display_name="Acme", metadata={f"key{index}": "x" for index in range(11)})
        )


def test_list_organizations_pages_with_the_newest_first():
    made = [new_organization()["id"] for _ in range(3)][::-1]
    first = organizations.list_organizations(page_size=2)[0]
    assert [one.id for one in first.organizations] == made[:2]
    second = organizations.list_organizations(page_size=2, page_token=first.next_page_token)[0]
    assert second.organizations[0].id == made[2]
    assert first.total_size >= 3
    with invalid("page_token"):
        organizations.list_organizations(page_token="nonsense")


def test_get_organization_finds_by_either_identifier():
    made = new_organization(external_id=unique("crm-"))
    found = organizations.get_organization(made["id"])[0].organization
    assert found.display_name == made["display_name"]
    assert organizations.get_organization_by_external_id(made["external_id"])[0].organization == found
    with not_found("organization not found"):
        organizations.get_organization(NO_ORGANIZATION)
    with not_found():
        organizations.get_organization_by_external_id(unique("crm-"))


def test_update_organization_changes_what_is_named():
    made = new_organization(external_id=unique("crm-"), metadata={"plan": "gold"})
    organizations.update_organization(made["id"], UpdateOrganization(display_name="Renamed"))
    assert seen(made["id"])["display_name"] == "Renamed"
    assert seen(made["id"])["metadata"] == {"plan": "gold"}
    organizations.update_organization_by_external_id(made["external_id"], UpdateOrganization(metadata={"plan": "tin"}))
    assert seen(made["id"])["metadata"] == {"plan": "tin"}
    with not_found():
        organizations.update_organization(NO_ORGANIZATION, UpdateOrganization(display_name="x"))
    with not_found():
        organizations.update_organization_by_external_id(unique("crm-"), UpdateOrganization(display_name="x"))


def test_delete_organization_leaves_nothing_behind():
    id = new_organization()["id"]
    organizations.delete_organization(id)
    gone(f"/api/v1/organizations/{id}")
    with not_found():
        organizations.delete_organization(id)


def test_generate_portal_link_gives_an_address_for_a_minute():
    id = new_organization()["id"]
    link = organizations.generate_portal_link(id, [Feature.sso])
    assert urlsplit(link.location).path.startswith("/magicLink/")
    assert 0 < link.expire_time.seconds - time.time() <= 61
    another = rest("PUT", f"/api/v1/organizations/{id}/portal_links").json()["link"]
    assert urlsplit(another["location"]).netloc == urlsplit(link.location).netloc
    assert another["location"] != link.location
    with not_found():
        organizations.generate_portal_link(NO_ORGANIZATION)


def test_update_organization_settings_switches_features():
    id = new_organization()["id"]
    settings = [{"name": "sso", "enabled": True}, {"name": "dir_sync", "enabled": True}]
    answer = organizations.update_organization_settings(id, settings)[0].organization
    assert {feature.name for feature in answer.settings.features[:2]} == {"sso", "dir_sync"}
    features = {feature["name"]: feature["enabled"] for feature in seen(id)["settings"]["features"]}
    assert features["sso"] and features["dir_sync"]
    with invalid("feature"):
        organizations.update_organization_settings(id, [{"name": "no_such_feature", "enabled": True}])


def test_upsert_user_management_settings_limits_the_users():
    id = new_organization()["id"]
    assert organizations.upsert_user_management_settings(id, 1).max_allowed_users.value == 1
    assert get(f"/api/v1/organizations/{id}/settings/usermanagement")["settings"]["max_allowed_users"] == 1
    new_user(id)
    late = rest("POST", f"/api/v1/organizations/{id}/users", {"email": f"{unique('late')}@people.test"})
    assert late.status_code in (400, 429), late.text
    with not_found():
        organizations.upsert_user_management_settings(NO_ORGANIZATION, 1)


def test_the_session_policy_is_kept_until_it_follows_the_application_again():
    id = new_organization()["id"]
    assert organizations.get_organization_session_policy(id)[0].policy.policy_source == SessionPolicyType.APPLICATION
    organizations.update_organization_session_policy(
        id,
        SessionPolicyType.CUSTOM,
        absolute_session_timeout=4,
        absolute_session_timeout_unit=TimeUnit.HOURS,
        idle_session_timeout_enabled=True,
        idle_session_timeout=30,
        idle_session_timeout_unit=TimeUnit.MINUTES,
    )
    policy = organizations.get_organization_session_policy(id)[0].policy
    assert (policy.absolute_session_timeout.value, policy.idle_session_timeout.value) == (4, 30)
    shown = get(f"/api/v1/organizations/{id}/session-policy")["policy"]
    assert (shown["policy_source"], shown["absolute_session_timeout_unit"]) == ("CUSTOM", "HOURS")
    organizations.update_organization_session_policy(id, SessionPolicyType.APPLICATION)
    assert get(f"/api/v1/organizations/{id}/session-policy")["policy"]["policy_source"] == "APPLICATION"
    with not_found():
        organizations.get_organization_session_policy(NO_ORGANIZATION)
    with not_found():
        organizations.update_organization_session_policy(NO_ORGANIZATION, SessionPolicyType.APPLICATION)
