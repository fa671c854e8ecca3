"""scalekit.m2m_client: organizations' own clients, seen again over REST and in the tokens they get."""

import pytest
from scalekit.common.exceptions import ScalekitUnauthorizedException
from scalekit.v1.clients.clients_pb2 import CustomClaim, OrganizationClient
from support.world import (
    NO_ORGANIZATION,
    bad_request,
    claims,
    client,
    client_token,
    get,
    gone,
    invalid,
    new_organization,
    not_found,
    raises,
    rest,
    scalekit,
    unique,
)

m2m = scalekit.m2m_client
NO_CLIENT = "m2morg_100000000000000000001"


def path(organization, id):
    return f"/api/v1/organizations/{organization}/clients/{id}"


def make(organization, **fields):
    return m2m.create_organization_client(organization, OrganizationClient(name=unique("job "), **fields))[0]


def test_create_organization_client_makes_a_client_whose_tokens_carry_what_was_asked(organization):
    made = make(
        organization,
        description="Runs at night",
        audience=["https://api.acme.test"],
        scopes=["jobs:run"],
        custom_claims=[CustomClaim(key="plan", value="gold")],
        expiry=600,
    )
    shown = get(path(organization, made.client.client_id))["client"]
    assert (shown["description"], shown["expiry"]) == ("Runs at night", "600")
    token = claims(client_token(made.client.client_id, made.plain_secret))
    assert (token["aud"], token["scopes"], token["oid"]) == (["https://api.acme.test"], ["jobs:run"], organization)
    assert token["exp"] - token["iat"] == 600
    with not_found():
        make(NO_ORGANIZATION)


def test_such_a_client_may_not_manage_anything(organization):
    made = make(organization)
    with raises(ScalekitUnauthorizedException, "UNAUTHENTICATED"):
        client(made.client.client_id, made.plain_secret).organization.list_organizations()
    bearer = client_token(made.client.client_id, made.plain_secret)
    assert rest("GET", path(organization, made.client.client_id), bearer=bearer).status_code == 401


def test_get_organization_client_shows_a_client_to_its_own_organization_only(organization):
    id = make(organization).client.client_id
    assert m2m.get_organization_client(organization, id)[0].client.client_id == id
    with not_found("client not found"):
        m2m.get_organization_client(new_organization()["id"], id)
    with invalid("client_id"):
        m2m.get_organization_client(organization, "skc_1")


def test_update_organization_client_replaces_what_is_given(organization):
    made = make(organization, scopes=["jobs:run"])
    m2m.update_organization_client(organization, made.client.client_id, OrganizationClient(description="Changed"))
    shown = get(path(organization, made.client.client_id))["client"]
    assert (shown["name"], shown["description"], shown["scopes"]) == (made.client.name, "Changed", ["jobs:run"])
    with not_found():
        m2m.update_organization_client(organization, NO_CLIENT, OrganizationClient(name="x"))


def test_secrets_change_without_a_pause(organization):
    made = make(organization)
    id = made.client.client_id
    second = m2m.add_organization_client_secret(organization, id)[0]
    client_token(id, made.plain_secret)
    client_token(id, second.plain_secret)
    m2m.remove_organization_client_secret(organization, id, made.client.secrets[0].id)
    with pytest.raises(AssertionError, match="invalid_client"):
        client_token(id, made.plain_secret)
    assert [one["id"] for one in get(path(organization, id))["client"]["secrets"]] == [second.secret.id]
    with bad_request("last client cannot be deleted"):
        m2m.remove_organization_client_secret(organization, id, second.secret.id)
    with not_found():
        m2m.add_organization_client_secret(organization, NO_CLIENT)


def test_list_organization_clients_pages_with_the_newest_first():
    organization = new_organization()["id"]
    made = [make(organization).client.client_id for _ in range(3)][::-1]
    first = m2m.list_organization_clients(organization, page_size=2)[0]
    assert ([one.client_id for one in first.clients], first.total_size) == (made[:2], 3)
    second = m2m.list_organization_clients(organization, page_size=2, page_token=first.next_page_token)[0]
    assert [one.client_id for one in second.clients] == made[2:]


def test_delete_organization_client_ends_its_tokens(organization):
    made = make(organization)
    m2m.delete_organization_client(organization, made.client.client_id)
    gone(path(organization, made.client.client_id))
    with pytest.raises(AssertionError, match="invalid_client"):
        client_token(made.client.client_id, made.plain_secret)
    with not_found():
        m2m.delete_organization_client(organization, made.client.client_id)
