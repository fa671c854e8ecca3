"""scalekit.sessions: every method, seen again over REST and by who is still signed in."""

import time

from google.protobuf.timestamp_pb2 import Timestamp
from support.world import (
    NO_USER,
    claims,
    get,
    invalid,
    not_found,
    refresh,
    scalekit,
    sign_in,
    somebody,
    world,
)

sessions = scalekit.sessions
NO_SESSION = "ses_100000000000000000001"


def login(email):
    answer = sign_in(email)
    return answer, claims(answer["access_token"])


def test_get_session_tells_who_where_and_until_when():
    _, person = login(somebody())
    session = sessions.get_session(person["sid"])[0]
    assert (session.user_id, session.organization_id, session.status) == (person["sub"], person["oid"], "active")
    assert [one.client_id for one in session.authenticated_clients] == [world["clientId"]]
    assert session.absolute_expires_at.seconds > time.time()
    assert get(f"/api/v1/sessions/{person['sid']}")["user_id"] == person["sub"]
    with not_found("session not found"):
        sessions.get_session(NO_SESSION)
    with invalid("session_id"):
        sessions.get_session("nonsense")


def test_get_user_sessions_lists_and_filters():
    email = somebody()
    logins = [login(email)[1] for _ in range(3)]
    newest_first = [person["sid"] for person in logins][::-1]
    user = logins[0]["sub"]
    first = sessions.get_user_sessions(user, page_size=2)[0]
    assert ([one.session_id for one in first.sessions], first.total_size) == (newest_first[:2], 3)
    second = sessions.get_user_sessions(user, page_size=2, page_token=first.next_page_token)[0]
    assert [one.session_id for one in second.sessions] == newest_first[2:]
    sessions.revoke_session(newest_first[0])
    active = sessions.create_session_filter(status=["active"])
    assert len(sessions.get_user_sessions(user, filter=active)[0].sessions) == 2
    later = sessions.create_session_filter(start_time=Timestamp(seconds=int(time.time()) + 3600))
    assert not sessions.get_user_sessions(user, filter=later)[0].sessions
    assert len(get(f"/api/v1/users/{user}/sessions")["sessions"]) == 3
    with not_found():
        sessions.get_user_sessions(NO_USER)


def test_revoke_session_ends_one_session_and_no_other():
    email = somebody()
    ended, kept = login(email), login(email)
    answer = sessions.revoke_session(ended[1]["sid"])[0]
    assert answer.revoked_session.status == "revoked"
    assert get(f"/api/v1/sessions/{ended[1]['sid']}")["status"] == "revoked"
    assert refresh(ended[0])["error"] == "invalid_grant"
    assert "access_token" in refresh(kept[0])
    with not_found():
        sessions.revoke_session(NO_SESSION)


def test_revoke_all_user_sessions_ends_them_all():
    email = somebody()
    logins = [login(email), login(email)]
    user = logins[0][1]["sub"]
    answer = sessions.revoke_all_user_sessions(user)[0]
    assert {one.session_id for one in answer.revoked_sessions} == {person["sid"] for _, person in logins}
    assert answer.total_revoked == 2
    for tokens, _ in logins:
        assert refresh(tokens)["error"] == "invalid_grant"
    with not_found():
        sessions.revoke_all_user_sessions(NO_USER)
