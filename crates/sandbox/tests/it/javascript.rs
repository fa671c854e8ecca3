//! JavaScript bundles in the WebAssembly engine, beside plain Node.
//!
//! If a bundle uses only what the engine offers, both give the same result: the same
//! bytes on standard output, the same exit code.

use std::process::Stdio;
use std::time::Duration;

use openneko_sandbox::{Call, CallOutcome};
use tokio::process::Command;

use crate::attempts::limits;
use crate::engines;
use crate::world::World;

/// Runs a bundle in the engine and in Node, and compares the results.
async fn same(source: &str) -> String {
    let world = World::new().await;
    let outcome = in_engine(&world, source).await;
    let (stdout, exit) = in_node(&world, source).await;
    let found = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert_eq!(found, stdout, "standard error: {stderr}");
    assert_eq!(outcome.exit, exit, "standard error: {stderr}");
    found
}

async fn in_engine(world: &World, source: &str) -> CallOutcome {
    let plugin = world.bundle("bundle", source, limits());
    let prepared = engines::wasm().prepare(&plugin).await.unwrap();
    let env = engines::environment();
    let call = Call {
        method: "begin_auth",
        params_json: "{\"params\":{\"state\":\"ä\"}}",
        params_by: openneko_sandbox::ParamsBy::Argument,
        env: &env,
        timeout: Duration::from_secs(8),
    };
    prepared.call(call).await.unwrap()
}

