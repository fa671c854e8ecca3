// Runs examples/astro-app for a test: as a developer would, and as it would be deployed.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../support/genkan.mjs';

const APP = path.resolve(import.meta.dirname, '../../../examples/astro-app');
const ASTRO = path.join(APP, 'node_modules/astro/astro.js');
const START_LIMIT_MS = 60_000;

export class AstroApp {
  #process;
  #log = [];

  /** `mode`: `dev` or `build`. `credentials`: what `dev.env` says. */
  static async start(mode, credentials) {
    const app = new AstroApp();
    const port = await freePort();
    app.url = `http://localhost:${port}`;
    const env = {
      ...process.env,
      ...credentials,
      SCALEKIT_REDIRECT_URI: `${app.url}/api/auth/callback`,
      ASTRO_TELEMETRY_DISABLED: '1',
      NODE_ENV: mode === 'dev' ? 'development' : 'production',
      HOST: 'localhost',
      PORT: String(port),
    };
    if (mode === 'build') {
      await promisify(execFile)(process.execPath, [ASTRO, 'build'], { cwd: APP, env });
    }
    const command = mode === 'dev' ? [ASTRO, 'dev', '--port', String(port)] : ['./dist/server/entry.mjs'];
    app.#process = spawn(process.execPath, command, { cwd: APP, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [app.#process.stdout, app.#process.stderr]) stream.on('data', (chunk) => app.#log.push(chunk));
    process.once('exit', () => app.#process.kill('SIGKILL'));
    await app.#ready();
    return app;
  }

  async stop() {
    if (this.#process.exitCode !== null || this.#process.signalCode) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }

  async #ready() {
    const deadline = Date.now() + START_LIMIT_MS;
    while (Date.now() < deadline && this.#process.exitCode === null) {
      const response = await fetch(this.url).catch(() => undefined);
      if (response?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await this.stop();
    throw new Error(`the application did not start:\n${Buffer.concat(this.#log)}`);
  }
}
