// The pages of a running server, reached as a person reaches them: axe, layout, weight, no script.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Genkan } from '../support/genkan.mjs';
import { launch, signIn } from './support/chromium.mjs';
import { SOME_EYES, look } from './support/look.mjs';

const EMAIL = 'ada@example.com';

describe('the pages of a running server', () => {
  let genkan;
  let browser;
  let demo;

  before(async () => {
    genkan = await Genkan.dev();
    browser = await launch();
    const printed = genkan.output.match(/http:\/\/localhost:\d+/g) ?? [];
    demo = printed.find((origin) => origin !== genkan.url);
  });
  after(async () => {
    await browser?.close();
    await genkan?.stop();
  });

  /** Looks at the page that `visit` ends at; its heading proves that it is the one. */
  const page = (name, heading, visit) =>
    it(name, async () => {
      for (const eyes of SOME_EYES) {
        const { problems } = await look(browser, `live-${name}`, async (tab) => {
          await visit(tab);
          assert.match(await tab.locator('h1').innerText(), heading);
        }, eyes);
        assert.deepEqual(problems, [], JSON.stringify(eyes));
      }
    });

  const atSimulator = (tab) => tab.goto(`${demo}/login?organization_id=${genkan.env.GENKAN_TEST_ORGANIZATION_ID}`);
  let made;
  /** The connection that the command on the simulator's page makes. */
  const samlConnection = async () => {
    made ??= genkan.cli('connection', 'create', '--saml', '--organization', genkan.env.GENKAN_TEST_ORGANIZATION_ID,
      '--provider', 'idp_simulator', '--saml-metadata-url', `${genkan.url}/simulator/saml/metadata`, '--saml-idp-initiated', 'on');
    return (await made).id;
  };
  const answerBySaml = async (tab) => {
    await tab.getByLabel('E-mail', { exact: true }).fill('ada.by.saml@example.com');
    await tab.getByRole('button', { name: 'Sign in' }).click();
    // The answer's form sends itself; without scripts a person does.
    const button = tab.getByRole('button', { name: 'Continue', exact: true });
    if (new URL(tab.url()).pathname.startsWith('/simulator/')) await button.click({ timeout: 2_000 }).catch(() => {});
  };
  const atSimulatorBySaml = async (tab) => tab.goto(`${demo}/login?connection_id=${await samlConnection()}`);
  const signedIn = async (tab) => {
    await atSimulator(tab);
    await signIn(tab, EMAIL, demo);
  };

  page('identify', /^Sign in$/, (tab) => tab.goto(`${demo}/login`));
  page('identify-malformed', /^Sign in$/, async (tab) => {
    await tab.goto(`${demo}/login`);
    await tab.getByLabel('Work e-mail').fill('ada@');
    await tab.getByRole('button', { name: 'Continue' }).click();
    assert.equal(await tab.getByLabel('Work e-mail').inputValue(), 'ada@');
  });
  page('simulator', /^Sign in as anyone$/, atSimulator);
  page('simulator-saml', /^Sign in as anyone$/, atSimulatorBySaml);
  page('desk-greeting', /^Hello Ada Lovelace$/, signedIn);
  page('desk-greeting-saml', /^Hello Ada Lovelace$/, async (tab) => {
    await atSimulatorBySaml(tab);
    await answerBySaml(tab);
    await tab.waitForURL((url) => url.origin === demo);
  });
  page('begin-elsewhere-saml', /^Sign in to .+\?$/, async (tab) => {
    await tab.goto(`${genkan.url}/simulator/saml/initiate?connection_id=${await samlConnection()}`);
    await answerBySaml(tab);
    await tab.waitForURL((url) => url.pathname.endsWith('/init'));
  });
  page('select-account', /^Choose an account$/, async (tab) => {
    await signedIn(tab);
    await tab.goto(`${demo}/login?prompt=select_account`);
  });
  page('logout-confirm', /^Do you want to sign out\?$/, async (tab) => {
    await signedIn(tab);
    await tab.goto(`${genkan.url}/oidc/logout`);
  });
  page('signed-out', /^You are signed out$/, async (tab) => {
    await signedIn(tab);
    await tab.goto(`${genkan.url}/oidc/logout`);
    await tab.getByRole('button', { name: 'Sign out' }).click();
  });
  page('error-login', /^We could not sign you in$/, async (tab) => {
    await atSimulator(tab);
    await tab.getByText('Groups, roles, and misbehaviour').click();
    await tab.getByLabel('Misbehave').selectOption('wrong_nonce');
    await tab.getByRole('button', { name: 'Sign in' }).click();
    assert.match(await tab.locator('main').innerText(), /err_\d+/);
  });
  page('error-application', /^We do not know this application$/, (tab) =>
    tab.goto(`${genkan.url}/oauth/authorize?client_id=skc_1&response_type=code`));
  page('error-not-found', /^There is no page here$/, (tab) => tab.goto(`${genkan.url}/nowhere`));
  page('error-method', /^This page cannot be opened like that$/, (tab) => tab.goto(`${genkan.url}/oauth/token`));
  page('desk-simulator', /^Identity-provider simulator$/, (tab) => tab.goto(`${genkan.url}/simulator/`));
  page('desk-connection-link', /^This test needs a link of its own$/, (tab) =>
    tab.goto(`${genkan.url}/sso/v1/oidc/${genkan.env.GENKAN_TEST_CONNECTION_ID}/test`));
  page('desk-connection-start', /^Try /, async (tab) => {
    await tab.goto(await testLink());
  });
  page('desk-connection-test', /works$/, async (tab) => {
    await tab.goto(await testLink());
    await tab.getByRole('button', { name: 'Start the test' }).click();
    await tab.getByRole('button', { name: 'Sign in' }).click();
  });
  const testLink = async () =>
    (await genkan.cli('connection', 'test', genkan.env.GENKAN_TEST_CONNECTION_ID, '--no-wait')).test_uri;
});
