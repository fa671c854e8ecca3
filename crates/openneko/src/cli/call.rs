//! `openneko call`.

use std::io::Read as _;
use std::time::Duration;

use clap::Args;

use super::{Context, Failure, block_on};
use crate::host::{self, Host};

/// Parameters are one argument, and Linux takes 128 KiB for one.
const MAX_PARAMS: u64 = 128 << 10;

/// The time after which a waiting person wants to know the reason.
const PATIENCE: Duration = Duration::from_secs(2);

const EXAMPLES: &str = r#"Examples:
  openneko call @open-neko/plugin-scalekit register
  openneko call @open-neko/plugin-scalekit begin_auth \
      '{"params":{"redirectUri":"https://app.example.com/api/auth/callback","state":"s1"}}'
  openneko call @open-neko/plugin-scalekit complete_auth - < params.json

Prints what the plugin wrote. Exit codes: 0 the plugin answered ok, 1 it failed
or could not be called, 2 used wrongly."#;

/// Call a method of an installed plugin in its sandbox and print the answer
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CallArgs {
    /// The plugin's package name
    plugin: String,
    /// The method: register, begin_auth, complete_auth, …
    method: String,
    /// Its parameters as JSON; - reads them from standard input
    #[arg(default_value = "{}")]
    params: String,
}

pub(super) fn run(args: &CallArgs, context: &mut Context) -> Result<(), Failure> {
    let params = match &*args.params {
        "-" => read_params()?,
        params => params.to_owned(),
    };
    if let Err(error) = serde_json::from_str::<serde_json::Value>(&params) {
        return Err(Failure::usage(format!(
            "call: the parameters are not JSON: {error}"
        )));
    }
    let host = open(context)?;
    let outcome = block_on(async {
        let mut call = std::pin::pin!(host.call(&args.plugin, &args.method, &params));
        let called = tokio::select! {
            called = &mut call => called,
            () = tokio::time::sleep(PATIENCE) => {
                context.console.note("still at it: the first call on a machine compiles the plugin's engine");
                call.await
            }
        };
        called.map_err(|error| Failure::new(error.to_string()))
    })?;
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    for line in stderr.lines() {
        context.console.note(&format!("plugin: {line}"));
    }
    for denial in &outcome.denials {
        let port = denial.port.map_or(String::new(), |port| format!(":{port}"));
        context
            .console
            .note(&format!("refused: {}{port}: {}", denial.host, denial.reason));
    }
    let stdout = String::from_utf8_lossy(&outcome.stdout);
    context.console.line(stdout.trim_end_matches('\n'))?;
    if outcome.exit == 0 {
        return Ok(());
    }
    // What it said is printed already.
    Err(Failure::new(""))
}

fn read_params() -> Result<String, Failure> {
    let mut params = String::new();
    std::io::stdin()
        .take(MAX_PARAMS + 1)
        .read_to_string(&mut params)?;
    if params.len() as u64 > MAX_PARAMS {
        return Err(Failure::usage(format!(
            "call: the parameters are larger than {MAX_PARAMS} bytes"
        )));
    }
    Ok(params)
}

/// The host of this process.
pub(super) fn open(context: &Context) -> Result<Host, Failure> {
    let engines = host::engines(&context.paths).map_err(|error| Failure::new(error.to_string()))?;
    Host::new(context.paths.clone(), engines).map_err(|error| Failure::new(error.to_string()))
}
