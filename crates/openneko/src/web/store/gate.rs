//! The marker that sign-in was at work here once.
//!
//! A manifest can get lost, a plugin can be removed. Neither may turn a
//! deployment that asked for sign-in into one that does not.

use genkan_db::{Error, Tx, p};
use jiff::Timestamp;

/// Remembers that `provider` was seen at work.
///
/// # Errors
///
/// If the database fails.
pub async fn close(tx: &mut Tx<'_>, provider: &str, now: Timestamp) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO sign_in_gate (id, provider, closed_at) VALUES (1, $1, $2)
         ON CONFLICT (id) DO UPDATE SET provider = excluded.provider",
        p![provider, now.as_microsecond()],
    )
    .await?;
    Ok(())
}

/// The plugin that was seen at work last, if any ever was.
///
/// # Errors
///
/// If the database fails.
pub async fn find(tx: &mut Tx<'_>) -> Result<Option<String>, Error> {
    let row = tx
        .opt("SELECT provider FROM sign_in_gate WHERE id = 1", &[])
        .await?;
    row.map(|row| row.get(0)).transpose()
}
