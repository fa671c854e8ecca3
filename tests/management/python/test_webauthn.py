"""scalekit.webauthn: passkeys that people registered, with an authenticator in software."""

from support.passkey import encoded
from support.world import NO_USER, get, new_passkey, not_found, rest, scalekit, unique

webauthn = scalekit.webauthn


def listed(user):
    return get(f"/api/v1/webauthn/credentials?user_id={user}").get("credentials", [])


def test_list_credentials_lists_a_persons_passkeys():
    user, credential = new_passkey()
    answer = webauthn.list_credentials(user)[0]
    assert [one.credential_id for one in answer.credentials] == [credential]
    assert answer.credentials[0].authenticator_flags.user_verified
    assert list(answer.all_accepted_credentials_options.all_accepted_credential_ids) == [encoded(credential)]
    assert listed(user)[0]["id"] == answer.credentials[0].id
    with not_found():
        webauthn.list_credentials(NO_USER)


def test_update_credential_renames_one():
    user, _ = new_passkey()
    id, name = listed(user)[0]["id"], unique("Phone ")
    assert webauthn.update_credential(id, name)[0].credential.display_name == name
    assert listed(user)[0]["display_name"] == name
    with not_found():
        webauthn.update_credential("cred_100000000000000000001", name)


def test_delete_credential_deletes_one():
    user, credential = new_passkey()
    id = listed(user)[0]["id"]
    answer = webauthn.delete_credential(id)[0]
    assert answer.success
    assert answer.unknown_credential_options.credential_id == encoded(credential)
    assert not listed(user)
    with not_found():
        webauthn.delete_credential(id)
    assert rest("DELETE", f"/api/v1/webauthn/credentials/{id}").status_code == 404
