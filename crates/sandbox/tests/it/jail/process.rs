//! A call as a process: arguments, environment, output, end.

use std::time::Duration;

use openneko_sandbox::egress::Grant;
use openneko_sandbox::{Backend, Probe, SandboxError};

use super::support::{Plugin, init_program, jail, options};

#[tokio::test]
async fn the_probe_runs_a_call() {
    match jail().probe().await {
        Probe::Works(what) => assert!(what.contains("Node.js v"), "{what}"),
        Probe::Fails { reason, fix } => panic!("{reason} {fix}"),
    }
}

#[tokio::test]
async fn a_script_gets_method_and_parameters_and_its_environment_alone() {
    let plugin = Plugin::js(
        "process.stdout.write(JSON.stringify({argv: process.argv.slice(2), env: process.env, cwd: process.cwd()}))",
    )
    .env("SCALEKIT_CLIENT_SECRET", "s3cret'\"$`\n");
    let outcome = plugin.call("begin_auth", "{\"a\":\"é\"}").await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!(answer["argv"], serde_json::json!(["begin_auth", "{\"a\":\"é\"}"]));
    assert_eq!(
        answer["env"],
        serde_json::json!({"SCALEKIT_CLIENT_SECRET": "s3cret'\"$`\n"})
    );
    assert_eq!(answer["cwd"], "/sandbox");
    assert!(outcome.usage.cpu.unwrap() > Duration::ZERO);
    assert!(outcome.usage.memory_bytes.unwrap() > 1 << 20);
    assert!(outcome.denials.is_empty());
}

#[tokio::test]
async fn an_endless_loop_is_stopped() {
    let plugin = Plugin::js("for(;;);").timeout(Duration::from_secs(3));
    assert!(matches!(plugin.fails().await, SandboxError::Timeout(_)));
}

#[tokio::test]
async fn a_native_program_runs_without_a_shell() {
    // The helper itself, which as a plugin answers a smoke call.
    let plugin = Plugin::native(&init_program());
    let outcome = plugin.call("jail-init", "smoke").await.unwrap();
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "{\"ok\":true}");
}

#[tokio::test]
async fn without_node_the_probe_runs_a_native_program() {
    let mut options = options();
    options.node = None;
    match openneko_sandbox::jail::Jail::new(options).probe().await {
        Probe::Works(what) => assert!(what.contains("native"), "{what}"),
        Probe::Fails { reason, fix } => panic!("{reason} {fix}"),
    }
}

#[tokio::test]
async fn a_plugin_that_uses_what_people_use_works() {
    let plugin = Plugin::js(
        "import { createHash } from 'node:crypto';
         import { Worker } from 'node:worker_threads';
         await new Promise((resolve) => setTimeout(resolve, 5));
         const url = new URL('https://a.example/?' + new URLSearchParams({ a: 'b c' }));
         const worker = new Worker('require(\"worker_threads\").parentPort.postMessage(7)', { eval: true });
         const seven = await new Promise((resolve) => worker.on('message', resolve));
         console.log(url.search, Buffer.from('hi').toString('base64'), createHash('sha256').update('').digest('hex').slice(0, 8), seven);",
    )
    .granted(&[Grant::package("*.example.com").unwrap()])
    .limited(|limits| limits.output_bytes = 100);
    assert_eq!(plugin.says().await, "?a=b+c aGk= e3b0c442 7\n");
}
