//! `genkan doctor`: finds problems, and says what to do about them.

mod accounts;
mod api_tokens;
mod certificate;
mod claims;
mod data;
mod initiated;
mod mail;
mod providers;
mod proxy;
mod public_url;

use clap::Args;
use genkan_db::Db;
use genkan_store::connection::{self, Connection};
use genkan_store::{Error, MAX_LIMIT, Page};
use serde::Serialize;

use super::{Context, Failure};
use crate::config::{Config, Mistakes, TlsMode};

const EXAMPLES: &str = "\
Examples:
  genkan doctor
  genkan doctor --config /etc/genkan/genkan.toml --json

The command changes nothing. It checks the configuration, the database, the
keys, the route from the public URL to the server, the clock, the certificates,
the mail server, the outbound proxy, the identity providers of enabled
connections, and the free disk space. The exit code is 1 if a check has failed.";

/// Find problems and show how to solve them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DoctorArgs {}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    outcome: Outcome,
    message: String,
    remedy: Option<String>,
}

/// The findings so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.0.push(Finding {
            check,
            outcome: Outcome::Ok,
            message: message.into(),
            remedy: None,
        });
    }

    fn warn(&mut self, check: &'static str, message: impl Into<String>, remedy: impl Into<String>) {
        let (message, remedy) = (message.into(), Some(remedy.into()));
        self.0.push(Finding {
            check,
            outcome: Outcome::Warn,
            message,
            remedy,
        });
    }

    fn fail(&mut self, check: &'static str, message: impl Into<String>, remedy: impl Into<String>) {
        let (message, remedy) = (message.into(), Some(remedy.into()));
        self.0.push(Finding {
            check,
            outcome: Outcome::Fail,
            message,
            remedy,
        });
    }

    fn mistakes(&mut self, mistakes: &Mistakes) {
        for mistake in &mistakes.0 {
            let key = mistake.key.as_deref().unwrap_or_default();
            let message = format!("{}: {key} {}", mistake.place, mistake.problem);
            self.fail("Configuration", message, &mistake.remedy);
        }
    }

    fn worst(&self) -> Outcome {
        self.0
            .iter()
            .map(|finding| finding.outcome)
            .max()
            .unwrap_or(Outcome::Ok)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for Finding {
            check,
            outcome,
            message,
            remedy,
        } in &self.0
        {
            let mark = match outcome {
                Outcome::Ok => "ok",
                Outcome::Warn => "WARN",
                Outcome::Fail => "FAIL",
            };
            text.push_str(&format!("{mark:<5} {check:<16} {message}\n"));
            if let Some(remedy) = remedy {
                text.push_str(&format!("{:<22} → {remedy}\n", ""));
            }
        }
        text
    }
}

/// Reads every connection, page by page.
async fn all_connections(db: &Db) -> Result<Vec<Connection>, Error> {
    let (mut all, mut page) = (Vec::new(), Page::first(MAX_LIMIT));
    loop {
        let connections = db.read(async |tx| connection::list(tx, &page).await).await?;
        let next = connections
            .last()
            .filter(|_| connections.len() == MAX_LIMIT as usize)
            .map(|last| Page::after(MAX_LIMIT, last.id.clone()));
        all.extend(connections);
        match next {
            Some(next) => page = next,
            None => return Ok(all),
        }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    checks: &'a [Finding],
}

pub(super) async fn run(DoctorArgs {}: &DoctorArgs, context: &mut Context) -> Result<(), Failure> {
    let mut findings = Findings::default();
    examine(context, &mut findings).await?;
    let ok = findings.worst() < Outcome::Fail;
    context.console.print(
        &Report {
            ok,
            checks: &findings.0,
        },
        || findings.text(),
    )?;
    if ok {
        Ok(())
    } else {
        Err(Failure::new("Something is wrong: see FAIL above."))
    }
}

async fn examine(context: &Context, findings: &mut Findings) -> Result<(), Failure> {
    let config = match context.target.try_load(&context.environment)? {
        Ok(config) => config,
        Err(mistakes) => {
            findings.mistakes(&mistakes);
            return Ok(());
        }
    };
    configuration(&config, findings);
    proxy::examine(&config, &context.environment, findings).await;
    let opened = data::examine(&config, findings).await;
    if let Some(data) = opened {
        accounts::examine(&data.db, findings).await;
        claims::examine(&data.db, findings).await;
        mail::examine(&config, data.environment.kind, &data.db, findings).await;
        initiated::examine(&data.db, findings).await;
        api_tokens::examine(&config, data.environment.kind, &data.db, findings).await;
        providers::examine(&config, data, findings).await;
    }
    public_url::examine(&config, findings).await;
    Ok(())
}

fn configuration(config: &Config, findings: &mut Findings) {
    const CHECK: &str = "Configuration";
    match config.check_files() {
        Ok(()) => findings.ok(CHECK, "in order"),
        Err(mistakes) => findings.mistakes(&mistakes),
    }
    if config.public_url.is_https()
        && config.tls.mode == TlsMode::Proxy
        && config.proxy.trusted_networks.is_empty()
    {
        findings.warn(
            CHECK,
            "no reverse proxy is trusted, so limits and events see its address in place of each client's, and \
             everybody behind it shares what one client may ask for",
            "Write its address into proxy.trusted_networks.",
        );
    }
    if config.tls.mode == TlsMode::Files
        && let Some(path) = &config.tls.certificate_file
    {
        certificate::examine_file(path, findings);
    }
}
