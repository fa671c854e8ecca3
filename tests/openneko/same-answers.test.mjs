// One plugin, two ways: what it writes as a process of this machine is what the sandbox gives, byte for byte.
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
const REPOSITORY = path.resolve(import.meta.dirname, '../..');

const KINDS = {
  'the JavaScript module': {
    publish: 'publishModule',
    command: async () => [process.execPath, path.join(REPOSITORY, 'tests/openneko/js-plugin/run.js')],
  },
  'the component': {
    publish: 'publishComponent',
    command: async () => [(await run(path.join(REPOSITORY, 'scripts/plugin'), ['native'])).stdout.trim()],
  },
};

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
  complete({ code: 'x', redirectUri: 'https://a/cb', state: 's', iss: 'https://evil.test' }),
  complete({ code: '', redirectUri: '', state: 's' }),
];

for (const [kind, { publish, command }] of Object.entries(KINDS)) {
  describe(`${kind} as a process and in the sandbox`, () => {
    let genkan;
    let registry;
    let openneko;
    let program;
    let env;

    before(async () => {
      program = await command();
      genkan = await Genkan.dev({ tls: true });
      registry = await Registry.start();
      await registry[publish]();
      openneko = await OpenNeko.create({ OPENNEKO_EXTRA_CA_CERTS: genkan.env.GENKAN_CA_FILE });
      await openneko.run('init');
      await openneko.run('marketplace', 'add', await registry.marketplace(PLUGIN));
      await openneko.run('policy', 'allow', 'acme-plugins');
      const { SCALEKIT_ENVIRONMENT_URL, SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET } = genkan.env;
      const values = { SCALEKIT_ENVIRONMENT_URL, SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET };
      for (const [key, value] of Object.entries(values)) await openneko.run('secrets', 'set', PLUGIN, key, value);
      await openneko.run('install', `${PLUGIN}@acme-plugins`, '--registry', registry.url);
      await openneko.run('grant', PLUGIN, new URL(SCALEKIT_ENVIRONMENT_URL).host, '--allow-private');
      env = { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: genkan.env.GENKAN_CA_FILE, ...values };
    });
    after(async () => {
      await openneko?.stop();
      await registry?.stop();
      await genkan?.stop();
    });

    for (const [method, params] of CALLS) {
      it(`answers ${method} ${params} alike`, async () => {
        const [file, ...before] = program;
        const { stdout } = await run(file, [...before, method, params], { env }).catch((error) => error);
        assert.ok(stdout, 'the process answers');
        assert.equal(await openneko.call(PLUGIN, method, params), stdout);
      });
    }
  });
}