async fn in_node(world: &World, source: &str) -> (String, i32) {
    let source = source.replace("PORT", &world.port.to_string());
    let (path, _) = world.file("node/run.mjs", source.as_bytes());
    let (authority, _) = world.file("node/authority.pem", world.authority_pem.as_bytes());
    // The names of the tests lead to this machine.
    let (names, _) = world.file(
        "node/names.cjs",
        b"const dns = require('node:dns'); const lookup = dns.lookup;
          dns.lookup = (name, options, done) => lookup(name.endsWith('.neko.test') ? '127.0.0.1' : name, options, done);",
    );
    let output = Command::new("node")
        .arg("--require")
        .arg(names)
        .arg(path)
        .args(["begin_auth", "{\"params\":{\"state\":\"ä\"}}"])
        .env_clear()
        .env("PATH", option_env!("PATH").unwrap_or("/usr/bin:/bin"))
        .env("GRANTED", "granted-value")
        .env("NODE_EXTRA_CA_CERTS", authority)
        .env("NODE_NO_WARNINGS", "1")
        .stdin(Stdio::null())
        .output()
        .await
        .expect("Node must be installed for this test: https://nodejs.org");
    let stdout = String::from_utf8(output.stdout).unwrap();
    (stdout, output.status.code().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_environment_output_and_exit_codes() {
    let said = same(
        "const [method, params] = process.argv.slice(2);
         console.log('a note', { a: 1 }, [1, 'x'], null, 'and %s', 'more');
         console.error('not here');
         process.stdout.write(JSON.stringify({ method, params: JSON.parse(params), env: process.env.GRANTED }));
         process.exit(method === 'begin_auth' ? 3 : 4);",
    )
    .await;
    assert!(said.ends_with("\"env\":\"granted-value\"}"), "{said}");
    same("process.stdout.write('set'); process.exitCode = 5;").await;
    same("process.stdout.write('thrown'); throw new Error('x');").await;
    same("process.stdout.write('rejected'); await Promise.reject(new Error('x'));").await;
    same("setTimeout(() => { throw new Error('late') }, 1); process.stdout.write('a');").await;
    same("queueMicrotask(() => { throw new Error('x') }); await new Promise((r) => setTimeout(r, 20)); process.stdout.write('never');").await;
    same("process.on('uncaughtException', (error) => process.stdout.write('caught ' + error.message)); setTimeout(() => { throw new Error('x') }, 1);").await;
    same("process.on('exit', (code) => process.stdout.write('bye ' + code)); setTimeout(() => {}, 5);").await;
    same("try { process.stdout.write('a'); process.exit(0); } catch { process.stdout.write('b'); } finally { process.stdout.write('c'); }").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_run_in_order_and_keep_the_program_alive() {
    // Far apart: if a busy machine is late for two, the engine runs both before what waits
    // for a promise, and Node one after the other.
    same(
        "const out = [];
         setTimeout(() => out.push('timeout 200'), 200);
         setTimeout((a) => out.push('timeout 1 ' + a), 1, 'argument');
         setTimeout(() => out.push('never'), 600000).unref();
         const cleared = setTimeout(() => out.push('cleared'), 5);
         clearTimeout(cleared);
         let ticks = 0;
         const interval = setInterval(() => { out.push('tick'); ticks += 1; if (ticks === 2) clearInterval(interval); }, 400);
         queueMicrotask(() => out.push('microtask'));
         process.nextTick(() => out.push('tick of Node'));
         await new Promise((resolve) => setTimeout(resolve, 10));
         out.push('awaited');
         setTimeout(() => { out.push('end'); process.stdout.write(out.filter((one) => one !== 'tick of Node').join()); }, 1200);",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn buffers_encode_as_in_node() {
    same(
        "const b = Buffer.from('id:s+/=ä');
         process.stdout.write([
           b.toString('base64'), b.toString('base64url'), b.toString('hex'), b.length, b.subarray(1, 3).toString(),
           Buffer.from('aWQ6-_8', 'base64url').toString('hex'), Buffer.from('ff00', 'hex')[0], Buffer.byteLength('ä'),
           Buffer.concat([Buffer.from('a'), new Uint8Array([98])]).toString(), Buffer.isBuffer(b), b.equals(Buffer.from(b)),
           Buffer.alloc(3, 'ab').toString(), b.readUInt16BE(0), b.indexOf('s'), JSON.stringify(Buffer.from('a')), Buffer.isEncoding('base64url'),
           atob('YQ=='), btoa('a'), new TextDecoder().decode(new TextEncoder().encode('é')), Buffer.compare(Buffer.from('a'), Buffer.from('b')),
           Buffer.from('€', 'latin1').toString('hex'), encodeURIComponent('a b+c'), structuredClone({ a: [1] }).a[0],
         ].join('|'));",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_of_node_are_there() {
    let said = same(
        "import { createHash, createHmac, timingSafeEqual as equal, randomBytes, randomUUID } from 'node:crypto';
         import crypto from \"crypto\";
         import * as url from 'node:url';
         import { Buffer as B } from 'node:buffer';
         import dns, { setDefaultResultOrder } from 'node:dns';
         import proc from 'node:process';
         setDefaultResultOrder('ipv4first');
         const hash = (name) => createHash(name).update('a').update(B.from('b')).digest('hex');
         const wrong = (f) => { try { f(); return 'nothing'; } catch (error) { return error.name; } };
         process.stdout.write([
           hash('sha256'), hash('SHA512'), hash('sha1'), createHmac('sha256', 'key').update('data').digest('base64url'),
           createHmac('sha384', B.from('key')).update('data').digest('base64'), equal(B.from('a'), B.from('a')), equal(B.from('a'), B.from('b')),
           wrong(() => equal(B.from('a'), B.from('ab'))), wrong(() => createHash('nope')), randomBytes(70000).length, randomUUID().length,
           crypto.createHash('sha256').update('').digest().length, url.fileURLToPath('file:///a%20b'), url.pathToFileURL('/a b').href,
           dns.getDefaultResultOrder(), proc.argv[2], typeof import.meta.url,
           B.from(await globalThis.crypto.subtle.digest('SHA-256', B.from('a'))).toString('hex'),
         ].join('|'));",
    )
    .await;
    assert!(
        said.contains("|true|false|RangeError|Error|70000|36|32|"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_is_that_of_node() {
    let said = same(
        "const base = 'https://app.neko.test:PORT';
         const out = [];
         const post = await fetch(base + '/echo?x=1', { method: 'post', body: new URLSearchParams({ a: 'b c', d: 'é~*' }), headers: { Accept: 'application/json', Authorization: 'Basic ' + Buffer.from('id:s').toString('base64') } });
         const seen = await post.json();
         for (const name of ['accept', 'authorization', 'content-type', 'content-length', 'transfer-encoding']) out.push(seen.headers[name]);
         out.push(seen.method, seen.url, seen.body, post.status, post.ok, post.url === base + '/echo?x=1', post.redirected, post.headers.get('content-type'));
         const json = await fetch(new Request(base + '/echo', { method: 'PUT', body: JSON.stringify({ a: 1 }) })).then((r) => r.json());
         out.push(json.method, json.body, json.headers['content-type']);
         const missing = await fetch(base + '/status?404');
         out.push(missing.status, missing.ok, await missing.text());
         const empty = await fetch(base + '/status?204');
         out.push(empty.status, (await empty.text()).length);
         const moved = await fetch(base + '/redirect?/echo', { method: 'POST', body: 'x' });
         const after = await moved.json();
         out.push(moved.redirected, moved.url === base + '/echo', after.method, after.body);
         const kept = await fetch(base + '/temporary?/echo', { method: 'POST', body: 'x' }).then((r) => r.json());
         out.push(kept.method, kept.body);
         const manual = await fetch(base + '/redirect?/echo', { redirect: 'manual' });
         out.push(manual.status, manual.headers.get('location'));
         const strange = await fetch(base + '/failure-header');
         out.push(strange.status, await strange.text());
         const all = await Promise.all([1, 2, 3].map((n) => fetch(base + '/echo?' + n).then((r) => r.json())));
         out.push(all.map((one) => one.url).join());
         process.stdout.write(out.join('|'));",
    )
    .await;
    assert!(said.contains("a=b+c&d=%C3%A9%7E*"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_in_the_network_fails_as_in_node() {
    same(
        "const base = 'https://app.neko.test:PORT';
         const out = [];
         const tell = async (what) => { try { await what(); out.push('nothing'); } catch (error) { out.push(error.name + ': ' + error.message + ' ' + (error instanceof TypeError)); } };
         await tell(() => fetch('https://nobody.invalid/'));
         await tell(() => fetch('not a url').catch((error) => { throw new TypeError('unparsable', { cause: error }); }));
         await tell(() => fetch(base + '/redirect?/redirect', { redirect: 'error' }));
         await tell(() => fetch(base + '/echo', { method: 'GET', body: 'x' }).catch((error) => { throw new TypeError('body'); }));
         await tell(() => fetch(base + '/echo', { headers: { 'content-length': '5' }, method: 'POST', body: 'x' }));
         const stop = new AbortController();
         setTimeout(() => stop.abort(), 20);
         await tell(() => fetch(base + '/slow', { signal: stop.signal }));
         await tell(() => fetch(base + '/slow', { signal: AbortSignal.timeout(20) }));
         await tell(() => fetch(base + '/slow', { signal: AbortSignal.abort() }));
         const early = new AbortController();
         early.abort(new Error('my reason'));
         await tell(() => fetch(base + '/echo', { signal: early.signal }));
         process.stdout.write(out.join('\\n'));
         process.exit(0);",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_in_the_manner_of_bundlers_runs() {
    same(
        "#!/usr/bin/env node
         var __defProp = Object.defineProperty;
         var __export = (target, all) => { for (var name in all) __defProp(target, name, { get: all[name], enumerable: true }); };
         var __require = /* @__PURE__ */ ((x) => typeof require !== 'undefined' ? require : x)(function (x) { throw Error('Dynamic require of \"' + x + '\" is not supported'); });
         var lib_exports = {};
         __export(lib_exports, { answer: () => answer });
         function answer() { return /['\"`]/.test(\"'\") ? `import ${1 / 2} 'x'` : 0; }
         class Plugin { #name = 'plugin'; static kinds = ['auth']; get name() { return this.#name; } }
         const plugin = new Plugin();
         const result = { ok: true, result: { result: { name: plugin?.name ?? 'none', answer: lib_exports.answer(), main: import.meta.url.endsWith('run.js') || import.meta.url.endsWith('run.mjs') } } };
         if (process.argv[2] === undefined) process.exit(2);
         process.stdout.write(JSON.stringify(result));
         export { Plugin as default, plugin };",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_names_the_line_of_the_bundle() {
    let world = World::new().await;
    let outcome = in_engine(
        &world,
        "import 'node:url';\n\nfunction broken() {\n  null.x;\n}\nbroken();",
    )
    .await;
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    assert_eq!(outcome.exit, 1);
    assert!(
        stderr.contains("TypeError") && stderr.contains("broken"),
        "{stderr}"
    );
}
