// An npm registry on this machine, and marketplaces that list what is in it.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../support/genkan.mjs';

const run = promisify(execFile);
const VERDACCIO = path.resolve(import.meta.dirname, '../node_modules/verdaccio/bin/verdaccio');
const PLUGINS = path.resolve(import.meta.dirname, '../../../plugins');
const START_LIMIT_MS = 60_000;

export class Registry {
  #process;
  #log = [];

  static async start() {
    const registry = new Registry();
    registry.directory = await mkdtemp(path.join(tmpdir(), 'openneko-registry-'));
    const port = await freePort();
    registry.url = `http://localhost:${port}/`;
    const config = path.join(registry.directory, 'config.yaml');
    await writeFile(config, [
      `storage: ${path.join(registry.directory, 'storage')}`,
      'packages:',
      "  '**': { access: $all, publish: $all }",
      'log: { type: stdout, format: pretty, level: warn }',
      'web: { enable: false }',
      '',
    ].join('\n'));
    await writeFile(path.join(registry.directory, '.npmrc'), `//localhost:${port}/:_authToken=anybody\nregistry=${registry.url}\n`);
    registry.#process = spawn(process.execPath, [VERDACCIO, '--config', config, '--listen', `localhost:${port}`], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [registry.#process.stdout, registry.#process.stderr]) stream.on('data', (chunk) => registry.#log.push(chunk));
    process.once('exit', () => registry.#process.kill('SIGKILL'));
    await registry.#ready();
    return registry;
  }

  /** Publishes the Scalekit plugin as `npm publish` does: the package of this repository with the built component. */
  async publishComponent() {
    const component = process.env.OPENNEKO_TEST_COMPONENT;
    if (!component) throw new Error('OPENNEKO_TEST_COMPONENT is not set: it is what "scripts/plugin component" prints');
    const folder = await this.#copy(path.join(PLUGINS, 'scalekit/package'), ['package.json', 'README.md']);
    await run('mkdir', [path.join(folder, 'dist')]);
    await copyFile(component, path.join(folder, 'dist/plugin.wasm'));
    return this.#publish(folder);
  }

  /** The same in JavaScript. */
  async publishModule() {
    return this.#publish(await this.#copy(path.resolve(import.meta.dirname, '../js-plugin'), ['package.json', 'run.js']));
  }

  /** A marketplace file that lists these packages, as the registry has them. */
  async marketplace(...names) {
    const plugins = await Promise.all(names.map(async (name) => {
      const document = await (await fetch(new URL(name.replace('/', '%2f'), this.url))).json();
      const versions = Object.values(document.versions).map(({ version, dist, openneko }) => ({
        version, integrity: dist.integrity, permissions: openneko.permissions, capabilities: openneko.capabilities, publishedAt: '2026-06-02',
      }));
      return { name, title: 'Scalekit', description: 'Sign in with Scalekit', source: 'https://github.com/genkan-id/genkan', versions };
    }));
    const file = path.join(this.directory, 'marketplace.json');
    const catalog = { name: 'Acme Plugins', owner: 'acme', description: 'What the people of Acme may install', plugins };
    await writeFile(file, JSON.stringify(catalog));
    return file;
  }

  async stop() {
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
    await rm(this.directory, { recursive: true, force: true });
  }

  async #copy(source, files) {
    const folder = await mkdtemp(path.join(this.directory, 'package-'));
    for (const file of files) await copyFile(path.join(source, file), path.join(folder, file));
    return folder;
  }

  async #publish(folder) {
    await run('npm', ['publish', '--userconfig', path.join(this.directory, '.npmrc'), '--registry', this.url, '--silent'], { cwd: folder, timeout: 60_000 });
  }

  async #ready() {
    const deadline = Date.now() + START_LIMIT_MS;
    while (Date.now() < deadline && this.#process.exitCode === null) {
      const response = await fetch(new URL('-/ping', this.url)).catch(() => undefined);
      if (response?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`the registry did not start:\n${Buffer.concat(this.#log)}`);
  }
}
