//! What a client has taken of the work that costs most, where several nodes
//! share the database.

use genkan_db::{Tx, p};

use crate::Error;

/// Takes `slice` of the `most` that `source` may have in this minute; says
/// whether there was so much left. One statement, so that nodes cannot take the
/// same twice.
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
