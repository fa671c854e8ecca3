"""ScalekitClient's own methods. What a login does in detail is in tests/clients/scalekit_sdk.py."""

import base64
import hashlib
import hmac
import os
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from scalekit.common.exceptions import (
    ScalekitException,
    ScalekitUnauthorizedException,
    ScalekitValidateTokenFailureException,
    WebhookVerificationError,
)
from scalekit.common.scalekit import (
    AuthorizationUrlOptions,
    CodeAuthenticationOptions,
    LogoutUrlOptions,
    TokenValidationOptions,
)
from support.world import (
    browser,
    claims,
    cli,
    client,
    get,
    http,
    raises,
    refresh,
    rest,
    scalekit,
    send,
    sign_in,
    unique,
    world,
)


def at_issuer(url):
    return url.replace(world["url"], world["issuer"])


def test_get_authorization_url_and_authenticate_with_code_sign_a_person_in():
    options = AuthorizationUrlOptions()
    options.state, options.login_hint = "abc", world["email"]
    url = at_issuer(scalekit.get_authorization_url(world["redirectUri"], options))
    query = parse_qs(urlsplit(browser().sign_in(url, world["email"], world["redirectUri"])).query)
    assert query["state"] == ["abc"]
    result = scalekit.authenticate_with_code(query["code"][0], world["redirectUri"], CodeAuthenticationOptions())
    assert get(f"/api/v1/users/{result['user']['id']}")["user"]["email"] == world["email"]
    assert (result["connection_id"], result["organization_id"]) == (world["connectionId"], world["organizationId"])
    with pytest.raises(ScalekitException):
        scalekit.authenticate_with_code("nonsense", world["redirectUri"], CodeAuthenticationOptions())


def test_our_tokens_are_valid_here_and_nowhere_else():
    token = sign_in()["access_token"]
    options = TokenValidationOptions(issuer=world["issuer"], audience=[world["clientId"]], required_scopes=["email"])
    assert scalekit.validate_token(token, options) == claims(token)
    assert scalekit.validate_access_token(token, options)
    assert scalekit.validate_access_token_and_get_claims(token, options) == claims(token)
    assert not scalekit.validate_access_token(token, TokenValidationOptions(audience=["skc_1"]))
    assert scalekit.verify_scopes(token, ["openid", "email"])
    with pytest.raises(ScalekitValidateTokenFailureException):
        scalekit.verify_scopes(token, ["admin"])


def test_refresh_access_token_returns_both_tokens_until_the_session_ends():
    tokens = sign_in()
    refreshed = scalekit.refresh_access_token(tokens["refresh_token"])
    session = claims(refreshed["access_token"])["sid"]
    assert session == claims(tokens["access_token"])["sid"]
    send("POST", f"/api/v1/sessions/{session}/revoke")
    with pytest.raises(ScalekitException):
        scalekit.refresh_access_token(refreshed["refresh_token"])


def test_get_logout_url_ends_the_session():
    agent = browser()
    tokens = sign_in(agent=agent)
    options = LogoutUrlOptions(id_token_hint=tokens["id_token"], post_logout_redirect_uri=world["postLogoutUri"])
    address = agent.open(at_issuer(scalekit.get_logout_url(options)), until=world["postLogoutUri"])
    assert isinstance(address, str)
    assert refresh(tokens)["error"] == "invalid_grant"


def test_client_tokens_are_what_rest_takes():
    for token in (
        scalekit.get_client_access_token(),
        scalekit.generate_client_token(world["clientId"], world["clientSecret"]),
    ):
        assert claims(token)["sub"] == world["clientId"]
        assert rest("GET", "/api/v1/organizations?page_size=1", bearer=token).status_code == 200
    with pytest.raises(ScalekitException):
        scalekit.generate_client_token(world["clientId"], "wrong")


def test_get_idp_initiated_login_claims_reads_what_a_login_that_began_elsewhere_brings():
    login = "https://app.portal.test/login"
    uris = ("--redirect-uri", "https://app.portal.test/callback", "--initiate-login-uri", login)
    application = cli("app", "create", "--name", unique("Portal"), *uris)
    spare = world["spare"]
    cli("connection", "update", spare["connectionId"], "--allow-idp-initiated")
    try:
        hints = {"iss": spare["issuer"], "login_hint": spare["email"]}
        url = f"{world['issuer']}/sso/v1/oidc/{spare['connectionId']}/init"
        target = http.get(url, params=hints, allow_redirects=False, timeout=20).headers["location"]
        token = parse_qs(urlsplit(target).query)["idp_initiated_login"][0]
        initiated = scalekit.get_idp_initiated_login_claims(token, TokenValidationOptions(issuer=world["issuer"]))
        assert initiated["connection_id"] == spare["connectionId"]
        assert initiated["organization_id"] == spare["organizationId"]
        assert initiated["login_hint"] == spare["email"]
        # Anybody can have one signed: an API that names its audience is not fooled.
        for audience in (world["clientId"], application["id"], world["issuer"]):
            assert not scalekit.validate_access_token(token, TokenValidationOptions(audience=audience))
    finally:
        cli("app", "delete", application["id"], "--yes")


def test_signed_payloads_are_accepted_by_the_documented_rule():
    key = os.urandom(24)
    secret = f"whsec_{base64.b64encode(key).decode()}"
    id, payload, now = "evt_1", '{"type":"user.created"}', str(int(time.time()))
    digest = hmac.new(key, f"{id}.{now}.{payload}".encode(), hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    for kind, verify in (
        ("webhook", scalekit.verify_webhook_payload),
        ("interceptor", scalekit.verify_interceptor_payload),
    ):
        headers = {f"{kind}-id": id, f"{kind}-timestamp": now, f"{kind}-signature": signature}
        assert verify(secret, headers, payload)
        with pytest.raises(WebhookVerificationError):
            verify(secret, headers, f"{payload} ")


def test_an_application_without_management_access_is_unauthorized():
    application = cli("app", "create", "--name", unique("Portal"), "--redirect-uri", "https://app.portal.test/callback")
    with raises(ScalekitUnauthorizedException, "UNAUTHENTICATED"):
        client(application["id"], application["secret"]).organization.list_organizations()


def test_a_stale_token_beside_a_good_one_does_not_matter():
    """The SDK sends two authorization headers; after a while one of them is stale."""
    mine = client()
    mine.core_client.access_token = "stale"
    assert mine.organization.list_organizations(page_size=1)[0].organizations
