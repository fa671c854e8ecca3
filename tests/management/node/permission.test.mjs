// scalekit.permission: every method, seen again over REST and in a member's permissions.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { badRequest, get, gone, invalid, newOrganization, newUser, notFound, rest, scalekit, send, unique } from './support/world.mjs';

describe('permission', () => {
  const { permission: permissions } = scalekit;
  const path = (name) => `/api/v1/permissions/${name}`;
  const make = async () => (await send('POST', '/api/v1/permissions', { name: `${unique('files')}:read`, description: 'Reads files' })).permission;
  const makeRole = async (fields = {}) => (await send('POST', '/api/v1/roles', { name: unique('role'), display_name: 'A role', ...fields })).role;
  const namesOf = (list = []) => list.map(({ name }) => name).sort();

  it('createPermission makes one', async () => {
    const name = `${unique('files')}:write`;
    const { permission } = await permissions.createPermission({ name, description: 'Writes files' });
    assert.match(permission.id, /^perm_\d{15,21}$/);
    const seen = (await get(path(name))).permission;
    assert.deepEqual([seen.id, seen.description], [permission.id, 'Writes files']);
    await badRequest(permissions.createPermission({ name, description: 'Again' }), /exists|taken|already/i);
    await invalid(permissions.createPermission({ name: 'no blanks', description: '' }), /name/);
    await invalid(permissions.createPermission({ name: '', description: '' }), /name/);
  });

  it('getPermission finds it by its name', async () => {
    const made = await make();
    assert.equal((await permissions.getPermission(made.name)).permission.id, made.id);
    await notFound(permissions.getPermission(unique('absent')), /permission not found/);
  });

  it('listPermissions goes through all of them in pages', async () => {
    const made = [(await make()).name, (await make()).name, (await make()).name];
    const seen = new Set();
    let pageToken;
    do {
      const page = await permissions.listPermissions(pageToken, 2);
      assert.ok(page.permissions.length <= 2);
      for (const { name } of page.permissions) {
        assert.ok(!seen.has(name), `${name} twice`);
        seen.add(name);
      }
      pageToken = page.nextPageToken;
    } while (pageToken);
    for (const name of made) assert.ok(seen.has(name), name);
    await invalid(permissions.listPermissions('nonsense', 2), /page_token/);
    await invalid(permissions.listPermissions(undefined, 101), /page_size/);
  });

  it('updatePermission changes the description', async () => {
    const made = await make();
    await permissions.updatePermission(made.name, { name: made.name, description: 'Reads all files' });
    assert.equal((await get(path(made.name))).permission.description, 'Reads all files');
    await notFound(permissions.updatePermission(unique('absent'), { name: 'absent', description: 'x' }));
  });

  it('deletePermission takes it from the roles, too', async () => {
    const made = await make();
    const role = await makeRole({ permissions: [made.name] });
    await permissions.deletePermission(made.name);
    await gone(path(made.name));
    assert.deepEqual(namesOf((await get(`/api/v1/roles/${role.name}/permissions`)).permissions), []);
    await notFound(permissions.deletePermission(made.name));
  });

  it('addPermissionsToRole and removePermissionFromRole change what its members may do', async () => {
    const [first, second] = [await make(), await make()];
    const role = await makeRole();
    const organization = (await newOrganization()).id;
    const user = await newUser(organization, { membership: { roles: [{ name: role.name }] } });
    const allowed = async () => namesOf((await get(`/api/v1/organizations/${organization}/users/${user.id}/permissions`)).permissions);

    const answer = await permissions.addPermissionsToRole(role.name, [first.name, second.name]);
    assert.deepEqual(namesOf(answer.permissions), [first.name, second.name].sort());
    assert.deepEqual(await allowed(), [first.name, second.name].sort());
    assert.deepEqual(namesOf((await permissions.listRolePermissions(role.name)).permissions), [first.name, second.name].sort());

    await permissions.removePermissionFromRole(role.name, first.name);
    assert.deepEqual(await allowed(), [second.name]);
    assert.deepEqual(namesOf((await get(`/api/v1/roles/${role.name}/permissions`)).permissions), [second.name]);

    await notFound(permissions.addPermissionsToRole(unique('absent'), [first.name]));
    await notFound(permissions.removePermissionFromRole(role.name, unique('absent')));
    await notFound(permissions.listRolePermissions(unique('absent')));
  });

  it('listEffectiveRolePermissions adds what is inherited', async () => {
    const [own, inherited] = [await make(), await make()];
    const base = await makeRole({ permissions: [inherited.name] });
    const role = await makeRole({ permissions: [own.name], extends: base.name });
    const effective = (await permissions.listEffectiveRolePermissions(role.name)).permissions;
    assert.deepEqual(namesOf(effective), [own.name, inherited.name].sort());
    assert.deepEqual(namesOf((await rest('GET', `/api/v1/roles/${role.name}/permissions:all`)).body.permissions), namesOf(effective));
    assert.deepEqual(namesOf((await permissions.listRolePermissions(role.name)).permissions), [own.name]);
  });
});
