//! Delivers what is due in the outbox: how a round goes, whatever the kind.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use genkan_store::Error;
use genkan_store::outbox::{self, Claim, Delivery, Kind};

use crate::app::App;

/// How the deliveries of a kind are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) kind: Kind,
    /// What goes to one receiver at once, and for how long it is ours.
    pub(super) claim: Claim,
    /// How many receivers are told at once.
    pub(super) receivers: usize,
    /// One that takes longer than this for a claim is slow.
    pub(super) patience: Duration,
}

impl Round {
    /// Delivers what is due. Each receiver is told on its own, so that one that
    /// hangs keeps nobody waiting but itself. `deliver` notes what became of a
    /// delivery, and says whether the receiver is well.
    ///
    /// # Errors
    ///
    /// If the store fails, or what `deliver` needs; a refused delivery is no error.
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

    /// Delivers to one receiver until nothing is due, or until it turns out to
    /// be slow or down: the rest then waits for the next round.
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
