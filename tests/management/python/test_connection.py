"""scalekit.connection: every method, seen again over REST and logins."""

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from scalekit.common.exceptions import ScalekitBadRequestException
from scalekit.v1.connections.connections_pb2 import (
    ConnectionProvider,
    ConnectionType,
    CreateConnection,
    Flags,
    OIDCConnectionConfig,
    UpdateConnection,
)
from support.world import (
    NO_ORGANIZATION,
    bad_request,
    get,
    gone,
    new_organization,
    not_found,
    rest,
    scalekit,
    sign_in,
    world,
)

connections = scalekit.connection
spare = world["spare"]
NO_CONNECTION = "conn_100000000000000000001"
OIDC = CreateConnection(provider=ConnectionProvider.OKTA, type=ConnectionType.OIDC)


def path(organization, id):
    return f"/api/v1/organizations/{organization}/connections/{id}"


def make(organization):
    return connections.create_connection(organization, OIDC)[0].connection


def test_create_connection_makes_a_draft(organization):
    for kind in (ConnectionType.OIDC, ConnectionType.SAML):
        message = CreateConnection(provider=ConnectionProvider.OKTA, type=kind)
        made = connections.create_connection(organization, message)[0].connection
        shown = get(path(organization, made.id))["connection"]
        assert (shown["type"], shown["status"], shown["enabled"]) == (ConnectionType.Name(kind), "DRAFT", False)
    with not_found():
        connections.create_connection(NO_ORGANIZATION, OIDC)
    with pytest.raises(ScalekitBadRequestException):
        connections.create_connection(organization, CreateConnection(type=ConnectionType.OIDC))


def test_get_connection_shows_a_connection_to_its_own_organization_only(organization):
    made = make(organization)
    assert connections.get_connection(organization, made.id)[0].connection.id == made.id
    with not_found("connection not found"):
        connections.get_connection(spare["organizationId"], made.id)
    with not_found():
        connections.get_connection(organization, NO_CONNECTION)


def test_list_connections_finds_by_organization_and_by_domain():
    organization = new_organization()["id"]
    made = make(organization)
    assert not connections.list_connections(organization)[0].connections, "nobody can use it yet"
    assert [one.id for one in connections.list_connections(organization, include="all")[0].connections] == [made.id]
    found = connections.list_connections_by_domain("spare.test")[0].connections
    assert [one.id for one in found] == [spare["connectionId"]]
    assert get("/api/v1/connections?domain=spare.test")["connections"][0]["id"] == spare["connectionId"]
    assert not connections.list_connections_by_domain("nobody-has.test")[0].connections


def test_disable_connection_ends_logins_at_once_and_enable_connection_lets_them_in_again(organization):
    def login():
        return sign_in(spare["email"], connection_id=spare["connectionId"])

    where = (spare["organizationId"], spare["connectionId"])
    assert "access_token" in login()
    assert not connections.disable_connection(*where)[0].enabled
    assert get(path(*where))["connection"]["enabled"] is False
    with pytest.raises((AssertionError, KeyError)):
        login()
    assert connections.enable_connection(*where)[0].enabled
    assert "access_token" in login()
    with bad_request():
        connections.enable_connection(organization, make(organization).id)
    with not_found():
        connections.enable_connection(organization, spare["connectionId"])
    with not_found():
        connections.disable_connection(organization, spare["connectionId"])


def test_delete_connection_leaves_nothing_behind(organization):
    made = make(organization)
    connections.delete_connection(organization, made.id)
    gone(path(organization, made.id))
    with not_found():
        connections.delete_connection(organization, made.id)


def test_list_app_connections_has_none_since_they_are_for_agents_tools():
    answer = connections.list_app_connections(page_size=10)[0]
    assert (list(answer.connections), answer.total_size) == ([], 0)


def test_connections_of_the_environment_are_made_changed_and_found():
    made = connections.create_environment_connection(OIDC, Flags(is_login=True))[0].connection
    change = UpdateConnection(
        provider=ConnectionProvider.OKTA,
        type=ConnectionType.OIDC,
        oidc_config=OIDCConnectionConfig(client_id=StringValue(value="genkan")),
    )
    connections.update_environment_connection(made.id, change)
    found = connections.get_environment_connection(made.id)[0].connection
    assert (found.oidc_config.client_id.value, found.organization_id) == ("genkan", "")
    assert get(f"/api/v1/connections/{made.id}")["connection"]["oidc_config"]["client_id"] == "genkan"
    with not_found():
        connections.get_environment_connection(NO_CONNECTION)
    with not_found():
        connections.update_environment_connection(NO_CONNECTION, change)
    assert rest("DELETE", f"/api/v1/connections/{made.id}").status_code == 200
    gone(f"/api/v1/connections/{made.id}")
