//! Sends the mail that waits.

use std::time::Duration;

use futures_util::future::join_all;
use genkan_store::mail::{self, Queued};

use crate::app::App;
use crate::mail::{MAX_CONNECTIONS, Mailer, Smtp};

/// How long a claimed mail is ours: longer than the longest dialogue.
const LEASE: Duration = Duration::from_mins(5);

/// Sends what is due until nothing is, or until the server refuses: the rest
/// then waits for the next round. The inbox of a developer keeps its mail.
///
/// # Errors
///
/// If the store fails; a refused mail is no error.
pub async fn deliver_due(app: &App) -> Result<(), genkan_store::Error> {
    let Mailer::Smtp(smtp) = app.mailer() else {
        return Ok(());
    };
    loop {
        let now = app.now();
        // Mostly there is nothing, and a claim is a write.
        if !app.db().read(async |tx| mail::is_due(tx, now).await).await? {
            return Ok(());
        }
        let due = app
            .db()
            .tx(async |tx| mail::claim_due(tx, MAX_CONNECTIONS, LEASE, now).await)
            .await?;
        let mut is_well = !due.is_empty();
        for outcome in join_all(due.iter().map(|mail| deliver(app, smtp, mail))).await {
            is_well &= outcome?;
        }
        if !is_well {
            return Ok(());
        }
    }
}

/// Says whether there is nothing more to do about it.
async fn deliver(app: &App, smtp: &Smtp, mail: &Queued) -> Result<bool, genkan_store::Error> {
    let failure = if mail.expires_at <= app.now() {
        Some(Failure {
            is_final: true,
            reason: "it would have come too late".to_owned(),
        })
    } else {
        send(app, smtp, mail).await.err()
    };
    let now = app.now();
    app.db()
        .tx(async |tx| match &failure {
            None => mail::delivered(tx, &mail.id).await,
            Some(failure) if failure.is_final => mail::give_up(tx, app.at(now), mail, &failure.reason).await,
            Some(failure) => mail::failed(tx, app.at(now), mail, &failure.reason)
                .await
                .map(drop),
        })
        .await?;
    match &failure {
        None => tracing::info!(mail = %mail.id, kind = %mail.kind, "mail sent"),
        Some(Failure { is_final, reason }) => {
            tracing::warn!(mail = %mail.id, kind = %mail.kind, is_final, reason, "mail not sent");
        }
    }
    Ok(failure.is_none())
}

/// Why a mail did not go out.
struct Failure {
    /// Whether trying again is in vain.
    is_final: bool,
    /// Goes into an event, so it holds no address.
    reason: String,
}

async fn send(app: &App, smtp: &Smtp, mail: &Queued) -> Result<(), Failure> {
    let content = mail.open(app.instance_key()).map_err(|error| Failure {
        is_final: true,
        reason: error.to_string(),
    })?;
    smtp.send(&mail.id, mail.created_at, &content)
        .await
        .map_err(|error| {
            tracing::debug!(mail = %mail.id, %error, "the mail server's own words");
            Failure {
                is_final: error.is_final(),
                reason: error.reason(),
            }
        })
}
