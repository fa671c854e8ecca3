// A company signs its people in with SimpleSAMLphp: urn:oid: names of attributes, a persistent NameID that is
// qualified by our entity id, and encryption by AES-CBC, which is all that its version of Debian 12 has.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { goOn } from '../support/person.mjs';
import { UserAgent } from '../support/user-agent.mjs';
import { certificateIn } from './support/providers.mjs';
import { World } from './support/world.mjs';

const IS_MEMBER_OF = 'urn:oid:1.3.6.1.4.1.5923.1.5.1.1';

describe('SimpleSAMLphp upstream of Genkan', () => {
  let world;

  before(async () => {
    world = await World.start('simplesamlphp', { domain: 'acme.test', options: ['--attribute', `groups=${IS_MEMBER_OF}`] });
  });
  after(() => world?.stop());

  it('a person signs in, with address, name and groups', async () => {
    const claims = await world.signIn();
    assert.equal(claims.email, 'ada@acme.test');
    assert.equal(claims.name, 'Ada Lovelace');
    assert.equal(claims.given_name, 'Ada');
    assert.equal(claims.family_name, 'Lovelace');
    assert.deepEqual(claims.groups.toSorted(), ['engineering', 'mathematicians']);
    assert.equal((await world.signIn()).sub, claims.sub);
  });

  it('takes a signature of the assertion or of the response alone', async () => {
    await world.provider.configure({ 'saml20.sign.response': false });
    assert.equal((await world.signIn()).email, 'ada@acme.test');
    await world.provider.configure();
  });

  it('asks by redirect and by post, signed if it must', async () => {
    const asks = (binding, signs) => world.configure('--saml-sso-binding', binding, '--saml-sign-requests', signs);
    for (const binding of ['redirect', 'post']) {
      await asks(binding, 'off');
      await world.trust();
      assert.equal((await world.signIn()).email, 'ada@acme.test', binding);
      // It demands what our metadata promise.
      await asks(binding, 'on');
      await world.trust();
      assert.equal((await world.signIn()).email, 'ada@acme.test', `${binding}, signed`);
      await asks(binding, 'off');
      const page = await world.arrive();
      assert.match(page.text, /no signature found/, page.describe());
    }
    await asks('redirect', 'off');
    await world.trust();
  });

  it('takes its encryption only if the connection allows AES-CBC, and says so', async () => {
    await world.provider.configure({ 'assertion.encryption': true });
    const { trace } = await world.traceOfFailure();
    assert.equal(trace.cause, 'decryption_not_allowed');
    await world.configure('--saml-allow-cbc', 'on', '--saml-encrypted', 'on');
    assert.equal((await world.signIn()).email, 'ada@acme.test');
    // Never over cipher text that nobody signed.
    await world.provider.configure({ 'assertion.encryption': true, 'saml20.sign.response': false });
    assert.equal((await world.traceOfFailure()).trace.cause, 'decryption_not_allowed');
    await world.provider.configure();
    await world.configure('--saml-allow-cbc', 'off', '--saml-encrypted', 'off');
  });

  it('takes our new keys from our metadata, and turns nobody away meanwhile', async () => {
    await world.configure('--saml-sign-requests', 'on', '--saml-allow-cbc', 'on', '--saml-encrypted', 'on');
    await world.provider.configure({ 'assertion.encryption': true });
    const before = world.metadata;
    for (const step of [[], ['--switch'], ['--retire'], ['--encryption']]) {
      await world.genkan.cli('connection', 'certificates', 'rotate', world.connection.id, ...step);
      // It still knows what we published before.
      assert.equal((await world.signIn()).email, 'ada@acme.test', `${step}, as it was`);
      await world.trust();
      assert.equal((await world.signIn()).email, 'ada@acme.test', `${step}, as it is`);
    }
    assert.notEqual(certificateIn(world.metadata, 'signing'), certificateIn(before, 'signing'));
    assert.notEqual(certificateIn(world.metadata, 'encryption'), certificateIn(before, 'encryption'));
    await world.provider.configure();
    await world.configure('--saml-sign-requests', 'off', '--saml-allow-cbc', 'off', '--saml-encrypted', 'off');
    await world.trust();
  });

  it('has it ask for the password again if the connection says so', async () => {
    const browser = new UserAgent();
    const first = await world.signIn({ browser });
    await world.configure('--saml-force-authn', 'on');
    const asked = await world.arrive({ browser, isEnd: (page) => page.formWith('password'), query: { prompt: 'login' } });
    assert.ok(!asked.stopped && asked.url.startsWith(world.provider.url), asked.describe());
    const { credentials, application } = world;
    const claims = await application.redeem(await goOn(browser, asked, { credentials, until: application.redirectUri }));
    assert.equal(claims.sub, first.sub);
    await world.configure('--saml-force-authn', 'off');
  });

  it('takes a sign-in that begins there', async () => {
    await world.configure('--saml-idp-initiated', 'on', '--saml-default-redirect-uri', world.application.initiateLoginUri);
    const { told, claims } = await world.initiated(world.provider.initiateUrl(world.serviceProvider.entity_id, 'tile'));
    assert.equal(told.relay_state, 'tile');
    assert.equal(told.login_hint, 'ada@acme.test');
    assert.equal(claims.email, 'ada@acme.test');
  });
});
