//! Access tokens that were revoked one by one. They are listed until they expire.
//!
//! Source: RFC 7009 §2. A token whose whole grant is revoked is not listed here.

use genkan_db::{Tx, p};

use crate::{Error, Timestamp, TokenId};

/// Revokes an access token. `expires_at` is its `exp`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(tx: &mut Tx<'_>, jti: &TokenId, expires_at: Timestamp) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO revoked_access_tokens (jti, expires_at) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING",
        p![jti, expires_at.as_micros()],
    )
    .await?;
    Ok(())
}

/// Whether an access token was revoked.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn contains(tx: &mut Tx<'_>, jti: &TokenId) -> Result<bool, Error> {
    Ok(tx
        .opt("SELECT jti FROM revoked_access_tokens WHERE jti = $1", p![jti])
        .await?
        .is_some())
}
