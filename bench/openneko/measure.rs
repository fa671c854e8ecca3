//! What one call of a plugin costs, in each engine, cold and warm.
//!
//! `bench/openneko/run` builds and starts it. Cold is a new process: from its
//! first line to the answer of its first call, with machine code in the cache.
//! Warm is one call after another of a plugin that is prepared.

#![expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA512, digest};
use openneko_sandbox::egress::{Egress, SystemResolver, TrustRoots};
use openneko_sandbox::jail::{self, Jail, JailInit, JailOptions, find_node};
use openneko_sandbox::wasm::{AotCache, Wasm};
use openneko_sandbox::{Artifact, Backend, Call, Limits, PluginSpec, Prepared};

const COLD_RUNS: usize = 15;
const WARM_RUNS: usize = 100;
const METHOD: [&str; 2] = ["register", "{}"];

/// A row of the table: an engine and what it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Component,
    BundleInWasm,
    BundleInJail,
    NativeInJail,
}

const KINDS: [(Kind, &str, &str); 4] = [
    (Kind::Component, "component", "WebAssembly, component"),
    (Kind::BundleInWasm, "bundle", "WebAssembly, run.js"),
    (Kind::NativeInJail, "native", "jail, native program"),
    (Kind::BundleInJail, "jailed-bundle", "jail, node run.js"),
];

/// What is measured: the files of a plugin in its three forms.
struct Files {
    component: PathBuf,
    bundle: PathBuf,
    native: PathBuf,
    cache: PathBuf,
}

fn main() -> std::process::ExitCode {
    let start = Instant::now();
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|first| first == jail::INIT_ARGUMENT) {
        return jail::init_main();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match args.as_slice() {
        [first, rest @ ..] if first == "--first" && rest.len() == 5 => {
            let kind = KINDS.iter().find(|(_, word, _)| *word == rest[0]).unwrap().0;
            runtime.block_on(async {
                let prepared = prepare(kind, &files(&rest[1..])).await;
                call(&*prepared).await;
            });
            println!("{}", start.elapsed().as_nanos());
        }
        files_given if files_given.len() == 4 => runtime.block_on(table(&args)),
        _ => println!("measure <plugin.wasm> <run.js> <native program> <cache directory>"),
    }
    std::process::ExitCode::SUCCESS
}

fn files(args: &[String]) -> Files {
    let [component, bundle, native, cache] = args else {
        unreachable!("counted above")
    };
    Files {
        component: component.into(),
        bundle: bundle.into(),
        native: native.into(),
        cache: cache.into(),
    }
}

async fn table(args: &[String]) {
    let files = files(args);
    println!(
        "| | cold min | cold p50 | warm min | warm p50 | warm, processor |\n|---|---:|---:|---:|---:|---:|"
    );
    for (kind, word, title) in KINDS {
        // Fills the cache, which is what an installation does.
        let prepared = prepare(kind, &files).await;
        call(&*prepared).await;
        let cold = (0..COLD_RUNS).map(|_| cold(word, args)).collect();
        let mut warm = Vec::new();
        let mut processor = Vec::new();
        for _ in 0..WARM_RUNS {
            let started = Instant::now();
            processor.push(call(&*prepared).await);
            warm.push(started.elapsed());
        }
        row(title, cold, Some((warm, processor)));
    }
    let bare = |program: &Path, before: &[&Path]| {
        let once = || {
            let started = Instant::now();
            Command::new(program).args(before).args(METHOD).output().unwrap();
            started.elapsed()
        };
        (0..COLD_RUNS).map(|_| once()).collect::<Vec<_>>()
    };
    row("no sandbox, native program", bare(&files.native, &[]), None);
    row(
        "no sandbox, node run.js",
        bare(Path::new("node"), &[&files.bundle]),
        None,
    );
}

/// The first call of a new process.
fn cold(word: &str, args: &[String]) -> Duration {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--first", word])
        .args(args)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    Duration::from_nanos(text.trim().parse().expect("the first call has an answer"))
}

async fn prepare(kind: Kind, files: &Files) -> Box<dyn Prepared> {
    let (path, artifact): (&Path, fn(PathBuf) -> Artifact) = match kind {
        Kind::Component => (&files.component, Artifact::Component),
        Kind::BundleInWasm | Kind::BundleInJail => (&files.bundle, Artifact::JsBundle),
        Kind::NativeInJail => (&files.native, Artifact::Native),
    };
    let plugin = PluginSpec {
        id: "bench".to_owned(),
        artifact: artifact(path.to_owned()),
        sha512: digest(&SHA512, &std::fs::read(path).unwrap())
            .as_ref()
            .try_into()
            .unwrap(),
        egress: Arc::new(Egress::new(
            Vec::new(),
            TrustRoots::public(),
            Arc::new(SystemResolver),
        )),
        limits: Limits::default(),
    };
    let backend: Box<dyn Backend> = match kind {
        Kind::Component | Kind::BundleInWasm => {
            let cache = AotCache::open(&files.cache, b"bench").unwrap();
            Box::new(Wasm::new(Some(cache)).unwrap())
        }
        Kind::BundleInJail | Kind::NativeInJail => {
            #[expect(clippy::disallowed_methods, reason = "there is no configuration here")]
            let path = std::env::var_os("PATH").unwrap_or_default();
            Box::new(Jail::new(JailOptions {
                init: JailInit::this_program(),
                node: find_node(&path),
                extra_authorities: None,
            }))
        }
    };
    backend.prepare(&plugin).await.unwrap()
}

/// One call; its processor time.
async fn call(prepared: &dyn Prepared) -> Duration {
    let call = Call {
        method: METHOD[0],
        params_json: METHOD[1],
        params_by: openneko_sandbox::ParamsBy::Argument,
        env: &[],
        timeout: Duration::from_secs(30),
    };
    let outcome = prepared.call(call).await.unwrap();
    assert!(outcome.stdout.starts_with(b"{\"ok\":true"), "{outcome:?}");
    outcome.usage.cpu.unwrap_or_default()
}

/// Least and middle times, in milliseconds.
fn row(title: &str, cold: Vec<Duration>, warm: Option<(Vec<Duration>, Vec<Duration>)>) {
    let columns = |mut times: Vec<Duration>| {
        times.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        (ms(times[0]), ms(times[times.len() / 2]))
    };
    let (least, middle) = columns(cold);
    let rest = match warm {
        Some((warm, processor)) => {
            let (warm_least, warm_middle) = columns(warm);
            format!("{warm_least:.2} | {warm_middle:.2} | {:.2}", columns(processor).1)
        }
        None => "| |".to_owned(),
    };
    println!("| {title} | {least:.1} | {middle:.1} | {rest} |");
}
