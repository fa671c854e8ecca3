// A company signs its people in with Keycloak, as its administrator sets it up, by OpenID Connect and by SAML.
// Whatever fails is read aloud: the trace must say what to do.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Application } from '../support/application.mjs';
import { Genkan } from '../support/genkan.mjs';
import { oidc } from './oidc.mjs';
import { saml } from './saml.mjs';
import { Keycloak } from './support/keycloak.mjs';

describe('Keycloak upstream of Genkan', () => {
  const world = {};

  before(async () => {
    // Each is known as soon as it runs, so that it is stopped if the other one does not start.
    const starts = [
      Genkan.dev().then((genkan) => { world.genkan = genkan; }),
      Keycloak.start(process.env.KEYCLOAK_HOME).then((keycloak) => { world.keycloak = keycloak; }),
    ];
    const failed = (await Promise.allSettled(starts)).find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
  });
  after(async () => {
    await world.genkan?.stop();
    await world.keycloak?.stop();
  });

  oidc(world);
  saml(world);

  it('says that the company is gone', async () => {
    await world.keycloak.stop();
    const application = Application.ofDev(world.genkan);
    const { page, trace } = await application.traceOf(await application.arrive({ login_hint: 'ada@acme.test' }, {}));
    assert.equal(page.status, 503);
    assert.match(page.text, /cannot be reached at the moment/);
    assert.match(trace.cause, /unreachable/);
  });
});
