"""`genkan dev --https` for Python: what dev.env says is all that a program needs.

Each in a process of its own, since gRPC reads the authorities that it trusts once.
"""

import os
import subprocess
import sys

import pytest
from genkan import Genkan

# The issuer is the very address that was asked: careful libraries compare them.
DISCOVERY = """
import os, requests
url = os.environ["SCALEKIT_ENV_URL"]
assert requests.get(url + "/.well-known/openid-configuration", timeout=10).json()["issuer"] == url
"""

STANDARD_LIBRARY = """
import os, urllib.request
urllib.request.urlopen(os.environ["SCALEKIT_ENV_URL"] + "/readyz", timeout=10)
"""

SDK = """
import os
from scalekit import ScalekitClient
client = ScalekitClient(*(os.environ["SCALEKIT_" + name] for name in ("ENVIRONMENT_URL", "CLIENT_ID", "CLIENT_SECRET")))
(organizations, _) = client.organization.list_organizations(page_size=10)
assert [one.id for one in organizations.organizations] == [os.environ["GENKAN_TEST_ORGANIZATION_ID"]]
"""


@pytest.fixture(scope="module")
def secure():
    gateway = Genkan("--https")
    yield gateway
    gateway.stop()


def run(program, environment):
    return subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("program", [DISCOVERY, STANDARD_LIBRARY, SDK], ids=["requests", "urllib", "sdk"])
def test_the_variables_of_dev_env_are_enough_and_needed(secure, program):
    told = run(program, secure.env)
    assert told.returncode == 0, told.stderr
    files = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")
    untold = run(program, {name: value for name, value in secure.env.items() if name not in files})
    assert untold.returncode != 0 and "CERTIFICATE_VERIFY_FAILED" in untold.stderr, untold.stderr
