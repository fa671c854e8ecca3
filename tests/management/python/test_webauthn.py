"""scalekit.webauthn: passkeys that people have, seen again over REST."""

import base64

from support.world import NO_USER, get, not_found, rest, scalekit, unique, world

webauthn = scalekit.webauthn
# Each test has one of its own.
first, second, third = world["passkeys"]


def listed(user):
    return get(f"/api/v1/webauthn/credentials?user_id={user}").get("credentials", [])


def signalled(passkey):
    return base64.urlsafe_b64encode(bytes.fromhex(passkey["credentialId"])).rstrip(b"=").decode()


def test_list_credentials_lists_a_persons_passkeys():
    answer = webauthn.list_credentials(first["userId"])[0]
    assert [(one.id, one.credential_id.hex()) for one in answer.credentials] == [(first["id"], first["credentialId"])]
    assert answer.credentials[0].authenticator_flags.user_verified
    assert list(answer.all_accepted_credentials_options.all_accepted_credential_ids) == [signalled(first)]
    assert [one["id"] for one in listed(first["userId"])] == [first["id"]]
    with not_found():
        webauthn.list_credentials(NO_USER)


def test_update_credential_renames_one():
    name = unique("Phone ")
    assert webauthn.update_credential(second["id"], name)[0].credential.display_name == name
    assert listed(second["userId"])[0]["display_name"] == name
    with not_found("credential not found"):
        webauthn.update_credential("cred_100000000000000000001", name)


def test_delete_credential_deletes_one():
    answer = webauthn.delete_credential(third["id"])[0]
    assert answer.success
    assert answer.unknown_credential_options.credential_id == signalled(third)
    assert not listed(third["userId"])
    with not_found():
        webauthn.delete_credential(third["id"])
    assert rest("DELETE", f"/api/v1/webauthn/credentials/{third['id']}").status_code == 404
