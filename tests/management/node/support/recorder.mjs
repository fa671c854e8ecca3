// Notes which methods of the SDK were called, what they called, and whether they were answered.
import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { sdk, version } from './sdk.mjs';

const current = new AsyncLocalStorage();

export class Recorder {
  #methods = new Map();

  /** The same client, watched. */
  watch(scalekit) {
    this.#watchTransport(scalekit);
    return this.#watched(scalekit, '', (name, value) =>
      typeof value === 'object' && value !== null ? this.#watched(value, `${name}.`) : value);
  }

  /** Leaves the results for the table. */
  write({ results, run }) {
    if (!this.#methods.size) return;
    mkdirSync(results, { recursive: true });
    const methods = Object.fromEntries([...this.#methods].map(([name, { calls, ...rest }]) => [name, { calls: [...calls], ...rest }]));
    writeFileSync(path.join(results, `${run.replaceAll(/\W+/g, '-')}-${process.pid}.json`), JSON.stringify({ version, run, methods }));
  }

  #watched(object, prefix, property = (_, value) => value) {
    return new Proxy(object, {
      get: (target, name) => {
        const value = target[name];
        if (typeof value !== 'function') return property(name, value);
        return (...words) => this.#call(`${prefix}${String(name)}`, target, value, words);
      },
    });
  }

  #call(name, target, method, words) {
    const entry = this.#methods.get(name) ?? { calls: new Set(), works: false };
    this.#methods.set(name, entry);
    // A key set that was kept would hide that the method asks for it.
    if (target.coreClient?.keys) target.coreClient.keys = [];
    return current.run(entry, () => {
      try {
        const result = method.apply(target, words);
        if (typeof result?.then !== 'function') entry.works = true;
        else result.then(() => (entry.works = true), (error) => refused(entry, error));
        return result;
      } catch (error) {
        refused(entry, error);
        throw error;
      }
    });
  }

  #watchTransport({ grpcConnect, coreClient }) {
    const { transport } = grpcConnect;
    const { unary } = transport;
    transport.unary = (method, ...more) => {
      current.getStore()?.calls.add(`${method.parent.typeName}/${method.name}`);
      return unary.call(transport, method, ...more);
    };
    coreClient.axios.interceptors.request.use((request) => {
      current.getStore()?.calls.add(`${request.method.toUpperCase()} /${request.url}`);
      return request;
    });
  }
}

function refused(entry, error) {
  if (error instanceof sdk.ScalekitNotImplementedException) entry.unimplemented = error.message;
}
