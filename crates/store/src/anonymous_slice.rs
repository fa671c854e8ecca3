//! Counts, for all nodes that share the database, how much of the most expensive work a client has used.

use genkan_db::{Tx, p};

use crate::Error;

/// Takes `slice` out of the `most` that `source` may use in this minute. Says whether so much was left. It
/// is one statement, so that two nodes cannot take the same part.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn take(tx: &mut Tx<'_>, source: &str, minute: i64, slice: i64, most: i64) -> Result<bool, Error> {
    let taken = tx
        .exec(
            "INSERT INTO anonymous_slices (source, minute, taken) VALUES ($1, $2, $3)
             ON CONFLICT (source, minute) DO UPDATE SET taken = anonymous_slices.taken + $3
              WHERE anonymous_slices.taken + $3 <= $4",
            p![source, minute, slice, most],
        )
        .await?;
    Ok(taken > 0)
}
