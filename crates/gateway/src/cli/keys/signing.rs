//! `genkan keys list|rotate`

use std::time::Duration;

use clap::Args;
use genkan_protocol::Timestamp;
use genkan_protocol::jose::Algorithm;
use genkan_store::signing_key::{self, Schedule, SigningKey};
use serde::Serialize;

use crate::cli::instance::Instance;
use crate::cli::output::{duration, table, time};
use crate::cli::{Context, Failure};
use crate::config::parse_duration;
use crate::keys;

const EXAMPLES: &str = "\
Examples:
  genkan keys rotate                        for example once a year
  genkan keys rotate --alg ES256
  genkan keys rotate --publish-lead 0s --overlap 0s --yes
                                            after a private key has leaked: its
                                            tokens become invalid at once

Applications fetch the keys seldom, and some only when they start. So the new
key is published some time before it signs, and the old key stays published
after it has stopped signing. If you can, restart your applications in between.";

/// Replace the signing keys
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RotateArgs {
    /// Replace only the key of this algorithm (default: all)
    #[arg(long, value_name = "ALGORITHM", value_parser = parse_algorithm)]
    alg: Option<Algorithm>,
    /// The time from the publication of the new key until it signs
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = parse)]
    publish_lead: Duration,
    /// The time that the old key stays published after it has stopped signing
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = parse)]
    overlap: Duration,
    /// Do not ask for confirmation, even if tokens become invalid
    #[arg(long)]
    yes: bool,
}

fn parse_algorithm(text: &str) -> Result<Algorithm, String> {
    text.to_ascii_uppercase()
        .parse()
        .map_err(|_| "write RS256 or ES256".to_owned())
}

fn parse(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(365 * 86_400);
    parse_duration(text)
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| "write a whole number and a unit such as 7d or 12h, at most 365d".to_owned())
}

#[derive(Serialize)]
struct KeyView {
    id: String,
    algorithm: String,
    /// `next`, `current` or `retired`.
    state: &'static str,
    created_at: String,
    signs_from: String,
    signs_until: Option<String>,
    published_until: Option<String>,
}

impl KeyView {
    fn new(key: &SigningKey, now: Timestamp) -> Self {
        let state = match (key.signs_from <= now, key.signs_at(now)) {
            (false, _) => "next",
            (true, true) => "current",
            (true, false) => "retired",
        };
        Self {
            id: key.id.to_string(),
            algorithm: key.algorithm.to_string(),
            state,
            created_at: time(key.created_at),
            signs_from: time(key.signs_from),
            signs_until: key.signs_until.map(time),
            published_until: key.published_until.map(time),
        }
    }

    fn row(&self) -> [String; 6] {
        let optional = |value: &Option<String>| value.clone().unwrap_or_default();
        [
            self.id.clone(),
            self.algorithm.clone(),
            self.state.to_owned(),
            self.signs_from.clone(),
            optional(&self.signs_until),
            optional(&self.published_until),
        ]
    }
}

#[derive(Serialize)]
struct Listing {
    keys: Vec<KeyView>,
}

pub(super) async fn list(context: &mut Context) -> Result<(), Failure> {
    let instance = context.open().await?;
    print(&instance, context).await
}

async fn print(instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let keys = instance
        .read(async |tx| signing_key::list(tx, instance.now).await)
        .await?;
    let listing = Listing {
        keys: keys.iter().map(|key| KeyView::new(key, instance.now)).collect(),
    };
    context.console.print(&listing, || {
        let heading = [
            "KEY",
            "ALGORITHM",
            "STATE",
            "SIGNS FROM",
            "SIGNS UNTIL",
            "PUBLISHED UNTIL",
        ];
        let rows: Vec<_> = listing.keys.iter().map(KeyView::row).collect();
        table(heading, &rows, "There are no keys.")
    })
}

pub(super) async fn rotate(args: &RotateArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = context.open().await?;
    let instance_key = instance.key().await?;
    if ends_tokens(&instance, args) {
        context.console.confirm(&consequence(&instance, args), args.yes)?;
    }
    let schedule = Schedule {
        publish_lead: args.publish_lead,
        overlap: args.overlap,
    };
    let at = instance.stamp();
    let algorithms = match args.alg {
        Some(algorithm) => vec![algorithm],
        None => vec![Algorithm::Rs256, Algorithm::Es256],
    };
    let mut made = Vec::new();
    for algorithm in algorithms {
        let key = keys::generate(at, algorithm, &instance_key);
        made.push(key.map_err(|error| Failure::new(format!("The key cannot be made: {error}")))?);
    }
    instance
        .change(async |tx| {
            for key in &made {
                signing_key::rotate(tx, at, key, schedule).await?;
            }
            Ok(())
        })
        .await?;
    print(&instance, context).await
}

/// The longest lifetime of a token that the old key has signed.
fn longest_token(instance: &Instance) -> Duration {
    let environment = &instance.environment;
    environment
        .access_token_lifetime
        .max(environment.client_access_token_lifetime)
}

fn ends_tokens(instance: &Instance, args: &RotateArgs) -> bool {
    args.overlap < longest_token(instance)
}

/// The consequence, for the question to the operator.
fn consequence(instance: &Instance, args: &RotateArgs) -> String {
    format!(
        "take the old key away {} after the handover, and tokens that it signed, which live up to {}, end with it",
        duration(args.overlap),
        duration(longest_token(instance))
    )
}
