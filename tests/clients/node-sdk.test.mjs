// Scalekit's own SDK for Node, unmodified, with nothing changed but the environment URL.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ScalekitClient, ScalekitNotImplementedException, ScalekitUnauthorizedException } from '@scalekit-sdk/node';
import { calculatePKCECodeChallenge, randomPKCECodeVerifier } from 'openid-client';
import { engines } from '../support/genkan.mjs';
import { World } from './support/world.mjs';

const SCOPES = ['openid', 'profile', 'email', 'offline_access'];

for (const engine of engines()) {
  describe(`@scalekit-sdk/node with Genkan on ${engine}`, () => {
    let world;
    let scalekit;

    before(async () => {
      world = await World.start(engine);
      scalekit = new ScalekitClient(world.issuer, world.clientId, world.clientSecret);
    });
    after(() => world?.stop());

    const login = async (options = {}, browser = world.browser()) => {
      const url = scalekit.getAuthorizationUrl(world.redirectUri, { state: 'abc', scopes: SCOPES, ...options });
      const callback = await world.signIn(browser, url);
      assert.equal(callback.searchParams.get('state'), 'abc');
      return scalekit.authenticateWithCode(callback.searchParams.get('code'), world.redirectUri);
    };

    it('getAuthorizationUrl and authenticateWithCode sign a person in', async () => {
      const result = await login();
      assert.match(result.user.id, /^usr_\d{15,21}$/);
      assert.equal(result.user.email, world.email);
      assert.ok(result.idToken && result.refreshToken);
      assert.equal(result.expiresIn, 300);
    });

    it('every selector of getAuthorizationUrl leads to the organization', async () => {
      const [, domain] = world.email.split('@');
      const selectors = [{ organizationId: world.organizationId }, { connectionId: world.connectionId }, { domainHint: domain }, { loginHint: world.email }];
      for (const selector of selectors) {
        const claims = await scalekit.validateToken((await login(selector)).accessToken);
        assert.equal(claims.oid, world.organizationId, JSON.stringify(selector));
      }
    });

    it('PKCE, with the application’s secret beside it', async () => {
      const codeVerifier = randomPKCECodeVerifier();
      const url = scalekit.getAuthorizationUrl(world.redirectUri, {
        scopes: SCOPES,
        codeChallenge: await calculatePKCECodeChallenge(codeVerifier),
        codeChallengeMethod: 'S256',
      });
      const callback = await world.signIn(world.browser(), url);
      const result = await scalekit.authenticateWithCode(callback.searchParams.get('code'), world.redirectUri, { codeVerifier });
      assert.equal(result.user.email, world.email);
    });

    it('validateAccessToken accepts the token for this issuer, audience and scope, and for no other', async () => {
      const { accessToken, idToken } = await login();
      const [issuer, audience] = [world.issuer, [world.clientId]];
      assert.equal(await scalekit.validateAccessToken(accessToken), true);
      assert.equal(await scalekit.validateAccessToken(accessToken, { issuer, audience, requiredScopes: ['email', 'offline_access'] }), true);
      assert.equal(await scalekit.validateAccessToken(accessToken, { issuer: 'https://other.test' }), false);
      assert.equal(await scalekit.validateAccessToken(accessToken, { audience: ['skc_1'] }), false);
      assert.equal(await scalekit.validateAccessToken(accessToken, { requiredScopes: ['admin'] }), false);
      assert.equal(await scalekit.validateAccessToken(`${accessToken.slice(0, -4)}AAAA`), false);
      assert.equal(await scalekit.validateAccessToken(idToken, { issuer, audience }), true);
    });

    it('the access token carries what an application needs', async () => {
      const claims = await scalekit.validateToken((await login()).accessToken);
      assert.equal(claims.iss, world.issuer);
      assert.deepEqual(claims.aud, [world.clientId]);
      assert.equal(claims.client_id, world.clientId);
      assert.match(claims.jti, /^tkn_\d+$/);
      assert.match(claims.sid, /^ses_\d+$/);
      assert.equal(claims.oid, world.organizationId);
      assert.equal(claims.email, world.email);
      assert.ok(Array.isArray(claims.roles) && claims.roles.length > 0);
      assert.ok(Array.isArray(claims.permissions));
      assert.deepEqual(claims.scope.split(' '), claims.scopes);
      for (const time of ['iat', 'nbf', 'exp']) assert.ok(Number.isInteger(claims[time]), time);
    });

    it('refreshAccessToken works again and again with the first refresh token, also in parallel', async () => {
      const { refreshToken, user } = await login();
      for (let round = 0; round < 2; round++) {
        const refreshed = await Promise.all([1, 2, 3].map(() => scalekit.refreshAccessToken(refreshToken)));
        for (const { accessToken, refreshToken: next } of refreshed) {
          assert.notEqual(next, refreshToken);
          assert.equal((await scalekit.validateToken(accessToken)).sub, user.id);
        }
      }
    });

    it('a refresh after logout fails', async () => {
      const browser = world.browser();
      const { idToken, refreshToken } = await login({}, browser);
      const logout = scalekit.getLogoutUrl({ idTokenHint: idToken, postLogoutRedirectUri: world.postLogoutUri, state: 'x' });

      const page = await browser.open(logout, { until: world.postLogoutUri });

      assert.equal(page.url.replace('/?', '?'), `${world.postLogoutUri}?state=x`);
      await assert.rejects(scalekit.refreshAccessToken(refreshToken), /Failed to refresh token/);
    });

    it('logout without any parameter ends the session and stays at Genkan', async () => {
      const browser = world.browser();
      const { refreshToken } = await login({}, browser);
      const page = await browser.open(scalekit.getLogoutUrl({}));
      // Without a hint a page may ask first (OpenID Connect RP-Initiated Logout 1.0 §2).
      if (page.forms.length) await browser.submit(page, page.forms[0]);
      await assert.rejects(scalekit.refreshAccessToken(refreshToken), /Failed to refresh token/);
    });

    it('generateClientToken gets a token for the application itself', async () => {
      const token = await scalekit.generateClientToken(world.clientId, world.clientSecret);
      const claims = await scalekit.validateToken(token, { issuer: world.issuer, audience: [world.clientId] });
      assert.equal(claims.sub, world.clientId);
    });

    it('generateClientToken with a wrong secret is Unauthorized', async () => {
      await assert.rejects(scalekit.generateClientToken(world.clientId, 'wrong'), ScalekitUnauthorizedException);
    });

    it('authenticateWithCode with a code that was used answers 400 invalid_grant', async () => {
      const callback = await world.signIn(world.browser(), scalekit.getAuthorizationUrl(world.redirectUri));
      const code = callback.searchParams.get('code');
      await scalekit.authenticateWithCode(code, world.redirectUri);
      await assert.rejects(scalekit.authenticateWithCode(code, world.redirectUri), (error) => {
        assert.equal(error.response.status, 400);
        assert.equal(error.response.data.error, 'invalid_grant');
        return true;
      });
    });

    it('a call about agents’ tools answers NotImplemented in a sentence', async () => {
      await assert.rejects(scalekit.tools.listTools({ pageSize: 10 }), (error) => {
        assert.ok(error instanceof ScalekitNotImplementedException, `${error.constructor.name}: ${error.message}`);
        assert.match(error.message, /\w+ \w+ \w+/);
        return true;
      });
    });

    if (engine === 'SQLite') {
      it('the same over TLS on the same port, trusting the development authority', async () => {
        const { stdout } = await promisify(execFile)(process.execPath, [new URL('support/sdk-over-tls.mjs', import.meta.url).pathname], {
          env: {
            ...process.env,
            NODE_EXTRA_CA_CERTS: world.genkan.env.GENKAN_CA_FILE,
            SCALEKIT_ENVIRONMENT_URL: world.genkan.httpsUrl,
            SCALEKIT_CLIENT_ID: world.clientId,
            SCALEKIT_CLIENT_SECRET: world.clientSecret,
          },
          timeout: 30_000,
        });
        assert.deepEqual(JSON.parse(stdout), { subject: world.clientId, organizations: [world.organizationId] });
      });
    }
  });
}
