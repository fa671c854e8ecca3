//! Ways out of the jail other than its network, tried from JavaScript.

use std::time::Duration;

use openneko_sandbox::SandboxError;
use serde_json::Value;

use super::support::Plugin;

const PRELUDE: &str = r#"
import fs from 'node:fs'; import os from 'node:os'; import child from 'node:child_process'; import { Worker } from 'node:worker_threads';
const results = {};
function attempt(name, run) { try { results[name] = run(); } catch (error) { results[name] = 'error ' + (error.code ?? error); } }
"#;

async fn attempts(body: &str) -> Value {
    let source =
        format!("{PRELUDE}\n{body}\nprocess.stdout.write(JSON.stringify(results)); process.exit(0);");
    serde_json::from_str(&Plugin::js(&source).says().await).unwrap()
}

fn is_error(result: &Value) -> bool {
    result.as_str().is_some_and(|text| text.starts_with("error "))
}

#[tokio::test]
async fn there_are_no_files_but_its_own() {
    let results = attempts(
        "for (const path of ['/etc/shadow', '/etc/hostname', '/root', '/home', '/proc', '/proc/self/environ', '/proc/1', '/sys', '/var',
           '/run', '/work', '/dev/tty', '/dev/kvm', '/dev/mem', '/dev/shm', '/bin/sh', '/usr/bin/env', '/usr/share', '/etc/resolv.conf.d'])
           results[path] = fs.existsSync(path);
         results.root = fs.readdirSync('/').sort().join();
         results.dev = fs.readdirSync('/dev').sort().join();
         results.own = fs.readdirSync('/sandbox').sort().join();
         results.bin = fs.readdirSync('/usr/bin').join();
         results.null = fs.readFileSync('/dev/null').length;
         results.random = fs.readSync(fs.openSync('/dev/urandom'), Buffer.alloc(8));",
    )
    .await;
    for (path, found) in results
        .as_object()
        .unwrap()
        .iter()
        .filter(|(path, _)| path.starts_with('/'))
    {
        assert_eq!(found, false, "{path}");
    }
    assert_eq!(results["dev"], "null,urandom,zero");
    assert_eq!(results["own"], "package.json,run.js");
    assert_eq!(results["bin"], "node");
    assert_eq!(results["random"], 8);
    let root = results["root"].as_str().unwrap();
    for name in root.split(',') {
        assert!(
            ["dev", "etc", "lib", "lib64", "sandbox", "tmp", "usr"].contains(&name),
            "{root}"
        );
    }
}

#[tokio::test]
async fn only_a_small_tmp_can_be_written_and_nothing_in_it_executed() {
    let results = attempts(
        "for (const path of ['/x', '/sandbox/x', '/sandbox/run.js', '/usr/bin/node', '/etc/resolv.conf', '/dev/x', '/lib/x'])
           attempt(path, () => fs.writeFileSync(path, 'x'));
         attempt('tmp', () => { fs.writeFileSync('/tmp/x', 'x'); return fs.readFileSync('/tmp/x', 'utf8'); });
         attempt('full', () => { for (let i = 0; i < 100; i++) fs.writeFileSync('/tmp/' + i, Buffer.alloc(1 << 20)); });
         for (let i = 0; i < 100; i++) fs.rmSync('/tmp/' + i, { force: true });
         attempt('many', () => { for (let i = 0; i < 5000; i++) fs.writeFileSync('/tmp/n' + i, ''); });
         for (let i = 0; i < 5000; i++) fs.rmSync('/tmp/n' + i, { force: true });
         attempt('exec', () => { fs.copyFileSync('/sandbox/run.js', '/tmp/p'); fs.chmodSync('/tmp/p', 0o755); return child.execFileSync('/tmp/p').length; });
         attempt('device', () => fs.readFileSync('/dev/sda'));
         attempt('suid', () => { fs.chmodSync('/tmp/p', 0o4755); return fs.statSync('/tmp/p').mode & 0o4000; });",
    )
    .await;
    for (name, result) in results.as_object().unwrap() {
        match name.as_str() {
            "tmp" => assert_eq!(result, "x"),
            // The mount ignores the bit.
            "suid" => {}
            "full" | "many" => assert_eq!(result, "error ENOSPC", "{name}"),
            _ => assert!(is_error(result), "{name}: {result}"),
        }
    }
}

