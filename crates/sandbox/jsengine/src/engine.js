// Runs one bundle as Node would: `node run.js <method> <params>`.

import { installConsole } from "./console.js";
import { installFetch, pendingRequests } from "./fetch.js";
import { load } from "./modules.js";
import { createProcess } from "./process.js";
import { installTimers, pendingTimers, realSetTimeout } from "./timers.js";
import { installMicrotasks, uncaught } from "./uncaught.js";
import { Buffer } from "./buffer.js";

const AsyncFunction = (async () => {}).constructor;

installMicrotasks();
installTimers();
installConsole();
installFetch();
for (const [name, value] of Object.entries({ Buffer, global: globalThis })) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}
delete globalThis.location;

// Made before any bundle runs: the snapshot holds this module as it is here,
// and each call starts from it.
const tick = () => new Promise((resolve) => realSetTimeout(resolve, 0));

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
    uncaught(error);
  }
}
