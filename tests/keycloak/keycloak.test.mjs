// A company signs its people in with Keycloak, as its administrator sets it up; Genkan is
// its relying party. Whatever fails is read aloud: the trace must say what to do.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Genkan } from '../support/genkan.mjs';
import { UserAgent } from '../support/user-agent.mjs';
import { Keycloak } from './support/keycloak.mjs';

const REDIRECT_URI = 'http://localhost:4321/api/auth/callback';
const REALM = 'acme';
const CLIENT = { id: 'genkan', secret: 'company secret: 100 % & more' };
const PASSWORD = 'correct horse battery staple';

describe('Keycloak upstream of Genkan', () => {
  let genkan;
  let keycloak;
  let connection;
  let keycloakClient;

  before(async () => {
    [genkan, keycloak] = await Promise.all([Genkan.dev(), Keycloak.start(process.env.KEYCLOAK_HOME)]);
    const organization = await genkan.cli('org', 'create', '--name', 'Acme');
    await genkan.cli('domain', 'create', 'acme.test', '--organization', organization.id);
    connection = await genkan.cli(
      'connection', 'create', '--oidc', '--organization', organization.id, '--issuer', keycloak.issuer(REALM), '--insecure-http',
      '--client-id', CLIENT.id, '--client-secret', CLIENT.secret, '--groups-claim', 'groups',
    );
    await keycloak.admin('POST', '', realm(connection.redirect_uri));
    [keycloakClient] = await keycloak.admin('GET', `/${REALM}/clients?clientId=${CLIENT.id}`);
  });
  after(async () => {
    await genkan?.stop();
    await keycloak?.stop();
  });

  /** From the application to where the browser ends: back there, or at a page. */
  const arrive = async (name, browser = new UserAgent()) => {
    const query = {
      response_type: 'code', client_id: genkan.env.SCALEKIT_CLIENT_ID, redirect_uri: REDIRECT_URI, scope: 'openid profile email',
      state: 'st', login_hint: `${name}@acme.test`,
    };
    const page = await browser.open(`${genkan.url}/oauth/authorize?${new URLSearchParams(query)}`, { until: REDIRECT_URI });
    const form = page.stopped ? undefined : page.formWith('password');
    if (!form) return page;
    return browser.submit(page, form, { username: name, password: PASSWORD }, { until: REDIRECT_URI });
  };

  /** The claims of a sign-in that works. */
  const signIn = async (name) => {
    const page = await arrive(name);
    assert.ok(page.stopped, page.describe());
    const answer = new URL(page.url).searchParams;
    assert.ok(answer.get('code'), page.url);
    const response = await fetch(`${genkan.url}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code', code: answer.get('code'), redirect_uri: REDIRECT_URI,
        client_id: genkan.env.SCALEKIT_CLIENT_ID, client_secret: genkan.env.SCALEKIT_CLIENT_SECRET,
      }),
    });
    const tokens = await response.json();
    assert.equal(response.status, 200, JSON.stringify(tokens));
    return JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url'));
  };

  /** The trace of a sign-in that fails, under the reference that was shown. */
  const traceOf = async (name) => {
    const page = await arrive(name);
    const shown = page.stopped ? new URL(page.url).searchParams.get('error_description') : page.text;
    const [reference] = /err_\d+/.exec(shown) ?? [];
    assert.ok(reference, page.describe());
    const trace = await genkan.cli('trace', 'show', reference);
    for (const secret of [CLIENT.secret, PASSWORD]) assert.ok(!JSON.stringify(trace).includes(secret), 'a secret in a trace');
    return { page, trace, said: JSON.stringify(trace) };
  };

  const changeClient = (change) => keycloak.admin('PUT', `/${REALM}/clients/${keycloakClient.id}`, { ...keycloakClient, ...change });
  const configure = (...options) => genkan.cli('connection', 'update', connection.id, ...options);

  it('a person signs in, with name, user name and groups', async () => {
    const claims = await signIn('ada');
    assert.equal(claims.email, 'ada@acme.test');
    assert.equal(claims.name, 'Ada Lovelace');
    assert.equal(claims.preferred_username, 'ada');
    assert.deepEqual(claims.groups, ['/engineering']);
    assert.equal(claims.amr[0], connection.id);
    assert.equal((await signIn('ada')).sub, claims.sub);
  });

  it('takes the keys of a company that has just replaced them', async () => {
    const [{ id }] = await keycloak.admin('GET', `/${REALM}?briefRepresentation=true`).then((found) => [found]);
    await keycloak.admin('POST', `/${REALM}/components`, {
      name: 'next', providerId: 'rsa-generated', providerType: 'org.keycloak.keys.KeyProvider', parentId: id,
      config: { priority: ['1000'], enabled: ['true'], active: ['true'], algorithm: ['RS256'] },
    });
    assert.equal((await signIn('ada')).email, 'ada@acme.test');
  });

  it('says that the secret is wrong', async () => {
    await configure('--client-secret', 'not the secret');
    const { page, trace, said } = await traceOf('ada');
    assert.equal(page.heading, 'We could not sign you in');
    assert.equal(trace.cause, 'failed_to_exchange_token');
    assert.match(said, /401 unauthorized_client/);
    assert.match(trace.remedy, /^Check client ID and client secret of the connection/);
    await configure('--client-secret', CLIENT.secret);
    await signIn('ada');
  });

  it('says that the address is not verified, and where that is mended', async () => {
    const { page, trace } = await traceOf('grace');
    assert.match(page.text, /an e-mail address that nobody has verified there/);
    assert.equal(trace.cause, 'email_not_verified');
    assert.match(trace.remedy, /address .*at the provider|Email verified/);
    const [grace] = await keycloak.admin('GET', `/${REALM}/users?username=grace`);
    await keycloak.admin('PUT', `/${REALM}/users/${grace.id}`, { ...grace, emailVerified: true });
    assert.equal((await signIn('grace')).email, 'grace@acme.test');
  });

  it('says that a client takes pushed requests only, and pushes them when told to', async () => {
    await changeClient({ attributes: { ...keycloakClient.attributes, 'require.pushed.authorization.requests': 'true' } });
    const { page, trace } = await traceOf('ada');
    assert.ok(page.stopped, 'the application hears what the provider answered');
    assert.equal(new URL(page.url).searchParams.get('error'), 'invalid_request');
    assert.match(trace.remedy, /--push-requests on/);
    await configure('--push-requests', 'on');
    assert.equal((await signIn('ada')).email, 'ada@acme.test');

    // Pushed or not, a wrong secret and an unknown address to return to are told.
    await configure('--client-secret', 'not the secret');
    const wrong = await traceOf('ada');
    assert.equal(wrong.trace.cause, 'pushed_request_refused');
    assert.match(wrong.trace.remedy, /^Check client ID and client secret of the connection/);
    await configure('--client-secret', CLIENT.secret);
    await changeClient({ redirectUris: ['https://elsewhere.test/callback'] });
    const unknown = await traceOf('ada');
    assert.equal(unknown.trace.cause, 'pushed_request_refused');
    assert.match(unknown.trace.remedy, /redirect URI of the connection/);
  });

  it('says that the company is gone', async () => {
    await keycloak.stop();
    const { page, trace } = await traceOf('ada');
    assert.equal(page.status, 503);
    assert.match(page.text, /cannot be reached at the moment/);
    assert.match(trace.cause, /unreachable/);
  });
});

/** A company: its people, a group, and Genkan as a client. */
function realm(redirectUri) {
  const person = (username, firstName, lastName, more) => ({
    username, firstName, lastName, email: `${username}@acme.test`, emailVerified: true, enabled: true,
    credentials: [{ type: 'password', value: PASSWORD }], ...more,
  });
  return {
    realm: REALM,
    enabled: true,
    groups: [{ name: 'engineering' }],
    users: [
      person('ada', 'Ada', 'Lovelace', { groups: ['/engineering'] }),
      // As its console makes people unless the administrator ticks a box.
      person('grace', 'Grace', 'Hopper', { emailVerified: false }),
    ],
    clients: [{
      clientId: CLIENT.id,
      secret: CLIENT.secret,
      redirectUris: [redirectUri],
      protocolMappers: [{
        name: 'groups', protocol: 'openid-connect', protocolMapper: 'oidc-group-membership-mapper',
        config: { 'claim.name': 'groups', 'full.path': 'true', 'id.token.claim': 'true', 'userinfo.token.claim': 'true' },
      }],
    }],
  };
}
