// scalekit.session: every method, seen again over REST and by who is still signed in.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { browser, claims, get, invalid, notFound, rest, scalekit, send, signIn, token, unique, world } from './support/world.mjs';

describe('session', () => {
  const { session: sessions } = scalekit;
  const somebody = () => `${unique('walker.')}@${world.email.split('@')[1]}`;
  const login = async (more = {}) => {
    const answer = await signIn(more);
    const { sid, sub, oid } = claims(answer.access_token);
    return { ...answer, sid, sub, oid };
  };
  const refresh = ({ refresh_token }) => token({ grant_type: 'refresh_token', refresh_token });

  it('getSession tells who, where and until when', async () => {
    const { sid, sub, oid } = await login({ email: somebody() });
    const session = await sessions.getSession(sid);
    assert.equal(session.sessionId, sid);
    assert.equal(session.userId, sub);
    assert.equal(session.organizationId, oid);
    assert.equal(session.status, 'active');
    assert.deepEqual(session.authenticatedOrganizations, [oid]);
    assert.deepEqual(session.authenticatedClients.map(({ clientId }) => clientId), [world.clientId]);
    assert.match(session.device.userAgent, /headless test/);
    assert.ok(session.absoluteExpiresAt.seconds > BigInt(Math.floor(Date.now() / 1000)));
    const seen = await get(`/api/v1/sessions/${sid}`);
    assert.deepEqual([seen.session_id, seen.user_id, seen.status], [sid, sub, 'active']);
    await notFound(sessions.getSession('ses_100000000000000000001'), /session not found/);
    await invalid(sessions.getSession('nonsense'), /session_id/);
  });

  it('getUserSessions lists a person’s sessions, the newest first, and filters them', async () => {
    const email = somebody();
    const logins = [await login({ email }), await login({ email }), await login({ email })];
    const newestFirst = logins.map(({ sid }) => sid).reverse();
    const { sub } = logins[0];
    const first = await sessions.getUserSessions(sub, { pageSize: 2 });
    assert.deepEqual(first.sessions.map(({ sessionId }) => sessionId), newestFirst.slice(0, 2));
    assert.equal(first.totalSize, 3);
    const second = await sessions.getUserSessions(sub, { pageSize: 2, pageToken: first.nextPageToken });
    assert.deepEqual(second.sessions.map(({ sessionId }) => sessionId), newestFirst.slice(2));

    await send('POST', `/api/v1/sessions/${newestFirst[0]}/revoke`);
    const active = await sessions.getUserSessions(sub, { filter: { status: ['active'] } });
    assert.deepEqual(active.sessions.map(({ sessionId }) => sessionId), newestFirst.slice(1));
    const before = await sessions.getUserSessions(sub, { filter: { endTime: new Date(Date.now() - 3_600_000) } });
    assert.deepEqual(before.sessions, []);
    assert.equal((await get(`/api/v1/users/${sub}/sessions`)).sessions.length, 3);
    await notFound(sessions.getUserSessions('usr_100000000000000000001'));
  });

  it('revokeSession ends one session and no other', async () => {
    const email = somebody();
    const agent = browser();
    const [ended, kept] = [await login({ email, agent }), await login({ email })];
    const answer = await sessions.revokeSession(ended.sid);
    assert.equal(answer.revokedSession.sessionId, ended.sid);
    assert.equal(answer.revokedSession.status, 'revoked');
    assert.equal((await get(`/api/v1/sessions/${ended.sid}`)).status, 'revoked');
    assert.equal((await refresh(ended)).error, 'invalid_grant');
    assert.equal((await refresh(kept)).status, 200);
    await notFound(sessions.revokeSession('ses_100000000000000000001'));
  });

  it('revokeAllUserSessions ends them all', async () => {
    const email = somebody();
    const logins = [await login({ email }), await login({ email })];
    const answer = await sessions.revokeAllUserSessions(logins[0].sub);
    assert.equal(answer.totalRevoked, 2);
    assert.deepEqual(answer.revokedSessions.map(({ sessionId }) => sessionId).sort(), logins.map(({ sid }) => sid).sort());
    for (const ended of logins) assert.equal((await refresh(ended)).error, 'invalid_grant');
    assert.equal((await sessions.revokeAllUserSessions(logins[0].sub)).totalRevoked, 0);
    await notFound(sessions.revokeAllUserSessions('usr_100000000000000000001'));
  });

  it('an organization’s session policy shortens a new session', async () => {
    await send('PATCH', `/api/v1/organizations/${world.organizationId}/settings`, { features: [{ name: 'session_policy', enabled: true }] });
    await send('PATCH', `/api/v1/organizations/${world.organizationId}/session-policy`, {
      policy_source: 'CUSTOM', absolute_session_timeout: 20, absolute_session_timeout_unit: 'MINUTES',
    });
    try {
      const { sid } = await login({ email: somebody() });
      const session = await sessions.getSession(sid);
      assert.equal(Number(session.absoluteExpiresAt.seconds - session.createdAt.seconds), 20 * 60);
    } finally {
      await rest('PATCH', `/api/v1/organizations/${world.organizationId}/session-policy`, { policy_source: 'APPLICATION' });
    }
  });
});
