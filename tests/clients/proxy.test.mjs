// A company's provider that is reached through a proxy only: Debian's tinyproxy, with a password.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { BINARY, environment, Genkan, freePort } from '../support/genkan.mjs';
import { signIn } from '../support/sign-in.mjs';
import { UserAgent } from '../support/user-agent.mjs';
import { Company } from './support/company.mjs';
import { addresses, createApplication, joinCompany } from './support/world.mjs';

// tinyproxy takes letters and digits only.
const PASSWORD = 'S3cretPass';
const proxyUrl = (port, password = PASSWORD) => `http://genkan:${encodeURIComponent(password)}@127.0.0.1:${port}`;

/** tinyproxy on a port of its own, for one user. */
class Proxy {
  static async start() {
    const proxy = new Proxy();
    proxy.folder = await mkdtemp(path.join(tmpdir(), 'genkan-proxy-'));
    proxy.port = await freePort();
    proxy.logFile = path.join(proxy.folder, 'log');
    const config = path.join(proxy.folder, 'tinyproxy.conf');
    await writeFile(config, [
      `Port ${proxy.port}`, 'Listen 127.0.0.1', 'Timeout 20', `LogFile "${proxy.logFile}"`, 'LogLevel Connect',
      `BasicAuth genkan ${PASSWORD}`, 'MaxClients 20', '',
    ].join('\n'));
    proxy.process = spawn('tinyproxy', ['-d', '-c', config], { stdio: 'ignore' });
    process.once('exit', () => proxy.process.kill('SIGKILL'));
    for (let tries = 0; tries < 100 && !(await listens(proxy.port)); tries++) await new Promise((resolve) => setTimeout(resolve, 50));
    return proxy;
  }

  async log() {
    return readFile(this.logFile, 'utf8').catch(() => '');
  }

  async stop() {
    const exited = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await exited;
    await rm(this.folder, { recursive: true, force: true });
  }
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(true) ?? socket.destroy());
    socket.on('error', () => resolve(false));
  });
}

/** What `doctor` finds, whether it is content or not. */
async function doctor(genkan, env) {
  const words = ['doctor', '--json', ...genkan.target];
  const { stdout } = await promisify(execFile)(BINARY, words, { env: environment(env), timeout: 30_000 }).catch((failed) => failed);
  return { text: stdout, checks: JSON.parse(stdout).checks };
}

const missing = process.env.GENKAN_TEST_POSTGRES ? undefined : 'GENKAN_TEST_POSTGRES is not set';

describe('a provider behind a proxy', { skip: missing }, () => {
  let authority;
  let proxy;
  let company;
  let genkan;
  let env;
  let application;

  before(async () => {
    // Its certificate for localhost serves the company.
    authority = await Genkan.dev();
    const file = (name) => readFile(path.join(authority.dataDir, name), 'utf8');
    const pem = await file('tls.pem');
    company = await Company.start({ host: 'localhost', tls: { cert: pem, key: pem } });
    proxy = await Proxy.start();
    env = { GENKAN_OUTBOUND_PROXY: proxyUrl(proxy.port), GENKAN_OUTBOUND_CA_FILE: path.join(authority.dataDir, 'ca.pem') };
    genkan = await Genkan.serve({ env });
    application = await createApplication(genkan, { name: 'Portal' });
    await joinCompany(genkan, company, { domain: 'acme.test' });
  });
  after(async () => {
    await genkan?.stop();
    await proxy?.stop();
    await company?.stop();
    await authority?.stop();
  });

  const attempt = async (at = genkan, client = application) => {
    const { redirectUri } = addresses(at);
    const query = { response_type: 'code', client_id: client.id, redirect_uri: redirectUri, scope: 'openid email', state: 'st' };
    const browser = new UserAgent({ ca: await readFile(path.join(authority.dataDir, 'ca.pem'), 'utf8') });
    return signIn(browser, `${at.url}/oauth/authorize?${new URLSearchParams(query)}`, { email: 'ada@acme.test', until: redirectUri });
  };

  it('signs a person in: discovery, keys, token and userinfo go through it', async () => {
    const callback = await attempt();
    assert.ok(callback.searchParams.get('code'), callback.href);
    assert.match(await proxy.log(), new RegExp(`CONNECT ${new URL(company.issuer).host}`));
  });

  it('is what doctor asks through as well', async () => {
    const { checks } = await doctor(genkan, env);
    assert.ok(checks.some(({ check, outcome }) => check === 'Proxy' && outcome === 'ok'), JSON.stringify(checks));
    assert.ok(checks.some(({ check, outcome, message }) => check === 'Connections' && outcome === 'ok' && /reach/.test(message)), JSON.stringify(checks));
  });

  it('that wants another password is told with the remedy, and the password never', async () => {
    const { text, checks } = await doctor(genkan, { ...env, GENKAN_OUTBOUND_PROXY: proxyUrl(proxy.port, 'S3cretWrong') });
    const failed = checks.find(({ check, outcome }) => check === 'Connections' && outcome === 'fail');
    assert.match(failed?.message ?? text, /wants a user and a password/);
    assert.match(failed.remedy, /outbound\.proxy/);
    assert.doesNotMatch(text, /S3cr/);
  });

  it('that wants another password is named by the trace of a sign-in', async () => {
    const untrusted = await Genkan.serve({ env: { ...env, GENKAN_OUTBOUND_PROXY: proxyUrl(proxy.port, 'S3cretWrong') } });
    try {
      const client = await createApplication(untrusted, { name: 'Portal' });
      await joinCompany(untrusted, company, { domain: 'acme.test' });
      const failed = await attempt(untrusted, client).catch((error) => error.message);
      const [reference] = /err_\d+/.exec(failed) ?? assert.fail(failed);
      const trace = JSON.stringify(await untrusted.cli('trace', 'show', reference));
      assert.match(trace, /the proxy http:\/\/127\.0\.0\.1:\d+ wants a user and a password/);
      assert.match(trace, /Write the user and the password for the proxy into outbound\.proxy/);
      assert.doesNotMatch(trace + untrusted.output, /S3cr/);
    } finally {
      await untrusted.stop();
    }
  });

  it('that is gone is told apart from a provider that is gone', async () => {
    const { checks } = await doctor(genkan, { ...env, GENKAN_OUTBOUND_PROXY: proxyUrl(await freePort()) });
    const failed = checks.filter(({ outcome }) => outcome === 'fail').map(({ check, message }) => `${check}: ${message}`);
    assert.ok(failed.some((line) => /^Proxy: the proxy .* cannot be reached/.test(line)), failed.join('\n'));
    assert.ok(failed.some((line) => /^Connections: .*the proxy .* cannot be reached/.test(line)), failed.join('\n'));
  });

  it('is not found in the variables of other programs, which doctor says', async () => {
    const { GENKAN_OUTBOUND_PROXY: _, ...without } = env;
    const { text, checks } = await doctor(genkan, { ...without, HTTPS_PROXY: 'http://S3cr@127.0.0.1:1' });
    const warned = checks.find(({ check, outcome }) => check === 'Proxy' && outcome === 'warn');
    assert.match(warned?.message ?? text, /HTTPS_PROXY is set and not read/);
    assert.match(warned.remedy, /outbound\.proxy/);
    assert.doesNotMatch(text, /S3cr/);
    // The provider is asked without any proxy, and answers.
    assert.ok(checks.some(({ check, outcome }) => check === 'Connections' && outcome === 'ok'), text);
  });
});
