//! Sends queued mail.

use std::time::Duration;

use genkan_store::Error;
use genkan_store::mail::{self, QueuedMail};
use genkan_store::outbox::{self, Claim, Delivery, Kind};

use super::outbox::Round;
use crate::app::App;
use crate::letters;
use crate::mail::{MAX_CONNECTIONS, Mailer, Smtp};

/// All mail has one receiver, the mail server.
const ROUND: Round = Round {
    kind: Kind::Mail,
    claim: Claim {
        limit: MAX_CONNECTIONS,
        // Longer than the longest SMTP dialogue.
        lease: Duration::from_mins(5),
    },
    receivers: 1,
    patience: Duration::MAX,
};

/// Sends the due mail until none is left, or until the server refuses one. The rest then waits for the next
/// round. In the inbox of a developer, mail stays.
///
/// # Errors
///
/// If the store fails. A refused mail is no error.
pub async fn deliver_due(app: &App) -> Result<(), Error> {
    let Mailer::Smtp(smtp) = app.mailer() else {
        return Ok(());
    };
    ROUND
        .deliver_due(app, |delivery| deliver(app, smtp, delivery))
        .await
}

/// Returns whether nothing more needs to be done about it.
async fn deliver(app: &App, smtp: &Smtp, delivery: Delivery) -> Result<bool, Error> {
    let mail = QueuedMail::read(delivery)?;
    let failure = if mail.delivery.expires_at <= app.now() {
        Some(DeliveryFailure {
            is_final: true,
            reason: "it would have come too late".to_owned(),
        })
    } else {
        send(app, smtp, &mail).await.err()
    };
    let now = app.now();
    app.db()
        .tx(async |tx| match &failure {
            None => outbox::delivered(tx, &mail.delivery).await,
            Some(failure) if failure.is_final => mail::give_up(tx, app.at(now), &mail, &failure.reason).await,
            Some(failure) => mail::failed(tx, app.at(now), &mail, &failure.reason)
                .await
                .map(drop),
        })
        .await?;
    match &failure {
        None => tracing::info!(mail = %mail.id, kind = %mail.kind, "mail sent"),
        Some(DeliveryFailure { is_final, reason }) => {
            tracing::warn!(mail = %mail.id, kind = %mail.kind, is_final, reason, "mail not sent");
        }
    }
    Ok(failure.is_none())
}

/// Why a mail was not sent.
struct DeliveryFailure {
    /// Whether another attempt is useless.
    is_final: bool,
    /// It becomes part of an event, so it contains no address.
    reason: String,
}

async fn send(app: &App, smtp: &Smtp, mail: &QueuedMail) -> Result<(), DeliveryFailure> {
    let content = mail.open(app.instance_key()).map_err(|error| DeliveryFailure {
        is_final: true,
        reason: error.to_string(),
    })?;
    let written = letters::write(app.issuer(), content);
    smtp.send(&mail.id, mail.delivery.created_at, &written)
        .await
        .map_err(|error| {
            tracing::debug!(mail = %mail.id, %error, "the mail server's own words");
            DeliveryFailure {
                is_final: error.is_final(),
                reason: error.reason(),
            }
        })
}
