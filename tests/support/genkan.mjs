// Starts the built gateway as an operator would, on a data directory of its own,
// and speaks to it through its command line.
//
// GENKAN_BIN: the binary (default: target/debug/genkan of this repository).
// GENKAN_TEST_POSTGRES: postgres://… of a server on which databases may be made.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const REPOSITORY = path.resolve(import.meta.dirname, '../..');
export const BINARY = process.env.GENKAN_BIN ?? path.join(REPOSITORY, 'target/debug/genkan');
const START_LIMIT_MS = 20_000;

// A test runner that is told to stop must not leave servers behind: see `exit` below.
for (const [signal, code] of [['SIGTERM', 143], ['SIGINT', 130]]) process.once(signal, () => process.exit(code));

export class Genkan {
  #process;
  #cleanUp = [];
  #started;
  #stopped = false;

  /** `genkan dev`: SQLite, the simulator, a test organization, a default application; with `tls`, at its https address. */
  static async dev({ args = [], env = {}, tls = false } = {}) {
    const genkan = new Genkan();
    genkan.dataDir = await genkan.#temporaryDirectory();
    const port = await freePort();
    genkan.url = `http://localhost:${port}`;
    genkan.target = ['--data-dir', genkan.dataDir];
    if (tls) args = [...args, '--public-url', genkan.httpsUrl];
    await genkan.#start(['dev', '--listen', `127.0.0.1:${port}`, '--demo-listen', '127.0.0.1:0', '--data-dir', genkan.dataDir, ...args], env);
    genkan.env = parseEnvironment(await readFile(path.join(genkan.dataDir, 'dev.env'), 'utf8'));
    return genkan;
  }

  /**
   * `genkan serve` on a PostgreSQL database of its own: as behind a proxy, or with
   * `tls: {certificates, authority}`, two files of PEM, ending TLS itself.
   */
  static async serve({ env = {}, tls } = {}) {
    const genkan = new Genkan();
    genkan.dataDir = await genkan.#temporaryDirectory();
    const database = await genkan.#database();
    genkan.database = database;
    const port = await freePort();
    genkan.url = `${tls ? 'https' : 'http'}://localhost:${port}`;
    genkan.ca = tls && (await readFile(tls.authority));
    const config = path.join(genkan.dataDir, 'genkan.toml');
    await writeFile(config, productionConfiguration({ port, url: genkan.url, database, tls }), { mode: 0o600 });
    genkan.target = ['--config', config];
    await genkan.#start(['serve', '--config', config], env);
    return genkan;
  }

  /** One that somebody else started, for its command line: `target` says where its data is. */
  static at(target) {
    const genkan = new Genkan();
    genkan.target = target;
    return genkan;
  }

  /** The same port over TLS. */
  get httpsUrl() {
    return this.url.replace(/^http:/, 'https:');
  }

  /** Everything the server has printed. */
  get output() {
    return this.log.join('');
  }

  /** Runs a command on the same data and returns what it prints as JSON. */
  async cli(...words) {
    const { stdout } = await run(BINARY, [...words, ...this.target, '--json'], { env: environment(), timeout: 20_000 }).catch((error) => {
      throw new Error(`genkan ${words.join(' ')}: ${error.stderr || error.message}`);
    });
    return stdout.trim() ? JSON.parse(stdout) : undefined;
  }

  /** The power goes out: no signal that it could catch. The data stays. */
  async kill() {
    this.#stopped = true;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }

  /** Starts it again as before. */
  async restart() {
    await this.#start(...this.#started);
  }

  /** Stops it as a service manager would, and removes its data. */
  async stop() {
    this.#stopped = true;
    if (this.#process && this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit');
      this.#process.kill('SIGTERM');
      const timer = setTimeout(() => this.#process.kill('SIGKILL'), 15_000);
      await exited;
      clearTimeout(timer);
    }
    for (const step of this.#cleanUp.reverse()) await step();
    this.#cleanUp = [];
  }

  async #start(args, env) {
    await access(BINARY).catch(() => {
      throw new Error(`${BINARY} is missing: run "cargo build -p genkan", or set GENKAN_BIN`);
    });
    this.#started = [args, env];
    this.#stopped = false;
    this.log = [];
    this.#process = spawn(BINARY, args, { env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk) => this.log.push(chunk));
    }
    // A test that is killed must not leave a server behind.
    const end = () => this.#process.kill('SIGKILL');
    process.once('exit', end);
    this.#process.once('exit', (code, signal) => {
      process.off('exit', end);
      if (!this.#stopped) this.log.push(`\nexited with ${code ?? signal}\n`);
    });
    try {
      await this.#ready();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async #ready() {
    const deadline = Date.now() + START_LIMIT_MS;
    while (Date.now() < deadline) {
      if (this.#process.exitCode !== null) throw new Error(`genkan did not start:\n${this.output}`);
      if (await answers(`${this.url}/readyz`, this.ca)) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error(`genkan was not ready in ${START_LIMIT_MS} ms:\n${this.output}`);
  }

  async #temporaryDirectory() {
    const directory = await mkdtemp(path.join(tmpdir(), 'genkan-test-'));
    this.#cleanUp.push(() => rm(directory, { recursive: true, force: true }));
    return directory;
  }

  async #database() {
    const server = process.env.GENKAN_TEST_POSTGRES;
    if (!server) throw new Error('GENKAN_TEST_POSTGRES is not set: scripts/postgres start');
    const name = `genkan_test_${randomBytes(6).toString('hex')}`;
    const sql = (statement) => run('psql', ['-qX', '-v', 'ON_ERROR_STOP=1', '-d', server, '-c', statement]);
    await sql(`CREATE DATABASE ${name}`);
    this.#cleanUp.push(() => sql(`DROP DATABASE ${name} WITH (FORCE)`));
    const url = new URL(server);
    url.pathname = `/${name}`;
    return url.href;
  }
}

/** The engines that can be tested here, with a way to start the gateway on each. */
export function engines() {
  return process.env.GENKAN_TEST_POSTGRES ? ['SQLite', 'PostgreSQL'] : ['SQLite'];
}

/** A port of the loopback interface that nobody listens on. */
export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** True if a GET is answered with 200. */
function answers(url, ca) {
  return new Promise((resolve) => {
    const { get } = url.startsWith('https:') ? https : http;
    const request = get(url, { ca, agent: false, timeout: 5_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}

function productionConfiguration({ port, url, database, tls }) {
  return `
listen = "127.0.0.1:${port}"
public_url = "${url}"
instance_key = "${randomBytes(32).toString('base64')}"

[database]
url = "${database}"

[outbound]
allow_private_addresses = true  # the identity providers of the tests live on this machine

[limits]
anonymous_per_minute = 0  # all people of the tests have one address
wrong_credentials_per_minute = 0
failed_answers_per_minute = 0
${tls ? `
[tls]
mode = "files"
certificate_file = "${tls.certificates}"
key_file = "${tls.certificates}"
` : ''}`;
}

/** This process's environment without what would configure the gateway, and `more`. */
export function environment(more = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('GENKAN_'));
  // Nothing balances between these, so none waits before it closes its door.
  return { ...Object.fromEntries(inherited), GENKAN_LIMITS_DRAIN_DELAY: '0s', ...more };
}

function parseEnvironment(text) {
  const lines = text.split('\n').filter((line) => line && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => {
    const at = line.indexOf('=');
    return [line.slice(0, at), line.slice(at + 1).replace(/^(["'])(.*)\1$/, '$2')];
  }));
}
