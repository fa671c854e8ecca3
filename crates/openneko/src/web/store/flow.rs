//! Sign-ins under way: begun here and not yet back.

use genkan_db::{Error, Tx, p};
use jiff::Timestamp;

use super::moment;

/// The values of a sign-in from its beginning. The plugin and the provider see parts of
/// them; the browser sees only the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// The plugin that began it: no other may finish it.
    pub provider: String,
    /// Repeated word for word when the code is redeemed.
    pub redirect_uri: String,
    /// The path of ours to which the person wanted to go.
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

/// Takes a sign-in out, expired or not: only one caller gets it.
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
