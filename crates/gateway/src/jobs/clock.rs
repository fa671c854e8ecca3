//! Compares the clock of this machine with the database's.

use genkan_db::Engine;
use genkan_protocol::Timestamp;
use genkan_store::node::{self, Clock, EVERY};
use genkan_store::{Error, NodeId};
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// Compares them regularly until `stop` is cancelled.
pub async fn watch(app: App, id: NodeId, now: fn() -> Timestamp, stop: CancellationToken) {
    if app.db().engine() == Engine::Sqlite {
        return;
    }
    while stop
        .run_until_cancelled(tokio::time::sleep(EVERY))
        .await
        .is_some()
    {
        look(&app, &id, now).await;
    }
    let left = app.db().tx_read_committed(async |tx| node::leave(tx, &id).await);
    if let Err(error) = left.await {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "this node stays on the list"
        );
    }
}

/// Compares them once. A failure is logged and changes nothing.
pub async fn look(app: &App, id: &NodeId, now: fn() -> Timestamp) {
    if let Err(error) = compare(app, id, now).await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "comparing the clocks failed"
        );
    }
}

/// Compares the clock of this machine with the database's. If the difference is too large, this node stops
/// signing people in.
///
/// Nothing happens on SQLite, which uses the same clock.
///
/// # Errors
///
/// [`Error`] if the database fails.
pub async fn compare(app: &App, id: &NodeId, now: impl Fn() -> Timestamp) -> Result<(), Error> {
    let before = now();
    let Some(database) = app.db().clock().await? else {
        return Ok(());
    };
    // The best estimate: the database read its clock in the middle of the round trip.
    let ours = i64::midpoint(before.as_micros(), now().as_micros());
    let ahead = ours.saturating_sub(database);
    let clock = app
        .db()
        .tx_read_committed(async |tx| node::report(tx, id, ahead, database).await)
        .await?;
    let seconds = ahead / 1_000_000;
    let was_off = app.node().set_clock_is_off(clock == Clock::Off);
    match clock {
        Clock::Right if was_off => tracing::info!("the clock of this machine is right again"),
        Clock::Right => {}
        Clock::Warn => tracing::warn!(
            seconds,
            "the clock of this machine is so far ahead of the database's: see that both are synchronized"
        ),
        Clock::Off => tracing::error!(
            seconds,
            "the clock of this machine is so far ahead of the database's, and that of other nodes is not: nobody is \
             signed in here until it is set"
        ),
    }
    Ok(())
}
