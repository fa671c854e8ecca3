//! `openneko serve`.

use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::{Context, Failure, call};
use crate::web::serve;
use crate::web::settings::Flags;

const EXAMPLES: &str = "\
Examples:
  openneko serve
  openneko serve --listen 0.0.0.0:3000 --public-url https://neko.example.com
  openneko serve --database-url postgres://neko@db.example.com/neko

If there is no admin and this is a terminal, the command prints a word. The
first person who signs in and enters the word becomes an admin. You can also
use `openneko users add`.

More settings are in the key `web` of config.json. OPENNEKO_LOG sets the log
level, such as `info` or `openneko=debug`. Ctrl-C stops the server.";

/// Serve the web app: sign-in through the installed plugin, and the dashboard
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    flags: Flags,
}

pub(super) fn run(args: &ServeArgs, context: &mut Context) -> Result<(), Failure> {
    let filter = context.paths.environment.get("OPENNEKO_LOG").unwrap_or("info");
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::new(format!("OPENNEKO_LOG cannot be used: {error}")))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Colours are for a terminal, not for a file; there the layer itself heeds NO_COLOR.
    if std::io::stderr().is_terminal() {
        log.init();
    } else {
        log.with_ansi(false).init();
    }
    let host = call::open(context)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let warmed = host.clone();
        tokio::spawn(async move {
            // Whoever signs in first should not wait for the engine.
            if let Err(error) = warmed.warm().await {
                tracing::warn!(code = error.code(), %error, "the sign-in plugin is not ready");
            }
        });
        let mut terminal = terminal();
        let terminal = terminal
            .as_mut()
            .map(|terminal| &mut **terminal as &mut (dyn Write + Send));
        let served = serve::run(&context.paths, &args.flags, Arc::new(host), terminal).await;
        served.map_err(|error| Failure::new(error.to_string()))
    })
}

/// Whether a person reads the output. A file or a log collector is read by others, and for longer.
fn terminal() -> Option<Box<dyn Write + Send>> {
    if io::stdout().is_terminal() {
        Some(Box::new(io::stdout()))
    } else if io::stderr().is_terminal() {
        Some(Box::new(io::stderr()))
    } else {
        None
    }
}
