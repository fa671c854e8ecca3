//! Begun sign-ins, charged to a client at all nodes together.

use std::time::Duration;

use genkan_db::Engine;
use genkan_store::{Error, anonymous_slice};

use super::LimitExceeded;
use crate::app::App;
use crate::budget::{SLICE, SliceRest};
use crate::context;

/// Counts a sign-in that this request begins, at all nodes together.
///
/// # Errors
///
/// [`StartError::TooMany`] if the client has begun too many; or the store fails.
pub(crate) async fn begin(app: &App) -> Result<(), StartError> {
    let slices = &app.budget().slices;
    let (Some(source), true) = (
        context::source(),
        slices.per_minute > 0 && app.db().engine() == Engine::Postgres,
    ) else {
        return Ok(());
    };
    let now = app.now().as_secs();
    let minute = now.div_euclid(60);
    match slices.take(source, minute) {
        Ok(()) => return Ok(()),
        Err(SliceRest::Nothing) => return Err(too_many(now)),
        Err(SliceRest::Begins(_)) => {}
    }
    let (name, most) = (source.to_string(), i64::from(slices.per_minute));
    let granted = app
        .db()
        .tx_read_committed(async |tx| anonymous_slice::take(tx, &name, minute, i64::from(SLICE), most).await)
        .await?;
    if granted {
        // This request takes the first of them.
        slices.put(source, minute, SliceRest::Begins(SLICE - 1));
        Ok(())
    } else {
        slices.put(source, minute, SliceRest::Nothing);
        Err(too_many(now))
    }
}

/// Until the minute is over.
fn too_many(now: i64) -> StartError {
    let left = u64::try_from(60 - now.rem_euclid(60)).unwrap_or(60);
    StartError::TooMany(LimitExceeded {
        retry_after: Duration::from_secs(left),
    })
}

/// Why a sign-in may not begin.
#[derive(Debug)]
pub(crate) enum StartError {
    TooMany(LimitExceeded),
    Store(Error),
}

impl From<Error> for StartError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}
