// scalekit.role: every method, seen again over REST and in the members' own roles.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { badRequest, get, gone, invalid, newOrganization, newUser, notFound, scalekit, send, unique } from './support/world.mjs';

describe('role', () => {
  const { role: roles } = scalekit;
  let organization;
  let read;
  before(async () => {
    organization = (await newOrganization()).id;
    read = unique('read');
    await send('POST', '/api/v1/permissions', { name: read, description: 'Reads' });
  });

  const path = (name) => `/api/v1/roles/${name}`;
  const ofOrganization = (name, of = organization) => `/api/v1/organizations/${of}/roles/${name}`;
  const make = async (fields = {}) => (await send('POST', '/api/v1/roles', { name: unique('role'), display_name: 'A role', ...fields })).role;
  const makeHere = async (fields = {}) =>
    (await send('POST', `/api/v1/organizations/${organization}/roles`, { name: unique('role'), display_name: 'A role here', ...fields })).role;
  const memberWith = async (role) => newUser(organization, { membership: { roles: [{ name: role }] } });

  describe('of the environment', () => {
    it('createRole makes a role with its permissions and its base', async () => {
      const base = await make();
      const name = unique('role');
      const { role } = await roles.createRole({ name, displayName: 'Editor', description: 'Edits', extends: base.name, permissions: [read] });
      assert.match(role.id, /^role_\d{15,21}$/);
      const seen = (await get(`${path(name)}?include=permissions`)).role;
      assert.equal(seen.display_name, 'Editor');
      assert.equal(seen.description, 'Edits');
      assert.equal(seen.extends, base.name);
      assert.equal(seen.is_org_role, false);
      assert.deepEqual(seen.permissions.map((permission) => permission.name), [read]);
    });

    it('createRole refuses a name that is taken, that is missing or that has a blank', async () => {
      const { name } = await make();
      await badRequest(roles.createRole({ name, displayName: 'Again' }), /exists|taken|already/i);
      await invalid(roles.createRole({ name: '', displayName: 'No name' }), /name|required/);
      await invalid(roles.createRole({ name: 'two words', displayName: 'Two' }), /name/);
      await badRequest(roles.createRole({ name: unique('role'), displayName: 'x', permissions: [unique('absent')] }), /permission/);
    });

    it('getRole finds it by its name', async () => {
      const made = await make({ description: 'Looks' });
      const { role } = await roles.getRole(made.name);
      assert.equal(role.id, made.id);
      assert.equal(role.description, 'Looks');
      assert.equal(role.extends, undefined);
      await notFound(roles.getRole(unique('absent')), /role not found/);
    });

    it('listRoles has the seeded ones and those that were made', async () => {
      const made = await make();
      const names = (await roles.listRoles()).roles.map(({ name }) => name);
      for (const name of ['admin', 'member', made.name]) assert.ok(names.includes(name), name);
      assert.deepEqual((await get('/api/v1/roles')).roles.map(({ name }) => name).sort(), [...names].sort());
    });

    it('updateRole changes what is named', async () => {
      const made = await make({ description: 'Before' });
      await roles.updateRole(made.name, { displayName: 'After', permissions: [read] });
      const seen = (await get(`${path(made.name)}?include=permissions`)).role;
      assert.equal(seen.display_name, 'After');
      assert.equal(seen.description, 'Before');
      assert.deepEqual(seen.permissions.map(({ name }) => name), [read]);
      await notFound(roles.updateRole(unique('absent'), { displayName: 'x' }));
    });

    it('deleteRole refuses a role in use, unless its users get another', async () => {
      const [old, next] = [await make(), await make()];
      const user = await memberWith(old.name);
      await badRequest(roles.deleteRole(old.name), / role cannot be deleted as it is assigned to users$/);
      await roles.deleteRole(old.name, next.name);
      await gone(path(old.name));
      const left = (await get(`/api/v1/organizations/${organization}/users/${user.id}/roles`)).roles;
      assert.deepEqual(left.map(({ name }) => name), [next.name]);
      await notFound(roles.deleteRole(old.name));
    });

    it('deleteRoleBase ends the inheritance', async () => {
      const base = await make({ permissions: [read] });
      const made = await make({ extends: base.name });
      await roles.deleteRoleBase(made.name);
      assert.equal((await get(path(made.name))).role.extends, undefined);
      assert.deepEqual((await get(`${path(made.name)}/permissions:all`)).permissions ?? [], []);
    });

    it('listDependentRoles names the heirs', async () => {
      const base = await make();
      const heirs = [await make({ extends: base.name }), await make({ extends: base.name })].map(({ name }) => name);
      assert.deepEqual((await roles.listDependentRoles(base.name)).roles.map(({ name }) => name).sort(), heirs.sort());
      assert.equal((await get(path(base.name))).role.dependent_roles_count, 2);
    });

    it('getRoleUsersCount counts those who have it', async () => {
      const made = await make();
      assert.equal((await roles.getRoleUsersCount(made.name)).count, 0n);
      for (let index = 0; index < 2; index++) await memberWith(made.name);
      assert.equal((await roles.getRoleUsersCount(made.name)).count, 2n);
      assert.equal((await get(`${path(made.name)}/users:count`)).count, '2');
    });

    describe('by default', () => {
      after(() => send('PATCH', '/api/v1/roles:set_defaults', { default_creator_role: 'admin', default_member_role: 'member' }));

      it('updateDefaultRoles decides what a new member gets', async () => {
        const made = await make();
        const answer = await roles.updateDefaultRoles({ defaultMemberRole: made.name });
        assert.equal(answer.defaultMember.name, made.name);
        assert.equal((await get(path(made.name))).role.default_member, true);
        assert.equal((await get(path('member'))).role.default_member, false);
        assert.equal((await get(path('admin'))).role.default_creator, true);
        const user = await newUser(organization);
        assert.deepEqual(user.memberships[0].roles.map(({ name }) => name), [made.name]);
        await notFound(roles.updateDefaultRoles({ defaultMemberRole: unique('absent') }));
      });
    });
  });

  describe('of an organization', () => {
    it('createOrganizationRole makes a role that only this organization has', async () => {
      const name = unique('role');
      const { role } = await roles.createOrganizationRole(organization, { name, displayName: 'Here', permissions: [read] });
      assert.equal(role.isOrgRole, true);
      assert.equal((await get(ofOrganization(name))).role.display_name, 'Here');
      const other = (await newOrganization()).id;
      await gone(ofOrganization(name, other));
      await gone(path(name));
      await badRequest(roles.createOrganizationRole(organization, { name, displayName: 'Again' }), /exists|taken|already/i);
      await notFound(roles.createOrganizationRole('org_100000000000000000001', { name, displayName: 'x' }));
    });

    it('getOrganizationRole and listOrganizationRoles show its own beside the environment’s', async () => {
      const made = await makeHere();
      assert.equal((await roles.getOrganizationRole(organization, made.name)).role.id, made.id);
      await notFound(roles.getOrganizationRole((await newOrganization()).id, made.name));
      const listed = (await roles.listOrganizationRoles(organization)).roles;
      assert.equal(listed.find(({ name }) => name === made.name).isOrgRole, true);
      assert.equal(listed.find(({ name }) => name === 'member').isOrgRole, false);
      assert.equal((await get(`/api/v1/organizations/${organization}/roles`)).roles.length, listed.length);
    });

    it('updateOrganizationRole changes it', async () => {
      const made = await makeHere();
      await roles.updateOrganizationRole(organization, made.name, { displayName: 'Changed', description: 'Now' });
      const seen = (await get(ofOrganization(made.name))).role;
      assert.deepEqual([seen.display_name, seen.description], ['Changed', 'Now']);
      await notFound(roles.updateOrganizationRole((await newOrganization()).id, made.name, { displayName: 'x' }));
    });

    it('getOrganizationRoleUsersCount counts its members who have it', async () => {
      const made = await makeHere();
      await memberWith(made.name);
      assert.equal((await roles.getOrganizationRoleUsersCount(organization, made.name)).count, 1n);
      assert.equal((await get(`${ofOrganization(made.name)}/users:count`)).count, '1');
    });

    it('deleteOrganizationRole refuses a role in use, unless its users get another', async () => {
      const [old, next] = [await makeHere(), await makeHere()];
      const user = await memberWith(old.name);
      await badRequest(roles.deleteOrganizationRole(organization, old.name), / role cannot be deleted as it is assigned to users$/);
      await roles.deleteOrganizationRole(organization, old.name, next.name);
      await gone(ofOrganization(old.name));
      const left = (await get(`/api/v1/organizations/${organization}/users/${user.id}/roles`)).roles;
      assert.deepEqual(left.map(({ name }) => name), [next.name]);
    });

    it('deleteOrganizationRoleBase ends the inheritance', async () => {
      const base = await make({ permissions: [read] });
      const made = await makeHere({ extends: base.name });
      assert.equal((await get(ofOrganization(made.name))).role.extends, base.name);
      await roles.deleteOrganizationRoleBase(organization, made.name);
      assert.equal((await get(ofOrganization(made.name))).role.extends, undefined);
    });

    it('updateDefaultOrganizationRoles decides for this organization alone', async () => {
      const made = await makeHere();
      const answer = await roles.updateDefaultOrganizationRoles(organization, made.name);
      assert.equal(answer.defaultMember.name, made.name);
      assert.deepEqual((await newUser(organization)).memberships[0].roles.map(({ name }) => name), [made.name]);
      const elsewhere = await newUser((await newOrganization()).id);
      assert.notEqual(elsewhere.memberships[0].roles[0].name, made.name);
      await notFound(roles.updateDefaultOrganizationRoles(organization, unique('absent')));
    });
  });
});
