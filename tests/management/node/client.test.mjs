// ScalekitClient's own methods: addresses, logins, tokens, signatures and who is let in at all.
// What a login does in detail is in tests/clients/node-sdk.test.mjs.
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { signIn as walk } from '../../support/sign-in.mjs';
import { sdk } from './support/sdk.mjs';
import { browser, claims, cli, client, clientToken, get, rejects, rest, scalekit, send, signIn, token, unique, world } from './support/world.mjs';

describe('ScalekitClient', () => {
  const atIssuer = (url) => url.replace(new URL(url).origin, world.issuer);

  it('getAuthorizationUrl and authenticateWithCode sign a person in', async () => {
    const url = scalekit.getAuthorizationUrl(world.redirectUri, { state: 'abc', loginHint: world.email, scopes: ['openid', 'profile', 'email', 'offline_access'] });
    const callback = await walk(browser(), atIssuer(url), { email: world.email, until: world.redirectUri });
    assert.equal(callback.searchParams.get('state'), 'abc');
    const result = await scalekit.authenticateWithCode(callback.searchParams.get('code'), world.redirectUri);
    const { user } = await get(`/api/v1/users/${result.user.id}`);
    assert.equal(user.email, world.email);
    assert.ok(user.last_login_time);
    await assert.rejects(scalekit.authenticateWithCode('nonsense', world.redirectUri), ({ response }) => response.data.error === 'invalid_grant');
  });

  it('validateToken, validateAccessToken and verifyScopes know our tokens', async () => {
    const { access_token } = await signIn();
    const options = { issuer: world.issuer, audience: [world.clientId], requiredScopes: ['email'] };
    assert.deepEqual(await scalekit.validateToken(access_token, options), claims(access_token));
    assert.equal(await scalekit.validateAccessToken(access_token, options), true);
    assert.equal(await scalekit.validateAccessToken(access_token, { audience: ['skc_1'] }), false);
    assert.equal(scalekit.verifyScopes(access_token, ['openid', 'email']), true);
    assert.throws(() => scalekit.verifyScopes(access_token, ['admin']), sdk.ScalekitValidateTokenFailureException);
    const [header, payload, signature] = access_token.split('.');
    const forged = `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    await assert.rejects(scalekit.validateToken(forged), sdk.ScalekitValidateTokenFailureException);
  });

  it('refreshAccessToken returns both tokens, until the session ends', async () => {
    const { refresh_token, access_token } = await signIn();
    const refreshed = await scalekit.refreshAccessToken(refresh_token);
    assert.equal(claims(refreshed.accessToken).sid, claims(access_token).sid);
    await send('POST', `/api/v1/sessions/${claims(access_token).sid}/revoke`);
    await assert.rejects(scalekit.refreshAccessToken(refreshed.refreshToken), /Failed to refresh token/);
  });

  it('getLogoutUrl ends the session', async () => {
    const agent = browser();
    const { id_token, access_token, refresh_token } = await signIn({ agent });
    const url = scalekit.getLogoutUrl({ idTokenHint: id_token, postLogoutRedirectUri: world.postLogoutUri, state: 'bye' });
    const page = await agent.open(atIssuer(url), { until: world.postLogoutUri });
    assert.ok(page.stopped);
    assert.equal((await token({ grant_type: 'refresh_token', refresh_token })).error, 'invalid_grant');
    assert.notEqual((await get(`/api/v1/sessions/${claims(access_token).sid}`)).status, 'active');
  });

  it('getClientAccessToken and generateClientToken get a token that REST takes', async () => {
    for (const got of [await scalekit.getClientAccessToken(), await scalekit.generateClientToken(world.clientId, world.clientSecret)]) {
      assert.equal(claims(got).sub, world.clientId);
      assert.equal((await rest('GET', '/api/v1/organizations?page_size=1', undefined, { token: got })).status, 200);
    }
    await assert.rejects(scalekit.generateClientToken(world.clientId, 'wrong'), sdk.ScalekitUnauthorizedException);
  });

  it('getIdpInitiatedLoginClaims reads what a login that began elsewhere brings', async () => {
    const login = 'https://app.portal.test/login';
    const application = await cli('app', 'create', '--name', unique('Portal'), '--redirect-uri', 'https://app.portal.test/callback', '--initiate-login-uri', login);
    try {
      const { spare } = world;
      await cli('connection', 'update', spare.connectionId, '--allow-idp-initiated');
      const query = new URLSearchParams({ iss: spare.issuer, login_hint: spare.email });
      const response = await fetch(`${world.issuer}/sso/v1/oidc/${spare.connectionId}/init?${query}`, { redirect: 'manual' });
      const target = new URL(response.headers.get('location'));
      const token = target.searchParams.get('idp_initiated_login');
      const initiated = await scalekit.getIdpInitiatedLoginClaims(token, { issuer: world.issuer });
      assert.equal(initiated.connection_id, spare.connectionId);
      assert.equal(initiated.organization_id, spare.organizationId);
      assert.equal(initiated.login_hint, spare.email);
      await assert.rejects(scalekit.getIdpInitiatedLoginClaims('nonsense'), sdk.ScalekitValidateTokenFailureException);
      // Anybody can have one signed: an API that names its audience is not fooled, whichever of the clients it is.
      for (const audience of [world.clientId, application.id, world.issuer]) {
        assert.equal(await scalekit.validateAccessToken(token, { audience }), false, audience);
      }
      assert.equal(initiated.aud, `${target.origin}${target.pathname}`);
      assert.ok(initiated.exp - initiated.iat <= 60);
      await cli('connection', 'update', spare.connectionId, '--allow-idp-initiated', 'off');
      const refused = await fetch(`${world.issuer}/sso/v1/oidc/${spare.connectionId}/init?${query}`, { redirect: 'manual' });
      assert.equal(refused.status, 403);
    } finally {
      await cli('app', 'delete', application.id, '--yes');
    }
  });

  it('verifyWebhookPayload and verifyInterceptorPayload accept what was signed by the documented rule', () => {
    const key = randomBytes(24);
    const secret = `whsec_${key.toString('base64')}`;
    const [id, payload] = ['evt_1', '{"type":"user.created"}'];
    const timestamp = `${Math.floor(Date.now() / 1000)}`;
    const signature = `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${payload}`).digest('base64')}`;
    const headers = (prefix) => ({ [`${prefix}-id`]: id, [`${prefix}-timestamp`]: timestamp, [`${prefix}-signature`]: signature });
    assert.equal(scalekit.verifyWebhookPayload(secret, headers('webhook'), payload), true);
    assert.equal(scalekit.verifyInterceptorPayload(secret, headers('interceptor'), payload), true);
    assert.throws(() => scalekit.verifyWebhookPayload(secret, headers('webhook'), `${payload} `), sdk.WebhookVerificationError);
    assert.throws(() => scalekit.verifyInterceptorPayload(secret, headers('interceptor'), `${payload} `), sdk.WebhookVerificationError);
  });

  describe('who may manage', () => {
    it('a client with a wrong secret is Unauthorized', async () => {
      const stranger = client(world.clientId, 'wrong');
      await assert.rejects(stranger.organization.listOrganization({}), ({ response }) => response?.status === 401);
    });

    it('an application without management access is Unauthorized', async () => {
      const application = await cli('app', 'create', '--name', unique('Portal'), '--redirect-uri', 'https://app.portal.test/callback');
      const portal = client(application.id, application.secret);
      await rejects(portal.organization.listOrganization({}), sdk.ScalekitUnauthorizedException, { errorCode: 'UNAUTHENTICATED' });
      const theirs = await clientToken(application.id, application.secret);
      assert.equal((await rest('GET', '/api/v1/organizations', undefined, { token: theirs })).status, 401);
      await cli('app', 'update', application.id, '--management-access');
      // On PostgreSQL what another process changed is seen within a second.
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      assert.ok((await client(application.id, application.secret).organization.listOrganization({})).organizations);
    });

    it('a person’s token is not a client’s', async () => {
      const { access_token } = await signIn();
      assert.ok([401, 403].includes((await rest('GET', '/api/v1/organizations', undefined, { token: access_token })).status));
      assert.equal((await rest('GET', '/api/v1/organizations', undefined, { token: 'nonsense' })).status, 401);
    });
  });
});
