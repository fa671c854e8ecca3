// scalekit.directory: every method, seen again over REST.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { messages } from './support/sdk.mjs';
import { badRequest, get, gone, invalid, newOrganization, notFound, scalekit, send, world } from './support/world.mjs';

const { DirectoryProvider, DirectoryType } = messages('directories/directories');
const NOBODY = 'dir_100000000000000000001';

describe('directory', () => {
  const { directory: directories } = scalekit;
  let organization;
  beforeEach(async () => (organization = (await newOrganization()).id));

  const path = (id, of = organization) => `/api/v1/organizations/${of}/directories/${id}`;
  const make = async () => (await send('POST', `/api/v1/organizations/${organization}/directories`, { directory_type: 'SCIM', directory_provider: 'OKTA' })).directory;

  it('createDirectory makes an enabled one', async () => {
    const { directory } = await directories.createDirectory(organization, { directoryType: DirectoryType.SCIM, directoryProvider: DirectoryProvider.OKTA });
    assert.match(directory.id, /^dir_\d{15,21}$/);
    assert.equal(directory.enabled, true);
    const seen = (await get(path(directory.id))).directory;
    assert.deepEqual([seen.directory_type, seen.directory_provider, seen.organization_id], ['SCIM', 'OKTA', organization]);
    await invalid(directories.createDirectory(organization, {}), /directory_type/);
    await notFound(directories.createDirectory('org_100000000000000000001', { directoryType: DirectoryType.SCIM, directoryProvider: DirectoryProvider.OKTA }));
  });

  it('getDirectory shows a directory to its own organization only', async () => {
    const { id } = await make();
    assert.equal((await directories.getDirectory(organization, id)).directory.id, id);
    await notFound(directories.getDirectory((await newOrganization()).id, id), /directory not found/);
    await notFound(directories.getDirectory(organization, NOBODY));
  });

  it('listDirectories and getPrimaryDirectoryByOrganizationId find it', async () => {
    assert.deepEqual((await directories.listDirectories(organization)).directories, []);
    await assert.rejects(directories.getPrimaryDirectoryByOrganizationId(organization), (reason) => /does not exist/.test(reason));
    const { id } = await make();
    assert.deepEqual((await directories.listDirectories(organization)).directories.map((directory) => directory.id), [id]);
    assert.equal((await directories.getPrimaryDirectoryByOrganizationId(organization)).id, id);
    assert.deepEqual((await get(`/api/v1/organizations/${organization}/directories`)).directories.map((directory) => directory.id), [id]);
  });

  it('disableDirectory and enableDirectory switch it', async () => {
    const { id } = await make();
    assert.equal((await directories.disableDirectory(organization, id)).enabled, false);
    assert.equal((await get(path(id))).directory.enabled, false);
    assert.equal((await directories.enableDirectory(organization, id)).enabled, true);
    assert.equal((await get(path(id))).directory.enabled, true);
    const other = (await newOrganization()).id;
    await notFound(directories.disableDirectory(other, id));
    await notFound(directories.enableDirectory(other, id));
  });

  it('listDirectoryUsers and listDirectoryGroups are empty until somebody is provisioned', async () => {
    const { id } = await make();
    const users = await directories.listDirectoryUsers(organization, id, { pageSize: 10, includeDetail: true, updatedAfter: '2026-01-01T00:00:00Z' });
    assert.deepEqual([users.users, users.totalSize, users.nextPageToken], [[], 0, '']);
    const groups = await directories.listDirectoryGroups(organization, id, { pageSize: 10, includeDetail: true });
    assert.deepEqual([groups.groups, groups.totalSize], [[], 0]);
    assert.deepEqual((await get(`${path(id)}/users`)).users ?? [], []);
    assert.deepEqual((await get(`${path(id)}/groups`)).groups ?? [], []);
    await invalid(directories.listDirectoryUsers(organization, id, { pageSize: 31 }), /page_size/);
    const other = (await newOrganization()).id;
    await notFound(directories.listDirectoryUsers(other, id));
    await notFound(directories.listDirectoryGroups(other, id));
  });

  it('listDirectoryUsers and listDirectoryGroups list who was provisioned', async () => {
    const { organizationId, directoryId, groupId, emails } = world.provisioned;
    const users = await directories.listDirectoryUsers(organizationId, directoryId, { includeDetail: true });
    assert.deepEqual(users.users.map(({ email }) => email).sort(), emails);
    assert.equal(users.totalSize, 2);
    const ada = users.users.find(({ givenName }) => givenName === 'Ada');
    assert.equal(ada.familyName, 'Lovelace');
    const { id, email, name, raw_attributes: raw } = ada.userDetail;
    assert.deepEqual([id, email, name, raw.title], [ada.id, ada.email, 'Ada Lovelace', 'Engineer']);
    assert.deepEqual(ada.groups.map(({ displayName }) => displayName), ['Engines']);

    const groups = await directories.listDirectoryGroups(organizationId, directoryId, { includeDetail: true });
    assert.deepEqual(groups.groups[0].groupDetail, { id: groupId, display_name: 'Engines', raw_attributes: { displayName: 'Engines' } });
    assert.deepEqual(groups.groups.map(({ id, displayName, totalUsers }) => [id, displayName, totalUsers]), [[groupId, 'Engines', 1]]);
    const members = await directories.listDirectoryUsers(organizationId, directoryId, { directoryGroupId: groupId });
    assert.deepEqual(members.users.map(({ email }) => email), [emails[0]]);
    const later = new Date(Date.now() + 3_600_000).toISOString();
    assert.deepEqual((await directories.listDirectoryUsers(organizationId, directoryId, { updatedAfter: later })).users, []);
    const first = await directories.listDirectoryUsers(organizationId, directoryId, { pageSize: 1 });
    const second = await directories.listDirectoryUsers(organizationId, directoryId, { pageSize: 1, pageToken: first.nextPageToken });
    assert.deepEqual([...first.users, ...second.users].map(({ email }) => email).sort(), emails);
    assert.equal((await get(`${path(directoryId, organizationId)}/users`)).users.length, 2);
    assert.equal((await get(path(directoryId, organizationId))).directory.total_users, 2);
  });

  it('deleteDirectory wants it disabled first', async () => {
    const { id } = await make();
    await badRequest(directories.deleteDirectory(organization, id), /directory is enabled.*disable/i);
    await directories.disableDirectory(organization, id);
    await directories.deleteDirectory(organization, id);
    await gone(path(id));
    await notFound(directories.deleteDirectory(organization, id));
  });
});
