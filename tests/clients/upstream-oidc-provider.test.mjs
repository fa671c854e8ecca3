// A company signs its people in with npm oidc-provider, a certified OpenID
// Provider; Genkan is its relying party.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { decodeJwt } from 'jose';
import { engines } from '../support/genkan.mjs';
import { signIn } from '../support/sign-in.mjs';
import { UserAgent } from '../support/user-agent.mjs';
import { Company } from './support/company.mjs';
import { addresses, createApplication, joinCompany, startGenkan } from './support/world.mjs';

for (const engine of engines()) {
  describe(`npm oidc-provider upstream of Genkan on ${engine}`, () => {
    let genkan;
    let company;
    let application;
    let acme;
    let redirectUri;
    let number = 0;

    before(async () => {
      genkan = await startGenkan(engine);
      ({ redirectUri } = addresses(genkan));
      company = await Company.start();
      application = await createApplication(genkan, { name: 'Portal' });
      acme = await joinCompany(genkan, company, { domain: 'acme.test' });
    });
    after(async () => {
      await genkan?.stop();
      await company?.stop();
    });

    /** Another company of its own domain at the same provider. */
    const newCompany = async (options = {}) => {
      const domain = `company-${++number}.test`;
      return { domain, ...(await joinCompany(genkan, company, { domain, ...options })) };
    };
    const authorizationUrl = (more = {}) => {
      const query = { response_type: 'code', client_id: application.id, redirect_uri: redirectUri, scope: 'openid profile email', state: 'st', ...more };
      return `${genkan.url}/oauth/authorize?${new URLSearchParams(query)}`;
    };
    const redeem = async (callback) => {
      const response = await fetch(`${genkan.url}/oauth/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          code: callback.searchParams.get('code') ?? '',
          redirect_uri: redirectUri,
          client_id: application.id,
          client_secret: application.secret,
        }),
      });
      const body = await response.json();
      assert.equal(response.status, 200, `${callback}: ${JSON.stringify(body)}`);
      return decodeJwt(body.id_token);
    };
    const login = async (email, browser = new UserAgent()) => redeem(await signIn(browser, authorizationUrl(), { email, until: redirectUri }));
    /** Stops the browser on its way back from the company. */
    const backFromCompany = async (browser, { connectionId, callback } = acme, email = 'ada@acme.test') =>
      signIn(browser, authorizationUrl({ connection_id: connectionId }), { email, until: callback });
    /** The browser must end at an explanation, or at the application with an error: never with a code. */
    const refused = async (browser, url) => {
      const page = await browser.open(url, { until: redirectUri });
      if (page.stopped) {
        const answer = new URL(page.url).searchParams;
        assert.equal(answer.get('code'), null, page.url);
        assert.ok(answer.get('error'), page.url);
        return answer.get('error');
      }
      assert.ok(page.status >= 400 && page.status < 600, page.describe());
      assert.ok(page.heading, page.describe());
      return page.heading;
    };

    it('a person signs in by e-mail, and the profile of the company arrives', async () => {
      const claims = await login('ada.lovelace@acme.test');
      assert.equal(claims.email, 'ada.lovelace@acme.test');
      assert.equal(claims.name, 'Ada Lovelace');
      assert.equal(claims.given_name, 'Ada');
      assert.equal(claims.family_name, 'Lovelace');
      assert.equal(claims.oid, acme.organizationId);
      assert.equal(claims.amr[0], acme.connectionId);
      assert.match(claims.sub, /^usr_\d{15,21}$/);
    });

    it('the same person is the same user on every device', async () => {
      const first = await login('grace@acme.test');
      const second = await login('grace@acme.test');
      assert.equal(second.sub, first.sub);
      assert.notEqual(second.sid, first.sid);
    });

    it('asks the company with state, nonce, PKCE and the address that was typed', async () => {
      await login('joan@acme.test');
      const asked = company.authorizationRequests.at(-1);
      assert.equal(asked.response_type, 'code');
      assert.equal(asked.code_challenge_method, 'S256');
      assert.equal(asked.code_challenge.length, 43);
      assert.ok(asked.state.length >= 22 && asked.nonce.length >= 22);
      assert.notEqual(asked.state, asked.nonce);
      assert.equal(asked.login_hint, 'joan@acme.test');
      assert.ok(asked.scope.split(' ').includes('openid'));
      const redeemed = company.tokenRequests.at(-1);
      assert.equal(redeemed.status, 200);
      assert.ok(redeemed.code_verifier.length >= 43);
    });

    for (const authMethod of ['client_secret_basic', 'client_secret_post']) {
      it(`authenticates itself by ${authMethod} where the company wants that`, async () => {
        const { domain, clientId } = await newCompany({ authMethod });
        await login(`ada@${domain}`);
        const request = company.tokenRequests.findLast(({ client }) => client === clientId);
        assert.deepEqual([request.method, request.status], [authMethod, 200]);
      });
    }

    for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA']) {
      it(`accepts an ID token signed with ${alg}`, async () => {
        const { domain } = await newCompany({ client: { id_token_signed_response_alg: alg } });
        assert.equal((await login(`ada@${domain}`)).email, `ada@${domain}`);
      });
    }

    it('pushes its requests to a company that takes no others', async () => {
      const strict = await Company.start({
        features: {
          devInteractions: { enabled: false },
          pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
        },
      });
      try {
        for (const authMethod of ['client_secret_basic', 'client_secret_post']) {
          const domain = `pushed-${++number}.test`;
          await joinCompany(genkan, strict, { domain, authMethod });
          assert.equal((await login(`ada@${domain}`)).email, `ada@${domain}`);
          const asked = strict.authorizationRequests.at(-1);
          assert.deepEqual(Object.keys(asked).sort(), ['client_id', 'request_uri']);
        }
      } finally {
        await strict.stop();
      }
    });

    it('follows the company when it replaces its signing keys', async () => {
      await login('ada@acme.test');
      await company.rotateKeys();
      await login('ada@acme.test');
    });

    it('refuses an answer that names another issuer', async () => {
      const browser = new UserAgent();
      const callback = await backFromCompany(browser);
      assert.equal(callback.searchParams.get('iss'), company.issuer);
      callback.searchParams.set('iss', 'https://attacker.test');
      await refused(browser, callback);
    });

    it('refuses an answer without the issuer that the company promises to send', async () => {
      const browser = new UserAgent();
      const callback = await backFromCompany(browser);
      callback.searchParams.delete('iss');
      await refused(browser, callback);
    });

    it('refuses an answer that another browser asked for', async () => {
      const callback = await backFromCompany(new UserAgent());
      await refused(new UserAgent(), callback);
    });

    it('refuses an answer that comes a second time', async () => {
      const browser = new UserAgent();
      const callback = await backFromCompany(browser);
      const page = await browser.open(callback, { until: redirectUri });
      assert.ok(new URL(page.url).searchParams.get('code'));
      await refused(browser, callback);
    });

    it('refuses an answer at the address of another connection', async () => {
      const other = await newCompany();
      const browser = new UserAgent();
      const callback = await backFromCompany(browser);
      callback.pathname = callback.pathname.replace(acme.connectionId, other.connectionId);
      await refused(browser, callback);
    });

    it('refuses a code that is not the one of this login', async () => {
      const [victim, attacker] = [new UserAgent(), new UserAgent()];
      const mine = await backFromCompany(victim);
      const theirs = await backFromCompany(attacker, acme, 'mallory@acme.test');
      mine.searchParams.set('code', theirs.searchParams.get('code'));
      await refused(victim, mine);
    });

    it('does not take the company’s word for an address of somebody else’s domain', async () => {
      await login('ada@acme.test');
      const other = await newCompany();
      const browser = new UserAgent();
      const callback = await backFromCompany(browser, other, 'ada@acme.test');
      await refused(browser, callback);
    });

    it('tells the application when the person cancels at the company', async () => {
      const browser = new UserAgent();
      const login = await browser.open(authorizationUrl({ connection_id: acme.connectionId }));
      const form = login.formWith('login');
      const page = await browser.submit(login, form, {}, { button: 'abort', until: redirectUri });
      if (page.stopped) {
        assert.equal(new URL(page.url).searchParams.get('error'), 'access_denied');
        assert.equal(new URL(page.url).searchParams.get('state'), 'st');
      } else {
        assert.ok(page.status >= 400 && page.heading, page.describe());
      }
    });

    it('explains itself when the company cannot be reached', async () => {
      const gone = await Company.start();
      const { connectionId } = await joinCompany(genkan, gone, { domain: 'gone.test' });
      await gone.stop();
      await refused(new UserAgent(), authorizationUrl({ connection_id: connectionId }));
    });
  });
}
