// Looks at one page as different people see it: accessibility, layout, weight.
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const PICTURES = resolve(import.meta.dirname, '../../../target/pages/pictures');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const LIMIT_BYTES = 30 * 1024;
const TARGET_PX = 44;

/**
 * Every width and scheme, forced colours, and no script.
 *
 * The width in between is looked at for its layout alone, and the order of the keyboard is the same in each
 * scheme, so it is walked in one.
 */
export const ALL_EYES = [
  { width: 320, colorScheme: 'light' },
  { width: 320, colorScheme: 'dark', keyboard: false },
  { width: 360, colorScheme: 'light', keyboard: false, axe: false },
  { width: 360, colorScheme: 'dark', keyboard: false, axe: false },
  { width: 1100, colorScheme: 'light' },
  { width: 1100, colorScheme: 'dark', keyboard: false },
  { width: 360, colorScheme: 'light', forcedColors: 'active' },
  { width: 360, colorScheme: 'light', script: false },
];

/** The narrowest, the widest, and no script. */
export const SOME_EYES = [
  { width: 320, colorScheme: 'light' },
  { width: 1100, colorScheme: 'dark' },
  { width: 360, colorScheme: 'light', script: false },
];

/**
 * Opens a page, by `visit`, in a browser of its own, takes a picture, and returns what is wrong with it.
 *
 * `name` names the picture; a page whose name says `desk` may weigh more than a door.
 */
export async function look(browser, name, visit, eyes) {
  const page = await newPage(browser, eyes);
  try {
    return await lookAt(page, name, visit, eyes);
  } finally {
    await page.context().close();
  }
}

/**
 * Looks like `look`, and keeps the browsers for the next pages: half of a look's time is a new one. Only for pages
 * that know nothing of the visits before.
 */
export class Looks {
  #browser;
  #idle = new Map();

  constructor(browser) {
    this.#browser = browser;
  }

  async look(name, visit, eyes) {
    const idle = this.#idleOf(eyes);
    const page = idle.pop() ?? (await newPage(this.#browser, eyes));
    const seen = await lookAt(page, name, visit, eyes);
    page.removeAllListeners();
    // The keyboard's walk may have ended anywhere, and a picture of the whole page changes the window.
    await page.setViewportSize(viewport(eyes));
    await page.context().clearCookies();
    idle.push(page);
    return seen;
  }

  #idleOf(eyes) {
    const kind = JSON.stringify(eyes);
    if (!this.#idle.has(kind)) this.#idle.set(kind, []);
    return this.#idle.get(kind);
  }
}

const viewport = ({ width }) => ({ width, height: 800 });

async function newPage(browser, eyes) {
  const { colorScheme, forcedColors = 'none', script = true } = eyes;
  const context = await browser.newContext({
    viewport: viewport(eyes),
    colorScheme,
    forcedColors,
    reducedMotion: 'reduce',
    javaScriptEnabled: script,
  });
  context.setDefaultTimeout(60_000);
  return context.newPage();
}

async function lookAt(page, name, visit, { width, colorScheme, forcedColors = 'none', script = true, keyboard = true, axe = true }) {
  const problems = [];
  let weight = 0;
  page.on('console', (message) => {
    // The browser reports the status of error pages, which is what they are for.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) problems.push(message.text());
  });
  page.on('request', (request) => {
    if (request.isNavigationRequest()) weight = 0;
    else if (new URL(request.url()).origin !== new URL(page.url()).origin) problems.push(`another origin: ${request.url()}`);
  });
  page.on('requestfinished', async (request) => {
    const sizes = await request.sizes().catch(() => ({ responseHeadersSize: 0, responseBodySize: 0 }));
    weight += sizes.responseHeadersSize + sizes.responseBodySize;
  });
  await visit(page);
  await page.waitForLoadState('load');
  const eyes = [width, forcedColors === 'active' ? 'forced' : colorScheme, script ? '' : 'noscript'].filter(Boolean).join('-');
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}-${eyes}.png`), fullPage: true });

  if (weight > LIMIT_BYTES && !/\bdesk\b/.test(name)) problems.push(`weighs ${weight} bytes`);
  if (script) problems.push(...(await examine(page, { keyboard, axe })));
  else if (!(await page.locator('h1').first().isVisible())) problems.push('shows nothing without a script');
  return { eyes, weight, problems: [...new Set(problems)] };
}

async function examine(page, { keyboard, axe }) {
  const problems = [];
  const focused = await page.evaluate(() => document.activeElement?.matches('[autofocus]') || !document.querySelector('[autofocus]'));
  if (!focused) problems.push('autofocus did not take');
  problems.push(...(await page.evaluate(measure, TARGET_PX)));
  if (axe) {
    await page.evaluate(AXE);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    for (const { id, help, nodes } of violations) problems.push(`axe ${id}: ${help} (${nodes.map((node) => node.target).join('; ')})`);
  }
  if (keyboard) problems.push(...(await walk(page)));
  return problems;
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
