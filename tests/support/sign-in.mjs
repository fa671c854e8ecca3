// A person signs in: at Genkan's page by e-mail, then at whichever identity
// provider their organization uses.

const EMAIL_FIELDS = ['email', 'login_hint', 'login'];

/**
 * Follows `page` until the browser is sent to `until`; fills in the e-mail address
 * (and `fields`) wherever it is asked for.
 *
 * Returns the address the browser was sent to. Throws at a page that asks for
 * nothing, such as an error.
 */
export async function signIn(browser, start, { email, until, fields = {} }) {
  let page = await browser.open(start, { until });
  for (let step = 0; step < 6 && !page.stopped; step++) {
    const form = page.formWith(...EMAIL_FIELDS);
    if (!form) throw new Error(`this page does not lead on:\n${page.describe()}`);
    const filled = { ...fields };
    for (const control of form.controls) {
      if (EMAIL_FIELDS.includes(control.name)) filled[control.name] = email;
    }
    const known = Object.entries(filled).filter(([name]) => form.controls.some((control) => control.name === name));
    page = await browser.submit(page, form, Object.fromEntries(known), { until });
  }
  if (!page.stopped) throw new Error(`the sign-in does not end:\n${page.describe()}`);
  return new URL(page.url);
}
