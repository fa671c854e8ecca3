// scalekit.webauthn: passkeys that people registered, with an authenticator in software.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { get, newPasskey, notFound, rest, scalekit, unique } from './support/world.mjs';

describe('webauthn', () => {
  const { webauthn } = scalekit;
  const listed = async (userId) => (await get(`/api/v1/webauthn/credentials?user_id=${userId}`)).credentials ?? [];

  it('listCredentials lists a person’s passkeys', async () => {
    const { userId, credentialId } = await newPasskey();
    const { credentials, allAcceptedCredentialsOptions: accepted } = await webauthn.listCredentials(userId);
    assert.equal(credentials.length, 1);
    assert.equal(credentials[0].userId, userId);
    assert.deepEqual(Buffer.from(credentials[0].credentialId), credentialId);
    assert.ok(credentials[0].authenticatorFlags.userVerified);
    assert.deepEqual(accepted.allAcceptedCredentialIds, [credentialId.toString('base64url')]);
    assert.deepEqual((await listed(userId)).map(({ id }) => id), [credentials[0].id]);
    await notFound(webauthn.listCredentials('usr_100000000000000000001'));
  });

  it('updateCredential renames one', async () => {
    const { userId } = await newPasskey();
    const [{ id }] = await listed(userId);
    const name = unique('Phone ');
    assert.equal((await webauthn.updateCredential(id, name)).credential.displayName, name);
    assert.equal((await listed(userId))[0].display_name, name);
    await notFound(webauthn.updateCredential('cred_100000000000000000001', name));
  });

  it('deleteCredential deletes one', async () => {
    const { userId, credentialId } = await newPasskey();
    const [{ id }] = await listed(userId);
    const answer = await webauthn.deleteCredential(id);
    assert.equal(answer.success, true);
    assert.equal(answer.unknownCredentialOptions.credentialId, credentialId.toString('base64url'));
    assert.deepEqual(await listed(userId), []);
    await notFound(webauthn.deleteCredential(id));
    assert.equal((await rest('DELETE', `/api/v1/webauthn/credentials/${id}`)).status, 404);
  });
});
