// Runs one bundle as Node would: `node run.js <method> <params>`.

import { exit, write } from "openneko:engine/host@1.0.0";
import { installConsole } from "./console.js";
import { installFetch, pendingRequests } from "./fetch.js";
import { describe } from "./inspect.js";
import { load } from "./modules.js";
import { createProcess } from "./process.js";
import { installTimers, pendingTimers, realSetTimeout } from "./timers.js";
import { Buffer } from "./buffer.js";

const AsyncFunction = (async () => {}).constructor;

installTimers();
installConsole();
installFetch();
for (const [name, value] of Object.entries({ Buffer, global: globalThis })) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}
delete globalThis.location;

// The bundle has its code before `call` returns to it, so that what it does
// to the globals cannot reach this module's own names.
const tick = () => new Promise((resolve) => realSetTimeout(resolve, 0));
const encode = (text) => new TextEncoder().encode(text);

export async function call(source, method, params, env) {
  const process = createProcess(method, params, env);
  Object.defineProperty(globalThis, "process", { value: process, writable: true, configurable: true });
  const url = "file:///sandbox/run.js";
  const meta = { url, filename: "/sandbox/run.js", dirname: "/sandbox" };
  try {
    const main = new AsyncFunction("__openneko_import", "__openneko_meta", source);
    await main.call(undefined, load, meta);
    // Node lives on while timers and requests do.
    for (let idle = 0; idle < 2; idle += 1) {
      await tick();
      if (pendingTimers() > 0 || pendingRequests() > 0) idle = -1;
    }
    process.finish();
  } catch (error) {
    write("stderr", encode(`Uncaught ${describe(error)}\n`));
    exit(1);
  }
}
