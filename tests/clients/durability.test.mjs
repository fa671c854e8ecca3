// What was answered stays true: one-time credentials in a race, and all of them after a crash.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { engines } from '../support/genkan.mjs';
import { createApplication, World } from './support/world.mjs';

const RACERS = 100;
const SCOPE = 'openid offline_access';

for (const engine of engines()) {
  describe(`one-time credentials on ${engine}`, () => {
    let world;

    before(async () => {
      world = await World.start(engine);
    });
    after(() => world?.stop());

    const token = async (application, parameters) => {
      const body = new URLSearchParams({ client_id: application.id, client_secret: application.secret, ...parameters });
      const response = await fetch(`${world.issuer}/oauth/token`, { method: 'POST', body });
      return { status: response.status, ...(await response.json()) };
    };
    const codeFor = async (application) => {
      const query = { response_type: 'code', client_id: application.id, redirect_uri: world.redirectUri, scope: SCOPE };
      const callback = await world.signIn(world.browser(), `${world.issuer}/oauth/authorize?${new URLSearchParams(query)}`);
      return callback.searchParams.get('code');
    };
    const redeem = (application, code) => token(application, { grant_type: 'authorization_code', code, redirect_uri: world.redirectUri });
    const refresh = (application, refreshToken) => token(application, { grant_type: 'refresh_token', refresh_token: refreshToken });
    const race = async (attempt) => {
      const answers = await Promise.all(Array.from({ length: RACERS }, attempt));
      const losers = answers.filter(({ status }) => status !== 200);
      for (const { status, error } of losers) assert.deepEqual([status, error], [400, 'invalid_grant']);
      return answers.length - losers.length;
    };

    it(`of ${RACERS} redemptions of one code exactly one succeeds`, async () => {
      const application = { id: world.clientId, secret: world.clientSecret };
      const code = await codeFor(application);
      assert.equal(await race(() => redeem(application, code)), 1);
    });

    it(`of ${RACERS} uses of one refresh token exactly one succeeds where rotation is strict`, async () => {
      const application = await createApplication(world.genkan, { name: 'Strict', more: ['--strict-refresh-rotation'] });
      const { refresh_token: first } = await redeem(application, await codeFor(application));
      assert.equal(await race(() => refresh(application, first)), 1);
    });

    it('kill -9 under load loses nothing that was acknowledged', async () => {
      const application = { id: world.clientId, secret: world.clientSecret };
      const families = [];
      for (let person = 0; person < 4; person++) {
        families.push([(await redeem(application, await codeFor(application))).refresh_token]);
      }
      const code = await codeFor(application);
      await redeem(application, code);

      // Each answer counts from the moment the client has it.
      let acknowledged = 0;
      const load = families.map(async (family) => {
        for (;;) {
          const answer = await refresh(application, family.at(-1)).catch(() => undefined);
          if (!answer) return;
          assert.equal(answer.status, 200);
          family.push(answer.refresh_token);
          acknowledged++;
        }
      });
      await sleep(1000);
      await world.genkan.kill();
      await Promise.all(load);
      assert.ok(acknowledged > families.length, `only ${acknowledged} refreshes before the crash`);

      await world.genkan.restart();

      for (const family of families) {
        assert.equal((await refresh(application, family.at(-1))).status, 200);
      }
      assert.equal((await redeem(application, code)).error, 'invalid_grant');
    });
  });
}
