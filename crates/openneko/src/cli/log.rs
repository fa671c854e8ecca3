//! `openneko log`.

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::list::Output;
use super::{Context, Failure, block_on};
use crate::host::EgressLog;
use crate::host::egress_log::Line;
use crate::web::audit::{self, Event};
use crate::web::serve;
use crate::web::settings::Flags;

/// A reference is looked for among so many.
const SEARCHED: u32 = 100_000;

const EXAMPLES: &str = "\
Examples:
  openneko log
  openneko log --only denied -n 200
  openneko log --reference ref_HrgYC-ost7Ya
  openneko log -o json

`denied` shows connections that plugins tried to open and may not. A plugin may
reach the hosts that its manifest declares, and `openneko grant` adds a host.
`sign-ins` shows sign-ins, failed sign-ins, sign-outs, and changes of accounts.";

/// Show denied connections of plugins, sign-ins, and failures
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct LogArgs {
    /// The most lines to show, the newest last
    #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// Only this kind
    #[arg(long, value_enum)]
    only: Option<RecordKind>,
    /// Only lines with the reference that a person saw
    #[arg(long)]
    reference: Option<String>,
    /// The format of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RecordKind {
    Denied,
    SignIns,
}

/// Either kind, in the order of time.
enum Entry {
    Denied(Line),
    Event(Event),
}

pub(super) fn run(args: &LogArgs, context: &mut Context) -> Result<(), Failure> {
    let mut entries = Vec::new();
    if args.only != Some(RecordKind::SignIns) && args.reference.is_none() {
        let lines = EgressLog::new(&context.paths.state_dir).recent(args.count as usize)?;
        entries.extend(lines.into_iter().map(Entry::Denied));
    }
    if args.only != Some(RecordKind::Denied) {
        entries.extend(events(args, context)?.into_iter().map(Entry::Event));
    }
    entries.sort_by_key(Entry::at);
    entries.drain(..entries.len().saturating_sub(args.count as usize));
    if args.output == Output::Json {
        return context
            .console
            .json(&entries.iter().map(Entry::json).collect::<Vec<_>>());
    }
    if entries.is_empty() {
        return context.console.line("nothing yet");
    }
    for entry in &entries {
        context.console.line(&entry.text())?;
    }
    Ok(())
}

/// The entries that `serve` has written, if it ever ran.
fn events(args: &LogArgs, context: &Context) -> Result<Vec<Event>, Failure> {
    let failed = |error: serve::Error| Failure::new(error.to_string());
    let settings = serve::settings(&context.paths, &Flags::default()).map_err(failed)?;
    if settings.database_url.is_none() && !serve::default_database(&context.paths).exists() {
        return Ok(Vec::new());
    }
    let count = args.reference.as_ref().map_or(args.count, |_| SEARCHED);
    let mut events = block_on(async {
        let db = serve::open_unchanged(&context.paths, &settings)
            .await
            .map_err(failed)?;
        let events = audit::recent(&db, count).await;
        db.close().await;
        events.map_err(|error| Failure::new(error.to_string()))
    })?;
    if let Some(reference) = &args.reference {
        events.retain(|event| event.reference == *reference);
    }
    Ok(events)
}

impl Entry {
    fn at(&self) -> Timestamp {
        match self {
            Self::Denied(line) => line.at,
            Self::Event(event) => event.at,
        }
    }

    fn text(&self) -> String {
        let at = self.at().strftime("%Y-%m-%d %H:%M:%SZ");
        match self {
            Self::Denied(line) => {
                let port = line.port.map_or(String::new(), |port| format!(":{port}"));
                format!(
                    "{at}  denied  {}  {}  {}{port}  {}",
                    line.plugin, line.method, line.host, line.reason
                )
            }
            Self::Event(event) => {
                let optional = [&event.email, &event.code, &event.ip, &event.actor, &event.detail];
                let optional = optional.into_iter().flatten().map(String::as_str);
                let words: Vec<&str> = [event.kind.as_str(), &event.reference]
                    .into_iter()
                    .chain(optional)
                    .collect();
                format!("{at}  {}", words.join("  "))
            }
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Denied(line) => json!({
                "at": line.at, "kind": "denied", "plugin": line.plugin, "method": line.method,
                "host": line.host, "port": line.port, "reason": line.reason,
            }),
            Self::Event(event) => json!({
                "at": event.at, "kind": event.kind.as_str(), "reference": event.reference, "code": event.code,
                "userId": event.user_id, "email": event.email, "actor": event.actor,
                "provider": event.provider, "detail": event.detail, "ip": event.ip,
            }),
        }
    }
}
