// Debian's Chromium, driven by Playwright, and what a person does at a sign-in.
//
// CHROMIUM: the browser (default: Debian's).
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { chromium } from 'playwright-core';

export const LOGS = path.resolve(import.meta.dirname, '../../../target/test-logs');

/** A headless browser that asks nothing of any other machine; every name in .test is this one. */
export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--host-resolver-rules=MAP *.test 127.0.0.1',
    ],
  });
}

/** Runs `steps` on a new page of a browser that nobody has used; keeps a picture if they fail. */
export async function inNewBrowser(browser, name, steps, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  try {
    return await steps(page, context);
  } catch (error) {
    const picture = path.join(LOGS, `${name.replaceAll(/\W+/g, '-')}.png`);
    await mkdir(LOGS, { recursive: true });
    await page.screenshot({ path: picture, fullPage: true }).catch(() => {});
    error.message += `\nat ${page.url()}, seen in ${picture}`;
    throw error;
  } finally {
    await context.close();
  }
}

/** True if Genkan asks who the person is. */
export async function asksForEmail(page) {
  return (await page.locator('input[type=email]').count()) > 0;
}

/** Gives the e-mail address wherever it is asked for, until the browser is at `origin` again. */
export async function signIn(page, email, origin) {
  for (let step = 0; step < 5; step++) {
    await page.waitForLoadState('load');
    if (new URL(page.url()).origin === origin) return;
    const left = () => page.waitForEvent('framenavigated', (frame) => frame === page.mainFrame());
    // Asked once, of applications whose pages do not say where they are.
    const agree = page.getByRole('button', { name: `Continue as ${email}` });
    if ((await agree.count()) > 0) {
      await Promise.all([left(), agree.click()]);
      continue;
    }
    const field = page.locator('input[type=email]').first();
    await field.fill(email);
    await Promise.all([left(), field.press('Enter')]);
  }
  throw new Error('the sign-in does not end');
}
