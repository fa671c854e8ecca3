// Timers that are objects, as in Node: `setTimeout(…).unref()`.

export const realSetTimeout = globalThis.setTimeout;
const realClearTimeout = globalThis.clearTimeout;
const realSetInterval = globalThis.setInterval;
const realClearInterval = globalThis.clearInterval;

const active = new Map();

/** How many timers keep the program alive. */
export function pendingTimers() {
  let count = 0;
  for (const timer of active.values()) if (timer.hasRef()) count += 1;
  return count;
}

class Timeout {
  #id;
  #ref = true;
  #start;
  #clear;

  constructor(start, clear) {
    this.#start = start;
    this.#clear = clear;
    this.#id = start();
    active.set(this.#id, this);
  }

  ref() {
    this.#ref = true;
    return this;
  }

  unref() {
    this.#ref = false;
    return this;
  }

  hasRef() {
    return this.#ref;
  }

  refresh() {
    this.close();
    this.#id = this.#start();
    active.set(this.#id, this);
    return this;
  }

  close() {
    active.delete(this.#id);
    this.#clear(this.#id);
    return this;
  }

  done() {
    active.delete(this.#id);
  }

  [Symbol.toPrimitive]() {
    return this.#id;
  }

  [Symbol.dispose ?? Symbol("dispose")]() {
    this.close();
  }
}

function check(callback) {
  if (typeof callback === "function") return;
  const error = new TypeError('The "callback" argument must be of type function.');
  error.code = "ERR_INVALID_ARG_TYPE";
  throw error;
}

function once(callback, delay, args) {
  check(callback);
  const timer = new Timeout(
    () =>
      realSetTimeout(() => {
        timer.done();
        callback(...args);
      }, delay),
    realClearTimeout,
  );
  return timer;
}

function clear(timer) {
  if (timer === undefined || timer === null) return;
  const found = timer instanceof Timeout ? timer : active.get(Number(timer));
  found?.close();
}

/** Puts Node's timers in place of the engine's. */
export function installTimers() {
  const timers = {
    setTimeout: (callback, delay = 1, ...args) => once(callback, delay, args),
    setImmediate: (callback, ...args) => once(callback, 0, args),
    setInterval(callback, delay = 1, ...args) {
      check(callback);
      return new Timeout(() => realSetInterval(() => callback(...args), Math.max(1, delay)), realClearInterval);
    },
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
  };
  for (const [name, value] of Object.entries(timers)) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  }
}
