// The OpenID Connect connection of a company that runs Keycloak.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { Application } from '../support/application.mjs';
import { PASSWORD, person } from './support/keycloak.mjs';

const REALM = 'acme';
const CLIENT = { id: 'genkan', secret: 'company secret: 100 % & more' };

/** `world`: {genkan, keycloak}, once they run. */
export function oidc(world) {
  describe('by OpenID Connect', () => {
    let connection;
    let keycloakClient;
    let application;

    before(async () => {
      const { genkan, keycloak } = world;
      application = Application.ofDev(genkan);
      const organization = await genkan.cli('org', 'create', '--name', 'Acme');
      await genkan.cli('domain', 'create', 'acme.test', '--organization', organization.id);
      connection = await genkan.cli(
        'connection', 'create', '--oidc', '--organization', organization.id, '--issuer', keycloak.issuer(REALM), '--insecure-http',
        '--client-id', CLIENT.id, '--client-secret', CLIENT.secret, '--groups-claim', 'groups',
      );
      await keycloak.admin('POST', '', realm(connection.redirect_uri));
      [keycloakClient] = await keycloak.admin('GET', `/${REALM}/clients?clientId=${CLIENT.id}`);
    });

    const how = (username) => [{ login_hint: `${username}@acme.test` }, { credentials: { username, password: PASSWORD } }];
    const signIn = (name) => application.signIn(...how(name));
    /** The trace of a sign-in that fails. */
    const traceOf = async (name) => application.traceOf(await application.arrive(...how(name)), { secrets: [CLIENT.secret, PASSWORD] });

    const changeClient = (change) => world.keycloak.admin('PUT', `/${REALM}/clients/${keycloakClient.id}`, { ...keycloakClient, ...change });
    const configure = (...options) => world.genkan.cli('connection', 'update', connection.id, ...options);

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
      const [{ id }] = await world.keycloak.admin('GET', `/${REALM}?briefRepresentation=true`).then((found) => [found]);
      await world.keycloak.admin('POST', `/${REALM}/components`, {
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
      assert.match(trace.remedy, /Check client ID and client secret of the connection/);
      await configure('--client-secret', CLIENT.secret);
      await signIn('ada');
    });

    it('says that the address is not verified, and where that is mended', async () => {
      const { page, trace } = await traceOf('grace');
      assert.match(page.text, /an e-mail address that nobody has verified there/);
      assert.equal(trace.cause, 'email_not_verified');
      assert.match(trace.remedy, /address .*at the provider|Email verified/);
      const [grace] = await world.keycloak.admin('GET', `/${REALM}/users?username=grace`);
      await world.keycloak.admin('PUT', `/${REALM}/users/${grace.id}`, { ...grace, emailVerified: true });
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
      assert.match(wrong.trace.remedy, /Check client ID and client secret of the connection/);
      await configure('--client-secret', CLIENT.secret);
      await changeClient({ redirectUris: ['https://elsewhere.test/callback'] });
      const unknown = await traceOf('ada');
      assert.equal(unknown.trace.cause, 'pushed_request_refused');
      assert.match(unknown.trace.remedy, /redirect URI of the connection/);
    });
  });
}

/** A company: its people, a group, and Genkan as a client. */
function realm(redirectUri) {
  return {
    realm: REALM,
    enabled: true,
    groups: [{ name: 'engineering' }],
    users: [
      person('ada@acme.test', 'Ada', 'Lovelace', { groups: ['/engineering'] }),
      // As its console makes people unless the administrator ticks a box.
      person('grace@acme.test', 'Grace', 'Hopper', { emailVerified: false }),
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
