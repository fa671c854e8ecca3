// scalekit.webauthn: passkeys that people have, seen again over REST.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { get, notFound, rest, scalekit, unique, world } from './support/world.mjs';

describe('webauthn', () => {
  const { webauthn } = scalekit;
  const listed = async (userId) => (await get(`/api/v1/webauthn/credentials?user_id=${userId}`)).credentials ?? [];
  const signalled = (hex) => Buffer.from(hex, 'hex').toString('base64url');
  // Each test has one of its own.
  const [first, second, third] = world.passkeys;

  it('listCredentials lists a person’s passkeys', async () => {
    const { credentials, allAcceptedCredentialsOptions: accepted } = await webauthn.listCredentials(first.userId);
    assert.deepEqual(credentials.map(({ id, userId }) => [id, userId]), [[first.id, first.userId]]);
    assert.equal(Buffer.from(credentials[0].credentialId).toString('hex'), first.credentialId);
    assert.equal(credentials[0].authenticatorFlags.userVerified, true);
    assert.deepEqual(credentials[0].transports, ['internal']);
    assert.equal(accepted.rpId, new URL(world.issuer).hostname);
    assert.deepEqual(accepted.allAcceptedCredentialIds, [signalled(first.credentialId)]);
    assert.deepEqual((await listed(first.userId)).map(({ id }) => id), [first.id]);
    await notFound(webauthn.listCredentials('usr_100000000000000000001'));
  });

  it('updateCredential renames one', async () => {
    const name = unique('Phone ');
    assert.equal((await webauthn.updateCredential(second.id, name)).credential.displayName, name);
    assert.equal((await listed(second.userId))[0].display_name, name);
    await notFound(webauthn.updateCredential('cred_100000000000000000001', name), /credential not found/);
  });

  it('deleteCredential deletes one', async () => {
    const answer = await webauthn.deleteCredential(third.id);
    assert.equal(answer.success, true);
    assert.equal(answer.unknownCredentialOptions.credentialId, signalled(third.credentialId));
    assert.deepEqual(await listed(third.userId), []);
    await notFound(webauthn.deleteCredential(third.id));
    assert.equal((await rest('DELETE', `/api/v1/webauthn/credentials/${third.id}`)).status, 404);
  });
});
