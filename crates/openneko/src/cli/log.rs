//! `openneko log`.

use clap::Args;

use super::{Context, Failure};
use crate::host::EgressLog;

const EXAMPLES: &str = "\
Examples:
  openneko log
  openneko log --count 200
  openneko log -o json

A plugin reaches what its manifest declares; `openneko grant` adds a host.";

/// Show what plugins tried to reach and were refused
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct LogArgs {
    /// How many attempts to show, the newest last
    #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// How to print them
    #[arg(short, long, value_enum, default_value_t)]
    output: super::list::Output,
}

pub(super) fn run(args: &LogArgs, context: &mut Context) -> Result<(), Failure> {
    let log = EgressLog::new(&context.paths.state_dir);
    let lines = log.recent(usize::try_from(args.count).unwrap_or(usize::MAX))?;
    if args.output == super::list::Output::Json {
        return context.console.json(&lines);
    }
    if lines.is_empty() {
        return context.console.line("nothing was refused");
    }
    for line in lines {
        let port = line.port.map_or(String::new(), |port| format!(":{port}"));
        context.console.line(&format!(
            "{}  {}  {}  {}{port}  {}",
            line.at.strftime("%Y-%m-%d %H:%M:%SZ"),
            line.plugin,
            line.method,
            line.host,
            line.reason
        ))?;
    }
    Ok(())
}
