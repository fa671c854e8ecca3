// From a registry to the dashboard: the plugin is installed as an operator would, and people sign in through it.
import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { inNewBrowser, launch, signIn } from '../browser/support/chromium.mjs';
import { Genkan } from '../support/genkan.mjs';
import { OpenNeko } from './support/openneko.mjs';
import { Registry } from './support/registry.mjs';

const PLUGIN = '@open-neko/plugin-scalekit';
const EMAIL = 'ada@example.com';
const KINDS = { 'the component': 'publishComponent', 'the JavaScript module': 'publishModule' };

for (const [kind, publish] of Object.entries(KINDS)) {
  describe(`signing in with ${kind}`, () => {
    let genkan;
    let registry;
    let openneko;
    let browser;
    let secret;

    before(async () => {
      genkan = await Genkan.dev({ tls: true });
      registry = await Registry.start();
      await registry[publish]();
      openneko = await OpenNeko.create({ OPENNEKO_EXTRA_CA_CERTS: genkan.env.GENKAN_CA_FILE });
      browser = await launch();
      secret = genkan.env.SCALEKIT_CLIENT_SECRET;
    });
    after(async () => {
      await browser?.close();
      await openneko?.stop();
      await registry?.stop();
      await genkan?.stop();
    });

    it('is installed from the registry, verified, and its values are asked for', async () => {
      const marketplace = await registry.marketplace(PLUGIN);
      await openneko.run('init');
      assert.match(await openneko.run('marketplace', 'add', marketplace), /^trusted Acme Plugins as "acme-plugins" — 1 plugin/m);
      await openneko.run('policy', 'allow', 'acme-plugins');

      const screen = await openneko.terminal(['install', `${PLUGIN}@acme-plugins`, '--registry', registry.url], [
        [/requires SCALEKIT_ENVIRONMENT_URL[^]*value: /, genkan.env.SCALEKIT_ENVIRONMENT_URL],
        [/requires SCALEKIT_CLIENT_ID[^]*value: /, genkan.env.SCALEKIT_CLIENT_ID],
        [/SCALEKIT_CLIENT_SECRET \(hidden\): /, secret],
      ]);
      assert.match(screen, /installed @open-neko\/plugin-scalekit@0\.2\.1 \(marketplace=acme-plugins\) — network: \*\.scalekit\.com/);
      assert.ok(!screen.includes(secret), 'the secret is not on the screen');

      const stored = await readFile(openneko.config('secrets.json'), 'utf8');
      assert.ok(!stored.includes(secret), 'the secret is not in the file as it is');
      assert.match(stored, /"enc:v1:/);
      assert.equal((await stat(openneko.config('secrets.json'))).mode & 0o777, 0o600);
      assert.match(await openneko.run('list'), /@open-neko\/plugin-scalekit@0\.2\.1 {2}\[\*\.scalekit\.com[^\]]*\] {2}\[SSO provider\] {2}from=acme-plugins/);
    });

    it('reaches a gateway of one’s own only after it was granted', async () => {
      const params = JSON.stringify({ params: { code: 'x', redirectUri: 'https://a/cb', state: 's' } });
      const refused = await openneko.call(PLUGIN, 'complete_auth', params);
      assert.match(refused, /Scalekit token exchange network error/);
      const { hostname, port } = new URL(genkan.env.SCALEKIT_ENVIRONMENT_URL);
      assert.match(await openneko.run('log'), new RegExp(hostname));

      await openneko.run('grant', PLUGIN, `${hostname}:${port}`, '--allow-private');
      const reached = await openneko.call(PLUGIN, 'complete_auth', params);
      assert.match(reached, /Scalekit token exchange returned HTTP 400 \(invalid_grant/);
    });

    it('leads a person through the simulator to the dashboard, and out again', async () => {
      await openneko.serve();
      await inNewBrowser(browser, `openneko-${publish}`, async (page, context) => {
        const asked = page.waitForRequest((request) => new URL(request.url()).pathname === '/oauth/authorize');
        await page.goto(openneko.url);
        assert.equal(new URL(page.url()).pathname, '/signin');
        await page.getByLabel(/Email/).fill(EMAIL);
        await page.getByRole('button', { name: 'Sign in with Scalekit' }).click();
        await signIn(page, EMAIL, openneko.url);
        const { searchParams } = new URL((await asked).url());
        assert.equal(searchParams.get('code_challenge_method'), 'S256');
        assert.ok(searchParams.get('nonce'), 'the ID token is bound to this sign-in');

        assert.equal(new URL(page.url()).pathname, '/');
        const seen = await page.locator('main').innerText();
        assert.match(seen, /Hello, Ada/);
        assert.ok(seen.includes(EMAIL), seen);
        assert.ok(seen.includes(genkan.env.GENKAN_TEST_ORGANIZATION_ID), seen);
        assert.doesNotMatch(seen, /Groups\s*none/);

        const cookies = await context.cookies(openneko.url);
        await page.getByRole('button', { name: /Sign out/ }).click();
        await page.waitForURL((url) => url.pathname === '/signin');
        // The cookie that was signed out is worth nothing, even to somebody who kept it.
        await context.addCookies(cookies);
        await page.goto(openneko.url);
        assert.equal(new URL(page.url()).pathname, '/signin');
      }, { ignoreHTTPSErrors: true });
    });

    it('makes nobody an admin for what a company calls its groups, nor for being the first', async () => {
      await inNewBrowser(browser, `openneko-${publish}-groups`, async (page) => {
        await page.goto(`${openneko.url}/signin`);
        await page.getByRole('button', { name: 'Sign in with Scalekit' }).click();
        for (let step = 0; step < 5 && new URL(page.url()).origin !== openneko.url; step++) {
          await page.waitForLoadState('load');
          const groups = page.getByLabel('Groups', { exact: true });
          if (await groups.count() > 0) {
            await page.locator('summary').first().click();
            await groups.fill('admin, admins, owners');
          }
          const field = page.locator('input[type=email]').first();
          await field.fill('mallory@example.com');
          const left = page.waitForEvent('framenavigated', (frame) => frame === page.mainFrame());
          await field.press('Enter');
          await left;
        }
        const seen = await page.locator('main').innerText();
        assert.match(seen, /Groups[^]*admins/);
        assert.match(seen, /Role\s*member/);
        assert.match(seen, /Nobody is an admin yet/);
        assert.equal(await page.locator('#users').count(), 0);
      }, { ignoreHTTPSErrors: true });
      assert.match(openneko.log, /people of every organization that the provider knows may sign in/);
    });

    it('begins nothing by a link of another site before a button that names whom', async () => {
      await inNewBrowser(browser, `openneko-${publish}-foreign`, async (page) => {
        await page.route('http://evil.test/', (route) => route.fulfill({
          contentType: 'text/html',
          body: `<a href="${openneko.url}/api/auth/begin?loginHint=mallory%40evil.test">a cat</a>`,
        }));
        await page.goto('http://evil.test/');
        await page.getByRole('link', { name: 'a cat' }).click();
        await page.waitForURL((url) => url.origin === openneko.url);
        assert.equal(new URL(page.url()).pathname, '/api/auth/begin');
        assert.match(await page.locator('main').innerText(), /sent you here to sign in as mallory@evil\.test/);
        assert.equal(await page.getByRole('button').count(), 1);
        await page.getByRole('button', { name: 'Sign in with Scalekit' }).click();
        await page.waitForURL((url) => url.origin !== openneko.url);
      }, { ignoreHTTPSErrors: true });
    });

    it('takes a new client secret without a restart', async () => {
      const client = genkan.env.SCALEKIT_CLIENT_ID;
      const [old] = (await genkan.cli('app', 'show', client)).secrets;
      const fresh = await genkan.cli('app', 'secret', 'add', client);
      await genkan.cli('app', 'secret', 'delete', client, old.id, '--yes');

      const enter = (name, outcome) => inNewBrowser(browser, `openneko-${publish}-${name}`, async (page) => {
        await page.goto(`${openneko.url}/signin`);
        await page.getByRole('button', { name: 'Sign in with Scalekit' }).click();
        await signIn(page, EMAIL, openneko.url);
        await outcome(page);
      }, { ignoreHTTPSErrors: true });

      await enter('old-secret', async (page) => {
        assert.equal(new URL(page.url()).pathname, '/signin');
        assert.ok(await page.getByRole('alert').isVisible());
      });
      await openneko.terminal(['secrets', 'set', PLUGIN, 'SCALEKIT_CLIENT_SECRET'], [[/SCALEKIT_CLIENT_SECRET \(hidden\): /, fresh.secret ?? fresh.plain_secret]]);
      await enter('new-secret', async (page) => assert.match(await page.locator('main').innerText(), /Hello, Ada/));
    });
  });
}
