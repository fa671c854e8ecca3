"""PyPI Authlib as a relying party: discovery, code with PKCE, userinfo, refresh, introspection, logout."""

import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

REDIRECT_URI = "http://localhost:4321/api/auth/callback"
POST_LOGOUT_URI = "http://localhost:4321"
SCOPE = "openid profile email offline_access"
EMAIL = "ada.lovelace@example.com"


@pytest.fixture
def metadata(genkan):
    return requests.get(f"{genkan.url}/.well-known/openid-configuration", timeout=10).json()


@pytest.fixture(params=["client_secret_basic", "client_secret_post"])
def client(request, genkan, metadata):
    return OAuth2Session(
        genkan.env["SCALEKIT_CLIENT_ID"],
        genkan.env["SCALEKIT_CLIENT_SECRET"],
        scope=SCOPE,
        redirect_uri=REDIRECT_URI,
        code_challenge_method="S256",
        token_endpoint_auth_method=request.param,
        revocation_endpoint_auth_method=request.param,
        token_endpoint=metadata["token_endpoint"],
    )


def sign_in(client, browser, metadata, nonce="n-1"):
    verifier = secrets.token_urlsafe(48)
    url, state = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
    )
    callback = browser.sign_in(url, EMAIL, REDIRECT_URI)
    return client.fetch_token(
        metadata["token_endpoint"], authorization_response=callback, state=state, code_verifier=verifier
    )


def validated_id_token(token, genkan, metadata, nonce=None):
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
    decoded = jwt.decode(token["id_token"], keys, algorithms=metadata["id_token_signing_alg_values_supported"])
    client_id = genkan.env["SCALEKIT_CLIENT_ID"]
    claims = CodeIDToken(
        decoded.claims,
        decoded.header,
        options={"iss": {"essential": True, "value": genkan.url}, "aud": {"essential": True, "value": client_id}},
        params={"nonce": nonce, "client_id": client_id, "access_token": token["access_token"]},
    )
    claims.validate(leeway=0)
    return claims


def test_the_id_token_of_a_sign_in_with_pkce_is_valid(genkan, client, browser, metadata):
    token = sign_in(client, browser, metadata, nonce="n-2")
    claims = validated_id_token(token, genkan, metadata, nonce="n-2")
    assert claims["email"] == EMAIL
    assert claims["sub"].startswith("usr_")
    assert claims["oid"] == genkan.env["GENKAN_TEST_ORGANIZATION_ID"]
    assert set(token["scope"].split()) == set(SCOPE.split())


def test_userinfo_tells_the_same_person(genkan, client, browser, metadata):
    token = sign_in(client, browser, metadata)
    answer = client.get(metadata["userinfo_endpoint"])
    assert answer.status_code == 200
    assert answer.json()["sub"] == validated_id_token(token, genkan, metadata)["sub"]
    assert answer.json()["email"] == EMAIL


def test_a_refresh_that_names_all_scopes_again_is_accepted(genkan, client, browser, metadata):
    token = sign_in(client, browser, metadata)
    subject = validated_id_token(token, genkan, metadata)["sub"]
    for _ in range(2):
        refreshed = client.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"], scope=SCOPE)
        assert refreshed["refresh_token"] != token["refresh_token"]
        assert validated_id_token(refreshed, genkan, metadata)["sub"] == subject
        token = dict(refreshed)


def test_introspection_and_revocation_agree(client, browser, metadata):
    token = sign_in(client, browser, metadata)

    def introspect():
        return client.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()

    assert introspect()["active"] is True
    assert client.revoke_token(metadata["revocation_endpoint"], token=token["access_token"]).status_code == 200
    assert introspect() == {"active": False}


def test_a_client_gets_a_token_for_itself(genkan, client, metadata):
    token = client.fetch_token(metadata["token_endpoint"], grant_type="client_credentials", scope=None)
    answer = client.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()
    assert answer["sub"] == genkan.env["SCALEKIT_CLIENT_ID"]


def test_logout_returns_to_the_application_and_ends_the_session(client, browser, metadata):
    token = sign_in(client, browser, metadata)
    query = {"id_token_hint": token["id_token"], "post_logout_redirect_uri": POST_LOGOUT_URI, "state": "bye"}

    address = browser.open(f"{metadata['end_session_endpoint']}?{urlencode(query)}", until=POST_LOGOUT_URI)

    assert parse_qs(urlsplit(address).query) == {"state": ["bye"]}
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])


def test_a_wrong_verifier_is_refused(client, browser, metadata):
    url, state = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=secrets.token_urlsafe(48)
    )
    callback = browser.sign_in(url, EMAIL, REDIRECT_URI)
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.fetch_token(
            metadata["token_endpoint"],
            authorization_response=callback,
            state=state,
            code_verifier=secrets.token_urlsafe(48),
        )
