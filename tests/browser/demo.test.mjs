// The first minute with Genkan: start it, open what it printed, sign in, be greeted, sign out.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Genkan } from '../support/genkan.mjs';
import { asksForEmail, inNewBrowser, launch, signIn } from './support/chromium.mjs';

const EMAIL = 'ada@example.com';

for (const javaScriptEnabled of [true, false]) {
  describe(`the demo application ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, () => {
    let genkan;
    let browser;
    let demo;

    before(async () => {
      genkan = await Genkan.dev();
      browser = await launch();
      demo = demoAddress(genkan);
    });
    after(async () => {
      await browser?.close();
      await genkan?.stop();
    });

    it('is where the printed address leads, and signs a person in and out', () =>
      inNewBrowser(browser, `demo-${javaScriptEnabled}`, async (page) => {
        await page.goto(demo.href);
        await page.getByRole('link', { name: /sign in/i }).or(page.getByRole('button', { name: /sign in/i })).first().click();
        assert.equal(new URL(page.url()).origin, genkan.url);
        await signIn(page, EMAIL, demo.origin);
        assert.match(await page.locator('main').innerText(), /Ada|ada@example\.com/);

        await page.getByRole('link', { name: /sign out/i }).or(page.getByRole('button', { name: /sign out/i })).first().click();
        await page.waitForURL((url) => url.origin === demo.origin);
        await page.getByRole('link', { name: /sign in/i }).or(page.getByRole('button', { name: /sign in/i })).first().click();
        assert.ok(await asksForEmail(page), 'Genkan asks who it is again');
      }, { javaScriptEnabled }));
  });
}

/** The first address in the summary that is not Genkan's own. */
function demoAddress(genkan) {
  const printed = genkan.output.match(/https?:\/\/[^\s"'<>]+/g) ?? [];
  const found = printed.map((address) => new URL(address)).find((url) => url.port !== new URL(genkan.url).port);
  assert.ok(found, `the summary names no demo application:\n${genkan.output}`);
  return found;
}
