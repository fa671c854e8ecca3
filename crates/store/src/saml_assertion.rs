//! Assertions of SAML providers that have counted, so that none counts twice.
//!
//! Source: SAML Profiles §4.1.4.5.

use genkan_db::{Tx, p};

use crate::{ConnectionId, Error, SecretHash, Timestamp};

/// An assertion that counts now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedAssertion {
    pub connection_id: ConnectionId,
    /// The hash of its ID. Two providers may use one ID, so it is known by its connection.
    pub assertion: SecretHash,
    /// The `state` of the request that it answers. `None`: the provider began the sign-in.
    pub state: Option<SecretHash>,
    /// After this time its own limits refuse it.
    pub expires_at: Timestamp,
}

/// Notes that an assertion counts now. Says whether it is the first time.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn use_up(tx: &mut Tx<'_>, used: &UsedAssertion) -> Result<bool, Error> {
    let inserted = tx
        .exec(
            "INSERT INTO saml_assertions (connection_id, assertion_hash, state_hash, expires_at)
             VALUES ($1, $2, $3, $4) ON CONFLICT (connection_id, assertion_hash) DO NOTHING",
            p![
                &used.connection_id,
                &used.assertion,
                used.state.as_ref(),
                used.expires_at.as_micros(),
            ],
        )
        .await?;
    Ok(inserted == 1)
}

/// Whether an assertion has answered the request with this `state`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn has_answered(tx: &mut Tx<'_>, state: &SecretHash) -> Result<bool, Error> {
    let row = tx
        .opt("SELECT 1 FROM saml_assertions WHERE state_hash = $1", p![state])
        .await?;
    Ok(row.is_some())
}
