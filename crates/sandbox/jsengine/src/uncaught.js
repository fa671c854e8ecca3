// Errors that nobody caught: the program ends, as in Node.

import { exit, write } from "openneko:engine/host@1.0.0";
import { describe } from "./inspect.js";

/** Ends the call over an error, unless the bundle listens for such. */
export function uncaught(error) {
  if (globalThis.process?.emit?.("uncaughtException", error, "uncaughtException")) return;
  write("stderr", new TextEncoder().encode(`Uncaught ${describe(error)}\n`));
  exit(1);
}

/** A callback whose errors end the call. */
export function guarded(callback) {
  return (...args) => {
    try {
      callback(...args);
    } catch (error) {
      uncaught(error);
    }
  };
}

/** Guards what is queued; the engine would drop such errors. */
export function installMicrotasks() {
  const queue = globalThis.queueMicrotask;
  const queueMicrotask = (callback) => {
    if (typeof callback !== "function") throw new TypeError('The "callback" argument must be of type function.');
    queue(guarded(callback));
  };
  Object.defineProperty(globalThis, "queueMicrotask", { value: queueMicrotask, writable: true, configurable: true });
}
