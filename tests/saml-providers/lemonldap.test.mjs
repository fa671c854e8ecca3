// A company signs its people in with LemonLDAP::NG, that is with lasso: pretty-printed signatures, assertions that
// claim a day, and encryption by AES-CBC.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { World } from './support/world.mjs';

describe('LemonLDAP::NG upstream of Genkan', () => {
  let world;

  before(async () => {
    world = await World.start('lemonldap', { domain: 'badwolf.org', options: ['--attribute', 'groups=groups'] });
  });
  after(() => world?.stop());

  it('a person signs in, with address, name and groups', async () => {
    const claims = await world.signIn();
    assert.equal(claims.email, 'dwho@badwolf.org');
    assert.equal(claims.name, 'Doctor Who');
    assert.deepEqual(claims.groups.toSorted(), ['timelords', 'users']);
    assert.equal((await world.signIn()).sub, claims.sub);
  });

  it('asks by redirect and by post, signed if it must', async () => {
    for (const binding of ['redirect', 'post']) {
      await world.provider.configure();
      await world.configure('--saml-sso-binding', binding, '--saml-sign-requests', 'off');
      assert.equal((await world.signIn()).email, 'dwho@badwolf.org', binding);
      await world.provider.configure({ samlSPMetaDataOptionsCheckSSOMessageSignature: 1 });
      const page = await world.arrive();
      assert.ok(!page.stopped && page.url.startsWith(world.provider.url), page.describe());
      await world.configure('--saml-sign-requests', 'on');
      assert.equal((await world.signIn()).email, 'dwho@badwolf.org', `${binding}, signed`);
    }
    await world.provider.configure();
    await world.configure('--saml-sso-binding', 'redirect', '--saml-sign-requests', 'off');
  });

  it('takes its encryption if the connection allows AES-CBC', async () => {
    await world.provider.configure({ samlSPMetaDataOptionsEncryptionMode: 'assertion' });
    assert.equal((await world.traceOfFailure()).trace.cause, 'decryption_not_allowed');
    await world.configure('--saml-allow-cbc', 'on', '--saml-encrypted', 'on');
    assert.equal((await world.signIn()).email, 'dwho@badwolf.org');
    await world.provider.configure();
    await world.configure('--saml-allow-cbc', 'off', '--saml-encrypted', 'off');
  });

  it('names the persons as we ask it to', async () => {
    await world.configure('--saml-name-id-format', 'persistent');
    await world.trust();
    const { trace } = await world.traceOfFailure();
    assert.equal(trace.cause, 'subject_changed');
    await world.configure('--saml-name-id-format', 'unspecified');
    await world.trust();
    assert.equal((await world.signIn()).email, 'dwho@badwolf.org');
  });

  it('takes a sign-in that begins there', async () => {
    await world.configure('--saml-idp-initiated', 'on', '--saml-default-redirect-uri', world.application.initiateLoginUri);
    const { told, claims } = await world.initiated(world.provider.initiateUrl(world.serviceProvider.entity_id));
    assert.equal(told.login_hint, 'dwho@badwolf.org');
    assert.equal(claims.email, 'dwho@badwolf.org');
  });
});
