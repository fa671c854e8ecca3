// The SAML connection of a company that runs Keycloak: its administrator imports our metadata, and adds the mappers
// that Keycloak offers by name.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { Application } from '../support/application.mjs';
import { goOn } from '../support/person.mjs';
import { UserAgent } from '../support/user-agent.mjs';
import { PASSWORD, person } from './support/keycloak.mjs';

const REALM = 'works';
const TILE = 'tile';

/** `world`: {genkan, keycloak}, once they run. */
export function saml(world) {
  describe('by SAML', () => {
    let application;
    let organization;
    let connection;
    let metadataUrl;
    let client;

    before(async () => {
      const { genkan, keycloak } = world;
      application = await Application.register(genkan);
      await keycloak.admin('POST', '', {
        realm: REALM, enabled: true, groups: [{ name: 'engineering' }],
        users: [person('ada@works.test', 'Ada', 'Lovelace', { groups: ['/engineering'] })],
      });
      organization = await genkan.cli('org', 'create', '--name', 'Works');
      await genkan.cli('domain', 'create', 'works.test', '--organization', organization.id);
      metadataUrl = `${keycloak.issuer(REALM)}/protocol/saml/descriptor`;
      connection = await genkan.cli(
        'connection', 'create', '--saml', '--organization', organization.id, '--saml-metadata-url', metadataUrl, '--insecure-http', '--attribute', 'groups=member',
        // Keycloak demands it of a client that it imports from metadata with a key for signing.
        '--saml-sign-requests',
      );
      client = await importClient(keycloak, connection.service_provider);
    });

    const credentials = { username: 'ada', password: PASSWORD };
    const ada = [{ login_hint: 'ada@works.test' }, { credentials }];
    const signIn = () => application.signIn(...ada);
    const arrive = () => application.arrive(...ada);
    const traceOf = async (page) => application.traceOf(page ?? (await arrive()), { secrets: [PASSWORD] });
    const configure = (...options) => world.genkan.cli('connection', 'update', connection.id, ...options);
    /** Changes attributes of the client there, and more of it. */
    const changeClient = async (attributes, more = {}) => {
      client = { ...client, ...more, attributes: { ...client.attributes, ...attributes } };
      await world.keycloak.admin('PUT', `/${REALM}/clients/${client.id}`, client);
    };
    const tile = (name) => `${world.keycloak.issuer(REALM)}/protocol/saml/clients/${name}`;

    it('a person signs in, with address, name and groups: signed request, encrypted assertion', async () => {
      const claims = await signIn();
      assert.equal(claims.email, 'ada@works.test');
      assert.equal(claims.given_name, 'Ada');
      assert.equal(claims.family_name, 'Lovelace');
      assert.equal(claims.name, 'Ada Lovelace');
      assert.deepEqual(claims.groups, ['/engineering']);
      assert.equal(claims.amr[0], connection.id);
      assert.equal(claims.oid, organization.id);
      assert.equal((await signIn()).sub, claims.sub);
    });

    it('asks by redirect and by post, signed if Keycloak demands it', async () => {
      await changeClient({ 'saml.encrypt': 'false' });
      for (const binding of ['redirect', 'post']) {
        await configure('--saml-sso-binding', binding, '--saml-sign-requests', 'on');
        assert.equal((await signIn()).email, 'ada@works.test', `${binding}, signed`);
        await configure('--saml-sign-requests', 'off');
        const page = await arrive();
        assert.match(page.text, /Invalid requester/, page.describe());
        await changeClient({ 'saml.client.signature': 'false' });
        assert.equal((await signIn()).email, 'ada@works.test', binding);
        await changeClient({ 'saml.client.signature': 'true' });
      }
      await configure('--saml-sso-binding', 'redirect', '--saml-sign-requests', 'on');
    });

    it('takes a signature of the assertion, of the response and of both', async () => {
      for (const [assertion, response] of [['true', 'false'], ['false', 'true'], ['true', 'true']]) {
        await changeClient({ 'saml.assertion.signature': assertion, 'saml.server.signature': response });
        assert.equal((await signIn()).email, 'ada@works.test');
      }
      await changeClient({ 'saml.assertion.signature': 'false', 'saml.server.signature': 'false' });
      assert.equal((await traceOf()).trace.cause, 'signature_missing');
      await changeClient({ 'saml.assertion.signature': 'true', 'saml.server.signature': 'true' });
    });

    it('takes an encrypted assertion by AES-GCM, and says that AES-CBC is not taken', async () => {
      await configure('--saml-encrypted', 'on');
      assert.equal((await traceOf()).trace.cause, 'encryption_expected');
      await changeClient({ 'saml.encrypt': 'true' });
      assert.equal((await signIn()).email, 'ada@works.test');
      // What older service providers ask for, and what nobody should.
      await changeClient({
        'saml.encryption.algorithm': 'http://www.w3.org/2009/xmlenc11#aes128-gcm',
        'saml.encryption.keyAlgorithm': 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p',
        'saml.encryption.digestMethod': 'http://www.w3.org/2000/09/xmldsig#sha1',
      });
      assert.equal((await signIn()).email, 'ada@works.test');
      await changeClient({ 'saml.encryption.algorithm': 'http://www.w3.org/2001/04/xmlenc#aes128-cbc' });
      assert.equal((await traceOf()).trace.cause, 'decryption_not_allowed');
      await changeClient({ 'saml.encrypt': 'false' });
      await configure('--saml-encrypted', 'off');
    });

    it('takes a sign-in that begins at Keycloak, if it may and if it is for us', async () => {
      await changeClient({ saml_idp_initiated_sso_url_name: TILE, saml_idp_initiated_sso_relay_state: 'from-the-tile' });
      const begin = async (name) => {
        const browser = new UserAgent();
        const until = application.initiateLoginUri;
        return goOn(browser, await browser.open(tile(name), { until }), { credentials, until });
      };
      assert.equal((await traceOf(await begin(TILE))).trace.cause, 'unsolicited_not_allowed');
      await configure('--saml-idp-initiated', 'on', '--saml-default-redirect-uri', application.initiateLoginUri);
      const { told, claims } = await application.initiated(tile(TILE), { credentials });
      assert.equal(told.connection_id, connection.id);
      assert.equal(told.organization_id, organization.id);
      assert.equal(told.login_hint, 'ada@works.test');
      assert.equal(told.relay_state, 'from-the-tile');
      assert.equal(claims.email, 'ada@works.test');

      // A second client there, whose identifier somebody mistyped, answers at the same address.
      const mistyped = `${connection.service_provider.entity_id}/`;
      await world.keycloak.admin('POST', `/${REALM}/clients`, {
        ...client, id: undefined, clientId: mistyped, protocolMappers: [],
        attributes: { ...client.attributes, saml_idp_initiated_sso_url_name: 'mistyped' },
      });
      const { trace, said } = await traceOf(await begin('mistyped'));
      assert.equal(trace.cause, 'audience_mismatch');
      assert.ok(trace.remedy.includes(connection.service_provider.entity_id), trace.remedy);
      assert.ok(said.includes(mistyped), said);
    });

    it('has Keycloak ask for the password again if the application wants that', async () => {
      const browser = new UserAgent();
      const [whom, how] = ada;
      const first = await application.signIn(whom, { ...how, browser });
      const isEnd = (page) => page.formWith('password');
      const asked = await application.arrive({ ...whom, prompt: 'login' }, { ...how, browser, isEnd });
      assert.ok(!asked.stopped && asked.url.startsWith(world.keycloak.url), asked.describe());
      const claims = await application.redeem(await goOn(browser, asked, { credentials, until: application.redirectUri }));
      assert.equal(claims.sub, first.sub);
      assert.ok(claims.auth_time >= first.auth_time, `${claims.auth_time} after ${first.auth_time}`);
    });

    it('says that the person has refused', async () => {
      await changeClient({}, { consentRequired: true });
      const browser = new UserAgent();
      const [whom, how] = ada;
      const asked = await application.arrive(whom, { ...how, browser, isEnd: (page) => page.formWith('cancel') });
      assert.ok(!asked.stopped, asked.url);
      const until = application.redirectUri;
      const page = await browser.submit(asked, asked.formWith('cancel'), {}, { button: 'cancel', until });
      const { trace } = await traceOf(await goOn(browser, page, { until }));
      assert.equal(trace.cause, 'status_request_denied');
      await changeClient({}, { consentRequired: false });
    });

    it('says that Keycloak has new keys, and takes them when its metadata are read again', async () => {
      const { id } = await world.keycloak.admin('GET', `/${REALM}`);
      await world.keycloak.admin('POST', `/${REALM}/components`, {
        name: 'next', providerId: 'rsa-generated', providerType: 'org.keycloak.keys.KeyProvider', parentId: id,
        config: { priority: ['1000'], enabled: ['true'], active: ['true'], algorithm: ['RS256'] },
      });
      const { trace } = await traceOf();
      assert.equal(trace.cause, 'signature_invalid');
      assert.match(trace.remedy, /metadata|certificate/);
      const { saml: settings } = await configure('--saml-metadata-url', metadataUrl);
      assert.equal(settings.certificates.length, 2);
      assert.equal((await signIn()).email, 'ada@works.test');
    });

    it('takes our new key from our metadata', async () => {
      const rotate = (...step) => world.genkan.cli('connection', 'certificates', 'rotate', connection.id, ...step);
      await rotate();
      await changeClient({ 'saml.useMetadataDescriptorUrl': 'true', 'saml.metadataDescriptorUrl': connection.service_provider.metadata_url });
      assert.equal((await signIn()).email, 'ada@works.test');
      await rotate('--switch');
      assert.equal((await signIn()).email, 'ada@works.test');
      await rotate('--retire');
      assert.equal((await signIn()).email, 'ada@works.test');
    });

    it('names the attributes that came when the address is missing', async () => {
      const { protocolMappers } = client;
      const mail = protocolMappers.find(({ name }) => name === 'X500 email');
      await world.keycloak.admin('DELETE', `/${REALM}/clients/${client.id}/protocol-mappers/models/${mail.id}`);
      const { trace, said } = await traceOf();
      assert.equal(trace.cause, 'mandatory_attribute_missing');
      assert.ok(said.includes('urn:oid:2.5.4.42'), said);
      await world.keycloak.admin('POST', `/${REALM}/clients/${client.id}/protocol-mappers/models`, mail);
      assert.equal((await signIn()).email, 'ada@works.test');
    });

    it('says that a name for one sign-in names nobody', async () => {
      await changeClient({ saml_name_id_format: 'transient', saml_force_name_id_format: 'true' });
      const { trace } = await traceOf();
      assert.equal(trace.cause, 'name_id_transient');
      assert.match(trace.remedy, /persistent|e-mail/i);
      await changeClient({ saml_name_id_format: 'username' });
      assert.equal((await signIn()).email, 'ada@works.test');
    });
  });
}

