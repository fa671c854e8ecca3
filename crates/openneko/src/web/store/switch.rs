//! Finished sign-ins that would end another person's session: they wait until the
//! person confirms.

use genkan_db::{Error, Row, Tx, p};
use jiff::Timestamp;

use super::moment;

/// A finished sign-in of another user than the one of the browser's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// The session that would end.
    pub session_hash: [u8; 32],
    /// The user who would be signed in.
    pub user_id: String,
    pub provider: String,
    pub return_path: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Keeps it.
///
/// # Errors
///
/// If the database fails.
pub async fn insert(tx: &mut Tx<'_>, token_hash: &[u8; 32], switch: &Switch) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO sign_in_switch
            (token_hash, session_hash, user_id, provider, return_path, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        p![
            token_hash,
            &switch.session_hash,
            &switch.user_id,
            &switch.provider,
            &switch.return_path,
            switch.created_at.as_microsecond(),
            switch.expires_at.as_microsecond(),
        ],
    )
    .await?;
    Ok(())
}

/// Finds it, to ask about it.
///
/// # Errors
///
/// If the database fails.
pub async fn find(tx: &mut Tx<'_>, token_hash: &[u8; 32]) -> Result<Option<Switch>, Error> {
    let row = tx
        .opt(
            "SELECT session_hash, user_id, provider, return_path, created_at, expires_at
               FROM sign_in_switch WHERE token_hash = $1",
            p![token_hash],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Takes it out, expired or not: only one caller gets it.
///
/// # Errors
///
/// If the database fails.
pub async fn redeem(tx: &mut Tx<'_>, token_hash: &[u8; 32]) -> Result<Option<Switch>, Error> {
    let row = tx
        .opt(
            "DELETE FROM sign_in_switch WHERE token_hash = $1
             RETURNING session_hash, user_id, provider, return_path, created_at, expires_at",
            p![token_hash],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Switch, Error> {
    Ok(Switch {
        session_hash: row.get(0)?,
        user_id: row.get(1)?,
        provider: row.get(2)?,
        return_path: row.get(3)?,
        created_at: moment(row, 4)?,
        expires_at: moment(row, 5)?,
    })
}
