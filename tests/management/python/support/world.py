"""The gateway that run.mjs started: through the SDK, and by other ways to see what the SDK did."""

import base64
import contextlib
import json
import os
import pathlib
import secrets
import subprocess
import time
import warnings
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from genkan import BINARY, Browser
from scalekit import ScalekitClient
from scalekit.common import exceptions
from support.recorder import Recorder

if "MANAGEMENT_WORLD" not in os.environ:
    raise RuntimeError("these tests are started by tests/management/run.mjs")
world = json.loads(pathlib.Path(os.environ["MANAGEMENT_WORLD"]).read_text())

recorder = Recorder()
NO_ORGANIZATION = "org_100000000000000000001"
NO_USER = "usr_100000000000000000001"


def client(client_id=world["clientId"], client_secret=world["clientSecret"]):
    """Scalekit's SDK, unmodified but watched."""
    return recorder.watch(ScalekitClient(world["url"], client_id, client_secret))


scalekit = client()


def cli(*words):
    """`genkan … --json` on the gateway's data."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GENKAN_")}
    command = [BINARY, *words, *world["commandLine"], "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, f"genkan {' '.join(words)}: {done.stderr}"
    return json.loads(done.stdout) if done.stdout.strip() else None


http = requests.Session()
# The machine's proxies are not part of a test.
http.trust_env = False
http.verify = world.get("authority") or True


def token(**parameters):
    """The token endpoint, as the application of the tests."""
    fields = {"client_id": world["clientId"], "client_secret": world["clientSecret"], **parameters}
    return http.post(f"{world['issuer']}/oauth/token", data=fields, timeout=20).json()


def client_token(client_id=world["clientId"], client_secret=world["clientSecret"]):
    answer = token(grant_type="client_credentials", client_id=client_id, client_secret=client_secret)
    assert "access_token" in answer, answer
    return answer["access_token"]


_kept = []


def rest(method, path, body=None, bearer=None):
    """One REST request."""
    if bearer is None:
        if not _kept:
            _kept.append(client_token())
        bearer = _kept[0]
    headers = {"authorization": f"Bearer {bearer}"}
    return http.request(method, f"{world['issuer']}{path}", json=body, headers=headers, timeout=20)


def get(path):
    """What REST says is there."""
    answer = rest("GET", path)
    assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text}"
    return answer.json()


def send(method, path, body=None):
    """Changes something over REST."""
    answer = rest(method, path, body)
    assert answer.status_code in (200, 201), f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json()


def gone(path):
    """Asserts that REST finds nothing there."""
    answer = rest("GET", path)
    assert answer.status_code == 404, f"GET {path}: {answer.status_code} {answer.text}"


def unique(word):
    """A name that no other test uses."""
    return f"{word}{secrets.token_hex(5)}"


def new_organization(**fields):
    """An organization of the test's own, made over REST."""
    return send("POST", "/api/v1/organizations", {"display_name": unique("Organization "), **fields})["organization"]


def new_user(organization_id, **fields):
    """A member of the organization, made over REST and not invited."""
    body = {"email": f"{unique('person')}@people.test", **fields}
    return send("POST", f"/api/v1/organizations/{organization_id}/users?send_invitation_email=false", body)["user"]


def browser():
    """A browser that nobody has used."""
    made = Browser()
    made.session.verify = world.get("authority") or True
    return made


def somebody():
    """The address of a person who has never signed in, and can."""
    return f"{unique('walker.')}@{world['email'].split('@')[1]}"


def sign_in(email=world["email"], agent=None, **more):
    """Signs a person in and redeems the code without the SDK: the token answer."""
    query = {
        "response_type": "code",
        "client_id": world["clientId"],
        "redirect_uri": world["redirectUri"],
        "scope": "openid profile email offline_access",
        **more,
    }
    url = f"{world['issuer']}/oauth/authorize?{urlencode(query)}"
    callback = (agent or browser()).sign_in(url, email, world["redirectUri"])
    code = parse_qs(urlsplit(callback).query)["code"][0]
    return token(grant_type="authorization_code", code=code, redirect_uri=world["redirectUri"])


def refresh(answer):
    return token(grant_type="refresh_token", refresh_token=answer["refresh_token"])


def mail(address, skip=0):
    """The mail that came to an address, once it is there; `skip` leaves out the first ones."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        lines = pathlib.Path(world["mail"]).read_text().splitlines()
        found = [message for message in map(json.loads, lines) if message["to"] == address]
        if len(found) > skip:
            return found[skip]
        time.sleep(0.05)
    raise AssertionError(f"no mail came to {address}")


def claims(jwt):
    """What a JWT says; nobody has to believe it."""
    payload = jwt.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@contextlib.contextmanager
def raises(exception, error_code=None, match=None):
    """Asserts the class of the SDK's exception, Genkan's error code, and words of the message."""
    with warnings.catch_warnings(), pytest.raises(exception, match=match) as raised:
        warnings.simplefilter("ignore")
        yield
    assert type(raised.value) is exception, repr(raised.value)
    if error_code:
        assert raised.value.error_code == error_code, str(raised.value)


def not_found(match=None):
    return raises(exceptions.ScalekitNotFoundException, "RESOURCE_NOT_FOUND", match)


def conflict(match=None):
    return raises(exceptions.ScalekitConflictException, "ALREADY_EXISTS", match)


def bad_request(match=None):
    return raises(exceptions.ScalekitBadRequestException, match=match)


def invalid(match=None):
    return raises(exceptions.ScalekitBadRequestException, "INVALID_ARGUMENT", match)