/** The client of Keycloak that its console makes from our metadata, with the mappers that it offers. */
async function importClient(keycloak, { metadata_url: metadataUrl, entity_id: entityId }) {
  const answer = await fetch(metadataUrl);
  const metadata = await answer.text();
  assert.equal(answer.status, 200, metadata);
  const described = await keycloak.admin('POST', `/${REALM}/client-description-converter`, metadata);
  const property = (name, oid, friendlyName, attribute) => ({
    name: `X500 ${name}`, protocol: 'saml', protocolMapper: 'saml-user-property-mapper',
    config: {
      'attribute.name': oid, 'friendly.name': friendlyName, 'user.attribute': attribute,
      'attribute.nameformat': 'urn:oasis:names:tc:SAML:2.0:attrname-format:uri',
    },
  });
  await keycloak.admin('POST', `/${REALM}/clients`, {
    ...described,
    protocolMappers: [
      property('email', 'urn:oid:1.2.840.113549.1.9.1', 'email', 'email'),
      property('givenName', 'urn:oid:2.5.4.42', 'givenName', 'firstName'),
      property('surname', 'urn:oid:2.5.4.4', 'surname', 'lastName'),
      {
        name: 'groups', protocol: 'saml', protocolMapper: 'saml-group-membership-mapper',
        config: { 'attribute.name': 'member', 'attribute.nameformat': 'Basic', single: 'true', 'full.path': 'true' },
      },
    ],
  });
  const [client] = await keycloak.admin('GET', `/${REALM}/clients?clientId=${encodeURIComponent(entityId)}`);
  return client;
}
