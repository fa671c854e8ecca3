"""Scalekit's own SDK for Python, unmodified, over TLS with the development authority.

The SDK speaks gRPC over TLS only, to the same port that answers its plain HTTP calls.
"""

import os
from urllib.parse import parse_qs, urlsplit

import pytest
from scalekit import ScalekitClient
from scalekit.common.exceptions import ScalekitException, ScalekitNotImplementedException
from scalekit.common.scalekit import (
    AuthorizationUrlOptions,
    CodeAuthenticationOptions,
    LogoutUrlOptions,
    TokenValidationOptions,
)

REDIRECT_URI = "http://localhost:4321/api/auth/callback"
POST_LOGOUT_URI = "http://localhost:4321"
EMAIL = "ada.lovelace@example.com"
SCOPES = ["openid", "profile", "email", "offline_access"]


@pytest.fixture(scope="module", params=["https", "http"])
def scalekit(request, genkan):
    """The client, once for each way to write the environment URL."""
    authority = genkan.env["GENKAN_CA_FILE"]
    os.environ["REQUESTS_CA_BUNDLE"] = authority
    os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = authority
    url = genkan.https_url if request.param == "https" else genkan.url
    yield ScalekitClient(url, genkan.env["SCALEKIT_CLIENT_ID"], genkan.env["SCALEKIT_CLIENT_SECRET"])
    del os.environ["REQUESTS_CA_BUNDLE"]


def sign_in(scalekit, browser, genkan, **options):
    asked = AuthorizationUrlOptions()
    vars(asked).update(scopes=SCOPES, state="abc", **options)
    url = scalekit.get_authorization_url(REDIRECT_URI, asked)
    # The browser always uses the public address; only the SDK's own calls go over TLS.
    url = url.replace(genkan.https_url, genkan.url)
    query = parse_qs(urlsplit(browser.sign_in(url, EMAIL, REDIRECT_URI)).query)
    assert query["state"] == ["abc"]
    return scalekit.authenticate_with_code(query["code"][0], REDIRECT_URI, CodeAuthenticationOptions())


def test_a_person_signs_in(scalekit, genkan, browser):
    result = sign_in(scalekit, browser, genkan)
    assert result["user"]["email"] == EMAIL
    assert result["connection_id"] == genkan.env["GENKAN_TEST_CONNECTION_ID"]
    assert result["organization_id"] == genkan.env["GENKAN_TEST_ORGANIZATION_ID"]
    assert result["refresh_token"]
    assert result["expires_in"] == 300


def test_an_organization_is_enough_to_find_the_connection(scalekit, genkan, browser):
    result = sign_in(scalekit, browser, genkan, organization_id=genkan.env["GENKAN_TEST_ORGANIZATION_ID"])
    assert result["user"]["email"] == EMAIL


def test_the_access_token_is_valid_here_and_nowhere_else(scalekit, genkan, browser):
    token = sign_in(scalekit, browser, genkan)["access_token"]
    client_id = genkan.env["SCALEKIT_CLIENT_ID"]
    right = TokenValidationOptions(issuer=genkan.url, audience=[client_id], required_scopes=["email"])
    assert scalekit.validate_access_token(token, options=right)
    assert not scalekit.validate_access_token(token, options=TokenValidationOptions(issuer="https://other.test"))
    assert not scalekit.validate_access_token(token, options=TokenValidationOptions(audience=["skc_1"]))
    assert not scalekit.validate_access_token(token, options=TokenValidationOptions(required_scopes=["admin"]))
    assert not scalekit.validate_access_token(token[:-4] + "AAAA")


def test_a_refresh_returns_both_tokens(scalekit, genkan, browser):
    first = sign_in(scalekit, browser, genkan)
    refreshed = scalekit.refresh_access_token(first["refresh_token"])
    assert refreshed["refresh_token"] != first["refresh_token"]
    assert scalekit.validate_access_token(refreshed["access_token"])


def test_logout_ends_the_session(scalekit, genkan, browser):
    tokens = sign_in(scalekit, browser, genkan)
    options = LogoutUrlOptions(id_token_hint=tokens["id_token"], post_logout_redirect_uri=POST_LOGOUT_URI)
    address = browser.open(
        scalekit.get_logout_url(options).replace(genkan.https_url, genkan.url), until=POST_LOGOUT_URI
    )
    assert address == f"{POST_LOGOUT_URI}/" or address == POST_LOGOUT_URI
    with pytest.raises(ScalekitException):
        scalekit.refresh_access_token(tokens["refresh_token"])


def test_a_client_token_is_for_the_application_itself(scalekit, genkan):
    claims = scalekit.validate_access_token_and_get_claims(
        scalekit.get_client_access_token(), options=TokenValidationOptions(issuer=genkan.url)
    )
    assert claims["sub"] == genkan.env["SCALEKIT_CLIENT_ID"]


def test_a_wrong_secret_is_refused_in_the_constructor(scalekit, genkan):
    with pytest.raises(ScalekitException):
        ScalekitClient(genkan.https_url, genkan.env["SCALEKIT_CLIENT_ID"], "wrong")


def test_a_management_call_is_answered(scalekit, genkan):
    organizations = scalekit.organization.list_organizations(page_size=10)[0].organizations
    assert [organization.id for organization in organizations] == [genkan.env["GENKAN_TEST_ORGANIZATION_ID"]]


def test_a_call_about_agents_tools_says_that_it_is_not_served(scalekit):
    with pytest.raises(ScalekitNotImplementedException) as raised:
        scalekit.tools.list_tools(page_size=10)
    assert len(str(raised.value).split()) >= 3
