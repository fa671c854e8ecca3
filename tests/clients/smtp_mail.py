"""PyPI aiosmtpd as the mail server: TLS, a password, and the mail as it arrives."""

import email
import email.policy
import ssl
import subprocess
from urllib.parse import quote

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from genkan import BINARY, free_port

USER, PASSWORD = "genkan@example.com", "p:/@% ä+&="


class Inbox:
    """Keeps what it is given."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):
        self.mails.append((envelope, session.authenticated))
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=known, handled=known)


@pytest.fixture(params=["tls", "starttls"])
def server(request, genkan):
    """A server that takes mail only by TLS and with the password, and its address without the user."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(genkan.data_dir / "tls.pem")
    inbox = Inbox()
    options = (
        {"ssl_context": context, "auth_require_tls": False}
        if request.param == "tls"
        else {"tls_context": context, "require_starttls": True}
    )
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=free_port(),
        authenticator=authenticate,
        auth_required=True,
        **options,
    )
    controller.start()
    scheme, rest = ("smtps", "") if request.param == "tls" else ("smtp", "?tls=starttls")
    yield inbox, f"{scheme}://{{credentials}}@localhost:{controller.port}{rest}"
    controller.stop()


def send_test(genkan, url, password=PASSWORD, trust=True):
    variables = {
        "GENKAN_MAIL_SMTP_URL": url.format(credentials=f"{quote(USER, safe='')}:{quote(password, safe='')}"),
        "GENKAN_MAIL_FROM": "login@example.com",
        "GENKAN_MAIL_FROM_NAME": "Acmé",
    }
    if trust:
        variables["GENKAN_OUTBOUND_CA_FILE"] = str(genkan.data_dir / "ca.pem")
    command = [BINARY, "mail", "test", "ada@example.com", "--data-dir", str(genkan.data_dir)]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60)


def test_a_mail_arrives_by_tls_with_the_password(genkan, server):
    inbox, url = server
    ran = send_test(genkan, url)
    assert ran.returncode == 0, ran.stderr
    assert "took the mail for ada@example.com" in ran.stdout
    [(envelope, is_authenticated)] = inbox.mails
    assert is_authenticated
    assert (envelope.mail_from, envelope.rcpt_tos) == ("login@example.com", ["ada@example.com"])
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert mail["from"].addresses[0].display_name == "Acmé"
    assert mail["auto-submitted"] == "auto-generated"
    assert mail["message-id"].startswith("<mail_")
    assert genkan.url in mail.get_body(["plain"]).get_content()
    assert genkan.url in mail.get_body(["html"]).get_content()


def test_a_wrong_password_is_told_and_not_shown(genkan, server):
    inbox, url = server
    ran = send_test(genkan, url, password="wrong-pass")
    assert ran.returncode == 1
    assert "did not go out" in ran.stderr and "wrong-pass" not in ran.stderr + ran.stdout
    assert inbox.mails == []


def test_a_server_that_nobody_vouches_for_gets_nothing(genkan, server):
    inbox, url = server
    ran = send_test(genkan, url, trust=False)
    assert ran.returncode == 1, ran.stdout
    assert inbox.mails == []


def test_without_a_mail_server_mail_stays_in_the_inbox(genkan):
    command = [BINARY, "mail", "test", "ada@example.com", "--data-dir", str(genkan.data_dir)]
    ran = subprocess.run(command, env={}, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert f"{genkan.url}/dev/mail" in ran.stdout
