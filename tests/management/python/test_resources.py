"""scalekit.resources: protected resources and their clients, seen again over REST and in tokens."""

import pytest
from scalekit.v1.clients.clients_pb2 import CustomClaim, ResourceClient, ResourceType
from support.world import claims, client_token, get, gone, not_found, scalekit, send, unique

resources = scalekit.resources
NO_RESOURCE = "res_100000000000000000001"
NO_CLIENT = "m2m_100000000000000000001"


@pytest.fixture(scope="module")
def resource():
    body = {
        "resource_type": "MCP_SERVER",
        "name": unique("Notes "),
        "resource_uri": f"https://{unique('notes')}.acme.test/mcp",
    }
    return send("POST", "/api/v1/resources", body)["resource"]


def path(resource, id):
    return f"/api/v1/resources/{resource['id']}/clients/{id}"


def make(resource, **fields):
    return resources.create_resource_client(resource["id"], ResourceClient(name=unique("agent "), **fields))[0]


def test_get_resource_and_list_resources_find_it(resource):
    found = resources.get_resource(resource["id"])[0].resource
    assert (found.name, found.resource_uri) == (resource["name"], resource["resource_uri"])
    listed = resources.list_resources(ResourceType.MCP_SERVER, page_size=30)[0].resources
    assert resource["id"] in [one.id for one in listed]
    with not_found("resource not found"):
        resources.get_resource(NO_RESOURCE)


def test_create_resource_client_makes_a_client_whose_tokens_are_for_the_resource(resource):
    made = make(resource, description="Reads", custom_claims=[CustomClaim(key="plan", value="gold")], expiry=600)
    shown = get(path(resource, made.client.client_id))["client"]
    assert (shown["description"], shown["resource_id"]) == ("Reads", resource["id"])
    token = claims(client_token(made.client.client_id, made.plain_secret))
    assert resource["resource_uri"] in token["aud"]
    assert token["exp"] - token["iat"] == 600
    with not_found():
        make({"id": NO_RESOURCE})


def test_get_resource_client_and_list_resource_clients_find_it(resource):
    made = make(resource).client
    assert resources.get_resource_client(resource["id"], made.client_id)[0].client.name == made.name
    listed = resources.list_resource_clients(resource["id"])[0]
    assert made.client_id in [one.client_id for one in listed.clients]
    assert listed.total_static_clients == len(listed.clients)
    with not_found():
        resources.get_resource_client(resource["id"], NO_CLIENT)
    with not_found():
        resources.list_resource_clients(NO_RESOURCE)


def test_update_resource_client_changes_what_is_named(resource):
    made = make(resource, description="Before").client
    resources.update_resource_client(resource["id"], made.client_id, name="After", expiry=900)
    shown = get(path(resource, made.client_id))["client"]
    assert (shown["name"], shown["description"], shown["expiry"]) == ("After", "Before", "900")
    with not_found():
        resources.update_resource_client(resource["id"], NO_CLIENT, name="x")


def test_secrets_change_without_a_pause(resource):
    made = make(resource)
    id = made.client.client_id
    second = resources.create_resource_client_secret(resource["id"], id)[0]
    client_token(id, made.plain_secret)
    client_token(id, second.plain_secret)
    resources.delete_resource_client_secret(resource["id"], id, made.client.secrets[0].id)
    assert [one["id"] for one in get(path(resource, id))["client"]["secrets"]] == [second.secret.id]
    with pytest.raises(AssertionError, match="invalid_client"):
        client_token(id, made.plain_secret)
    with not_found():
        resources.create_resource_client_secret(resource["id"], NO_CLIENT)


def test_delete_resource_client_ends_its_tokens(resource):
    made = make(resource)
    resources.delete_resource_client(resource["id"], made.client.client_id)
    gone(path(resource, made.client.client_id))
    with not_found():
        resources.delete_resource_client(resource["id"], made.client.client_id)


def test_nobody_has_consented_to_anything_yet(resource):
    made = make(resource).client
    answer = resources.list_user_consents(resource["id"], page_size=10)[0]
    assert (list(answer.consents), answer.total_size) == ([], 0)
    assert not get(f"/api/v1/user_consents?resource_id={resource['id']}").get("consents")
    with not_found():
        resources.list_user_consents(NO_RESOURCE)
    with not_found():
        resources.revoke_user_consent(made.client_id, "usrcnst_100000000000000000001")
