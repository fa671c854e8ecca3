// A link on another site that would sign a person in as somebody else: nothing changes without a click;
// and an application's own button needs no click more than before.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Genkan } from '../support/genkan.mjs';
import { inNewBrowser, launch, LOGS, signIn } from './support/chromium.mjs';
import { authorize, autoSubmit, evilProvider, site } from './support/mallory.mjs';

const ADA = 'ada@example.com';
const SWITCH = 'Switch to another account?';

describe('a sign-in that another site begins', () => {
  let genkan, browser, demo, evil, attacker, notes, application, connection;
  const stop = [];

  before(async () => {
    genkan = await Genkan.dev();
    stop.push(() => genkan.stop());
    browser = await launch();
    stop.push(() => browser.close());
    demo = (genkan.output.match(/http:\/\/localhost:\d+/g) ?? []).find((origin) => origin !== genkan.url);
    evil = await evilProvider('genkan-at-evil');
    attacker = await site('attacker.test');
    notes = await site('notes.test');
    stop.push(evil.stop, attacker.stop, notes.stop);
    const organization = await genkan.cli('org', 'create', '--name', 'Evil Works');
    await genkan.cli('domain', 'create', 'evil.test', '--organization', organization.id);
    connection = await genkan.cli(
      'connection', 'create', '--oidc', '--organization', organization.id, '--issuer', evil.issuer, '--insecure-http',
      '--client-id', 'genkan-at-evil', '--client-secret', 's3cret', '--allow-idp-initiated',
    );
    application = await genkan.cli('app', 'create', '--name', 'Acme Notes', '--redirect-uri', `${notes.origin}/callback`);
  });
  after(async () => {
    for (const step of stop.reverse()) await step();
  });

  const request = (more) => authorize(genkan.url, { clientId: application.id, redirectUri: `${notes.origin}/callback`, ...more });
  const atEvil = () => request({ connection_id: connection.id });
  const initiate = () => `${genkan.url}/sso/v1/oidc/${connection.id}/init?${new URLSearchParams({ iss: evil.issuer })}`;
  const heading = (page) => page.locator('h1').innerText();
  const settle = (page) => page.waitForLoadState('networkidle');

  /** Signs Ada in at the demo application. */
  async function asAda(page) {
    await page.goto(`${demo}/login`);
    await signIn(page, ADA, demo);
  }

  /** Who the demo application greets, and who Genkan says is there, without any page. */
  async function stillAda(page) {
    await page.goto(demo);
    assert.match(await page.locator('main').innerText(), /Ada|ada@example\.com/);
    await page.goto(`${demo}/login`);
    await settle(page);
    assert.equal(new URL(page.url()).origin, demo, await heading(page));
    assert.doesNotMatch(await page.locator('main').innerText(), /[Mm]allory/);
  }

  /** Everything that a page of hers can do with a browser that comes by. */
  const tricks = () => {
    const url = atEvil();
    const parameters = new URL(url).searchParams;
    return {
      'a link': { body: `<a href="${url}">free holidays</a>`, click: true },
      'a link without a referrer': { body: `<a rel="noreferrer" href="${url}">free holidays</a>`, click: true },
      'a script': { body: `<script>location = ${JSON.stringify(url)}</script>` },
      'a redirect': { body: '<a href="/go">free holidays</a>', click: true, go: url },
      'a refresh': { body: `<meta http-equiv="refresh" content="0;url=${url.replaceAll('&', '&amp;')}">` },
      'a form that sends itself': { body: autoSubmit(`${genkan.url}/oauth/authorize`, parameters) },
      'a link to the demo’s own login': { body: `<a href="${demo}/login?connection_id=${connection.id}">free holidays</a>`, click: true },
      'a login hint': { body: `<a href="${request({ login_hint: 'mallory@evil.test' })}">free holidays</a>`, click: true },
    };
  };

  async function lure(page, { click, go, ...bait }) {
    attacker.pages['/go'] = { location: go };
    attacker.pages['/bait'] = bait.body && bait.body.startsWith('<form')
      ? { body: bait.body, headers: { 'content-security-policy': "default-src 'unsafe-inline'" } } : bait;
    await page.goto(`${attacker.origin}/bait`);
    if (click) await page.getByRole('link').click();
    await page.waitForURL((url) => url.origin !== attacker.origin);
    await settle(page);
  }

  for (const name of ['a link', 'a link without a referrer', 'a script', 'a redirect', 'a refresh', 'a form that sends itself', 'a link to the demo’s own login', 'a login hint']) {
    it(`switches nobody by ${name}`, () =>
      inNewBrowser(browser, `forced-${name}`, async (page) => {
        await asAda(page);
        await lure(page, tricks()[name]);
        assert.equal(await heading(page), SWITCH);
        const text = await page.locator('main').innerText();
        for (const seen of [ADA, 'mallory@evil.test', 'Evil Works', 'Test Organization']) assert.ok(text.includes(seen), `${seen} in ${text}`);
        await stillAda(page);
      }));

    it(`signs nobody in by ${name}`, () =>
      inNewBrowser(browser, `foreign-${name}`, async (page) => {
        await lure(page, tricks()[name]);
        if (name === 'a link to the demo’s own login') return; // the demo and Genkan are one site: localhost
        assert.equal(await heading(page), 'Is this you?');
        assert.ok((await page.locator('main').innerText()).includes('mallory@evil.test'));
        await page.goto(`${demo}/login`);
        assert.equal(await heading(page), 'Sign in');
      }));
  }

  it('begins nothing by a link to /init, and switches nobody after a click on its page either', () =>
    inNewBrowser(browser, 'forced-init', async (page) => {
      await asAda(page);
      await lure(page, { location: initiate() });
      assert.equal(await heading(page), 'Sign in to Demo application?');
      assert.ok((await page.locator('main').innerText()).includes('Evil Works'));
      await stillAda(page);
      await lure(page, { location: initiate() });
      await page.getByRole('button', { name: 'Continue with Evil Works' }).click();
      await settle(page);
      assert.equal(await heading(page), SWITCH);
      await stillAda(page);
    }));

  it('asks once at /init, and the press covers the request that follows', () =>
    inNewBrowser(browser, 'foreign-init', async (page, context) => {
      await lure(page, { location: initiate() });
      await page.getByRole('button', { name: 'Continue with Evil Works' }).click();
      await page.waitForURL((url) => url.origin === demo);
      assert.match(await page.locator('main').innerText(), /Mallory/);
      // From now on the connection is known in this browser.
      await context.clearCookies({ name: /session/ });
      await lure(page, { location: initiate() });
      await page.waitForURL((url) => url.origin === demo);
      assert.match(await page.locator('main').innerText(), /Mallory/);
    }));

  it('switches after a click, and goes back to the application if the person stays', () =>
    inNewBrowser(browser, 'forced-click', async (page) => {
      await asAda(page);
      await lure(page, tricks()['a link']);
      await page.getByRole('button', { name: `Stay with ${ADA}` }).click();
      await page.waitForURL((url) => url.origin === notes.origin);
      assert.equal(new URL(page.url()).searchParams.get('error'), 'access_denied');
      await stillAda(page);
      await lure(page, tricks()['a link']);
      await page.getByRole('button', { name: 'Switch to mallory@evil.test' }).click();
      await page.waitForURL((url) => url.origin === notes.origin);
      assert.ok(new URL(page.url()).searchParams.get('code'));
      await page.goBack().catch(() => {});
      await page.goto(`${demo}/login`);
      await page.waitForURL((url) => url.origin === demo);
      assert.match(await page.locator('main').innerText(), /Mallory/);
    }));

  it('needs no click more where the application’s own button begins it', () =>
    inNewBrowser(browser, 'own-button', async (page, context) => {
      const ways = {
        'a link': `<a href="${atEvil()}">Sign in</a>`,
        'a link to its own redirect': '<a href="/login">Sign in</a>',
        'a form': `<form action="${genkan.url}/oauth/authorize">${[...new URL(atEvil()).searchParams].map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`).join('')}<button>Sign in</button></form>`,
      };
      for (const [name, body] of Object.entries(ways)) {
        await context.clearCookies();
        notes.pages['/'] = { body };
        notes.pages['/login'] = { location: atEvil() };
        await page.goto(notes.origin);
        await page.getByRole(name === 'a form' ? 'button' : 'link', { name: 'Sign in' }).click();
        await page.waitForURL((url) => url.pathname === '/callback');
        assert.ok(new URL(page.url()).searchParams.get('code'), `${name}: ${page.url()}`);
      }
      // An address that was typed, and a bookmark of it, are the person's own.
      await context.clearCookies();
      await page.goto(`${notes.origin}/login`);
      await page.waitForURL((url) => url.pathname === '/callback');
      // A page without a referrer meets the question once.
      await context.clearCookies();
      notes.pages['/'] = { body: `<a rel="noreferrer" href="${atEvil()}">Sign in</a>` };
      await page.goto(notes.origin);
      await page.getByRole('link').click();
      await page.getByRole('button', { name: 'Continue as mallory@evil.test' }).click();
      await page.waitForURL((url) => url.pathname === '/callback');
      await context.clearCookies({ name: /session/ });
      await page.goto(notes.origin);
      await page.getByRole('link').click();
      await page.waitForURL((url) => url.pathname === '/callback');
    }));

  it('shows the page as a person sees it', () =>
    inNewBrowser(browser, 'forced-seen', async (page) => {
      await asAda(page);
      await lure(page, tricks()['a link']);
      await mkdir(LOGS, { recursive: true });
      await page.screenshot({ path: path.join(LOGS, 'forced-sign-in.png'), fullPage: true });
    }));
});