#[tokio::test]
async fn there_are_no_other_processes_and_none_can_be_made() {
    let results = attempts(
        "attempt('spawn', () => child.execFileSync('/usr/bin/node', ['-e', '1']).length);
         attempt('shell', () => child.execSync('id').length);
         attempt('init', () => process.kill(1, 'SIGKILL'));
         attempt('others', () => { let seen = []; for (let pid = 3; pid < 5000; pid++) try { process.kill(pid, 0); seen.push(pid); } catch {} return seen.filter((pid) => pid > 200).length; });
         results.pid = process.pid; results.uid = process.getuid(); results.gid = process.getgid();
         attempt('setuid', () => process.setuid(0));
         attempt('groups', () => process.setgroups([0]));
         attempt('nice', () => os.setPriority(-20));
         results.hostname = os.hostname();",
    )
    .await;
    assert!(
        is_error(&results["spawn"]) && is_error(&results["shell"]),
        "{results}"
    );
    assert_eq!(results["others"], 0);
    assert_eq!(results["pid"], 2);
    assert_eq!((&results["uid"], &results["gid"]), (&65534.into(), &65534.into()));
    for name in ["setuid", "groups", "nice"] {
        assert!(is_error(&results[name]), "{name}: {results}");
    }
    assert_eq!(results["hostname"], "sandbox");
}

#[tokio::test]
async fn a_plugin_leaves_nothing_for_the_next_call_or_another_plugin() {
    let writer = Plugin::js(
        "import fs from 'node:fs'; fs.writeFileSync('/tmp/left', 'secret'); console.log(fs.readdirSync('/tmp').join())",
    );
    assert_eq!(writer.says().await, "left\n");
    let reader = Plugin::js(
        "import fs from 'node:fs'; console.log(fs.readdirSync('/tmp').length, fs.readdirSync('/sandbox').length)",
    );
    assert_eq!(reader.says().await, "0 2\n");
    assert_eq!(writer.says().await, "left\n");
}

#[tokio::test]
async fn memory_bombs_end_the_plugin_and_nothing_else() {
    for (name, source) in [
        ("heap", "const a = []; for (;;) a.push(new Array(1000).fill({}))"),
        (
            "strings",
            "let a = 'x'; const all = []; for (;;) { all.push((a + all.length).repeat(1 << 16)); }",
        ),
        (
            "buffers",
            "const a = []; for (;;) a.push(Buffer.alloc(8 << 20, 1))",
        ),
        (
            "shared",
            "const a = []; for (;;) { const b = new SharedArrayBuffer(8 << 20); new Uint8Array(b).fill(1); a.push(b); }",
        ),
        (
            "wasm",
            "const a = []; for (;;) { const m = new WebAssembly.Memory({ initial: 256 }); new Uint8Array(m.buffer).fill(1); a.push(m); }",
        ),
    ] {
        let plugin = Plugin::js(source).limited(|limits| limits.memory_bytes = 128 << 20);
        let started = std::time::Instant::now();
        let error = plugin.fails().await;
        assert!(matches!(error, SandboxError::Memory), "{name}: {error:?}");
        assert!(started.elapsed() < Duration::from_secs(20), "{name}");
    }
}

#[tokio::test]
async fn what_fits_into_the_limit_works() {
    let plugin = Plugin::js("const a = Buffer.alloc(128 << 20, 1); const b = Array(2e6).fill(1.5); console.log(a.length + b.length)")
        .limited(|limits| limits.memory_bytes = 256 << 20);
    assert_eq!(plugin.says().await, "136217728\n");
}

