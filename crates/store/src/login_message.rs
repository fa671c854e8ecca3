//! The messages of providers whose sign-in failed, beside their traces.
//!
//! A trace says what was checked; the message shows the rest, such as the attributes. It is kept for a
//! shorter time, because it may hold the profile of a person.

use std::time::Duration;

use genkan_db::{Tx, p};

use crate::row::Columns;
use crate::{Error, Timestamp, TraceId};

/// How much of a message is kept, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;

/// How long a message is kept if the provider has signed it.
pub const VERIFIED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long any other message is kept. Anybody may have made it.
pub const UNVERIFIED: Duration = Duration::from_secs(24 * 60 * 60);

/// Keeps the message of a trace.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(
    tx: &mut Tx<'_>,
    trace_id: &TraceId,
    message: &str,
    expires_at: Timestamp,
) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO login_messages (trace_id, message, expires_at) VALUES ($1, $2, $3)",
        p![trace_id, message, expires_at.as_micros()],
    )
    .await?;
    Ok(())
}

/// Finds the message of a trace.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, trace_id: &TraceId, now: Timestamp) -> Result<Option<String>, Error> {
    let row = tx
        .opt(
            "SELECT message FROM login_messages WHERE trace_id = $1 AND expires_at > $2",
            p![trace_id, now.as_micros()],
        )
        .await?;
    row.map(|row| Columns::of(&row).text()).transpose()
}
