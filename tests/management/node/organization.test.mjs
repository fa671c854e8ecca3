// scalekit.organization: every method, seen again over REST and the command line.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { messages } from './support/sdk.mjs';
import { cli, conflict, get, gone, invalid, newOrganization, newUser, notFound, rest, scalekit, unique } from './support/world.mjs';

const { SessionPolicyType } = messages('organizations/organizations');
const { TimeUnit } = messages('commons/commons');
const NOBODY = 'org_100000000000000000001';

describe('organization', () => {
  const { organization: organizations } = scalekit;

  it('createOrganization makes what REST and the command line show', async () => {
    const externalId = unique('crm-');
    const slug = unique('acme-');
    const { organization } = await organizations.createOrganization('Acme', { externalId, slug, logoUrl: 'https://acme.test/logo.png' });

    assert.match(organization.id, /^org_\d{15,21}$/);
    const seen = (await get(`/api/v1/organizations/${organization.id}`)).organization;
    assert.equal(seen.display_name, 'Acme');
    assert.equal(seen.external_id, externalId);
    assert.equal(seen.slug, slug);
    assert.equal(seen.logo_url, 'https://acme.test/logo.png');
    assert.equal((await cli('org', 'show', organization.id)).external_id, externalId);
  });

  it('createOrganization refuses an external id that is taken, and a name that is empty', async () => {
    const { external_id: externalId } = await newOrganization({ external_id: unique('crm-') });
    await conflict(organizations.createOrganization('Second', { externalId }), /external/i);
    await invalid(organizations.createOrganization(''), /display_name/);
    await invalid(organizations.createOrganization('x'.repeat(201)), /display_name/);
    await invalid(organizations.createOrganization('Acme', { slug: 'Not A Slug' }), /slug/);
  });

  it('listOrganization shows the newest first, in pages that stay put while organizations come and go', async () => {
    const made = [];
    for (let index = 0; index < 4; index++) made.push((await newOrganization()).id);
    const first = await organizations.listOrganization({ pageSize: 2 });
    assert.deepEqual(first.organizations.map(({ id }) => id), [made[3], made[2]]);
    assert.ok(first.totalSize >= 4);
    assert.equal(first.prevPageToken, '');

    await newOrganization();
    const second = await organizations.listOrganization({ pageSize: 2, pageToken: first.nextPageToken });
    assert.deepEqual(second.organizations.map(({ id }) => id), [made[1], made[0]]);
    const back = await organizations.listOrganization({ pageSize: 2, pageToken: second.prevPageToken });
    assert.deepEqual(back.organizations.map(({ id }) => id), [made[3], made[2]]);

    await invalid(organizations.listOrganization({ pageToken: 'nonsense' }), /page_token/);
  });

  it('getOrganization and getOrganizationByExternalId find the same', async () => {
    const made = await newOrganization({ external_id: unique('crm-'), metadata: { plan: 'gold' } });
    const byId = (await organizations.getOrganization(made.id)).organization;
    const byExternalId = (await organizations.getOrganizationByExternalId(made.external_id)).organization;
    assert.deepEqual(byId, byExternalId);
    assert.equal(byId.displayName, made.display_name);
    assert.deepEqual(byId.metadata, { plan: 'gold' });
    assert.equal(Number(byId.createTime.seconds), Math.floor(Date.parse(made.create_time) / 1000));

    await notFound(organizations.getOrganization(NOBODY), /organization not found/);
    await notFound(organizations.getOrganization('org_no'));
    await notFound(organizations.getOrganizationByExternalId(unique('crm-')));
  });

  it('updateOrganization changes what is named and leaves the rest', async () => {
    const made = await newOrganization({ external_id: unique('crm-'), metadata: { plan: 'gold' } });
    const answer = await organizations.updateOrganization(made.id, { displayName: 'Renamed' });
    assert.equal(answer.organization.displayName, 'Renamed');
    let seen = (await get(`/api/v1/organizations/${made.id}`)).organization;
    assert.equal(seen.display_name, 'Renamed');
    assert.equal(seen.external_id, made.external_id);
    assert.deepEqual(seen.metadata, { plan: 'gold' });

    await organizations.updateOrganization(made.id, { metadata: { plan: 'silver', region: 'north' } });
    seen = (await get(`/api/v1/organizations/${made.id}`)).organization;
    assert.deepEqual(seen.metadata, { plan: 'silver', region: 'north' });

    await notFound(organizations.updateOrganization(NOBODY, { displayName: 'Nobody' }));
    await invalid(organizations.updateOrganization(made.id, { metadata: { no: 'key is too short' } }), /metadata/);
  });

  it('updateOrganizationByExternalId changes the same organization', async () => {
    const made = await newOrganization({ external_id: unique('crm-') });
    const next = unique('crm-');
    await organizations.updateOrganizationByExternalId(made.external_id, { externalId: next, slug: unique('slug-') });
    assert.equal((await get(`/api/v1/organizations/${made.id}`)).organization.external_id, next);
    await notFound(organizations.updateOrganizationByExternalId(made.external_id, { displayName: 'Gone' }));
  });

  it('deleteOrganization leaves nothing behind', async () => {
    const made = await newOrganization();
    await organizations.deleteOrganization(made.id);
    await gone(`/api/v1/organizations/${made.id}`);
    await assert.rejects(cli('org', 'show', made.id));
    await notFound(organizations.deleteOrganization(made.id));
  });

  it('generatePortalLink gives an address of Genkan that is good for a minute, once', async () => {
    const made = await newOrganization();
    const link = await organizations.generatePortalLink(made.id);
    const another = (await rest('PUT', `/api/v1/organizations/${made.id}/portal_links`)).body.link;
    assert.match(new URL(link.location).pathname, /^\/magicLink\/[0-9a-f]{8}-[0-9a-f-]{27}/);
    assert.equal(new URL(link.location).host, new URL(another.location).host);
    assert.notEqual(link.location, another.location);
    const secondsLeft = Number(link.expireTime.seconds) - Date.now() / 1000;
    assert.ok(secondsLeft > 0 && secondsLeft <= 61, `${secondsLeft} s`);
    await notFound(organizations.generatePortalLink(NOBODY));
  });

  it('updateOrganizationSettings switches features', async () => {
    const made = await newOrganization();
    const answer = await organizations.updateOrganizationSettings(made.id, {
      features: [{ name: 'sso', enabled: true }, { name: 'dir_sync', enabled: true }],
    });
    const features = (list) => Object.fromEntries(list.map(({ name, enabled }) => [name, enabled]));
    assert.deepEqual(answer.organization.settings.features.slice(0, 2).map(({ name }) => name).sort(), ['dir_sync', 'sso']);
    let seen = features((await get(`/api/v1/organizations/${made.id}`)).organization.settings.features);
    assert.equal(seen.sso, true);
    assert.equal(seen.dir_sync, true);

    await organizations.updateOrganizationSettings(made.id, { features: [{ name: 'dir_sync', enabled: false }] });
    seen = features((await get(`/api/v1/organizations/${made.id}`)).organization.settings.features);
    assert.equal(seen.sso, true);
    assert.equal(seen.dir_sync, false);

    await invalid(organizations.updateOrganizationSettings(made.id, { features: [{ name: 'no_such_feature', enabled: true }] }), /feature/);
    await notFound(organizations.updateOrganizationSettings(NOBODY, { features: [{ name: 'sso', enabled: true }] }));
  });

  it('upsertUserManagementSettings limits the users, as getOrganizationUserManagementSetting says', async () => {
    const made = await newOrganization();
    assert.equal((await organizations.upsertUserManagementSettings(made.id, { maxAllowedUsers: 1 })).maxAllowedUsers, 1);
    assert.equal((await organizations.getOrganizationUserManagementSetting(made.id)).settings.maxAllowedUsers, 1);
    assert.equal((await get(`/api/v1/organizations/${made.id}/settings/usermanagement`)).settings.max_allowed_users, 1);

    await newUser(made.id);
    const refused = await rest('POST', `/api/v1/organizations/${made.id}/users`, { email: `${unique('late')}@people.test` });
    assert.ok([400, 429].includes(refused.status), JSON.stringify(refused));

    await notFound(organizations.upsertUserManagementSettings(NOBODY, { maxAllowedUsers: 1 }));
    await notFound(organizations.getOrganizationUserManagementSetting(NOBODY));
  });

  it('searchOrganization finds by a part of the name', async () => {
    const word = unique('needle');
    const made = await newOrganization({ display_name: `The ${word} Company` });
    const found = await organizations.searchOrganization(word, 10);
    assert.deepEqual(found.organizations.map(({ id }) => id), [made.id]);
    assert.equal(found.totalSize, 1);
    assert.equal((await organizations.searchOrganization(unique('absent'))).organizations.length, 0);
    await invalid(organizations.searchOrganization('ab'), /query/);
    await invalid(organizations.searchOrganization(word, 31), /page_size/);
  });

  it('updateOrganizationSessionPolicy keeps its own timeouts until it follows the application again', async () => {
    const made = await newOrganization();
    const before = await organizations.getOrganizationSessionPolicy(made.id);
    assert.equal(before.policySource, SessionPolicyType.APPLICATION);

    const answer = await organizations.updateOrganizationSessionPolicy(made.id, {
      policySource: 'CUSTOM', absoluteSessionTimeout: 4, absoluteSessionTimeoutUnit: 'HOURS',
      idleSessionTimeoutEnabled: true, idleSessionTimeout: 30, idleSessionTimeoutUnit: 'MINUTES',
    });
    assert.equal(answer.policySource, SessionPolicyType.CUSTOM);
    const kept = await organizations.getOrganizationSessionPolicy(made.id);
    assert.equal(kept.absoluteSessionTimeout, 4);
    assert.equal(kept.absoluteSessionTimeoutUnit, TimeUnit.HOURS);
    assert.equal(kept.idleSessionTimeoutEnabled, true);
    const seen = (await get(`/api/v1/organizations/${made.id}/session-policy`)).policy;
    assert.deepEqual([seen.policy_source, seen.idle_session_timeout, seen.idle_session_timeout_unit], ['CUSTOM', 30, 'MINUTES']);

    await organizations.updateOrganizationSessionPolicy(made.id, {
      policySource: 'CUSTOM', absoluteSessionTimeout: 4, absoluteSessionTimeoutUnit: 'HOURS', idleSessionTimeoutEnabled: false,
    });
    assert.equal((await organizations.getOrganizationSessionPolicy(made.id)).idleSessionTimeoutEnabled, false);

    await organizations.updateOrganizationSessionPolicy(made.id, { policySource: 'APPLICATION' });
    assert.equal((await get(`/api/v1/organizations/${made.id}/session-policy`)).policy.policy_source, 'APPLICATION');

    await notFound(organizations.getOrganizationSessionPolicy(NOBODY));
    await notFound(organizations.updateOrganizationSessionPolicy(NOBODY, { policySource: 'APPLICATION' }));
  });
});
