// An application of the gateway: people come to it, and leave with claims or with a reference to a trace.
import assert from 'node:assert/strict';
import { goOn } from './person.mjs';
import { UserAgent } from './user-agent.mjs';

const REDIRECT_URI = 'http://localhost:4321/api/auth/callback';
const INITIATE_LOGIN_URI = 'http://localhost:4321/login';

export class Application {
  constructor(genkan, { id, secret }) {
    Object.assign(this, { genkan, id, secret, redirectUri: REDIRECT_URI, initiateLoginUri: INITIATE_LOGIN_URI });
  }

  /** The application that `genkan dev` made. */
  static ofDev(genkan) {
    return new Application(genkan, { id: genkan.env.SCALEKIT_CLIENT_ID, secret: genkan.env.SCALEKIT_CLIENT_SECRET });
  }

  /** A new one, which sign-ins that begin at a provider can be handed to. */
  static async register(genkan) {
    const made = await genkan.cli('app', 'create', '--name', 'Portal', '--redirect-uri', REDIRECT_URI, '--initiate-login-uri', INITIATE_LOGIN_URI);
    return new Application(genkan, { id: made.id, secret: made.secret });
  }

  authorizationUrl(query) {
    const all = { response_type: 'code', client_id: this.id, redirect_uri: this.redirectUri, scope: 'openid profile email', state: 'st', ...query };
    return `${this.genkan.url}/oauth/authorize?${new URLSearchParams(all)}`;
  }

  /** From here to where the browser ends: back here, or at a page. `query` names whom or by which connection. */
  async arrive(query, { credentials, browser = new UserAgent(), ...ends }) {
    const until = ends.until ?? this.redirectUri;
    const page = await browser.open(this.authorizationUrl(query), { until });
    return goOn(browser, page, { credentials, ...ends, until });
  }

  /** The claims of a sign-in that works. */
  async signIn(query, how) {
    return this.redeem(await this.arrive(query, how));
  }

  /** The claims for the code that this address carries. */
  async redeem(page) {
    assert.ok(page.stopped, page.describe());
    const answer = new URL(page.url).searchParams;
    assert.ok(answer.get('code'), page.url);
    const response = await fetch(`${this.genkan.url}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code', code: answer.get('code'), redirect_uri: this.redirectUri, client_id: this.id, client_secret: this.secret,
      }),
    });
    const tokens = await response.json();
    assert.equal(response.status, 200, JSON.stringify(tokens));
    return payload(tokens.id_token);
  }

  /** A sign-in that begins at the provider: what the application is told, and the claims of the sign-in that follows. */
  async initiated(url, { credentials, browser = new UserAgent() }) {
    const until = this.initiateLoginUri;
    const question = await goOn(browser, await browser.open(url, { until }), { credentials, until });
    // The browser does not know the connection yet.
    assert.match(question.heading, /^Sign in to .+\?$/, question.describe());
    const page = await browser.submit(question, question.formWith('answer'), {}, { until });
    assert.ok(page.stopped, page.describe());
    const told = payload(new URL(page.url).searchParams.get('idp_initiated_login') ?? assert.fail(page.url));
    const { connection_id, organization_id, login_hint, relay_state = '' } = told;
    const claims = await this.signIn({ connection_id, organization_id, login_hint, state: relay_state }, { credentials, browser });
    return { told, claims };
  }

  /** The trace under the reference that `page` shows, with none of these secrets in it. */
  async traceOf(page, { secrets = [] } = {}) {
    const shown = page.stopped ? new URL(page.url).searchParams.get('error_description') : page.text;
    const [reference] = /err_\d+/.exec(shown) ?? [];
    assert.ok(reference, page.describe());
    const trace = await this.genkan.cli('trace', 'show', reference);
    const said = JSON.stringify(trace);
    for (const secret of secrets) assert.ok(!said.includes(secret), 'a secret in a trace');
    return { page, trace, said };
  }
}

/** The claims of a token; whether it is signed is the business of other tests. */
function payload(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
}
