// A company signs its people in with npm samlp, the middleware of Auth0. It signs what it is told to sign and names
// the audience that it is told to name, so it also plays the company whose administrator made a mistake.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { UserAgent } from '../support/user-agent.mjs';
import { certificateIn, encryptionFor, samlpOptions } from './support/providers.mjs';
import { World } from './support/world.mjs';

describe('npm samlp upstream of Genkan', () => {
  let world;

  before(async () => {
    world = await World.start('samlp', { domain: 'acme.test', options: ['--attribute', 'groups=http://schemas.passportjs.com/groups'] });
    acts();
  });
  after(() => world?.stop());

  /** The provider answers us, with `more` of its options. */
  const acts = (more) => {
    const { acs_url: acsUrl, entity_id: entityId } = world.serviceProvider;
    world.provider.options = samlpOptions({ acsUrl, entityId }, more);
  };
  const refused = async (more) => {
    acts(more);
    const { trace, said, page } = await world.traceOfFailure();
    acts();
    return { trace, said, page };
  };

  it('a person signs in, with address, name and groups', async () => {
    const claims = await world.signIn();
    assert.equal(claims.email, 'ada@acme.test');
    assert.equal(claims.name, 'Ada Lovelace');
    assert.equal(claims.given_name, 'Ada');
    assert.equal(claims.family_name, 'Lovelace');
    assert.deepEqual(claims.groups.toSorted(), ['engineering', 'mathematicians']);
    assert.equal(claims.amr[0], world.connection.id);
    assert.equal((await world.signIn()).sub, claims.sub);
  });

  it('takes a signature of the assertion, of the response and of both', async () => {
    for (const parts of [{ signResponse: false }, { signAssertion: false, signResponse: true }, { signResponse: true }]) {
      acts(parts);
      assert.equal((await world.signIn()).email, 'ada@acme.test', JSON.stringify(parts));
    }
    acts();
  });

  it('takes an encrypted assertion', async () => {
    acts({ signResponse: true, ...encryptionFor(certificateIn(world.metadata, 'encryption')) });
    await world.configure('--saml-encrypted', 'on');
    assert.equal((await world.signIn()).email, 'ada@acme.test');
    const { trace } = await refused();
    assert.equal(trace.cause, 'encryption_expected');
    await world.configure('--saml-encrypted', 'off');
  });

  it('asks by redirect and by post, signed when told to', async () => {
    for (const binding of ['redirect', 'post']) {
      await world.configure('--saml-sso-binding', binding, '--saml-sign-requests', 'off');
      assert.equal((await world.signIn()).email, 'ada@acme.test', binding);
      // It refuses what is not signed.
      acts({ signingCert: certificateIn(world.metadata, 'signing') });
      const page = await world.arrive();
      assert.match(page.body, /MUST be signed/, page.describe());
      await world.configure('--saml-sign-requests', 'on');
      assert.equal((await world.signIn()).email, 'ada@acme.test', `${binding}, signed`);
      acts();
    }
    await world.configure('--saml-sso-binding', 'redirect', '--saml-sign-requests', 'off');
  });

  it('takes a sign-in that begins at the provider only if the connection allows it', async () => {
    const { trace } = await world.traceOfFailure(await world.initiatedPage(world.provider.initiateUrl));
    assert.equal(trace.cause, 'unsolicited_not_allowed');
    await world.configure('--saml-idp-initiated', 'on', '--saml-default-redirect-uri', world.application.initiateLoginUri);
    const { told, claims } = await world.initiated(`${world.provider.initiateUrl}?RelayState=tile`);
    assert.equal(told.connection_id, world.connection.id);
    assert.equal(told.organization_id, world.organization.id);
    assert.equal(told.login_hint, 'ada@acme.test');
    assert.equal(told.relay_state, 'tile');
    assert.equal(claims.email, 'ada@acme.test');
  });

  it('says which audience the provider must be given', async () => {
    const { trace, said, page } = await refused({ audience: 'https://elsewhere.test/metadata' });
    assert.equal(trace.cause, 'audience_mismatch');
    assert.ok(trace.remedy.includes(world.serviceProvider.entity_id), trace.remedy);
    assert.ok(said.includes('https://elsewhere.test/metadata'), said);
    assert.equal(page.stopped ? '' : page.heading, 'We could not sign you in');
  });

  it('says where the answer must go', async () => {
    const { trace } = await refused({ recipient: 'http://elsewhere.test/acs' });
    assert.equal(trace.cause, 'recipient_mismatch');
    assert.ok(trace.remedy.includes(world.serviceProvider.acs_url), trace.remedy);
  });

  it('says that nothing is signed', async () => {
    const { trace } = await refused({ signAssertion: false });
    assert.equal(trace.cause, 'signature_missing');
  });

  it('says that SHA-1 is not taken, and takes it only by name', async () => {
    const old = { signatureAlgorithm: 'rsa-sha1', digestAlgorithm: 'sha1' };
    const { trace } = await refused(old);
    assert.equal(trace.cause, 'algorithm_not_allowed');
    await world.configure('--saml-allow-sha1', 'on');
    acts(old);
    assert.equal((await world.signIn()).email, 'ada@acme.test');
    acts();
    await world.configure('--saml-allow-sha1', 'off');
  });

  it('says that an answer came too late', async () => {
    const { trace } = await refused({ lifetimeInSeconds: -600 });
    assert.equal(trace.cause, 'assertion_expired');
  });

  it('names the attributes that came when the address is missing', async () => {
    await world.configure('--attribute', 'email=mail');
    const { trace, said } = await world.traceOfFailure();
    assert.equal(trace.cause, 'mandatory_attribute_missing');
    assert.ok(said.includes('http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress'), said);
    await world.configure('--attribute', 'email=');
    assert.equal((await world.signIn()).email, 'ada@acme.test');
  });

  it('counts an answer once', async () => {
    const browser = new UserAgent();
    const isEnd = (page) => page.forms.some((form) => form.action === world.serviceProvider.acs_url);
    const answer = await world.arrive({ browser, isEnd });
    const [form] = answer.forms;
    const first = await browser.submit(answer, form, {}, { until: world.application.redirectUri });
    assert.ok(new URL(first.url).searchParams.get('code'), first.describe());
    const again = await browser.submit(answer, form, {}, { until: world.application.redirectUri });
    assert.ok(!again.stopped || !new URL(again.url).searchParams.get('code'), again.url);
    assert.equal((await world.traceOfFailure(again)).trace.cause, 'request_already_used');
  });
});
