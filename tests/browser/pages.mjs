// Looks at pages in a real browser: accessibility, layout, weight, no script.
//
//   node pages.mjs <samples>             pages that `cargo test -p genkan every_page` left in target/pages
//   node pages.mjs <http://…> [path …]   the same pages of a running server
//
// Pictures go to target/pages/pictures. Exits 1 if a page breaks a rule.

import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = dirname(fileURLToPath(import.meta.url));
const pictures = resolve(here, '../../target/pages/pictures');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const WIDTHS = [320, 360, 1100];
const LIMIT_BYTES = 30 * 1024;
const TARGET_PX = 44;

/** Replays the answers that the sample test wrote, headers and all. */
async function serve(directory) {
  const load = (path) => JSON.parse(readFileSync(join(directory, `${path}.json`), 'utf8'));
  const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname.slice(1);
    try {
      const { status, headers, body } = load(path.replaceAll('..', ''));
      response.writeHead(status, headers).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const paths = readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .map((name) => `/${name.slice(0, -5)}`);
  return { base: `http://127.0.0.1:${server.address().port}`, paths, close: () => server.close() };
}

/** Measures inside the page; everything that a reader or a keyboard would trip over. */
function measure(targetPx) {
  const problems = [];
  const visible = (element) => element.getClientRects().length > 0;
  const named = (element) => `<${element.tagName.toLowerCase()}> “${(element.textContent || element.name || '').trim().slice(0, 40)}”`;

  if (document.querySelectorAll('h1').length !== 1) problems.push('not exactly one h1');
  if (document.querySelectorAll('main').length !== 1) problems.push('not exactly one main');
  if (document.documentElement.scrollWidth > innerWidth) {
    const wide = [...document.querySelectorAll('main *')].filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5);
    problems.push(`scrolls sideways: ${document.documentElement.scrollWidth} px, ${wide.slice(0, 3).map(named).join(', ')}`);
  }
  for (const control of document.querySelectorAll('button, .button, select, summary, input:not([type=hidden])')) {
    const target = control.closest('label.check') ?? control;
    if (visible(target) && target.getBoundingClientRect().height < targetPx) {
      problems.push(`${named(control)} is ${target.getBoundingClientRect().height} px high`);
    }
  }
  for (const input of document.querySelectorAll('input:not([type=hidden]), select')) {
    if (!input.labels?.length) problems.push(`${named(input)} has no label`);
    if (input.matches('[type=email], [type=text]') && !input.autocomplete) problems.push(`${input.name}: no autocomplete`);
  }

  // The edge of a field is what shows where to type: 3:1 (WCAG 1.4.11).
  const channels = (color) => color.match(/[\d.]+/g).slice(0, 3).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const opaque = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (!color.startsWith('rgba')) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  for (const field of document.querySelectorAll('input:not([type=hidden], [type=checkbox]), select, button.quiet')) {
    const pair = [luminance(getComputedStyle(field).borderTopColor), luminance(opaque(field.parentElement))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 3) problems.push(`${named(field)}: edge contrast ${ratio.toFixed(2)}`);
  }
  return problems;
}

/** Walks with Tab: the order on screen is the order in the document, and every stop shows. */
async function walk(page) {
  const problems = [];
  const stops = await page.evaluate(() => {
    // Start from the top of the document, not from where autofocus left off.
    document.body.tabIndex = -1;
    document.body.focus();
    return [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary')].filter(
      (element) => element.getClientRects().length > 0 && element.checkVisibility(),
    ).length;
  });
  let last = -1;
  for (let stop = 0; stop < stops; stop += 1) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      const shows = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
      const all = [...document.querySelectorAll('*')];
      return { index: all.indexOf(element), tag: element.tagName, shows, text: element.textContent?.trim().slice(0, 30) };
    });
    if (at.tag === 'BODY') {
      problems.push(`focus is lost after ${stop} of ${stops} stops`);
      break;
    }
    if (at.index < last) problems.push(`focus jumps back to ${at.tag} “${at.text}”`);
    if (!at.shows) problems.push(`focus does not show at ${at.tag} “${at.text}”`);
    last = at.index;
  }
  return problems;
}

async function look(browser, base, path, { width, colorScheme, forcedColors = 'none', script = true }) {
  const problems = [];
  const context = await browser.newContext({
    viewport: { width, height: 800 },
    colorScheme,
    forcedColors,
    reducedMotion: 'reduce',
    javaScriptEnabled: script,
    ignoreHTTPSErrors: true,
  });
  const page = await context.newPage();
  let weight = 0;
  page.on('console', (message) => {
    // The browser reports the status of error pages, which is what they are for.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) problems.push(message.text());
  });
  page.on('requestfinished', async (request) => {
    const sizes = await request.sizes();
    weight += sizes.responseHeadersSize + sizes.responseBodySize;
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(base)) problems.push(`another origin: ${request.url()}`);
  });
  await page.goto(base + path, { waitUntil: 'networkidle' });

  const name = path.replace(/\W+/g, '-').replace(/^-|-$/g, '') || 'home';
  const kind = [name, width, forcedColors === 'active' ? 'forced' : colorScheme, script ? '' : 'noscript'].filter(Boolean);
  await page.screenshot({ path: join(pictures, `${kind.join('-')}.png`), fullPage: true });

  if (weight > LIMIT_BYTES && !path.startsWith('/desk')) problems.push(`weighs ${weight} bytes`);
  if (script) {
    const focused = await page.evaluate(() => document.activeElement?.matches('[autofocus]') || !document.querySelector('[autofocus]'));
    if (!focused) problems.push('autofocus did not take');
    problems.push(...(await page.evaluate(measure, TARGET_PX)));
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    for (const { id, help, nodes } of violations) problems.push(`axe ${id}: ${help} (${nodes.map((node) => node.target).join('; ')})`);
    problems.push(...(await walk(page)));
  } else if (!(await page.locator('h1').isVisible())) {
    problems.push('shows nothing without a script');
  }
  await context.close();
  return { kind: kind.join(' '), weight, problems };
}

function variants() {
  const all = WIDTHS.flatMap((width) => ['light', 'dark'].map((colorScheme) => ({ width, colorScheme })));
  all.push({ width: 360, colorScheme: 'light', forcedColors: 'active' });
  all.push({ width: 360, colorScheme: 'light', script: false });
  return all;
}

const [where, ...given] = process.argv.slice(2);
if (!where) {
  console.error('usage: node pages.mjs <directory of samples | base URL> [path …]');
  process.exit(2);
}
const target = where.startsWith('http') ? { base: where.replace(/\/$/, ''), paths: ['/nowhere'], close() {} } : await serve(where);
const paths = given.length > 0 ? given : target.paths;
mkdirSync(pictures, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
let failed = 0;
for (const path of paths) {
  const seen = [];
  for (const variant of variants()) seen.push(await look(browser, target.base, path, variant));
  const bad = seen.filter(({ problems }) => problems.length > 0);
  failed += bad.length;
  console.log(`${bad.length ? '✗' : '✓'} ${path}  ${Math.max(...seen.map(({ weight }) => weight))} bytes, ${seen.length} looks`);
  for (const { kind, problems } of bad) for (const problem of new Set(problems)) console.log(`    ${kind}: ${problem}`);
}
await browser.close();
target.close();
process.exit(failed ? 1 : 0);
