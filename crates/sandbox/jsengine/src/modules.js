// The modules of Node that a bundle may import.
//
// crates/sandbox/src/wasm/js/modules.rs lists the same names, so that a bundle
// that needs more is refused before it runs; a test compares the two.

import { digest } from "openneko:engine/host@1.0.0";
import { Buffer } from "./buffer.js";

const bytes = (data, encoding) => {
  if (typeof data === "string") return Buffer.from(data, encoding ?? "utf8");
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  const error = new TypeError("The data must be a string, a Buffer, a TypedArray or a DataView.");
  error.code = "ERR_INVALID_ARG_TYPE";
  throw error;
};

class Digest {
  #algorithm;
  #key;
  #parts = [];
  #done = false;

  constructor(algorithm, key) {
    this.#algorithm = String(algorithm).toLowerCase().replace(/^rsa-/, "").replace(/^sha-/, "sha");
    this.#key = key;
    if (digest(this.#algorithm, key, new Uint8Array()) === undefined) {
      const error = new Error(`Digest method not supported: ${algorithm}`);
      error.code = "ERR_CRYPTO_INVALID_DIGEST";
      throw error;
    }
  }

  #check() {
    if (!this.#done) return;
    const error = new Error("Digest already called");
    error.code = "ERR_CRYPTO_HASH_FINALIZED";
    throw error;
  }

  update(data, encoding) {
    this.#check();
    this.#parts.push(Buffer.from(bytes(data, encoding)));
    return this;
  }

  digest(encoding) {
    this.#check();
    this.#done = true;
    const result = Buffer.from(digest(this.#algorithm, this.#key, Buffer.concat(this.#parts)));
    return encoding && encoding !== "buffer" ? result.toString(encoding) : result;
  }
}

const random = (size) => {
  const result = Buffer.alloc(size);
  for (let at = 0; at < size; at += 65536) crypto.getRandomValues(result.subarray(at, at + 65536));
  return result;
};

const nodeCrypto = {
  createHash: (algorithm) => new Digest(algorithm, undefined),
  createHmac: (algorithm, key) => new Digest(algorithm, Uint8Array.from(bytes(key))),
  timingSafeEqual(left, right) {
    const [a, b] = [bytes(left), bytes(right)];
    if (a.length !== b.length) {
      const error = new RangeError("Input buffers must have the same byte length");
      error.code = "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH";
      throw error;
    }
    let difference = 0;
    for (let i = 0; i < a.length; i += 1) difference |= a[i] ^ b[i];
    return difference === 0;
  },
  randomBytes(size, callback) {
    if (callback) return void queueMicrotask(() => callback(null, random(size)));
    return random(size);
  },
  randomUUID: () => crypto.randomUUID(),
  getRandomValues: (array) => crypto.getRandomValues(array),
  webcrypto: crypto,
  subtle: crypto.subtle,
};

const nodeUrl = {
  URL,
  URLSearchParams,
  fileURLToPath(url) {
    const parsed = typeof url === "string" ? new URL(url) : url;
    if (parsed.protocol !== "file:") throw new TypeError("The URL must be of scheme file");
    return decodeURIComponent(parsed.pathname);
  },
  pathToFileURL: (path) => new URL(`file://${encodeURI(path).replace(/[?#]/g, encodeURIComponent)}`),
};

let resultOrder = "verbatim";
const nodeDns = {
  setDefaultResultOrder(order) {
    resultOrder = order;
  },
  getDefaultResultOrder: () => resultOrder,
};

const nodeBuffer = { Buffer, Blob, atob, btoa };

const modules = {
  buffer: () => ({ ...nodeBuffer, default: nodeBuffer }),
  crypto: () => ({ ...nodeCrypto, default: nodeCrypto }),
  dns: () => ({ ...nodeDns, default: nodeDns }),
  process: () => ({
    argv: process.argv,
    env: process.env,
    exit: process.exit,
    stdout: process.stdout,
    stderr: process.stderr,
    nextTick: process.nextTick,
    hrtime: process.hrtime,
    cwd: process.cwd,
    platform: process.platform,
    version: process.version,
    versions: process.versions,
    default: process,
  }),
  url: () => ({ ...nodeUrl, default: nodeUrl }),
};

/** The namespace object of `node:<name>`. */
export function load(name) {
  const create = Object.hasOwn(modules, name) ? modules[name] : undefined;
  if (!create) throw new Error(`Cannot find package '${name}'`);
  return Object.freeze(create());
}
