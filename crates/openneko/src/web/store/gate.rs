//! The marker that sign-in was once set up here.
//!
//! A manifest can get lost, and a plugin can be removed. Neither may open a
//! deployment that required sign-in.

use genkan_db::{Error, Tx, p};
use jiff::Timestamp;

/// Remembers that `provider` was set up.
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

/// The plugin that was set up last, if there ever was one.
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
