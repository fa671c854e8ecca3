//! Whether the jail works here, found by a call in it.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::artifact::SealedFile;
use super::call::{self, Interruption};
use super::{INIT_ARGUMENT, Jail, Program, RunnerKind, explain};
use crate::egress::{Egress, SystemResolver, TrustRoots};
use crate::{Call, CallOutcome, Limits, ParamsBy, Probe, SandboxError};

/// A plugin that answers well only if the jail isolates it.
const SMOKE: &str = "\
import fs from 'node:fs';
const ok = !fs.existsSync('/proc/self') && !fs.existsSync('/home') && fs.readdirSync('/sandbox').length === 2;
process.stdout.write(JSON.stringify({ ok, node: process.version }));
";

/// If there is no Node.js, the helper's own program is called as a plugin with these
/// parameters; the method is [`INIT_ARGUMENT`].
const SMOKE_PARAMS: &str = "smoke";

/// How long the smoke call may take on a slow machine.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Whether this process is the smoke plugin: `plugin jail-init smoke`.
pub(super) fn is_smoke_call(mut arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.nth(1).is_some_and(|method| method == INIT_ARGUMENT)
        && arguments.next().is_some_and(|params| params == SMOKE_PARAMS)
}

/// The smoke plugin as a native program.
#[expect(clippy::print_stdout, reason = "a plugin answers on standard output")]
pub(super) fn smoke_main() -> ExitCode {
    let ok = !Path::new("/proc/self").exists() && !Path::new("/home").exists();
    print!("{{\"ok\":{ok}}}");
    ExitCode::SUCCESS
}

/// Runs a real call.
pub(super) async fn probe(jail: &Jail) -> Probe {
    let outcome = match smoke(jail).await {
        Ok(outcome) => outcome,
        Err(Interruption::NotBuilt(step, error)) => {
            let explained = explain::explain(step, &error);
            return Probe::Fails {
                reason: explained.reason,
                fix: explained.fix,
            };
        }
        Err(Interruption::Error(error)) => return fails(&error.to_string()),
    };
    let answer: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap_or_default();
    if answer["ok"] != true {
        let said = String::from_utf8_lossy(&outcome.stderr);
        let said: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
        return fails(&format!(
            "A test plugin gave no good answer (exit code {}): {said}",
            outcome.exit
        ));
    }
    Probe::Works(match answer["node"].as_str() {
        Some(version) => format!("ran Node.js {version} in a jail"),
        None => {
            "ran a native program in a jail; for JavaScript plugins install Node.js 20 or later".to_owned()
        }
    })
}

async fn smoke(jail: &Jail) -> Result<CallOutcome, Interruption> {
    let failed = |error: std::io::Error| Interruption::Error(SandboxError::Unavailable(error.to_string()));
    let machine = Arc::clone(&jail.0);
    let build = move || {
        let (kind, artifact) = match &machine.options.node {
            Some(_) => (RunnerKind::JsBundle, SealedFile::copy(SMOKE.as_bytes())),
            None => (
                RunnerKind::Native,
                File::open(&machine.options.init.program).and_then(SealedFile::copy),
            ),
        };
        let egress = Egress::new(Vec::new(), TrustRoots::public(), Arc::new(SystemResolver));
        let artifact = artifact.map_err(failed)?;
        Program::build(machine, kind, artifact, Arc::new(egress), Limits::default())
            .map_err(Interruption::Error)
    };
    let program = tokio::task::spawn_blocking(build);
    let program = program
        .await
        .map_err(|error| Interruption::Error(SandboxError::Unavailable(error.to_string())))??;
    let call = Call {
        method: INIT_ARGUMENT,
        params_json: SMOKE_PARAMS,
        params_by: ParamsBy::Argument,
        env: &[],
        timeout: TIMEOUT,
    };
    call::run(&program, &call).await.map_err(|stopped| stopped.why)
}

fn fails(reason: &str) -> Probe {
    Probe::Fails {
        reason: reason.to_owned(),
        fix: "Check that Node.js 20 or later runs on this machine; without it the jail runs native plugins only.".to_owned(),
    }
}
