// `console`: standard output for people, standard error for trouble.

import { write } from "openneko:engine/host@1.0.0";
import { describe, format, inspect } from "./inspect.js";

/** Puts Node's console in place of the engine's. */
export function installConsole() {
  let indent = "";
  const counts = new Map();
  const starts = new Map();
  const put = (to, text) => write(to, new TextEncoder().encode(`${indent}${text.replaceAll("\n", `\n${indent}`)}\n`));
  const out = (...args) => put("stdout", format(args));
  const err = (...args) => put("stderr", format(args));
  const elapsed = (label) => `${label}: ${(performance.now() - (starts.get(label) ?? performance.now())).toFixed(3)}ms`;
  const console = {
    log: out,
    info: out,
    debug: out,
    dir: (value) => out(inspect(value, 1)),
    table: out,
    error: err,
    warn: err,
    trace: (...args) => err(describe(new Error(format(args)))),
    assert: (ok, ...args) => (ok ? undefined : err("Assertion failed", ...args)),
    group(...args) {
      if (args.length > 0) out(...args);
      indent += "  ";
    },
    groupEnd() {
      indent = indent.slice(2);
    },
    count(label = "default") {
      counts.set(label, (counts.get(label) ?? 0) + 1);
      out(`${label}: ${counts.get(label)}`);
    },
    countReset: (label = "default") => counts.delete(label),
    time: (label = "default") => starts.set(label, performance.now()),
    timeLog: (label = "default") => out(elapsed(label)),
    timeEnd(label = "default") {
      out(elapsed(label));
      starts.delete(label);
    },
  };
  console.groupCollapsed = console.group;
  Object.defineProperty(globalThis, "console", { value: console, writable: true, configurable: true });
}
