// Timers that are objects, as in Node: `setTimeout(…).unref()`.

import { guarded } from "./uncaught.js";

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

// The engine runs timers that are due at once in the order in which they were
// made; Node, by the time at which they were due. So whichever of the engine's
// timers fires runs the one that has waited longest.
const waiting = new Set();

function runDue(latest) {
  const due = Math.max(performance.now(), latest);
  let next;
  for (const entry of waiting) {
    if (entry.deadline <= due && (next === undefined || entry.deadline < next.deadline)) next = entry;
  }
  if (next === undefined) return;
  waiting.delete(next);
  next.timer().done();
  guarded(next.callback)(...next.args);
}

function once(callback, delay, args) {
  check(callback);
  // As in Node: what is no usable number is one millisecond.
  const milliseconds = delay >= 0 && delay <= 2147483647 ? Math.trunc(delay) : 1;
  let entry;
  const timer = new Timeout(
    () => {
      waiting.delete(entry);
      entry = { deadline: performance.now() + milliseconds, callback, args, timer: () => timer };
      const { deadline } = entry;
      waiting.add(entry);
      return realSetTimeout(() => runDue(deadline), milliseconds);
    },
    (id) => {
      waiting.delete(entry);
      realClearTimeout(id);
    },
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
    setTimeout: (callback, delay, ...args) => once(callback, delay >= 1 ? delay : 1, args),
    setImmediate: (callback, ...args) => once(callback, 0, args),
    setInterval(callback, delay = 1, ...args) {
      check(callback);
      return new Timeout(() => realSetInterval(guarded(() => callback(...args)), Math.max(1, delay)), realClearInterval);
    },
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
  };
  for (const [name, value] of Object.entries(timers)) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  }
}
