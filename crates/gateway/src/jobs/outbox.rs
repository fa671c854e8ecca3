//! Delivers the due messages of the outbox, for every kind.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use genkan_store::Error;
use genkan_store::outbox::{self, Claim, Delivery, Kind};

use crate::app::App;

/// How the messages of a kind are delivered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) kind: Kind,
    /// The most messages for one receiver at once, and how long they are claimed.
    pub(super) claim: Claim,
    /// How many receivers are served at once.
    pub(super) receivers: usize,
    /// A receiver that takes longer than this for a claim is slow.
    pub(super) patience: Duration,
}

impl Round {
    /// Delivers the due messages. Each receiver is served on its own, so one that hangs delays only its own
    /// messages. `deliver` stores the result of a delivery, and returns whether the receiver works.
    ///
    /// # Errors
    ///
    /// If the store fails, or something that `deliver` needs. A refused delivery is no error.
    pub(super) async fn deliver_due<E, F>(&self, app: &App, deliver: impl Fn(Delivery) -> F) -> Result<(), E>
    where
        E: From<Error>,
        F: Future<Output = Result<bool, E>>,
    {
        let (now, kind) = (app.now(), self.kind);
        let receivers = app
            .db()
            .read(async |tx| outbox::due_receivers(tx, kind, now).await)
            .await?;
        let outcomes: Vec<_> = stream::iter(receivers)
            .map(|receiver| self.deliver_to(app, receiver, &deliver))
            .buffer_unordered(self.receivers)
            .collect()
            .await;
        outcomes.into_iter().collect()
    }

    /// Delivers to one receiver until nothing is due, or until it is slow or fails. The rest then waits for
    /// the next round.
    async fn deliver_to<E, F>(
        &self,
        app: &App,
        receiver: String,
        deliver: &impl Fn(Delivery) -> F,
    ) -> Result<(), E>
    where
        E: From<Error>,
        F: Future<Output = Result<bool, E>>,
    {
        loop {
            let (now, started) = (app.now(), Instant::now());
            let (which, claim) = ((self.kind, receiver.as_str()), self.claim);
            let due = app
                .db()
                .tx(async |tx| outbox::claim(tx, which, claim, now).await)
                .await?;
            let is_all = due.len() < claim.limit as usize;
            let mut is_well = true;
            for outcome in join_all(due.into_iter().map(deliver)).await {
                is_well &= outcome?;
            }
            if is_all || !is_well || started.elapsed() > self.patience {
                return Ok(());
            }
        }
    }
}
