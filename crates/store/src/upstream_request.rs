//! Requests under way to an identity provider: each answer is accepted once.
//!
//! Source: RFC 6749 §10.12, RFC 9700 §4.7.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan_db::{Tx, p};
use zeroize::Zeroizing;

use crate::row::Columns;
use crate::seal::{OpenError, Place};
use crate::{ConnectionId, Error, InstanceKey, InteractionId, SecretHash, Timestamp};

/// How long a person may take at the identity provider.
pub const LIFETIME: Duration = Duration::from_secs(30 * 60);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamRequest {
    /// The `state` that the provider must send back.
    pub state: SecretHash,
    pub interaction_id: InteractionId,
    pub connection_id: ConnectionId,
    /// What the ID token must carry.
    pub nonce: String,
    /// Our PKCE verifier, see [`seal_code_verifier`].
    pub code_verifier_sealed: Option<Vec<u8>>,
    pub expires_at: Timestamp,
}

/// Seals the PKCE verifier of the request with this `state`.
pub fn seal_code_verifier(key: &InstanceKey, state: &SecretHash, verifier: &str) -> Vec<u8> {
    let id = URL_SAFE_NO_PAD.encode(state.as_bytes());
    key.seal(
        Place {
            column: "upstream_requests.code_verifier",
            id: &id,
        },
        verifier.as_bytes(),
    )
}

impl UpstreamRequest {
    /// Our PKCE verifier, if one was sent.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if it was sealed under another instance key.
    pub fn open_code_verifier(&self, key: &InstanceKey) -> Result<Option<Zeroizing<String>>, OpenError> {
        let Some(sealed) = &self.code_verifier_sealed else {
            return Ok(None);
        };
        let id = URL_SAFE_NO_PAD.encode(self.state.as_bytes());
        let mut bytes = key.open(
            Place {
                column: "upstream_requests.code_verifier",
                id: &id,
            },
            sealed,
        )?;
        let text = String::from_utf8(std::mem::take(&mut *bytes)).map_err(|_| OpenError)?;
        Ok(Some(Zeroizing::new(text)))
    }
}

/// Remembers a request before the browser is sent away with it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(tx: &mut Tx<'_>, request: &UpstreamRequest) -> Result<(), Error> {
    // One at a time: going back and forth must not fill the table, and the
    // answer to an earlier request is no longer waited for.
    tx.exec(
        "DELETE FROM upstream_requests WHERE interaction_id = $1",
        p![&request.interaction_id],
    )
    .await?;
    tx.exec(
        "INSERT INTO upstream_requests
            (state_hash, interaction_id, connection_id, nonce, code_verifier_sealed, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        p![
            &request.state,
            &request.interaction_id,
            &request.connection_id,
            &request.nonce,
            request.code_verifier_sealed.as_ref(),
            request.expires_at.as_micros(),
        ],
    )
    .await?;
    Ok(())
}

/// Takes the request that an answer belongs to. It is gone afterwards, so of
/// several answers with one `state` one counts. The caller must still see that
/// the connection is the one that the answer came for.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn consume(
    tx: &mut Tx<'_>,
    state: &SecretHash,
    now: Timestamp,
) -> Result<Option<UpstreamRequest>, Error> {
    let row = tx
        .opt(
            "DELETE FROM upstream_requests WHERE state_hash = $1
             RETURNING state_hash, interaction_id, connection_id, nonce, code_verifier_sealed, expires_at",
            p![state],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut columns = Columns::of(&row);
    let request = UpstreamRequest {
        state: columns.hash("upstream_requests.state_hash")?,
        interaction_id: columns.id()?,
        connection_id: columns.id()?,
        nonce: columns.text()?,
        code_verifier_sealed: columns.optional_bytes()?,
        expires_at: columns.time()?,
    };
    Ok(Some(request).filter(|request| now < request.expires_at))
}
