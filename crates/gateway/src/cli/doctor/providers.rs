//! Checks the identity providers of enabled connections in the same way as a sign-in.

use futures_util::StreamExt;
use futures_util::stream;
use genkan_store::connection;
use genkan_store::{MAX_LIMIT, Page};

use super::Findings;
use super::data::Data;
use crate::config::Config;
use crate::connections;
use crate::failure::chain;
use crate::server;

const CHECK: &str = "Connections";

/// How many providers are checked at once.
const AT_ONCE: usize = 8;

pub(super) async fn examine(config: &Config, data: Data, findings: &mut Findings) {
    let Data {
        db,
        environment,
        instance_key,
    } = data;
    let page = Page::first(MAX_LIMIT);
    let listed = match db.read(async |tx| connection::list(tx, &page).await).await {
        Ok(listed) => listed,
        Err(error) => {
            findings.fail(CHECK, chain(&error), "See the database above.");
            return;
        }
    };
    let is_full = listed.len() == MAX_LIMIT as usize;
    let enabled: Vec<_> = listed
        .into_iter()
        .filter(|connection| connection.enabled)
        .collect();
    let app = match server::app(config, environment.kind, db, instance_key) {
        Ok(app) => app,
        Err(error) => {
            findings.fail(CHECK, error.to_string(), "See the configuration above.");
            return;
        }
    };
    let mut answers = stream::iter(&enabled)
        .map(|connection| {
            let app = &app;
            async move { (connection, connections::reach(app, connection).await) }
        })
        .buffered(AT_ONCE);
    let mut reachable = 0_usize;
    while let Some((connection, answer)) = answers.next().await {
        match answer {
            Ok(()) => reachable += 1,
            Err(unreached) => {
                // The guard of a sign-in refused it, but curl would get an answer.
                let remedy = unreached.remedy.unwrap_or(
                    "Compare the issuer with the provider's, and ask from this machine with curl.",
                );
                findings.fail(
                    CHECK,
                    format!("{} ({}): {}", connection.id, connection.name, unreached.why),
                    format!("Its people cannot sign in. {remedy}"),
                );
            }
        }
    }
    let which = if is_full {
        format!(" of the newest {MAX_LIMIT}")
    } else {
        String::new()
    };
    match (enabled.len(), reachable) {
        (0, _) => findings.ok(CHECK, "none is enabled"),
        (all, reachable) if all == reachable => {
            findings.ok(
                CHECK,
                format!("all {all} enabled{which} reach their identity provider"),
            );
        }
        _ => {}
    }
}
