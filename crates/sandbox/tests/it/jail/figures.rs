//! The cost of the jail, for the page on the sandbox in the documentation:
//!
//! `cargo test --release -p openneko-sandbox --no-default-features --features jail --test it -- --ignored --nocapture figures`

use std::process::Command;
use std::time::{Duration, Instant};

use super::support::{Plugin, node};
use openneko_sandbox::{Call, Prepared};

const RUNS: usize = 40;

/// The least and the middle of the times of some runs, in milliseconds.
fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    #[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
    {
        println!(
            "{what}: {:.1} / {:.1} ms",
            ms(times[0]),
            ms(times[times.len() / 2])
        );
    }
}

async fn calls(prepared: &dyn Prepared, method: &str, params: &str) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let started = Instant::now();
        let call = Call {
            method,
            params_json: params,
            params_by: openneko_sandbox::ParamsBy::Argument,
            env: &[],
            timeout: Duration::from_secs(30),
        };
        prepared.call(call).await.unwrap();
        times.push(started.elapsed());
    }
    times
}

#[tokio::test]
#[ignore = "measures"]
async fn figures() {
    let bare = |program: &std::path::Path, arguments: &[&str]| {
        let once = || {
            let started = Instant::now();
            Command::new(program).args(arguments).output().unwrap();
            started.elapsed()
        };
        (0..RUNS).map(|_| once()).collect::<Vec<_>>()
    };
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("run.mjs");
    let source = "process.stdout.write(JSON.stringify({ ok: true }))";
    std::fs::write(&script, source).unwrap();
    show(
        "bare node run.js",
        bare(&node(), &[script.to_str().unwrap(), "run", "{}"]),
    );
    let bundle = Plugin::js(source);
    let prepared = bundle.prepare().await.unwrap();
    show("node run.js in the jail", calls(&*prepared, "run", "{}").await);
    let native = std::path::Path::new("/bin/true");
    show("bare /bin/true", bare(native, &[]));
    let plugin = Plugin::native(native);
    let prepared = plugin.prepare().await.unwrap();
    show("/bin/true in the jail", calls(&*prepared, "run", "{}").await);
    let outcome = bundle.call("run", "{}").await.unwrap();
    let usage = outcome.usage;
    println!("memory of node: {} MiB", usage.memory_bytes.unwrap() >> 20);
    println!("processor time of a call: {:?}", usage.cpu.unwrap());
}
