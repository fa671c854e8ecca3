//! Nothing of a call stays behind, with any end.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use openneko_sandbox::{Call, Prepared};

use super::support::Plugin;

/// Waits and spins in threads, so there is much that could stay behind.
const STAYS: &str = "import { Worker } from 'node:worker_threads';
    for (let i = 0; i < 3; i++) new Worker('setInterval(() => {}, 10)', { eval: true });
    process.on('SIGTERM', () => {}); setInterval(() => {}, 10);";

/// Processes of this machine that have the text among their arguments.
fn processes(marker: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let named = entries.filter(|entry| {
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        arguments
            .split(|byte| *byte == 0)
            .any(|argument| argument == marker.as_bytes())
    });
    named.count()
}

async fn becomes(marker: &str, count: usize) {
    let started = Instant::now();
    while processes(marker) != count {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{} processes",
            processes(marker)
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn after_a_timeout_nothing_is_left() {
    let plugin = Plugin::js(STAYS).timeout(Duration::from_secs(5));
    let marker = format!("{{\"timeout\":{}}}", std::process::id());
    let (result, ()) = tokio::join!(plugin.call(&marker, "{}"), becomes(&marker, 1));
    assert!(result.is_err());
    assert_eq!(processes(&marker), 0);
}

#[tokio::test]
async fn a_call_that_is_given_up_ends() {
    let marker = format!("{{\"dropped\":{}}}", std::process::id());
    let method = marker.clone();
    let call = tokio::spawn(async move { Plugin::js(STAYS).call(&method, "{}").await.is_ok() });
    becomes(&marker, 1).await;
    call.abort();
    becomes(&marker, 0).await;
}

#[tokio::test]
async fn a_host_that_is_killed_takes_its_plugins_along() {
    let marker = format!("{{\"killed\":{}}}", std::process::id());
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "jail::leftover::the_host", "--ignored"])
        .env("MARKER", &marker)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    becomes(&marker, 1).await;
    host.kill().unwrap();
    host.wait().unwrap();
    becomes(&marker, 0).await;
}

#[tokio::test]
#[ignore = "is the host of another test"]
async fn the_host() {
    #[expect(clippy::disallowed_methods, reason = "its parent says how to call the plugin")]
    let marker = std::env::var("MARKER").unwrap();
    let plugin = Plugin::js(STAYS).timeout(Duration::from_secs(60));
    drop(plugin.call(&marker, "{}").await);
}

/// The descriptors of a process are those of all its tests, so this one has a process of its own.
#[test]
fn many_calls_at_once_answer_for_themselves_and_leave_no_descriptor_behind() {
    let alone = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "jail::leftover::many_calls_at_once", "--ignored"])
        .output()
        .unwrap();
    assert!(
        alone.status.success(),
        "{}{}",
        String::from_utf8_lossy(&alone.stdout),
        String::from_utf8_lossy(&alone.stderr)
    );
    assert!(
        String::from_utf8_lossy(&alone.stdout).contains("1 passed"),
        "it ran"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "is run by another test, in a process of its own"]
async fn many_calls_at_once() {
    let plugin = Plugin::js("process.stdout.write(process.argv[3])").timeout(Duration::from_secs(60));
    let prepared: std::sync::Arc<dyn Prepared> = plugin.prepare().await.unwrap().into();
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    let mut before = 0;
    for round in 0..3 {
        let mut calls = tokio::task::JoinSet::new();
        for number in 0..12 {
            let prepared = std::sync::Arc::clone(&prepared);
            calls.spawn(async move {
                let params = format!("{{\"call\":{round}{number}}}");
                let call = Call {
                    method: "echo",
                    params_json: &params,
                    params_by: openneko_sandbox::ParamsBy::Argument,
                    env: &[],
                    timeout: Duration::from_secs(60),
                };
                let outcome = prepared.call(call).await.unwrap();
                assert_eq!(String::from_utf8_lossy(&outcome.stdout), params);
            });
        }
        while let Some(done) = calls.join_next().await {
            done.unwrap();
        }
        // Packet sockets are closed beside the runtime.
        tokio::time::sleep(Duration::from_millis(300)).await;
        if round == 0 {
            before = open();
        }
    }
    assert!(open() <= before + 2, "{before} descriptors became {}", open());
}
