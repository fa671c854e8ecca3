// The first minute with https: a browser that does not know the development authority, the command that
// tells it, and a sign-in where every address is https; the same for Node.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { BINARY, environment, Genkan } from '../support/genkan.mjs';
import { signIn } from './support/chromium.mjs';

const run = promisify(execFile);

describe('genkan dev --https', () => {
  let genkan;
  let home;
  let demo;

  before(async () => {
    genkan = await Genkan.dev({ args: ['--https'] });
    home = await mkdtemp(path.join(tmpdir(), 'genkan-home-'));
    const printed = (genkan.output.match(/https:\/\/[^\s"'<>]+/g) ?? []).map((address) => new URL(address));
    demo = printed.find(({ port }) => port !== new URL(genkan.url).port);
  });
  after(async () => {
    await genkan?.stop();
    await rm(home, { recursive: true, force: true });
  });

  const trust = (...options) => run(BINARY, ['dev', 'trust', ...options, ...genkan.target], { env: environment({ HOME: home }) });

  /** A browser of the person whose home that is. */
  const inBrowser = async (steps) => {
    const context = await chromium.launchPersistentContext(await mkdtemp(path.join(home, 'profile-')), {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      env: environment({ HOME: home }),
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    context.setDefaultTimeout(15_000);
    try {
      return await steps(await context.newPage());
    } finally {
      await context.close();
    }
  };

  it('is not trusted by a browser that nobody told', () =>
    inBrowser((page) => assert.rejects(page.goto(demo.href), /ERR_CERT_AUTHORITY_INVALID/)));

  it('is trusted after `genkan dev trust --install`, and a person signs in by https alone', async () => {
    await trust('--install');
    await inBrowser(async (page) => {
      const seen = [];
      page.on('request', (request) => request.isNavigationRequest() && seen.push(request.url()));
      await page.goto(demo.href);
      await page.getByRole('link', { name: /sign in/i }).or(page.getByRole('button', { name: /sign in/i })).first().click();
      await signIn(page, 'ada@example.com', demo.origin);
      assert.match(await page.locator('main').innerText(), /Ada/);
      assert.deepEqual(seen.filter((address) => !address.startsWith('https://localhost:')), []);
    });
  });

  it('is not trusted any more after `--uninstall`', async () => {
    await trust('--uninstall');
    await inBrowser((page) => assert.rejects(page.goto(demo.href), /ERR_CERT_AUTHORITY_INVALID/));
  });

  it('is trusted by Node with what dev.env says, and not without', async () => {
    const program = `fetch(process.env.SCALEKIT_ENVIRONMENT_URL + '/.well-known/openid-configuration').then((a) => a.json()).then((m) => console.log(m.issuer))`;
    const node = (env) => run(process.execPath, ['--eval', program], { env: { ...environment(), ...env } });
    const { stdout } = await node(genkan.env);
    assert.equal(stdout.trim(), genkan.env.SCALEKIT_ENVIRONMENT_URL);
    const { NODE_EXTRA_CA_CERTS: _, ...untold } = genkan.env;
    await assert.rejects(node(untold), /UNABLE_TO_VERIFY|unable to verify|self-signed/);
  });
});
