// The built openneko as an operator uses it: a home of its own, a terminal, a server.
//
// OPENNEKO_BIN: the binary (default: target/debug/openneko of this repository).
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../support/genkan.mjs';

const run = promisify(execFile);
const BINARY = process.env.OPENNEKO_BIN ?? path.resolve(import.meta.dirname, '../../../target/debug/openneko');
const START_LIMIT_MS = 60_000;
// The first call of a JavaScript plugin compiles its engine, for a minute where openneko was built without optimization.
const TERMINAL_LIMIT_MS = 240_000;

export class OpenNeko {
  #server;
  #log = [];

  /** A home and a working directory that nobody used, with `env` beside what every process has. */
  static async create(env = {}) {
    await access(BINARY).catch(() => {
      throw new Error(`${BINARY} is missing: run "cargo build -p openneko", or set OPENNEKO_BIN`);
    });
    const openneko = new OpenNeko();
    openneko.home = await mkdtemp(path.join(tmpdir(), 'openneko-test-'));
    openneko.directory = path.join(openneko.home, 'work');
    await mkdir(openneko.directory);
    openneko.env = { PATH: process.env.PATH, HOME: openneko.home, LANG: 'C.UTF-8', TERM: 'xterm', ...env };
    return openneko;
  }

  /** A file below ~/.config/openneko. */
  config(name) {
    return path.join(this.home, '.config/openneko', name);
  }

  /** Runs a command without a terminal; returns its standard output. */
  async run(...words) {
    const { stdout } = await run(BINARY, words, { cwd: this.directory, env: this.env, timeout: TERMINAL_LIMIT_MS }).catch((error) => {
      throw Object.assign(new Error(`openneko ${words.join(' ')}: ${error.stderr || error.message}`), error);
    });
    return stdout;
  }

  /** Calls a method of a plugin; returns what the plugin wrote, also when it failed. */
  async call(plugin, method, params) {
    const words = ['call', plugin, method, ...(params === undefined ? [] : [params])];
    const { stdout } = await run(BINARY, words, { cwd: this.directory, env: this.env, timeout: TERMINAL_LIMIT_MS }).catch((error) => {
      if (error.stdout) return error;
      throw new Error(`openneko ${words.join(' ')}: ${error.stderr || error.message}`);
    });
    return stdout.trim();
  }

  /**
   * Runs a command on a pseudo terminal. `answers`: pairs of what is asked, a pattern, and what a person types then.
   * Returns everything that was on the screen.
   */
  async terminal(words, answers = []) {
    const command = [BINARY, ...words].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
    // The second `sh` would not be there without `exec`, and would keep the terminal.
    const child = spawn('script', ['--quiet', '--return', '--command', `exec ${command}`, '/dev/null'], {
      cwd: this.directory, env: this.env, stdio: ['pipe', 'pipe', 'pipe'],
    });
    let screen = '';
    let seen = 0;
    const waiting = [...answers];
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      screen += chunk;
      while (waiting.length > 0) {
        const found = waiting[0][0].exec(screen.slice(seen));
        if (!found) return;
        seen += found.index + found[0].length;
        child.stdin.write(`${waiting.shift()[1]}\r`);
      }
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), TERMINAL_LIMIT_MS);
    const [code] = await once(child, 'close');
    clearTimeout(timer);
    if (code !== 0) throw new Error(`openneko ${words.join(' ')} ended with ${code}:\n${screen}`);
    if (waiting.length > 0) throw new Error(`openneko ${words.join(' ')} never asked ${waiting[0][0]}:\n${screen}`);
    return screen.replaceAll('\r\n', '\n');
  }

  /** `openneko serve`, until `stop`. */
  async serve() {
    const port = await freePort();
    this.url = `http://localhost:${port}`;
    const words = ['serve', '--listen', `127.0.0.1:${port}`, '--public-url', this.url];
    this.#server = spawn(BINARY, words, { cwd: this.directory, env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#server.stdout, this.#server.stderr]) stream.setEncoding('utf8').on('data', (chunk) => this.#log.push(chunk));
    process.once('exit', () => this.#server.kill('SIGKILL'));
    const deadline = Date.now() + START_LIMIT_MS;
    while (Date.now() < deadline && this.#server.exitCode === null) {
      const response = await fetch(`${this.url}/api/auth/status`).catch(() => undefined);
      if (response?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`openneko did not start:\n${this.log}`);
  }

  /** Everything the server has printed. */
  get log() {
    return this.#log.join('');
  }

  async stop() {
    if (this.#server && this.#server.exitCode === null && this.#server.signalCode === null) {
      const exited = once(this.#server, 'exit');
      this.#server.kill('SIGTERM');
      const timer = setTimeout(() => this.#server.kill('SIGKILL'), 15_000);
      await exited;
      clearTimeout(timer);
    }
    await rm(this.home, { recursive: true, force: true });
  }
}
