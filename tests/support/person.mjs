// A person at a company's provider: forms that a script would send are sent, and the login form is filled in.

const MOST_PAGES = 12;

/**
 * From `page` to where the browser ends: at `until`, at a page that `isEnd`, or at one that leads nowhere.
 * `credentials`: {username, password}.
 */
export async function goOn(browser, page, { credentials, until, isEnd = () => false }) {
  for (let step = 0; step < MOST_PAGES && !page.stopped && !isEnd(page); step++) {
    const login = page.formWith('password');
    const carrier = page.formWith('SAMLRequest', 'SAMLResponse');
    if (login) {
      const fields = { password: credentials.password };
      // A provider that asks again may ask for the password alone.
      const name = login.controls.find((control) => ['username', 'user'].includes(control.name))?.name;
      if (name) fields[name] = credentials.username;
      page = await browser.submit(page, login, fields, { until });
    } else if (carrier) {
      page = await browser.submit(page, carrier, {}, { until });
    } else {
      return page;
    }
  }
  return page;
}

/** The answer that this page is about to send to `acsUrl`, if it is such a page. */
export function answerTo(acsUrl) {
  return (page) => page.forms.find((form) => form.action === acsUrl && form.controls.some((control) => control.name === 'SAMLResponse'));
}
