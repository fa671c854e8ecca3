//! Work beside the requests: logout tokens and mail to deliver, rows to sweep.

pub mod back_channel_logout;
pub mod domains;
pub mod mail;

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::tally;

/// How often expired rows are swept.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// How often the outbox is looked at when nobody wakes it: for retries, and for
/// what other nodes and the command line put in.
const DELIVER_EVERY: Duration = Duration::from_secs(2);

/// Starts all jobs. They end soon after `stop` is cancelled, between two steps.
pub fn start(app: &App, tracker: &TaskTracker, stop: &CancellationToken) {
    let (deliver, deliver_stop) = (app.clone(), stop.clone());
    tracker.spawn(async move {
        while !deliver_stop.is_cancelled() {
            if let Err(error) = back_channel_logout::deliver_due(&deliver).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "delivering logout tokens failed"
                );
            }
            tokio::select! {
                () = deliver.jobs_woken() => {}
                () = tokio::time::sleep(DELIVER_EVERY) => {}
                () = deliver_stop.cancelled() => {}
            }
        }
    });
    let (mails, mails_stop) = (app.clone(), stop.clone());
    tracker.spawn(async move {
        while !mails_stop.is_cancelled() {
            if let Err(error) = mail::deliver_due(&mails).await {
                tracing::error!(error = &error as &dyn std::error::Error, "delivering mail failed");
            }
            tokio::select! {
                () = mails.mail_woken() => {}
                () = tokio::time::sleep(DELIVER_EVERY) => {}
                () = mails_stop.cancelled() => {}
            }
        }
    });
    let (domains, domains_stop) = (app.clone(), stop.clone());
    tracker.spawn(async move {
        while domains_stop
            .run_until_cancelled(tokio::time::sleep(domains::EVERY))
            .await
            .is_some()
        {
            if let Err(error) = domains::look(&domains).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "looking for the TXT records of domains failed"
                );
            }
        }
    });
    let (index, index_stop) = (app.clone(), stop.clone());
    tracker.spawn(async move {
        // Once: what is added later is indexed as it is added.
        let writing = genkan_store::search::write_missing(index.db());
        if let Some(Err(error)) = index_stop.run_until_cancelled(writing).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "indexing for search failed; it goes on at the next start"
            );
        }
    });
    let (write, write_stop) = (app.clone(), stop.clone());
    tracker.spawn(async move {
        while write_stop
            .run_until_cancelled(tokio::time::sleep(tally::WRITE_EVERY))
            .await
            .is_some()
        {
            write_tally(&write).await;
        }
    });
    let (sweep, sweep_stop) = (app.clone(), stop.clone());
    tracker.spawn(async move {
        while !sweep_stop.is_cancelled() {
            if let Err(error) = genkan_store::janitor::sweep(sweep.db(), sweep.ids(), sweep.now()).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "sweeping expired rows failed"
                );
            }
            tokio::select! {
                () = tokio::time::sleep(SWEEP_EVERY) => {}
                () = sweep_stop.cancelled() => {}
            }
        }
    });
}

/// Writes how many tokens clients fetched; also once more when the server has stopped.
pub async fn write_tally(app: &App) {
    if let Err(error) = tally::write(app).await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "counting tokens of clients failed"
        );
    }
}
