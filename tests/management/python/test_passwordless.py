"""scalekit.passwordless: codes and links by mail, read in the mailbox that they are sent to."""

import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from scalekit.common.exceptions import ScalekitServerException
from scalekit.v1.auth.passwordless_pb2 import TemplateType
from support.world import invalid, mail, not_found, rest, scalekit, unique, world

passwordless = scalekit.passwordless


def code_in(message):
    return re.search(r"\b\d{6}\b", message["text"])[0]


@pytest.fixture
def email():
    return f"{unique('guest')}@people.test"


def test_a_code_is_sent_and_counts_once(email):
    sent = passwordless.send_passwordless_email(email, template="SIGNIN", state="abc", expires_in=3600)[0]
    assert sent.expires_in == 3600
    assert abs(sent.expires_at - time.time() - 3600) < 60
    code = code_in(mail(email))
    answer = passwordless.verify_passwordless_email(code=code, auth_request_id=sent.auth_request_id)[0]
    assert (answer.email, answer.state, answer.template) == (email, "abc", TemplateType.SIGNIN)
    with pytest.raises(ScalekitServerException):
        passwordless.verify_passwordless_email(code=code, auth_request_id=sent.auth_request_id)


def test_a_link_carries_the_token_to_where_the_application_wants_it(email):
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(world["redirectUri"]))
    sent = passwordless.send_passwordless_email(email, magiclink_auth_uri=f"{origin}/magic")[0]
    link = re.search(r"https?://\S*link_token=\S+", mail(email)["text"])[0]
    token = parse_qs(urlsplit(link).query)["link_token"][0]
    answer = passwordless.verify_passwordless_email(link_token=token, auth_request_id=sent.auth_request_id)[0]
    assert answer.email == email


def test_resend_passwordless_email_sends_another_one_that_works(email):
    sent = passwordless.send_passwordless_email(email)[0]
    mail(email)
    again = passwordless.resend_passwordless_email(sent.auth_request_id)[0]
    body = {"code": code_in(mail(email, 1)), "auth_request_id": again.auth_request_id}
    answer = rest("POST", "/api/v1/passwordless/email/verify", body)
    assert answer.json().get("email") == email, answer.text
    with not_found():
        passwordless.resend_passwordless_email("nonsense")


def test_a_wrong_code_and_no_address_are_refused(email):
    sent = passwordless.send_passwordless_email(email)[0]
    wrong = "000001" if code_in(mail(email)) == "000000" else "000000"
    with pytest.raises(ScalekitServerException):
        passwordless.verify_passwordless_email(code=wrong, auth_request_id=sent.auth_request_id)
    with invalid("email"):
        passwordless.send_passwordless_email("no address")
