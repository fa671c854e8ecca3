// scalekit.connection: every method, seen again over REST, the command line and logins.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { messages, sdk } from './support/sdk.mjs';
import { badRequest, cli, get, gone, newOrganization, notFound, scalekit, send, signIn, world } from './support/world.mjs';

const { ConnectionProvider, ConnectionType, ConnectionStatus } = messages('connections/connections');
const CERTIFICATE = readFileSync(new URL('../../../crates/api/tests/it/saml_certificate.pem', import.meta.url), 'utf8');
const NOBODY = 'conn_100000000000000000001';

describe('connection', () => {
  const { connection: connections } = scalekit;
  const { spare } = world;
  let organization;
  before(async () => (organization = (await newOrganization()).id));

  const create = async (type = ConnectionType.OIDC, provider = ConnectionProvider.OKTA) =>
    (await connections.createConnection(organization, { provider, type })).connection;
  const path = (id, of = organization) => `/api/v1/organizations/${of}/connections/${id}`;

  it('createConnection makes a draft of either protocol', async () => {
    for (const [type, settings] of [[ConnectionType.OIDC, 'oidc_config'], [ConnectionType.SAML, 'saml_config']]) {
      const connection = await create(type);
      assert.match(connection.id, /^conn_\d{15,21}$/);
      assert.equal(connection.enabled, false);
      assert.equal(connection.status, ConnectionStatus.DRAFT);
      const seen = (await get(path(connection.id))).connection;
      assert.equal(seen.type, ConnectionType[type]);
      assert.equal(seen.provider, 'OKTA');
      assert.equal(seen.organization_id, organization);
      assert.ok(seen[settings], `${settings} tells where the identity provider has to send people`);
    }
  });

  it('createConnection makes a SAML connection that REST completes and enableConnection opens', async () => {
    const { id } = await create(ConnectionType.SAML);
    await badRequest(connections.enableConnection(organization, id));
    const saml_config = {
      idp_entity_id: 'https://idp.acme.test',
      idp_sso_url: 'https://idp.acme.test/sso',
      idp_certificate: CERTIFICATE,
    };
    const changed = (await send('PATCH', path(id), { saml_config })).connection;
    assert.equal(changed.status, 'COMPLETED');
    assert.equal((await connections.enableConnection(organization, id)).enabled, true);

    const { settings } = (await connections.getConnection(organization, id)).connection;
    const shown = settings.value;
    assert.equal(shown.idpCertificates.length, 1);
    const metadata = await fetch(new URL(new URL(shown.spMetadataUrl).pathname, world.issuer));
    assert.equal(metadata.headers.get('content-type'), 'application/samlmetadata+xml');
    const document = await metadata.text();
    for (const value of [shown.spEntityId, shown.spAssertionUrl]) assert.ok(document.includes(`"${value}"`), document);
    assert.deepEqual((await cli('connection', 'show', id)).service_provider, {
      entity_id: shown.spEntityId,
      acs_url: shown.spAssertionUrl,
      metadata_url: shown.spMetadataUrl,
    });
    await connections.disableConnection(organization, id);
  });

  it('createConnection refuses an unknown organization, and a connection without a provider', async () => {
    await notFound(connections.createConnection('org_100000000000000000001', { provider: ConnectionProvider.OKTA, type: ConnectionType.OIDC }));
    await assert.rejects(connections.createConnection(organization, { type: ConnectionType.OIDC }), sdk.ScalekitBadRequestException);
  });

  it('getConnection shows a connection to its own organization only', async () => {
    const { id } = await create();
    assert.equal((await connections.getConnection(organization, id)).connection.id, id);
    assert.equal((await cli('connection', 'show', id)).id, id);
    await notFound(connections.getConnection(spare.organizationId, id), /connection not found/);
    await notFound(connections.getConnection(organization, NOBODY));
  });

  it('listConnections lists those of an organization that people can use', async () => {
    const found = (await connections.listConnections(spare.organizationId)).connections;
    assert.deepEqual(found.map(({ id, enabled }) => [id, enabled]), [[spare.connectionId, true]]);
    const of = (await newOrganization()).id;
    const { connection } = await connections.createConnection(of, { provider: ConnectionProvider.OKTA, type: ConnectionType.SAML });
    assert.deepEqual((await connections.listConnections(of)).connections, []);
    const seen = (await get(`/api/v1/connections?organization_id=${of}&include=all`)).connections;
    assert.deepEqual(seen.map(({ id, type }) => [id, type]), [[connection.id, 'SAML']]);
  });

  it('listConnectionsByDomain finds the connection of a domain', async () => {
    const found = (await connections.listConnectionsByDomain('spare.test')).connections;
    assert.deepEqual(found.map(({ id }) => id), [spare.connectionId]);
    assert.equal(found[0].organizationId, spare.organizationId);
    assert.deepEqual((await connections.listConnectionsByDomain('nobody-has.test')).connections, []);
    assert.equal((await get('/api/v1/connections?domain=spare.test')).connections[0].id, spare.connectionId);
  });

  it('listAppConnections has none: they are for agents’ tools', async () => {
    const answer = await connections.listAppConnections({ pageSize: 10 });
    assert.deepEqual(answer.connections, []);
    assert.equal(answer.totalSize, 0);
    assert.deepEqual((await get('/api/v1/connections/app')).connections, []);
  });

  it('disableConnection ends logins at once and enableConnection lets them in again', async () => {
    const login = () => signIn({ email: spare.email, connection_id: spare.connectionId });
    assert.equal((await login()).status, 200);

    assert.equal((await connections.disableConnection(spare.organizationId, spare.connectionId)).enabled, false);
    assert.equal((await get(path(spare.connectionId, spare.organizationId))).connection.enabled, false);
    await assert.rejects(login(), 'nobody comes in through it');

    assert.equal((await connections.enableConnection(spare.organizationId, spare.connectionId)).enabled, true);
    assert.equal((await get(path(spare.connectionId, spare.organizationId))).connection.enabled, true);
    assert.equal((await login()).status, 200);
  });

  it('enableConnection refuses one that is not configured, and one of another organization', async () => {
    const { id } = await create();
    await badRequest(connections.enableConnection(organization, id));
    assert.equal((await get(path(id))).connection.enabled, false);
    await notFound(connections.enableConnection(organization, spare.connectionId));
    await notFound(connections.disableConnection(organization, spare.connectionId));
  });

  it('deleteConnection leaves nothing behind', async () => {
    const { id } = await create();
    await notFound(connections.deleteConnection(spare.organizationId, id));
    await connections.deleteConnection(organization, id);
    await gone(path(id));
    await notFound(connections.deleteConnection(organization, id));
  });
});
