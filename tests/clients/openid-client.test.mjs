// npm openid-client, a certified relying party, uses everything that Genkan's
// discovery document offers it.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as oidc from 'openid-client';
import { engines } from '../support/genkan.mjs';
import { createApplication, World } from './support/world.mjs';

const SCOPE = 'openid profile email offline_access';

for (const engine of engines()) {
  describe(`openid-client with Genkan on ${engine}`, () => {
    let world;
    let config;

    before(async () => {
      world = await World.start(engine);
      config = await discover(world, world.clientId, world.clientSecret);
    });
    after(() => world?.stop());

    it('discovers an issuer that is exactly the address it was given', () => {
      const metadata = config.serverMetadata();
      assert.equal(metadata.issuer, world.issuer);
      assert.equal(metadata.authorization_endpoint, `${world.issuer}/oauth/authorize`);
      assert.equal(metadata.token_endpoint, `${world.issuer}/oauth/token`);
      assert.equal(metadata.jwks_uri, `${world.issuer}/keys`);
      assert.equal(metadata.userinfo_endpoint, `${world.issuer}/userinfo`);
      assert.equal(metadata.end_session_endpoint, `${world.issuer}/oidc/logout`);
      assert.equal(metadata.revocation_endpoint, `${world.issuer}/revoke`);
      assert.equal(metadata.introspection_endpoint, `${world.issuer}/oauth/introspect`);
      assert.deepEqual(metadata.response_types_supported, ['code']);
      assert.deepEqual(metadata.code_challenge_methods_supported, ['S256']);
    });

    it('signs a person in with code and PKCE', async () => {
      const { tokens } = await login(world, config);
      const claims = tokens.claims();

      assert.equal(claims.iss, world.issuer);
      assert.deepEqual(claims.aud, [world.clientId]);
      assert.match(claims.sub, /^usr_\d{15,21}$/);
      assert.match(claims.sid, /^ses_\d+$/);
      assert.equal(claims.oid, world.organizationId);
      assert.equal(claims.amr[0], world.connectionId);
      assert.equal(claims.azp, world.clientId);
      assert.equal(claims.email, world.email);
      assert.equal(typeof claims.at_hash, 'string');
      assert.equal(tokens.token_type, 'bearer');
      assert.ok(Number.isInteger(tokens.expires_in) && tokens.expires_in > 0);
      assert.deepEqual(new Set(tokens.scope.split(' ')), new Set(SCOPE.split(' ')));
    });

    for (const [method, authentication] of [['client_secret_post', oidc.ClientSecretPost], ['client_secret_basic', oidc.ClientSecretBasic]]) {
      it(`the same application may use ${method}`, async () => {
        const alternative = await discover(world, world.clientId, world.clientSecret, authentication(world.clientSecret));
        const { tokens } = await login(world, alternative);
        assert.ok(tokens.refresh_token);
      });
    }

    it('a wrong secret is invalid_client with 401', async () => {
      const stranger = await discover(world, world.clientId, 'not the secret');
      const error = await login(world, stranger).then(assert.fail, (error) => error);
      assert.equal(error.status, 401);
      assert.equal(error.cause[0].scheme, 'basic');
      assert.equal((await error.response.json()).error, 'invalid_client');
    });

    it(engine === 'SQLite'
      ? 'the development application redeems with PKCE and no secret, as Scalekit’s dry run does'
      : 'an application that redeems without its secret is told the option', async () => {
      const bare = await discover(world, world.clientId, undefined, oidc.None());
      if (engine === 'SQLite') {
        const { tokens } = await login(world, bare);
        const profile = await oidc.fetchUserInfo(bare, tokens.access_token, tokens.claims().sub);
        assert.equal(profile.organization_id, world.organizationId);
        assert.equal(profile.org_id, world.organizationId);
        assert.equal(profile.connection_id, world.connectionId);
        return;
      }
      const error = await login(world, bare).then(assert.fail, (error) => error);
      assert.match((await error.response.json()).error_description, /genkan app update APP --secret-optional-with-pkce/);
    });

    it('a code works once, and a second try ends the tokens of the first', async () => {
      const { tokens, callback, checks } = await login(world, config);
      await assert.rejects(oidc.authorizationCodeGrant(config, callback, checks), { error: 'invalid_grant', status: 400 });
      await assert.rejects(oidc.refreshTokenGrant(config, tokens.refresh_token), { error: 'invalid_grant' });
      assert.equal((await oidc.tokenIntrospection(config, tokens.access_token)).active, false);
    });

    it('a wrong PKCE verifier is refused, and spends the code', async () => {
      const { callback, checks } = await authorize(world, config);
      const wrong = { ...checks, pkceCodeVerifier: oidc.randomPKCECodeVerifier() };
      await assert.rejects(oidc.authorizationCodeGrant(config, callback, wrong), { error: 'invalid_grant' });
      await assert.rejects(oidc.authorizationCodeGrant(config, callback, checks), { error: 'invalid_grant' });
    });

    it('reads the profile from userinfo', async () => {
      const { tokens } = await login(world, config);
      const profile = await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
      assert.equal(profile.sub, tokens.claims().sub);
      assert.equal(profile.email, world.email);
    });

    it('refreshes, each time with a new refresh token and for the same person', async () => {
      const { tokens } = await login(world, config);
      const second = await oidc.refreshTokenGrant(config, tokens.refresh_token);
      const third = await oidc.refreshTokenGrant(config, second.refresh_token, { scope: SCOPE });

      assert.notEqual(second.refresh_token, tokens.refresh_token);
      assert.notEqual(third.refresh_token, second.refresh_token);
      assert.equal(third.claims().sub, tokens.claims().sub);
      assert.equal(third.claims().sid, tokens.claims().sid);
      assert.equal(third.claims().auth_time, tokens.claims().auth_time);
    });

    it('a confidential application may keep presenting its first refresh token', async () => {
      const { tokens } = await login(world, config);
      for (let round = 0; round < 3; round++) {
        assert.ok((await oidc.refreshTokenGrant(config, tokens.refresh_token)).refresh_token);
      }
    });

    it('a refresh may narrow the scope but not widen it', async () => {
      const { tokens } = await login(world, config, { scope: 'openid email offline_access' });
      const narrowed = await oidc.refreshTokenGrant(config, tokens.refresh_token, { scope: 'openid' });
      assert.equal(narrowed.scope, 'openid');
      await assert.rejects(
        oidc.refreshTokenGrant(config, tokens.refresh_token, { scope: 'openid profile' }),
        { error: 'invalid_scope' },
      );
    });

    it('without offline_access there is no refresh token', async () => {
      const { tokens } = await login(world, config, { scope: 'openid email' });
      assert.equal(tokens.refresh_token, undefined);
    });

    it('gets a token for itself', async () => {
      const tokens = await oidc.clientCredentialsGrant(config);
      const introspected = await oidc.tokenIntrospection(config, tokens.access_token);
      assert.equal(introspected.active, true);
      assert.equal(introspected.sub, world.clientId);
      assert.equal(tokens.refresh_token, undefined);
    });

    it('introspects a live token, and sees it dead once revoked', async () => {
      const { tokens } = await login(world, config);
      const live = await oidc.tokenIntrospection(config, tokens.access_token);
      assert.equal(live.active, true);
      assert.equal(live.sub, tokens.claims().sub);
      assert.equal(live.client_id, world.clientId);

      await oidc.tokenRevocation(config, tokens.access_token);

      assert.deepEqual(await oidc.tokenIntrospection(config, tokens.access_token), { active: false });
      await assert.rejects(oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub), { status: 401 });
    });

    it('revoking a refresh token ends the whole grant', async () => {
      const { tokens } = await login(world, config);
      await oidc.tokenRevocation(config, tokens.refresh_token, { token_type_hint: 'refresh_token' });
      await assert.rejects(oidc.refreshTokenGrant(config, tokens.refresh_token), { error: 'invalid_grant' });
      assert.equal((await oidc.tokenIntrospection(config, tokens.access_token)).active, false);
    });

    it('garbage is inactive, and revoking it is no error', async () => {
      assert.deepEqual(await oidc.tokenIntrospection(config, 'not-a-token'), { active: false });
      await oidc.tokenRevocation(config, 'not-a-token');
    });

    it('a second application signs in without a prompt, and logout ends the session for both', async () => {
      const other = await createApplication(world.genkan, { name: 'Second application' });
      const second = await discover(world, other.id, other.secret);
      const browser = world.browser();
      const { tokens } = await login(world, config, {}, browser);

      const silent = await login(world, second, { prompt: 'none' }, browser);
      assert.equal(silent.tokens.claims().sub, tokens.claims().sub);
      assert.equal(silent.tokens.claims().sid, tokens.claims().sid);

      const logout = oidc.buildEndSessionUrl(config, {
        id_token_hint: tokens.id_token,
        post_logout_redirect_uri: world.postLogoutUri,
        state: 'bye & thanks',
      });
      const page = await browser.open(logout, { until: world.postLogoutUri });
      assert.ok(page.stopped, page.describe());
      assert.equal(new URL(page.url).origin, world.postLogoutUri);
      assert.equal(new URL(page.url).searchParams.get('state'), 'bye & thanks');

      for (const [application, granted] of [[config, tokens], [second, silent.tokens]]) {
        await assert.rejects(oidc.refreshTokenGrant(application, granted.refresh_token), { error: 'invalid_grant' });
        await assert.rejects(login(world, application, { prompt: 'none' }, browser), { error: 'login_required' });
      }
    });

    it('logout never redirects to an address that is not registered', async () => {
      const browser = world.browser();
      const { tokens } = await login(world, config, {}, browser);
      const foreign = ['https://evil.test/', 'http://localhost.evil.test/', `${world.postLogoutUri}@evil.test`];
      // The development application may return to any port of this machine.
      if (engine === 'PostgreSQL') foreign.push(`${world.postLogoutUri}/`, `${world.postLogoutUri}/elsewhere`);
      for (const uri of foreign) {
        const logout = oidc.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: uri });
        const page = await browser.open(logout, { until: (url) => !url.startsWith(world.issuer) });
        assert.ok(!page.stopped, `went to ${page.url}`);
      }
    });

    it('prompt=login asks again although a session lives, and says so in auth_time', async () => {
      const browser = world.browser();
      const { tokens } = await login(world, config, {}, browser);
      await new Promise((resolve) => setTimeout(resolve, 1100));
      const now = Math.floor(Date.now() / 1000);
      const before = browser.visited.length;
      const again = await login(world, config, { prompt: 'login', max_age: '0' }, browser);

      assert.ok(browser.visited.length > before + 1, 'there was no prompt');
      assert.equal(again.tokens.claims().sub, tokens.claims().sub);
      assert.ok(again.tokens.claims().auth_time >= now);
    });

    it('organization_id, connection_id, domain and login_hint go straight to the connection', async () => {
      const selectors = [
        { organization_id: world.organizationId },
        { connection_id: world.connectionId },
        { domain: world.email.split('@')[1] },
        { login_hint: world.email },
      ];
      for (const selector of selectors) {
        const browser = world.browser();
        const { url } = await request(world, config, selector);
        const page = await browser.open(url, { until: world.redirectUri });
        // Genkan's own pages are below /login; the simulator has an address of its own.
        assert.ok(!page.url.startsWith(`${world.issuer}/login`), `${JSON.stringify(selector)} stopped at ${page.describe()}`);
        assert.ok(page.formWith('email', 'login'), page.describe());
      }
    });

    it('an unknown connection is an error at the application, not a guess', async () => {
      const { callback } = await authorize(world, config, { connection_id: 'conn_1' }).catch((error) => ({ callback: error }));
      assert.equal(callback.searchParams?.get('error'), 'invalid_connection_id', String(callback));
      assert.ok(callback.searchParams.get('state'));
    });

    it('an unregistered redirect URI is a page, never a redirect', async () => {
      const { url } = await request(world, config, { redirect_uri: 'https://evil.test/callback' });
      const page = await world.browser().open(url, { until: (next) => next.startsWith('https://evil.test') });
      assert.ok(!page.stopped);
      assert.ok(page.status >= 400 && page.status < 500);
      assert.ok(page.heading.length > 0);
    });

    it('a public application needs PKCE and no secret', async () => {
      const spa = await createApplication(world.genkan, { name: 'Single page', kind: 'spa' });
      assert.match(spa.id, /^spac_\d+$/);
      const publicConfig = await discover(world, spa.id, undefined, oidc.None());
      const { tokens } = await login(world, publicConfig);
      assert.ok((await oidc.refreshTokenGrant(publicConfig, tokens.refresh_token)).refresh_token);

      const without = await request(world, publicConfig, { code_challenge: '', code_challenge_method: '' });
      const page = await world.browser().open(without.url, { until: world.redirectUri });
      assert.equal(new URL(page.url).searchParams.get('error'), 'invalid_request', page.describe());
    });
  });
}

async function discover(world, clientId, clientSecret, authentication) {
  const config = await oidc.discovery(new URL(world.issuer), clientId, clientSecret, authentication, {
    execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks],
  });
  return config;
}

async function request(world, config, more = {}) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
  const checks = { pkceCodeVerifier, expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce(), idTokenExpected: true };
  const parameters = {
    redirect_uri: world.redirectUri,
    scope: SCOPE,
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...more,
  };
  const url = oidc.buildAuthorizationUrl(config, Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== '')));
  return { url, checks };
}

/** Up to the callback: the person has signed in, the code is unspent. */
async function authorize(world, config, more, browser = world.browser()) {
  const { url, checks } = await request(world, config, more);
  return { callback: await world.signIn(browser, url), checks };
}

/** The whole sign-in; ID token signature, nonce, state and at_hash are checked by the library. */
async function login(world, config, more, browser) {
  const { callback, checks } = await authorize(world, config, more, browser);
  const tokens = await oidc.authorizationCodeGrant(config, callback, checks);
  return { tokens, callback, checks };
}