#[tokio::test]
async fn a_bomb_of_threads_ends_the_plugin_and_nothing_else() {
    let plugin = Plugin::js(
        "import { Worker } from 'node:worker_threads';
         for (let i = 0; i < 1000; i++) new Worker('setInterval(() => {}, 1000)', { eval: true }).on('error', () => {});",
    )
    .timeout(Duration::from_secs(20));
    let error = plugin.fails().await;
    assert!(!matches!(error, SandboxError::Unavailable(_)), "{error:?}");
    assert_eq!(Plugin::js("console.log(1)").says().await, "1\n");
}

#[tokio::test]
async fn processor_time_is_limited() {
    let plugin = Plugin::js("for(;;);").limited(|limits| limits.cpu = Duration::from_secs(1));
    assert!(matches!(plugin.fails().await, SandboxError::Cpu));
}

#[tokio::test]
async fn endless_output_is_cut() {
    for stream in ["stdout", "stderr"] {
        let source = format!(
            "const line = 'x'.repeat(1 << 16); const more = () => process.{stream}.write(line, more); more();"
        );
        let error = Plugin::js(&source).fails().await;
        assert!(matches!(error, SandboxError::OutputLimit), "{stream}: {error:?}");
    }
    let giant = Plugin::js("process.stdout.write('x'.repeat(8 << 20))");
    assert!(matches!(giant.fails().await, SandboxError::OutputLimit));
}

#[tokio::test]
async fn a_crash_is_told_apart_from_an_answer() {
    for (source, signal) in [
        ("console.log('{\"ok\":true}'); process.abort()", "signal 6"),
        (
            "process.kill(process.pid, 'SIGSEGV'); setTimeout(() => {}, 1000)",
            "signal 11",
        ),
        (
            "process.kill(process.pid, 'SIGKILL'); setTimeout(() => {}, 1000)",
            "signal 9",
        ),
    ] {
        match Plugin::js(source).fails().await {
            SandboxError::Crashed(why) => assert!(why.contains(signal), "{why}"),
            other => panic!("{source}: {other:?}"),
        }
    }
    let outcome = Plugin::js("process.stdout.write('no'); process.stderr.write('why'); process.exit(3)")
        .call("x", "{}")
        .await
        .unwrap();
    assert_eq!(
        (outcome.exit, &outcome.stdout[..], &outcome.stderr[..]),
        (3, &b"no"[..], &b"why"[..])
    );
}

#[tokio::test]
async fn another_file_than_the_verified_one_does_not_run() {
    let mut plugin = Plugin::js("console.log(1)");
    plugin.spec.sha512[0] ^= 1;
    assert!(matches!(
        plugin.prepare().await.err(),
        Some(SandboxError::Refused(_))
    ));
}

#[tokio::test]
async fn a_call_that_cannot_be_passed_on_is_refused() {
    let plugin = Plugin::js("console.log(1)");
    for params in ["x".repeat(128 << 10), "a\0b".to_owned()] {
        let error = plugin.call("run", &params).await.unwrap_err().error;
        assert!(matches!(error, SandboxError::Refused(_)), "{error:?}");
    }
    let longest = "x".repeat((128 << 10) - 1);
    let plugin = Plugin::js("process.stdout.write(String(process.argv[3].length))");
    assert_eq!(plugin.call("run", &longest).await.unwrap().stdout, b"131071");
}

#[tokio::test]
async fn a_script_is_no_native_program() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plugin");
    std::fs::write(&path, "#!/bin/sh\necho '{}'\n").unwrap();
    match Plugin::native(&path).prepare().await.err() {
        Some(SandboxError::Refused(why)) => assert!(why.contains("not a program"), "{why}"),
        other => panic!("{other:?}"),
    }
}
