// The management API with clients that others wrote, generated from proto/: a Go program on
// connectrpc.com/connect and a Java program on grpc-netty-shaded, over http and https.
//
// `scripts/test grpc` builds them. GENKAN_TEST_GO: the Go program. GENKAN_TEST_JAVA: the class path of the
// Java program. A language that is not set is left out.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Genkan } from '../support/genkan.mjs';

const run = promisify(execFile);
const { GENKAN_TEST_GO, GENKAN_TEST_JAVA } = process.env;
const NAMES = Array.from({ length: 23 }, (_, index) => `Company ${index}`);

/** How a person starts each, given the variables of dev.env. */
const CLIENTS = {
  go: GENKAN_TEST_GO && {
    command: () => [GENKAN_TEST_GO],
    names: (output) => JSON.parse(output),
  },
  java: GENKAN_TEST_JAVA && {
    command: ({ GENKAN_TRUSTSTORE_FILE, SCALEKIT_ENVIRONMENT_URL }) => {
      const trust = [`-Djavax.net.ssl.trustStore=${GENKAN_TRUSTSTORE_FILE}`, '-Djavax.net.ssl.trustStorePassword=changeit'];
      const isSecure = SCALEKIT_ENVIRONMENT_URL.startsWith('https:');
      return ['java', ...(isSecure ? trust : []), '-cp', GENKAN_TEST_JAVA, 'test.Pager'];
    },
    names: (output) => output.trim().split('\n'),
  },
};

for (const scheme of ['http', 'https']) {
  describe(`over ${scheme}`, () => {
    let genkan;
    before(async () => {
      genkan = await Genkan.dev({ args: scheme === 'https' ? ['--https'] : [] });
      for (const name of NAMES) await genkan.cli('org', 'create', '--name', name);
    });
    after(() => genkan?.stop());

    for (const [language, client] of Object.entries(CLIENTS)) {
      test(`a program in ${language} signs in and pages through the organizations`, { skip: !client && 'not built' }, async () => {
        assert.ok(genkan.env.SCALEKIT_ENVIRONMENT_URL.startsWith(`${scheme}://`));
        const [program, ...args] = client.command(genkan.env);
        const { stdout } = await run(program, args, { env: { ...process.env, ...genkan.env }, timeout: 60_000 });
        assert.deepEqual(client.names(stdout).sort(), [...NAMES, 'Test Organization'].sort());
      });
    }
  });
}

// Without what dev.env says, a client must not take the development authority for one that it knows.
describe('without the variables', () => {
  let genkan;
  before(async () => (genkan = await Genkan.dev({ args: ['--https'] })));
  after(() => genkan?.stop());

  test('a program in go does not trust the certificate', { skip: !CLIENTS.go && 'not built' }, async () => {
    const { SSL_CERT_FILE, ...untrusting } = genkan.env;
    const failed = run(GENKAN_TEST_GO, { env: { ...process.env, ...untrusting }, timeout: 60_000 });
    await assert.rejects(failed, /certificate signed by unknown authority/);
  });
});
