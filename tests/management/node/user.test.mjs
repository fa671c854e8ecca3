// scalekit.user: people, memberships, invitations and roles, seen again over REST, the command line and tokens.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { messages, sdk } from './support/sdk.mjs';
import { claims, cli, conflict, get, gone, invalid, newOrganization, newUser, notFound, rest, scalekit, send, signIn, token, unique, world } from './support/world.mjs';

const { MembershipStatus } = messages('commons/commons');
const NOBODY = 'usr_100000000000000000001';
const NOWHERE = 'org_100000000000000000001';

describe('user', () => {
  const { user: users } = scalekit;
  let organization;
  before(async () => {
    organization = (await newOrganization()).id;
    // The first member is its creator; all that follow are members.
    const creator = await newUser(organization);
    assert.deepEqual(creator.memberships[0].roles.map(({ name }) => name), ['admin']);
  });

  const address = (name = 'person') => `${unique(name)}@people.test`;
  const path = (id) => `/api/v1/users/${id}`;
  const membershipOf = async (id, of = organization) =>
    ((await get(path(id))).user.memberships ?? []).find(({ organization_id }) => organization_id === of);
  const rolesOf = async (id, of = organization) => ((await get(`/api/v1/organizations/${of}/users/${id}/roles`)).roles ?? []).map(({ name }) => name);
  const newRole = async (fields = {}) => (await send('POST', '/api/v1/roles', { name: unique('role'), display_name: 'A role', ...fields })).role.name;

  describe('users', () => {
    it('createUserAndMembership makes a person and a member', async () => {
      const email = address('ada');
      const externalId = unique('crm-');
      const { user } = await users.createUserAndMembership(organization, {
        email, externalId, userProfile: { firstName: 'Ada', lastName: 'Lovelace' }, metadata: { team: 'engines' }, sendInvitationEmail: false,
      });
      assert.match(user.id, /^usr_\d{15,21}$/);
      const seen = (await get(path(user.id))).user;
      assert.equal(seen.email, email);
      assert.equal(seen.external_id, externalId);
      assert.deepEqual(seen.metadata, { team: 'engines' });
      assert.deepEqual([seen.user_profile.given_name, seen.user_profile.last_name], ['Ada', 'Lovelace']);
      const membership = await membershipOf(user.id);
      assert.equal(membership.membership_status, 'ACTIVE');
      assert.deepEqual(membership.roles.map(({ name }) => name), ['member']);
      assert.equal((await cli('user', 'show', email)).id, user.id);
    });

    it('createUserAndMembership invites when it is asked to', async () => {
      const { user } = await users.createUserAndMembership(organization, { email: address(), sendInvitationEmail: true });
      assert.equal((await membershipOf(user.id)).membership_status, 'PENDING_INVITE');
      assert.equal(user.memberships[0].membershipStatus, MembershipStatus.PENDING_INVITE);
    });

    it('createUserAndMembership refuses a member twice, no address, and an unknown organization', async () => {
      const { email } = await newUser(organization);
      await conflict(users.createUserAndMembership(organization, { email }));
      await invalid(users.createUserAndMembership(organization, { email: 'not an address' }), /email/);
      await notFound(users.createUserAndMembership(NOWHERE, { email: address() }));
    });

    it('getUser and getUserByExternalId find the same', async () => {
      const made = await newUser(organization, { external_id: unique('crm-') });
      const { user } = await users.getUser(made.id);
      assert.equal(user.email, made.email);
      assert.match(user.environmentId, /^env_\d+$/);
      assert.deepEqual((await users.getUserByExternalId(made.external_id)).user, user);
      await notFound(users.getUser(NOBODY), /user not found/);
      await notFound(users.getUserByExternalId(unique('crm-')));
    });

    it('listUsers and listOrganizationUsers page through them, the newest first', async () => {
      const of = (await newOrganization()).id;
      const made = [];
      for (let index = 0; index < 3; index++) made.unshift((await newUser(of)).id);
      const first = await users.listOrganizationUsers(of, { pageSize: 2 });
      assert.deepEqual(first.users.map(({ id }) => id), made.slice(0, 2));
      assert.equal(first.totalSize, 3);
      const second = await users.listOrganizationUsers(of, { pageSize: 2, pageToken: first.nextPageToken });
      assert.deepEqual(second.users.map(({ id }) => id), made.slice(2));
      assert.equal(second.nextPageToken, '');

      const all = await users.listUsers({ pageSize: 2 });
      assert.deepEqual(all.users.map(({ id }) => id), made.slice(0, 2));
      const more = await users.listUsers({ pageSize: 2, pageToken: all.nextPageToken });
      assert.equal(more.users[0].id, made[2]);
      assert.deepEqual((await get(`/api/v1/organizations/${of}/users`)).users.map(({ id }) => id), made);
      await invalid(users.listUsers({ pageToken: 'nonsense' }), /page_token/);
      await invalid(users.listOrganizationUsers(of, { pageSize: 101 }), /page_size/);
      await notFound(users.listOrganizationUsers(NOWHERE));
    });

    it('updateUser and updateUserByExternalId change what is named', async () => {
      const made = await newUser(organization, { metadata: { team: 'engines' }, user_profile: { first_name: 'Ada', last_name: 'King' } });
      const externalId = unique('crm-');
      await users.updateUser(made.id, { externalId, userProfile: { lastName: 'Lovelace' } });
      let seen = (await get(path(made.id))).user;
      assert.equal(seen.external_id, externalId);
      assert.deepEqual([seen.user_profile.first_name, seen.user_profile.family_name], ['Ada', 'Lovelace']);
      assert.deepEqual(seen.metadata, { team: 'engines' });

      await users.updateUserByExternalId(externalId, { metadata: { team: 'notes' } });
      seen = (await get(path(made.id))).user;
      assert.deepEqual(seen.metadata, { team: 'notes' });
      assert.equal(seen.user_profile.first_name, 'Ada');
      await notFound(users.updateUser(NOBODY, { metadata: { team: 'x' } }));
      await notFound(users.updateUserByExternalId(unique('crm-'), { metadata: { team: 'x' } }));
      await invalid(users.updateUser(made.id, { metadata: { no: 'key is too short' } }), /metadata/);
    });

    it('deleteUser ends the sessions and leaves nothing behind', async () => {
      const signedIn = await signIn({ email: `${unique('leaver.')}@${world.email.split('@')[1]}` });
      const { sub } = claims(signedIn.access_token);
      await users.deleteUser(sub);
      await gone(path(sub));
      assert.equal((await token({ grant_type: 'refresh_token', refresh_token: signedIn.refresh_token })).error, 'invalid_grant');
      await notFound(users.deleteUser(sub));
    });

    it('deleteUserByExternalId does the same', async () => {
      const made = await newUser(organization, { external_id: unique('crm-') });
      await users.deleteUserByExternalId(made.external_id);
      await gone(path(made.id));
      await notFound(users.deleteUserByExternalId(made.external_id));
    });

    it('searchUsers and searchOrganizationUsers find by a part of the address', async () => {
      const word = unique('needle');
      const made = await newUser(organization, { email: `${word}@people.test` });
      const found = await users.searchUsers(word, 10);
      assert.deepEqual(found.users.map(({ id }) => id), [made.id]);
      assert.equal((await users.searchOrganizationUsers(organization, word)).users[0].id, made.id);
      const other = (await newOrganization()).id;
      assert.deepEqual((await users.searchOrganizationUsers(other, word)).users, []);
      assert.equal((await get(`/api/v1/users:search?query=${word}`)).users[0].id, made.id);
      await invalid(users.searchUsers('ab'), /query/);
      await notFound(users.searchOrganizationUsers(NOWHERE, word));
    });
  });

  describe('memberships', () => {
    it('createMembership, updateMembership and deleteMembership of one organization leave the other', async () => {
      const home = (await newOrganization()).id;
      const [reader, writer] = [await newRole(), await newRole()];
      const { id } = await newUser(home);

      await users.createMembership(organization, id, { roles: [reader], metadata: { desk: 'north' }, sendInvitationEmail: false });
      let membership = await membershipOf(id);
      assert.deepEqual([membership.membership_status, membership.metadata], ['ACTIVE', { desk: 'north' }]);
      assert.deepEqual(await rolesOf(id), [reader]);
      await conflict(users.createMembership(organization, id, { roles: [reader] }));

      await users.updateMembership(organization, id, { roles: [writer], metadata: { desk: 'south' } });
      membership = await membershipOf(id);
      assert.deepEqual(membership.metadata, { desk: 'south' });
      assert.deepEqual(await rolesOf(id), [writer]);

      await users.deleteMembership(organization, id);
      assert.equal(await membershipOf(id), undefined);
      assert.ok(await membershipOf(id, home));
      await notFound(users.deleteMembership(organization, id));
      await notFound(users.updateMembership(organization, id, { roles: [writer] }));
      await notFound(users.createMembership(organization, NOBODY));
      // The user stays without any membership, so that they can be moved, and goes when that is asked for.
      await users.deleteMembership(home, id);
      await users.createMembership(organization, id, { sendInvitationEmail: false });
      await users.deleteMembership(organization, id);
      await users.deleteUser(id);
    });

    it('a membership invites when it is asked to', async () => {
      const { id } = await newUser((await newOrganization()).id);
      await users.createMembership(organization, id, { sendInvitationEmail: true });
      assert.equal((await membershipOf(id)).membership_status, 'PENDING_INVITE');
    });

    it('createMembershipByExternalId, updateMembershipByExternalId and deleteMembershipByExternalId do the same', async () => {
      const home = (await newOrganization()).id;
      const role = await newRole();
      const { id, external_id: externalId } = await newUser(home, { external_id: unique('crm-') });
      await users.createMembershipByExternalId(organization, externalId, { sendInvitationEmail: false });
      assert.deepEqual(await rolesOf(id), ['member']);
      await users.updateMembershipByExternalId(organization, externalId, { roles: [role] });
      assert.deepEqual(await rolesOf(id), [role]);
      await users.deleteMembershipByExternalId(organization, externalId);
      assert.equal(await membershipOf(id), undefined);
      const absent = unique('crm-');
      await notFound(users.createMembershipByExternalId(organization, absent));
      await notFound(users.updateMembershipByExternalId(organization, absent, { roles: [role] }));
      await notFound(users.deleteMembershipByExternalId(organization, absent));
    });

    it('resendInvite counts how often', async () => {
      const { id } = (await users.createUserAndMembership(organization, { email: address(), sendInvitationEmail: true })).user;
      const { invite } = await users.resendInvite(organization, id);
      assert.equal(invite.status, 'PENDING_INVITE');
      assert.equal(invite.resentCount, 1);
      assert.ok(invite.expiresAt.seconds > invite.createdAt.seconds);
      assert.equal((await send('PATCH', `/api/v1/invites/organizations/${organization}/users/${id}/resend`, {})).invite.resent_count, 2);

      const member = await newUser(organization);
      await assert.rejects(users.resendInvite(organization, member.id), sdk.ScalekitServerException);
      await notFound(users.resendInvite(organization, NOBODY));
    });
  });

  describe('roles', () => {
    it('assignUserRoles adds and removeUserRole takes; both show in the next token', async () => {
      const permission = unique('read');
      await send('POST', '/api/v1/permissions', { name: permission, description: '' });
      const role = await newRole({ permissions: [permission] });
      const email = `${unique('editor.')}@${world.email.split('@')[1]}`;
      const signedIn = await signIn({ email });
      const { sub, oid } = claims(signedIn.access_token);

      const answer = await users.assignUserRoles(oid, sub, [role]);
      assert.ok(answer.roles.some(({ name }) => name === role));
      assert.ok((await rolesOf(sub, oid)).includes(role));
      assert.ok((await users.listUserRoles(oid, sub)).roles.some(({ name }) => name === role));
      assert.ok((await users.listUserPermissions(oid, sub)).permissions.some(({ name }) => name === permission));
      let next = claims((await token({ grant_type: 'refresh_token', refresh_token: signedIn.refresh_token })).access_token);
      assert.ok(next.roles.includes(role), `${next.roles}`);
      assert.ok(next.permissions.includes(permission), `${next.permissions}`);

      await users.removeUserRole(oid, sub, role);
      assert.ok(!(await rolesOf(sub, oid)).includes(role));
      next = claims((await token({ grant_type: 'refresh_token', refresh_token: signedIn.refresh_token })).access_token);
      assert.ok(!next.roles.includes(role), `${next.roles}`);
      assert.ok(!next.permissions.includes(permission), `${next.permissions}`);
    });

    it('nobody is given a role that is not there, or elsewhere', async () => {
      const { id } = await newUser(organization);
      const other = (await newOrganization()).id;
      await assert.rejects(users.assignUserRoles(organization, id, [unique('absent')]), sdk.ScalekitServerException);
      assert.deepEqual(await rolesOf(id), ['member']);
      await notFound(users.assignUserRoles(other, id, ['member']));
      await notFound(users.removeUserRole(other, id, 'member'));
      await notFound(users.listUserRoles(other, id));
      await notFound(users.listUserPermissions(other, id));
      assert.equal((await rest('GET', `/api/v1/organizations/${other}/users/${id}/roles`)).status, 404);
    });
  });
});
