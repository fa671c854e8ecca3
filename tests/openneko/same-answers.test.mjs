// One module, unmodified: what `node run.js` writes is what the sandbox gives, byte for byte.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Genkan } from '../support/genkan.mjs';
import { OpenNeko } from './support/openneko.mjs';
import { Registry } from './support/registry.mjs';

const run = promisify(execFile);
const PLUGIN = '@open-neko/plugin-scalekit';
const MODULE = path.resolve(import.meta.dirname, 'js-plugin/run.js');

const begin = (params) => ['begin_auth', JSON.stringify({ params })];
const complete = (params) => ['complete_auth', JSON.stringify({ params })];
const CALLS = [
  ['register', '{}'],
  ['nope', '{}'],
  ['begin_connect', '{}'],
  ['begin_auth', '{}'],
  begin({ redirectUri: 'https://a/cb', state: 's', loginHint: 'a+b~*@c.d' }),
  begin({ redirectUri: 'https://a/cb', state: '' }),
  begin({ redirectUri: 'https://a/ü?x=1&y', state: 's', codeChallenge: 'E9Me', nonce: 'n' }),
  complete({ code: 'unknown', redirectUri: 'https://a/cb', state: 's' }),
  complete({ code: '', redirectUri: '', state: 's' }),
];

describe('the JavaScript plugin under node and in the sandbox', () => {
  let genkan;
  let registry;
  let openneko;
  let env;

  before(async () => {
    genkan = await Genkan.dev({ tls: true });
    registry = await Registry.start();
    await registry.publishModule();
    openneko = await OpenNeko.create({ OPENNEKO_EXTRA_CA_CERTS: genkan.env.GENKAN_CA_FILE });
    await openneko.run('init');
    await openneko.run('marketplace', 'add', await registry.marketplace(PLUGIN));
    await openneko.run('policy', 'allow', 'acme-plugins');
    const { SCALEKIT_ENVIRONMENT_URL, SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET } = genkan.env;
    const values = { SCALEKIT_ENVIRONMENT_URL, SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET };
    for (const [key, value] of Object.entries(values)) await openneko.run('secrets', 'set', PLUGIN, key, value);
    await openneko.run('install', `${PLUGIN}@acme-plugins`, '--registry', registry.url);
    const { host } = new URL(SCALEKIT_ENVIRONMENT_URL);
    await openneko.run('grant', PLUGIN, host, '--allow-private');
    env = { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: genkan.env.GENKAN_CA_FILE, ...values };
  });
  after(async () => {
    await openneko?.stop();
    await registry?.stop();
    await genkan?.stop();
  });

  for (const [method, params] of CALLS) {
    it(`answers ${method} ${params} alike`, async () => {
      const { stdout } = await run(process.execPath, [MODULE, method, params], { env }).catch((error) => error);
      assert.ok(stdout, 'node answers');
      assert.equal(await openneko.call(PLUGIN, method, params), stdout);
    });
  }
});
