// scalekit.m2m: organizations' own clients, seen again over REST and in the tokens they get.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { sdk } from './support/sdk.mjs';
import { badRequest, claims, client, clientToken, get, gone, invalid, newOrganization, notFound, rejects, rest, scalekit, send, unique } from './support/world.mjs';

const NOBODY = 'm2morg_100000000000000000001';

describe('m2m', () => {
  const { m2m } = scalekit;
  let organization;
  before(async () => (organization = (await newOrganization()).id));

  const path = (id, of = organization) => `/api/v1/organizations/${of}/clients/${id}`;
  const make = async (fields = {}) => {
    const { client: made, plain_secret } = await send('POST', `/api/v1/organizations/${organization}/clients`, { name: unique('job '), ...fields });
    return { ...made, plain_secret };
  };

  it('createOrganizationClient makes a client whose tokens carry audience, scopes and claims', async () => {
    const { client: made, plainSecret } = await m2m.createOrganizationClient(organization, {
      name: 'Night job', description: 'Runs at night', customClaims: { plan: 'gold' }, audience: ['https://api.acme.test'], scopes: ['jobs:run', 'jobs:read'],
    });
    assert.match(made.clientId, /^m2morg_\d+$/);
    assert.equal(made.secrets.length, 1);
    assert.ok(plainSecret.endsWith(made.secrets[0].secretSuffix));

    const seen = (await get(path(made.clientId))).client;
    assert.deepEqual([seen.name, seen.description, seen.organization_id], ['Night job', 'Runs at night', organization]);
    assert.deepEqual(seen.custom_claims, [{ key: 'plan', value: 'gold' }]);
    assert.equal(seen.expiry, '3600');

    const token = claims(await clientToken(made.clientId, plainSecret));
    assert.deepEqual(token.aud, ['https://api.acme.test']);
    assert.deepEqual([...token.scopes].sort(), ['jobs:read', 'jobs:run']);
    assert.equal(token.oid, organization);
    assert.deepEqual(token.custom_claims ?? { plan: token.plan }, { plan: 'gold' });
    assert.equal(token.exp - token.iat, 3600);
  });

  it('such a client may not manage anything', async () => {
    const made = await make();
    const theirs = client(made.client_id, made.plain_secret);
    await rejects(theirs.organization.listOrganization({}), sdk.ScalekitUnauthorizedException, { errorCode: 'UNAUTHENTICATED' });
    const token = await clientToken(made.client_id, made.plain_secret);
    assert.equal((await rest('GET', '/api/v1/organizations', undefined, { token })).status, 401);
  });

  it('getOrganizationClient shows a client to its own organization only, without the secret', async () => {
    const made = await make();
    const answer = await m2m.getOrganizationClient(organization, made.client_id);
    assert.equal(answer.client.name, made.name);
    assert.equal(answer.client.secrets[0].plainSecret, undefined);
    await notFound(m2m.getOrganizationClient((await newOrganization()).id, made.client_id), /client not found/);
    await notFound(m2m.getOrganizationClient(organization, NOBODY));
    await invalid(m2m.getOrganizationClient(organization, 'skc_1'), /client_id/);
  });

  it('updateOrganizationClient replaces what is given and keeps the rest', async () => {
    const made = await make({ scopes: ['jobs:run'], audience: ['https://api.acme.test'] });
    await m2m.updateOrganizationClient(organization, made.client_id, { description: 'Changed', customClaims: { plan: 'silver' } });
    const seen = (await get(path(made.client_id))).client;
    assert.deepEqual([seen.name, seen.description, seen.scopes, seen.audience], [made.name, 'Changed', ['jobs:run'], ['https://api.acme.test']]);
    const token = claims(await clientToken(made.client_id, made.plain_secret));
    assert.deepEqual(token.custom_claims ?? { plan: token.plan }, { plan: 'silver' });
    await notFound(m2m.updateOrganizationClient(organization, NOBODY, { name: 'x' }));
  });

  it('addOrganizationClientSecret and removeOrganizationClientSecret change a secret without a pause', async () => {
    const made = await make();
    const { plainSecret, secret } = await m2m.addOrganizationClientSecret(organization, made.client_id);
    assert.deepEqual((await get(path(made.client_id))).client.secrets.map(({ id }) => id), [made.secrets[0].id, secret.id]);
    await clientToken(made.client_id, made.plain_secret);
    await clientToken(made.client_id, plainSecret);

    await m2m.removeOrganizationClientSecret(organization, made.client_id, made.secrets[0].id);
    await assert.rejects(clientToken(made.client_id, made.plain_secret), /invalid_client/);
    await clientToken(made.client_id, plainSecret);
    await badRequest(m2m.removeOrganizationClientSecret(organization, made.client_id, secret.id), / last client cannot be deleted$/);
    await notFound(m2m.removeOrganizationClientSecret(organization, made.client_id, 'sks_100000000000000000001'));
    await notFound(m2m.addOrganizationClientSecret(organization, NOBODY));
  });

  it('listOrganizationClients pages through them, the newest first', async () => {
    const of = (await newOrganization()).id;
    const made = [];
    for (let index = 0; index < 3; index++) {
      made.unshift((await send('POST', `/api/v1/organizations/${of}/clients`, { name: unique('job ') })).client.client_id);
    }
    const first = await m2m.listOrganizationClients(of, { pageSize: 2 });
    assert.deepEqual(first.clients.map(({ clientId }) => clientId), made.slice(0, 2));
    assert.equal(first.totalSize, 3);
    const second = await m2m.listOrganizationClients(of, { pageSize: 2, pageToken: first.nextPageToken });
    assert.deepEqual(second.clients.map(({ clientId }) => clientId), made.slice(2));
    assert.equal((await get(`/api/v1/organizations/${of}/clients`)).clients.length, 3);
    await notFound(m2m.listOrganizationClients('org_100000000000000000001'));
  });

  it('deleteOrganizationClient ends its tokens', async () => {
    const made = await make();
    await m2m.deleteOrganizationClient(organization, made.client_id);
    await gone(path(made.client_id));
    await assert.rejects(clientToken(made.client_id, made.plain_secret), /invalid_client/);
    await notFound(m2m.deleteOrganizationClient(organization, made.client_id));
  });
});
