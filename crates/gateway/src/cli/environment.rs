//! `genkan environment show|update`

use std::time::Duration;

use clap::{Args, Subcommand};
use genkan_store::environment::{self, Environment};
use serde::Serialize;

use super::output::{details, duration, time};
use super::{Context, Failure};
use crate::config::parse_duration;

const EXAMPLES: &str = "\
Examples:
  genkan environment show
  genkan environment update --session-idle-timeout 12h
  genkan environment update --access-token-lifetime 10m

Existing tokens keep their lifetime. New tokens and sessions get the new times,
and so does a session as soon as it is used again.";

/// The environment: the lifetimes of sessions and tokens
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct EnvironmentArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the environment
    Show,
    /// Change the lifetimes of sessions and tokens
    Update(UpdateArgs),
}

#[derive(Debug, Args)]
struct UpdateArgs {
    /// The time from the sign-in to the end of the session, 1m to 365d
    #[arg(long, value_name = "DURATION", value_parser = parse)]
    session_absolute_timeout: Option<Duration>,
    /// The time after which an unused session ends, 1m to 7d
    #[arg(long, value_name = "DURATION", value_parser = parse)]
    session_idle_timeout: Option<Duration>,
    /// The lifetime of users' access tokens, 1s to 30d
    #[arg(long, value_name = "DURATION", value_parser = parse)]
    access_token_lifetime: Option<Duration>,
    /// The lifetime of applications' own access tokens, 1s to 30d
    #[arg(long, value_name = "DURATION", value_parser = parse)]
    client_access_token_lifetime: Option<Duration>,
}

fn parse(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .filter(|duration| !duration.is_zero() && duration.subsec_millis() == 0)
        .ok_or_else(|| "write a whole number and a unit such as 10m, 12h or 7d".to_owned())
}

#[derive(Serialize)]
struct EnvironmentView {
    id: String,
    kind: &'static str,
    session_absolute_timeout_secs: u64,
    session_idle_timeout_secs: u64,
    access_token_lifetime_secs: u64,
    client_access_token_lifetime_secs: u64,
    created_at: String,
}

impl EnvironmentView {
    fn new(environment: &Environment) -> Self {
        Self {
            id: environment.id.to_string(),
            kind: environment.kind.as_str(),
            session_absolute_timeout_secs: environment.session_absolute.as_secs(),
            session_idle_timeout_secs: environment.session_idle.as_secs(),
            access_token_lifetime_secs: environment.access_token_lifetime.as_secs(),
            client_access_token_lifetime_secs: environment.client_access_token_lifetime.as_secs(),
            created_at: time(environment.created_at),
        }
    }

    fn text(&self) -> String {
        let secs = |secs| duration(Duration::from_secs(secs));
        details(&[
            ("Environment", self.id.clone()),
            ("Kind", self.kind.to_owned()),
            ("Session, at most", secs(self.session_absolute_timeout_secs)),
            ("Session, unused", secs(self.session_idle_timeout_secs)),
            ("Access token", secs(self.access_token_lifetime_secs)),
            (
                "Access token of an application",
                secs(self.client_access_token_lifetime_secs),
            ),
            ("Created", self.created_at.clone()),
        ])
    }
}

pub(super) async fn run(args: &EnvironmentArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = context.open().await?;
    let mut environment = instance.environment.clone();
    if let Verb::Update(args) = &args.verb {
        args.apply(&mut environment)?;
        instance
            .change(async |tx| environment::update_lifetimes(tx, &environment).await)
            .await?;
    }
    let view = EnvironmentView::new(&environment);
    context.console.print(&view, || view.text())
}

const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);

impl UpdateArgs {
    fn apply(&self, environment: &mut Environment) -> Result<(), Failure> {
        let changes = [
            (&mut environment.session_absolute, self.session_absolute_timeout),
            (&mut environment.session_idle, self.session_idle_timeout),
            (&mut environment.access_token_lifetime, self.access_token_lifetime),
            (
                &mut environment.client_access_token_lifetime,
                self.client_access_token_lifetime,
            ),
        ];
        if changes.iter().all(|(_, change)| change.is_none()) {
            return Err(Failure::usage("There is nothing to change.")
                .remedy("Name at least one of the options; `genkan environment update --help` lists them."));
        }
        for (time, change) in changes {
            *time = change.unwrap_or(*time);
        }
        check(environment)
    }
}

/// The same rules as for `[session]` and `[tokens]` in the configuration.
fn check(environment: &Environment) -> Result<(), Failure> {
    let Environment {
        session_absolute,
        session_idle,
        access_token_lifetime,
        client_access_token_lifetime,
        ..
    } = environment;
    let refuse = |message: &str, remedy: &str| Err(Failure::usage(message).remedy(remedy));
    if !(MINUTE..=365 * DAY).contains(session_absolute) {
        return refuse("--session-absolute-timeout is out of range.", "Write 1m to 365d.");
    }
    if !(MINUTE..=7 * DAY).contains(session_idle) {
        return refuse("--session-idle-timeout is out of range.", "Write 1m to 7d.");
    }
    if *client_access_token_lifetime > 30 * DAY {
        return refuse(
            "--client-access-token-lifetime is out of range.",
            "Write 1s to 30d.",
        );
    }
    if session_idle > session_absolute {
        return refuse(
            "The session's unused time would be longer than the whole session.",
            "Shorten --session-idle-timeout, or lengthen --session-absolute-timeout.",
        );
    }
    // If a token outlived its session, it would say that a person is signed in who is not.
    if access_token_lifetime >= session_idle {
        return refuse(
            "Access tokens would live as long as an unused session.",
            "Shorten --access-token-lifetime: a few minutes are usual.",
        );
    }
    Ok(())
}
