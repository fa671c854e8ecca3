// `process`, as far as a one-shot program needs it.

import { exit, write } from "openneko:engine/host@1.0.0";
import { Buffer } from "./buffer.js";

class Output {
  #to;

  constructor(to, fd) {
    this.#to = to;
    this.fd = fd;
    this.isTTY = false;
    this.writable = true;
  }

  write(chunk, encoding, callback) {
    const done = typeof encoding === "function" ? encoding : callback;
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, typeof encoding === "string" ? encoding : "utf8") : chunk;
    if (!(bytes instanceof Uint8Array)) {
      const error = new TypeError('The "chunk" argument must be of type string or an instance of Buffer or Uint8Array.');
      error.code = "ERR_INVALID_ARG_TYPE";
      throw error;
    }
    if (bytes.length > 0) write(this.#to, bytes);
    if (done) queueMicrotask(done);
    return true;
  }

  end(chunk, encoding, callback) {
    const done = [chunk, encoding, callback].find((argument) => typeof argument === "function");
    if (chunk !== undefined && typeof chunk !== "function") this.write(chunk, encoding);
    if (done) queueMicrotask(done);
    return this;
  }

  on() {
    return this;
  }
  once() {
    return this;
  }
  off() {
    return this;
  }
  removeListener() {
    return this;
  }
  cork() {}
  uncork() {}
}

/** The process of one call. */
export function createProcess(method, params, env) {
  const listeners = new Map();
  const start = performance.now();
  let exiting = false;

  const emit = (event, ...args) => {
    const list = listeners.get(event) ?? [];
    for (const { listener, once } of [...list]) {
      if (once) process.off(event, listener);
      listener.call(process, ...args);
    }
    return list.length > 0;
  };
  const add = (event, listener, once) => {
    listeners.set(event, [...(listeners.get(event) ?? []), { listener, once }]);
    return process;
  };
  const hrtime = (since) => {
    const now = performance.now() * 1e6;
    const seconds = Math.floor(now / 1e9);
    const nanos = Math.floor(now % 1e9);
    if (!since) return [seconds, nanos];
    const difference = (seconds - since[0]) * 1e9 + (nanos - since[1]);
    return [Math.floor(difference / 1e9), difference % 1e9];
  };
  hrtime.bigint = () => BigInt(Math.floor(performance.now() * 1e6));

  const process = {
    title: "node",
    argv: ["/usr/bin/node", "/sandbox/run.js", method, params],
    argv0: "node",
    execArgv: [],
    execPath: "/usr/bin/node",
    env: Object.fromEntries(env),
    exitCode: undefined,
    pid: 1,
    ppid: 0,
    platform: "linux",
    arch: "wasm32",
    version: "v20.0.0",
    versions: { node: "20.0.0" },
    release: { name: "node" },
    features: {},
    stdout: new Output("stdout", 1),
    stderr: new Output("stderr", 2),
    stdin: { fd: 0, isTTY: false, on: () => process.stdin, once: () => process.stdin, resume() {}, pause() {}, setEncoding() {} },
    cwd: () => "/sandbox",
    uptime: () => (performance.now() - start) / 1000,
    hrtime,
    memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }),
    nextTick: (callback, ...args) => queueMicrotask(() => callback(...args)),
    emitWarning: (warning) => process.stderr.write(`(node:1) ${warning?.name ?? "Warning"}: ${warning?.message ?? warning}\n`),
    exit(code = process.exitCode) {
      // Node runs the listeners once; one that calls exit again ends it.
      if (!exiting) {
        exiting = true;
        process.exitCode = code;
        emit("exit", Number(code ?? 0));
        code = process.exitCode;
      }
      exit(Number(code ?? 0) & 0xff);
    },
    abort: () => exit(134),
    finish() {
      emit("beforeExit", Number(process.exitCode ?? 0));
      process.exit();
    },
    on: (event, listener) => add(event, listener, false),
    addListener: (event, listener) => add(event, listener, false),
    once: (event, listener) => add(event, listener, true),
    off(event, listener) {
      listeners.set(event, (listeners.get(event) ?? []).filter((entry) => entry.listener !== listener));
      return process;
    },
    removeListener: (event, listener) => process.off(event, listener),
    removeAllListeners(event) {
      if (event === undefined) listeners.clear();
      else listeners.delete(event);
      return process;
    },
    listeners: (event) => (listeners.get(event) ?? []).map((entry) => entry.listener),
    listenerCount: (event) => (listeners.get(event) ?? []).length,
    setMaxListeners: () => process,
    emit,
  };
  Object.defineProperty(process, Symbol.toStringTag, { value: "process" });
  for (const hidden of ["finish"]) Object.defineProperty(process, hidden, { enumerable: false });
  return process;
}
