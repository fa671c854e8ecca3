//! Work beside the requests: delivers logout tokens and mail, sweeps and indexes rows, compares the clock.

pub mod back_channel_logout;
pub mod clock;
pub mod domains;
pub mod mail;
mod outbox;
mod worker;

use std::time::Duration;

use genkan_store::outbox::Kind;
use genkan_store::{event, janitor, search_backlog};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::worker::{Job, Pace};
use crate::app::App;
use crate::tally;

/// How often expired rows are swept.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// How often the outbox is checked if nobody wakes it, for retries and for messages of other nodes and the
/// command line.
const DELIVER_EVERY: Duration = Duration::from_secs(2);

const JOBS: [Job; 9] = [
    Job {
        what: "delivering logout tokens",
        pace: Pace::Woken(DELIVER_EVERY, Kind::BackChannelLogout),
        run: |app| Box::pin(async move { Ok(back_channel_logout::deliver_due(&app).await?) }),
    },
    Job {
        what: "delivering mail",
        pace: Pace::Woken(DELIVER_EVERY, Kind::Mail),
        run: |app| Box::pin(async move { Ok(mail::deliver_due(&app).await?) }),
    },
    Job {
        what: "looking for the TXT records of domains",
        pace: Pace::Every(domains::EVERY),
        run: |app| Box::pin(async move { Ok(domains::look(&app).await?) }),
    },
    // Once, because later rows are indexed when they are added. After a failure it goes on at the next
    // start.
    Job {
        what: "indexing for search",
        pace: Pace::Once,
        run: |app| Box::pin(async move { Ok(search_backlog::write_missing(app.db()).await?) }),
    },
    Job {
        what: "reading the facts of old events",
        pace: Pace::Once,
        run: |app| Box::pin(async move { Ok(event::read_facts(app.db()).await?) }),
    },
    Job {
        what: "counting tokens of clients",
        pace: Pace::Every(tally::WRITE_EVERY),
        run: |app| Box::pin(async move { Ok(app.tally().write(app.db(), app.at(app.now())).await?) }),
    },
    Job {
        what: "counting refused requests",
        pace: Pace::Every(tally::WRITE_EVERY),
        run: |app| {
            Box::pin(async move {
                app.lines().tell();
                Ok(())
            })
        },
    },
    Job {
        what: "dropping idle keys",
        pace: Pace::Every(SWEEP_EVERY),
        run: |app| {
            Box::pin(async move {
                app.opened_keys().drop_idle();
                Ok(())
            })
        },
    },
    Job {
        what: "sweeping expired rows",
        pace: Pace::AtOnceAndEvery(SWEEP_EVERY),
        run: |app| {
            Box::pin(async move {
                let retention = &app.settings().retention;
                janitor::sweep(app.db(), app.ids(), app.now(), retention).await?;
                Ok(())
            })
        },
    },
];

/// Starts all jobs. They end soon after `stop` is cancelled, between two steps.
pub fn start(app: &App, tracker: &TaskTracker, stop: &CancellationToken) {
    for job in JOBS {
        tracker.spawn(job.work(app.clone(), stop.clone()));
    }
}

/// Writes the counters of tokens and refused requests. It runs once more when the server has stopped.
pub async fn write_tally(app: &App) {
    app.lines().tell();
    if let Err(error) = app.tally().write(app.db(), app.at(app.now())).await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "counting tokens of clients failed"
        );
    }
}
