// Builds engine.wasm.gz from src/: esbuild joins the sources, componentize-js
// puts them into StarlingMonkey and takes a snapshot. Run it by scripts/jsengine.
//
// sources.sha512 names what it was built from, so that a test sees an engine
// that is older than its sources.

import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { componentize } from "@bytecodealliance/componentize-js";
import { build } from "esbuild";

const here = (path) => new URL(path, import.meta.url).pathname;

const bundled = await build({
  entryPoints: [here("src/engine.js")],
  bundle: true,
  format: "esm",
  external: ["openneko:engine/host@1.0.0"],
  write: false,
});

const { component, imports } = await componentize(bundled.outputFiles[0].text, {
  worldName: "engine",
  witPath: here("wit"),
  disableFeatures: ["fetch-event"],
});

const sha512 = (bytes) => createHash("sha512").update(bytes).digest("hex");
await writeFile(here("engine.wasm.gz"), gzipSync(component, { level: 9 }));
await writeFile(here("engine.sha512"), `${sha512(component)}  engine.wasm\n`);
const sources = ["package-lock.json", "wit/engine.wit", ...(await readdir(here("src"))).map((name) => `src/${name}`)];
const lines = sources.sort().map(async (name) => `${sha512(await readFile(here(name)))}  ${name}\n`);
await writeFile(here("sources.sha512"), (await Promise.all(lines)).join(""));
console.log(`engine.wasm: ${component.length} bytes, sha512 ${sha512(component).slice(0, 16)}...`);
console.log(`imports: ${JSON.stringify(imports)}`);
