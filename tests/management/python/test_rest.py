"""REST without any SDK: one method of each service, its errors, and JSON as it is documented."""

import pytest
from support.world import NO_ORGANIZATION, client_token, http, new_organization, new_user, rest, send, unique, world

ERROR_INFO = "type.googleapis.com/scalekit.v1.errdetails.ErrorInfo"

# Service → what lists or shows something of it; braces are filled from `things`.
READS = {
    "AuditLogsService": "/api/v1/logs/authentication/requests",
    "ClientService": "/api/v1/organizations/{organization}/clients",
    "ConnectionService": "/api/v1/connections?organization_id={organization}",
    "DirectoryService": "/api/v1/organizations/{organization}/directories",
    "DomainService": "/api/v1/organizations/{organization}/domains",
    "OrganizationService": "/api/v1/organizations/{organization}",
    "RolesService": "/api/v1/roles",
    "SessionService": "/api/v1/users/{user}/sessions",
    "ApiTokenService": "/api/v1/tokens?organization_id={organization}",
    "UserAttributeService": "/api/v1/sso-user-attributes",
    "UserService": "/api/v1/users/{user}",
    "WebAuthnService": "/api/v1/webauthn/credentials?user_id={user}",
}


@pytest.fixture(scope="module")
def things():
    organization = new_organization()["id"]
    return {"organization": organization, "user": new_user(organization)["id"]}


def refused(answer, status, code, error_code):
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert (body["code"], body["details"][0]["error_code"]) == (code, error_code)
    assert body["details"][0]["@type"] == ERROR_INFO
    assert body["message"]
    return body["message"]


@pytest.mark.parametrize("service", READS)
def test_each_service_answers(service, things):
    answer = rest("GET", READS[service].format(**things))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("service", READS)
def test_each_service_wants_a_token(service, things):
    path = READS[service].format(**things)
    refused(http.get(f"{world['issuer']}{path}", timeout=20), 401, 16, "UNAUTHENTICATED")
    refused(rest("GET", path, bearer="nonsense"), 401, 16, "UNAUTHENTICATED")


def test_creates_answer_201_and_everything_else_200():
    made = rest("POST", "/api/v1/organizations", {"display_name": "Acme"})
    assert made.status_code == 201
    id = made.json()["organization"]["id"]
    assert rest("PATCH", f"/api/v1/organizations/{id}", {"display_name": "Renamed"}).status_code == 200
    deleted = rest("DELETE", f"/api/v1/organizations/{id}")
    assert (deleted.status_code, deleted.json()) == (200, {})


def test_both_ways_to_write_a_name_are_understood_and_one_is_written():
    organization = send("POST", "/api/v1/organizations", {"displayName": "Acme", "externalId": unique("crm-")})
    assert organization["organization"]["display_name"] == "Acme"
    assert "displayName" not in organization["organization"]


def test_events_and_passwordless_are_posts():
    assert rest("POST", "/api/v1/events/paginated?page_size=1", {}).status_code in (200, 201)
    answer = rest("POST", "/api/v1/passwordless/email/send", {"email": "no address"})
    refused(answer, 400, 3, "INVALID_ARGUMENT")


def test_errors_have_the_documented_body():
    assert "display_name" in refused(rest("POST", "/api/v1/organizations", {}), 400, 3, "INVALID_ARGUMENT")
    refused(rest("GET", f"/api/v1/organizations/{NO_ORGANIZATION}"), 404, 5, "RESOURCE_NOT_FOUND")
    external_id = unique("crm-")
    new_organization(external_id=external_id)
    again = rest("POST", "/api/v1/organizations", {"display_name": "Acme", "external_id": external_id})
    refused(again, 409, 6, "ALREADY_EXISTS")
    headers = {"authorization": f"Bearer {client_token()}", "content-type": "application/json"}
    for garbage in (b"{", b"[]", b'"text"', b'{"display_name": 5}', b'{"display_name": "x"} more'):
        answer = http.post(f"{world['issuer']}/api/v1/organizations", data=garbage, headers=headers, timeout=20)
        assert answer.status_code == 400, (garbage, answer.text)


def test_a_path_without_a_method_is_not_found():
    assert rest("GET", "/api/v1/nothing").status_code == 404
    assert rest("DELETE", "/api/v1/organizations").status_code in (404, 405)


def test_identifiers_in_the_path_may_be_escaped():
    external_id = f"{unique('crm')}/a b:c"
    made = new_organization(external_id=external_id)
    found = rest("GET", f"/api/v1/organizations:external/{external_id.replace('/', '%2F').replace(' ', '%20')}")
    assert found.json()["organization"]["id"] == made["id"], found.text
