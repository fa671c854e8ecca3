// An unmodified application on Scalekit's SDK (examples/astro-app) in a real browser.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { Genkan } from '../support/genkan.mjs';
import { AstroApp } from './support/astro-app.mjs';
import { asksForEmail, inNewBrowser, launch, signIn } from './support/chromium.mjs';

const EMAIL = 'ada@example.com';
const ACCESS_TOKEN_LIFETIME_S = 3;
const TOKENS = ['access_token', 'id_token', 'refresh_token'];

for (const mode of ['dev', 'build']) {
  describe(`the Astro example, started as ${mode}`, () => {
    let genkan;
    let app;
    let browser;

    before(async () => {
      // Short enough to see tokens expire.
      genkan = await Genkan.dev({ env: { GENKAN_TOKENS_ACCESS_TOKEN_LIFETIME: `${ACCESS_TOKEN_LIFETIME_S}s` } });
      app = await AstroApp.start(mode, genkan.env);
      browser = await launch();
    });
    after(async () => {
      await browser?.close();
      await app?.stop();
      await genkan?.stop();
    });

    const scene = (name, steps) => it(name, () => inNewBrowser(browser, `astro-${mode}-${name}`, steps));
    const cookies = async (context) => {
      const all = await context.cookies(app.url);
      return Object.fromEntries(all.filter(({ name }) => TOKENS.includes(name)).map((cookie) => [cookie.name, cookie]));
    };
    const enter = async (page) => {
      await page.goto(app.url);
      await page.getByRole('link', { name: 'Sign in' }).click();
      await signIn(page, EMAIL, app.url);
      await greeted(page);
    };
    const greeted = async (page) => {
      assert.equal(new URL(page.url()).pathname, '/dashboard');
      const heading = await page.getByRole('heading', { level: 1 }).innerText();
      assert.match(heading, /^Hello, (Ada|ada@example\.com)/);
    };

    scene('signing in greets the person and sets three cookies that scripts cannot read', async (page, context) => {
      await enter(page);
      const set = await cookies(context);
      assert.deepEqual(Object.keys(set).sort(), TOKENS);
      for (const cookie of Object.values(set)) {
        assert.equal(cookie.httpOnly, true, cookie.name);
        assert.equal(cookie.sameSite, 'Lax', cookie.name);
      }
      assert.equal(await page.locator('#email').innerText(), EMAIL);
      assert.equal(await page.locator('#organization').innerText(), genkan.env.GENKAN_TEST_ORGANIZATION_ID);
      assert.ok(await page.locator('#roles').innerText());
    });

    scene('a garbled access token is refreshed silently, and so is one that expired, again and again', async (page, context) => {
      await enter(page);
      const { access_token: original, refresh_token: refresh } = await cookies(context);
      await context.addCookies([{ ...original, value: `${original.value.slice(0, -8)}AAAAAAAA` }]);

      await page.goto(`${app.url}/dashboard`);
      await greeted(page);
      const seen = new Set([original.value, (await cookies(context)).access_token.value]);
      assert.equal(seen.size, 2, 'the garbled token was replaced');

      for (const round of [3, 4]) {
        await sleep((ACCESS_TOKEN_LIFETIME_S + 1) * 1000);
        await page.reload();
        await greeted(page);
        seen.add((await cookies(context)).access_token.value);
        assert.equal(seen.size, round, 'the expired token was replaced');
      }
      // The guide never stores the new refresh token: the first one did all of this.
      assert.equal((await cookies(context)).refresh_token.value, refresh.value);
    });

    scene('a second visit signs in without a question', async (page, context) => {
      await enter(page);
      await context.clearCookies({ name: /_token$/ });
      await page.goto(`${app.url}/dashboard`);
      await greeted(page);
    });

    scene('signing out ends the session at Genkan too', async (page, context) => {
      await enter(page);
      await page.getByRole('link', { name: 'Sign out' }).click();
      await page.waitForURL(`${app.url}/`);
      assert.deepEqual(await cookies(context), {});

      await page.getByRole('link', { name: 'Sign in' }).click();
      assert.equal(new URL(page.url()).origin, genkan.url);
      assert.ok(await asksForEmail(page), 'Genkan asks who it is again');
    });

    scene('the callback without a code goes home', async (page) => {
      await page.goto(`${app.url}/api/auth/callback`);
      assert.equal(page.url(), `${app.url}/`);
    });

    scene('the dashboard is closed to strangers', async (page) => {
      await page.goto(`${app.url}/dashboard`);
      assert.equal(new URL(page.url()).origin, genkan.url);
      assert.ok(await asksForEmail(page));
    });
  });
}
