//! Sign-ins under way: what was begun here and has not come back yet.

use genkan_db::{Error, Tx, p};
use jiff::Timestamp;

use super::moment;

/// What was agreed when a sign-in began. The plugin and the provider see parts
/// of it; the browser sees none but the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// The plugin that the browser was sent away by: no other may finish it.
    pub provider: String,
    /// Repeated word for word when the code is redeemed.
    pub redirect_uri: String,
    /// Where the person wanted to go: a path of ours.
    pub return_path: String,
    /// PKCE, RFC 7636. Offered to the plugin, as is the nonce; old ones ignore both.
    pub code_verifier: String,
    /// OpenID Connect Core §3.1.2.1.
    pub nonce: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Keeps a sign-in that begins.
///
/// # Errors
///
/// If the database fails.
pub async fn insert(tx: &mut Tx<'_>, state_hash: &[u8; 32], flow: &Flow) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO sign_in_flow
            (state_hash, provider, redirect_uri, return_path, code_verifier, nonce, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        p![
            state_hash,
            &flow.provider,
            &flow.redirect_uri,
            &flow.return_path,
            &flow.code_verifier,
            &flow.nonce,
            flow.created_at.as_microsecond(),
            flow.expires_at.as_microsecond(),
        ],
    )
    .await?;
    Ok(())
}

/// Takes a sign-in out, expired or not: of any number of callers one gets it.
///
/// # Errors
///
/// If the database fails.
pub async fn redeem(tx: &mut Tx<'_>, state_hash: &[u8; 32]) -> Result<Option<Flow>, Error> {
    let row = tx
        .opt(
            "DELETE FROM sign_in_flow WHERE state_hash = $1
             RETURNING provider, redirect_uri, return_path, code_verifier, nonce, created_at, expires_at",
            p![state_hash],
        )
        .await?;
    row.map(|row| {
        Ok(Flow {
            provider: row.get(0)?,
            redirect_uri: row.get(1)?,
            return_path: row.get(2)?,
            code_verifier: row.get(3)?,
            nonce: row.get(4)?,
            created_at: moment(&row, 5)?,
            expires_at: moment(&row, 6)?,
        })
    })
    .transpose()
}
