//! Components in the WebAssembly engine.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use openneko_sandbox::wasm::{AotCache, Wasm};
use openneko_sandbox::{Artifact, BackendKind, CallFailure, CallOutcome, Limits, Probe, SandboxError};
use tempfile::TempDir;

use crate::attempts::limits;
use crate::engines;
use crate::world::World;

/// A component whose `call` runs `body`; `method` and `params` are locals 0 to
/// 3, and it returns the address of the answer: exit code, pointer, length.
fn component(body: &str) -> String {
    format!(
        r#"(component
          (core module $m
            (memory (export "memory") 2)
            (global $next (mut i32) (i32.const 1024))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
              (local $at i32)
              (local.set $at (global.get $next))
              (global.set $next (i32.add (global.get $next) (local.get 3)))
              (local.get $at))
            (func $recurse (param i32) (result i32)
              (i32.add (call $recurse (local.get 0)) (i32.const 1)))
            (func (export "call") (param i32 i32 i32 i32) (result i32) {body}))
          (core instance $i (instantiate $m))
          (func (export "call") (param "method" string) (param "params" string) (result (tuple s32 string))
            (canon lift (core func $i "call") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#
    )
}

/// Answers with its parameters and exit code 7.
const ECHO: &str = "(i32.store (i32.const 0) (i32.const 7))
    (i32.store offset=4 (i32.const 0) (local.get 2))
    (i32.store offset=8 (i32.const 0) (local.get 3))
    (i32.const 0)";

async fn call(wat: &str, limits: Limits, params: &str) -> Result<CallOutcome, CallFailure> {
    let world = World::new().await;
    let plugin = world.component("component", wat, limits);
    engines::call(
        &*engines::wasm(),
        &plugin,
        "begin_auth",
        params,
        Duration::from_secs(5),
    )
    .await
}

#[tokio::test]
async fn the_engine_works_here() {
    let backend = engines::wasm();
    assert_eq!(backend.kind(), BackendKind::Wasm);
    let probe = backend.probe().await;
    assert!(matches!(probe, Probe::Works(_)), "{probe:?}");
}

#[tokio::test]
async fn a_component_answers() {
    let outcome = call(&component(ECHO), limits(), "{\"a\":\"é\"}").await.unwrap();
    assert_eq!(outcome.exit, 7);
    assert_eq!(outcome.stdout, "{\"a\":\"é\"}".as_bytes());
    assert!(outcome.usage.memory_bytes.unwrap() >= 128 << 10);
    assert!(outcome.usage.cpu.is_some());
}

#[tokio::test]
async fn calls_at_the_same_time_do_not_meet() {
    let world = World::new().await;
    // Memory starts anew: the exit code counts calls of one instance.
    let counting = "(i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1)))
        (i32.store (i32.const 0) (i32.load (i32.const 64)))
        (i32.store offset=4 (i32.const 0) (local.get 2))
        (i32.store offset=8 (i32.const 0) (local.get 3))
        (i32.const 0)";
    let plugin = world.component("counting", &component(counting), limits());
    let prepared = engines::wasm().prepare(&plugin).await.unwrap();
    let calls = (0..20).map(|i| {
        let prepared = &prepared;
        async move {
            let params = i.to_string();
            let call = openneko_sandbox::Call {
                method: "m",
                params_json: &params,
                params_by: openneko_sandbox::ParamsBy::Argument,
                env: &[],
                timeout: Duration::from_secs(5),
            };
            let outcome = prepared.call(call).await.unwrap();
            assert_eq!(outcome.exit, 1);
            assert_eq!(outcome.stdout, params.as_bytes());
        }
    });
    futures_util::future::join_all(calls).await;
}

#[tokio::test]
async fn a_component_is_stopped_at_its_limits() {
    let is_stopped =
        async |body: &str, limits: Limits| engines::error(call(&component(body), limits, "{}").await);

    let quick = Limits {
        cpu: Duration::from_millis(300),
        ..limits()
    };
    let error = is_stopped("(loop $l (br $l)) (unreachable)", quick).await;
    assert!(matches!(error, SandboxError::Cpu), "{error:?}");

    let error = is_stopped(
        "(loop $l (drop (memory.grow (i32.const 100))) (br $l)) (unreachable)",
        limits(),
    )
    .await;
    assert!(matches!(error, SandboxError::Memory), "{error:?}");

    let error = is_stopped("(call $recurse (i32.const 1))", limits()).await;
    assert!(
        matches!(&error, SandboxError::Crashed(what) if what.contains("stack")),
        "{error:?}"
    );

    let error = is_stopped("(unreachable)", limits()).await;
    assert!(matches!(error, SandboxError::Crashed(_)), "{error:?}");

    // An answer longer than the output may be; the memory is large enough for it.
    let long = "(drop (memory.grow (i32.const 1000)))
        (i32.store offset=4 (i32.const 0) (i32.const 1024))
        (i32.store offset=8 (i32.const 0) (i32.const 60000000))
        (i32.const 0)";
    let error = is_stopped(long, limits()).await;
    assert!(
        matches!(error, SandboxError::OutputLimit | SandboxError::Crashed(_)),
        "{error:?}"
    );

    // One that points outside of the memory.
    let outside = "(i32.store offset=4 (i32.const 0) (i32.const -16))
        (i32.store offset=8 (i32.const 0) (i32.const 1000))
        (i32.const 0)";
    let error = is_stopped(outside, limits()).await;
    assert!(matches!(error, SandboxError::Crashed(_)), "{error:?}");
}

#[tokio::test]
async fn a_component_that_needs_more_memory_to_start_than_it_may_have_is_stopped() {
    let wat = component(ECHO).replace(
        "(memory (export \"memory\") 2)",
        "(memory (export \"memory\") 8000)",
    );
    let error = engines::error(call(&wat, limits(), "{}").await);
    assert!(matches!(error, SandboxError::Memory), "{error:?}");
}

#[tokio::test]
async fn a_component_that_asks_for_more_than_is_offered_is_refused_by_name() {
    let world = World::new().await;
    for (wat, part) in [
        (
            "(component (import \"wasi:sockets/tcp@0.2.0\" (instance)) (import \"wasi:io/poll@0.2.0\" (instance)))",
            "wasi:sockets/tcp@0.2.0",
        ),
        (
            "(component (import \"openneko:engine/host@1.0.0\" (instance)))",
            "openneko:engine/host",
        ),
        (
            "(component (import \"wasi:http/outgoing-handler@0.3.0\" (instance)))",
            "@0.3.0",
        ),
        (
            "(component (import \"wasi:cli/environment\" (instance)))",
            "wasi:cli/environment",
        ),
        ("(component (import \"f\" (func)))", "`f`"),
        ("(component)", "does not export"),
        ("(module)", "no WebAssembly component"),
    ] {
        let plugin = world.component("asking", wat, limits());
        let error = engines::wasm().prepare(&plugin).await.err().unwrap().to_string();
        assert!(error.contains(part), "{wat}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_the_verified_one_is_refused() {
    let world = World::new().await;
    for mut plugin in [
        world.component("component", &component(ECHO), limits()),
        world.bundle("bundle", "process.stdout.write('x')", limits()),
    ] {
        plugin.sha512[0] ^= 1;
        let error = engines::wasm().prepare(&plugin).await.err().unwrap();
        assert!(
            matches!(&error, SandboxError::Refused(why) if why.contains("not the file that was verified")),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_native_program_is_not_for_this_engine() {
    let sentence = engines::wasm()
        .supports(&Artifact::Native("/bin/true".into()))
        .unwrap_err();
    assert!(sentence.contains("native"), "{sentence}");
}

#[tokio::test]
async fn machine_code_counts_only_when_this_machine_wrote_it() {
    let world = World::new().await;
    let plugin = world.component("cached", &component(ECHO), limits());
    let directory = TempDir::new().unwrap();
    let place = directory.path().join("cache");
    let answers = async |key: &[u8]| {
        let engine = Wasm::new(Some(AotCache::open(&place, key).unwrap())).unwrap();
        let outcome = engines::call(&engine, &plugin, "m", "same", Duration::from_secs(5))
            .await
            .unwrap();
        outcome.stdout == b"same"
    };
    let file = || {
        let mut files = std::fs::read_dir(&place)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "cwasm"));
        let file = files.next().unwrap();
        assert!(files.next().is_none(), "one file for one component");
        file
    };

    assert!(answers(b"key").await);
    let written = std::fs::read(file()).unwrap();
    assert_eq!(
        std::fs::metadata(file()).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(answers(b"key").await);
    assert_eq!(std::fs::read(file()).unwrap(), written, "a good file stays");

    // One changed bit of code, a cut file, another machine's key: compiled anew.
    let mut changed = written.clone();
    *changed.last_mut().unwrap() ^= 1;
    for bad in [changed, written[..written.len() / 2].to_vec(), Vec::new()] {
        std::fs::write(file(), bad).unwrap();
        assert!(answers(b"key").await);
        assert_eq!(std::fs::read(file()).unwrap().len(), written.len());
    }
    let before = std::fs::read(file()).unwrap();
    assert!(answers(b"another key").await);
    assert_ne!(
        std::fs::read(file()).unwrap(),
        before,
        "a file of another key is replaced"
    );
}

#[tokio::test]
async fn the_cache_keeps_what_was_used_last() {
    let world = World::new().await;
    let directory = TempDir::new().unwrap();
    let place = directory.path().join("cache");
    let engine = Wasm::new(Some(AotCache::open(&place, b"key").unwrap())).unwrap();
    let files = || -> std::collections::BTreeSet<_> {
        let files = std::fs::read_dir(&place)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        files
            .filter(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
            .collect()
    };
    let prepare = async |number: usize| {
        let wat = component(&format!("(drop (i32.const {number})) {ECHO}"));
        let plugin = world.component("numbered", &wat, limits());
        openneko_sandbox::Backend::prepare(&engine, &plugin)
            .await
            .unwrap();
    };
    prepare(0).await;
    let first = files();
    for number in 1..40 {
        prepare(number).await;
        prepare(0).await;
    }
    assert_eq!(files().len(), 32);
    assert!(files().is_superset(&first), "what is used all the time stays");
}

#[tokio::test]
async fn a_cache_that_others_can_open_is_refused() {
    let directory = TempDir::new().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = AotCache::open(directory.path(), b"key").unwrap_err().to_string();
    assert!(error.contains("0700"), "{error}");

    let link = directory.path().join("link");
    std::os::unix::fs::symlink("/tmp", &link).unwrap();
    assert!(AotCache::open(&link, b"key").is_err());
}

#[test]
fn the_probe_is_its_text() {
    let text = include_str!("../../src/wasm/probe.wat");
    let binary: &[u8] = include_bytes!("../../src/wasm/probe.wasm");
    assert_eq!(wat::parse_str(text).unwrap(), binary);
}
