//! Nobody else sees the parameters of a call, which hold codes of sign-ins.

use std::collections::BTreeSet;
use std::io::Read;
use std::time::Duration;

use openneko_sandbox::ParamsBy;

use super::support::Plugin;

/// Tells the test program that it is the plugin.
const INSIDE: &str = "OPENNEKO_TEST_INSIDE";

/// The arguments of every process of this machine, as any of its users reads them.
fn command_lines() -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .collect()
}

/// Everything in the lists of processes during a call with a unique method.
async fn seen_during(plugin: Plugin, method: &str, params: &str) -> (BTreeSet<String>, String) {
    let (method, params) = (method.to_owned(), params.to_owned());
    let marker = method.clone();
    let call = tokio::spawn(async move {
        let outcome = plugin.call(&method, &params).await.unwrap();
        let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert_eq!(outcome.exit, 0, "{stderr}");
        String::from_utf8_lossy(&outcome.stdout).into_owned()
    });
    let mut seen = BTreeSet::new();
    while !call.is_finished() {
        seen.extend(command_lines());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Its own process was among them, or nothing was shown.
    assert!(seen.iter().any(|line| line.contains(&marker)), "{marker}");
    (seen, call.await.unwrap())
}

#[tokio::test]
async fn no_list_of_processes_shows_what_a_script_is_called_with() {
    let method = format!("complete_auth_{}", std::process::id());
    let code = format!("code-{}", std::process::id());
    let params = format!("{{\"params\":{{\"code\":\"{code}\",\"codeVerifier\":\"é{code}\"}}}}");
    let plugin = Plugin::js(
        "import fs from 'node:fs'; import { Worker } from 'node:worker_threads';
         const worker = new Worker('require(\"worker_threads\").parentPort.postMessage(process.argv.length)', { eval: true });
         const inWorker = await new Promise((resolve) => worker.on('message', resolve));
         await new Promise((resolve) => setTimeout(resolve, 300));
         let rest = 'none'; try { rest = fs.readFileSync(0, 'utf8'); } catch (error) { rest = error.code; }
         let written = 'written'; try { fs.writeSync(0, 'x', 0); } catch (error) { written = error.code; }
         process.stdout.write(JSON.stringify({ argv: process.argv, rest, written, inWorker }));",
    );
    let (seen, answer) = seen_during(plugin, &method, &params).await;
    assert!(!seen.iter().any(|line| line.contains(&code)));
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let argv = serde_json::json!(["/usr/bin/node", "/sandbox/run.js", method, params]);
    assert_eq!(answer["argv"], argv);
    assert_eq!(answer["rest"], "");
    assert_eq!(answer["written"], "EPERM");
    assert!(answer["inWorker"].as_u64().unwrap() <= 2, "{answer}");
}

/// Runs as the plugin: writes its standard input.
#[test]
fn reads_its_input() {
    #[expect(clippy::disallowed_methods, reason = "set by the test beside this one")]
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let mut params = String::new();
    std::io::stdin().read_to_string(&mut params).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    println!("read {}", params.len());
}

#[tokio::test]
async fn a_native_program_that_reads_its_input_shows_nothing_either() {
    let program = std::env::current_exe().unwrap();
    let code = format!("native-code-{}", std::process::id());
    let method = "jail::arguments::reads_its_input";
    for (by, is_shown) in [(ParamsBy::Input, false), (ParamsBy::Argument, true)] {
        let mut plugin = Plugin::native(&program)
            .env(INSIDE, "1")
            .env("RUST_TEST_NOCAPTURE", "1")
            .timeout(Duration::from_secs(60))
            .limited(|limits| limits.memory_bytes = 512 << 20);
        plugin.params_by = by;
        let (seen, answer) = seen_during(plugin, method, &code).await;
        assert_eq!(seen.iter().any(|line| line.contains(&code)), is_shown, "{by:?}");
        let length = if is_shown { 0 } else { code.len() };
        assert!(answer.contains(&format!("read {length}\n")), "{by:?}: {answer}");
    }
}
