// A server program: what it prints is kept, and it ends with the test.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const START_LIMIT_MS = 60_000;

export class Server {
  #process;
  log = [];

  /** Runs `command` until `url` answers. */
  static async start(command, args, { env = {}, url, cwd } = {}) {
    const server = new Server();
    server.#process = spawn(command, args, { cwd, env: { ...process.env, ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [server.#process.stdout, server.#process.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk) => server.log.push(chunk));
    }
    server.#process.on('error', (error) => server.log.push(String(error)));
    const end = () => server.#kill();
    process.once('exit', end);
    server.#process.once('exit', () => process.off('exit', end));
    const deadline = Date.now() + START_LIMIT_MS;
    while (Date.now() < deadline && server.#process.exitCode === null && server.#process.pid) {
      if (await fetch(url, { signal: AbortSignal.timeout(10_000) }).then((answer) => answer.ok, () => false)) return server;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await server.stop();
    throw new Error(`${command} does not answer at ${url}:\n${server.output}`);
  }

  get output() {
    return this.log.join('');
  }

  async stop() {
    const { exitCode, signalCode, pid } = this.#process;
    if (!pid || exitCode !== null || signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#kill();
    await exited;
  }

  // Its group: such programs start others.
  #kill() {
    try {
      process.kill(-this.#process.pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}
