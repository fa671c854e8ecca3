// scalekit.passwordless: codes and links by mail, read in the mailbox that they are sent to.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { messages, sdk } from './support/sdk.mjs';
import { invalid, mail, notFound, rest, scalekit, unique, world } from './support/world.mjs';

const { PasswordlessType, TemplateType } = messages('auth/passwordless');

describe('passwordless', () => {
  const { passwordless } = scalekit;
  const address = () => `${unique('guest')}@people.test`;
  const codeIn = ({ text }) => /\b\d{6}\b/.exec(text)[0];
  const refused = (promise) => assert.rejects(promise, sdk.ScalekitServerException);

  it('sendPasswordlessEmail sends a code that verifyPasswordlessEmail takes once', async () => {
    const email = address();
    const sent = await passwordless.sendPasswordlessEmail(email, { template: 'SIGNIN', state: 'abc', expiresIn: 3600 });
    assert.equal(sent.expiresIn, 3600);
    assert.ok(Math.abs(Number(sent.expiresAt) - Date.now() / 1000 - 3600) < 60);

    const code = codeIn(await mail(email));
    const answer = await passwordless.verifyPasswordlessEmail({ code }, sent.authRequestId);
    assert.equal(answer.email, email);
    assert.equal(answer.state, 'abc');
    assert.equal(answer.template, TemplateType.SIGNIN);
    await refused(passwordless.verifyPasswordlessEmail({ code }, sent.authRequestId));
  });

  it('a link carries the token to where the application wants it', async () => {
    const email = address();
    const sent = await passwordless.sendPasswordlessEmail(email, { magiclinkAuthUri: `${new URL(world.redirectUri).origin}/magic` });
    assert.ok([PasswordlessType.LINK, PasswordlessType.LINK_OTP].includes(sent.passwordlessType));
    const link = new URL(/https?:\/\/\S*link_token=\S+/.exec((await mail(email)).text)[0]);
    assert.equal(link.pathname, '/magic');
    const answer = await passwordless.verifyPasswordlessEmail({ linkToken: link.searchParams.get('link_token') }, sent.authRequestId);
    assert.equal(answer.email, email);
  });

  it('resendPasswordlessEmail sends another one that works', async () => {
    const email = address();
    const sent = await passwordless.sendPasswordlessEmail(email);
    await mail(email);
    const again = await passwordless.resendPasswordlessEmail(sent.authRequestId);
    const code = codeIn(await mail(email, 1));
    const { status, body } = await rest('POST', '/api/v1/passwordless/email/verify', { code, auth_request_id: again.authRequestId });
    assert.deepEqual([status, body.email], [200, email]);
    await notFound(passwordless.resendPasswordlessEmail('nonsense'));
  });

  it('a wrong code, an unknown request and no address are refused', async () => {
    const email = address();
    const sent = await passwordless.sendPasswordlessEmail(email);
    const code = codeIn(await mail(email));
    const wrong = code === '000000' ? '000001' : '000000';
    await refused(passwordless.verifyPasswordlessEmail({ code: wrong }, sent.authRequestId));
    await refused(passwordless.verifyPasswordlessEmail({ code }, 'nonsense'));
    await invalid(passwordless.sendPasswordlessEmail('no address'), /email/);
    await refused(passwordless.verifyPasswordlessEmail({ linkToken: 'nonsense' }));
  });
});
