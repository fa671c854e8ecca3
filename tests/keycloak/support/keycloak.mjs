// A company's Keycloak, in development mode: nothing of it outlives the process.
//
// KEYCLOAK_HOME: the unpacked distribution.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { freePort } from '../../support/genkan.mjs';

const START_LIMIT_MS = 300_000;
/** The password of everybody who works there. */
export const PASSWORD = 'correct horse battery staple';
const ADMIN = { username: 'admin', password: 'not a secret: this is a test' };

export class Keycloak {
  #process;
  #log = [];

  static async start(home) {
    const keycloak = new Keycloak();
    const [port, managementPort] = [await freePort(), await freePort()];
    keycloak.url = `http://127.0.0.1:${port}`;
    const settings = { 'http-port': port, 'http-host': '127.0.0.1', 'http-management-port': managementPort, db: 'dev-mem', 'log-level': 'warn' };
    keycloak.#process = spawn(path.join(home, 'bin/kc.sh'), ['start-dev', ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`)], {
      // A group of its own: the script starts Java.
      detached: true,
      env: { ...process.env, KC_BOOTSTRAP_ADMIN_USERNAME: ADMIN.username, KC_BOOTSTRAP_ADMIN_PASSWORD: ADMIN.password, JAVA_OPTS_APPEND: '-Xmx700m' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [keycloak.#process.stdout, keycloak.#process.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk) => keycloak.#log.push(chunk));
    }
    process.once('exit', () => keycloak.#kill('SIGKILL'));
    await keycloak.#ready();
    return keycloak;
  }

  issuer(realm) {
    return `${this.url}/realms/${realm}`;
  }

  /** A call of its administration: a text is sent as XML, anything else as JSON. */
  async admin(method, where, body) {
    const token = await this.#token();
    const isXml = typeof body === 'string';
    const response = await fetch(`${this.url}/admin/realms${where}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': isXml ? 'application/xml' : 'application/json' },
      body: isXml ? body : body && JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${where}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  async stop() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#kill('SIGKILL');
    await exited;
  }

  #kill(signal) {
    try {
      process.kill(-this.#process.pid, signal);
    } catch {
      // It has ended by itself.
    }
  }

  async #token() {
    const response = await fetch(`${this.issuer('master')}/protocol/openid-connect/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'password', client_id: 'admin-cli', ...ADMIN }),
    });
    if (!response.ok) throw new Error(`no token for the administrator: ${response.status} ${await response.text()}`);
    return (await response.json()).access_token;
  }

  async #ready() {
    const deadline = Date.now() + START_LIMIT_MS;
    while (Date.now() < deadline) {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) break;
      // The administrator comes last.
      if (await this.#token().then(() => true, () => false)) return;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    await this.stop();
    throw new Error(`Keycloak was not ready in ${START_LIMIT_MS} ms:\n${this.#log.join('')}`);
  }
}

/** Somebody who works there, as a realm describes people. The user name is what stands before the @. */
export function person(email, firstName, lastName, more) {
  const credentials = [{ type: 'password', value: PASSWORD }];
  return { username: email.split('@')[0], firstName, lastName, email, emailVerified: true, enabled: true, credentials, ...more };
}
