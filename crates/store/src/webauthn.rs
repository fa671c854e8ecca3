//! Passkeys: public keys whose other half an authenticator of the user holds.
//!
//! Source: Web Authentication Level 3 §4 (credential record).

use genkan_db::{Row, Tx, p};

use crate::event::{self, Entry, Kind};
use crate::row::{Columns, json};
use crate::{CredentialId, Error, Stamp, Timestamp, UserId, conflict};

/// A passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub id: CredentialId,
    pub user_id: UserId,
    /// The authenticator's identifier of it.
    pub credential_id: Vec<u8>,
    /// COSE (RFC 9052).
    pub public_key: Vec<u8>,
    pub sign_count: u32,
    /// The format of the attestation: `none`, `packed`.
    pub attestation_type: String,
    /// The model of the authenticator, a UUID.
    pub aaguid: String,
    /// `platform`, `cross-platform` or nothing.
    pub attachment: String,
    pub transports: Vec<String>,
    pub flags: Flags,
    /// The user's name for it.
    pub display_name: Option<String>,
    pub user_agent: Option<String>,
    pub ip: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The flags of the authenticator at the registration.
///
/// Source: Web Authentication Level 3 §6.1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    pub user_present: bool,
    pub user_verified: bool,
    pub backup_eligible: bool,
    pub backup_state: bool,
}

macro_rules! columns {
    () => {
        "id, user_id, credential_id, public_key, sign_count, attestation_type, aaguid, attachment, transports,
         user_present, user_verified, backup_eligible, backup_state, display_name, user_agent, ip, created_at,
         updated_at"
    };
}

fn read(row: &Row) -> Result<Credential, Error> {
    let mut columns = Columns::of(row);
    Ok(Credential {
        id: columns.id()?,
        user_id: columns.id()?,
        credential_id: columns.bytes()?,
        public_key: columns.bytes()?,
        sign_count: u32::try_from(columns.int()?).unwrap_or(u32::MAX),
        attestation_type: columns.text()?,
        aaguid: columns.text()?,
        attachment: columns.text()?,
        transports: columns.json("webauthn_credentials.transports")?,
        flags: Flags {
            user_present: columns.bool()?,
            user_verified: columns.bool()?,
            backup_eligible: columns.bool()?,
            backup_state: columns.bool()?,
        },
        display_name: columns.optional_text()?,
        user_agent: columns.optional_text()?,
        ip: columns.optional_text()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// Adds a passkey.
///
/// # Errors
///
/// [`conflict::CREDENTIAL`] if it is registered already, for any user (Web Authentication Level 3 §7.1,
/// step 26).
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, credential: &Credential) -> Result<(), Error> {
    let known = tx
        .opt(
            "SELECT id FROM webauthn_credentials WHERE credential_id = $1",
            p![credential.credential_id.as_slice()],
        )
        .await?;
    if known.is_some() {
        return Err(Error::Conflict(conflict::CREDENTIAL));
    }
    let transports = json(&credential.transports);
    tx.exec(
        concat!(
            "INSERT INTO webauthn_credentials (",
            columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
        ),
        p![
            &credential.id,
            &credential.user_id,
            credential.credential_id.as_slice(),
            credential.public_key.as_slice(),
            i64::from(credential.sign_count),
            &credential.attestation_type,
            &credential.aaguid,
            &credential.attachment,
            &transports,
            credential.flags.user_present,
            credential.flags.user_verified,
            credential.flags.backup_eligible,
            credential.flags.backup_state,
            credential.display_name.as_deref(),
            credential.user_agent.as_deref(),
            credential.ip.as_deref(),
            credential.created_at.as_micros(),
            credential.updated_at.as_micros(),
        ],
    )
    .await?;
    record(tx, at, Kind::UserPasskeyCreated, credential).await
}

async fn record(tx: &mut Tx<'_>, at: Stamp<'_>, kind: Kind, credential: &Credential) -> Result<(), Error> {
    let entry = Entry::new(kind)
        .user(&credential.user_id)
        .with("credential_id", credential.id.as_str());
    event::record(tx, at, entry).await
}

/// The passkeys of a user, newest first. A user has few.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_for_user(tx: &mut Tx<'_>, user_id: &UserId) -> Result<Vec<Credential>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM webauthn_credentials WHERE user_id = $1 ORDER BY id DESC"
            ),
            p![user_id],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// Renames a passkey. `None` if there is no such passkey.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn rename(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    id: &CredentialId,
    display_name: &str,
) -> Result<Option<Credential>, Error> {
    let row = tx
        .opt(
            concat!(
                "UPDATE webauthn_credentials SET display_name = $2, updated_at = $3 WHERE id = $1 RETURNING ",
                columns!()
            ),
            p![id, display_name, at.now.as_micros()],
        )
        .await?;
    let Some(credential) = row.as_ref().map(read).transpose()? else {
        return Ok(None);
    };
    record(tx, at, Kind::UserPasskeyUpdated, &credential).await?;
    Ok(Some(credential))
}

/// Deletes a passkey and returns it. `None` if there is no such passkey.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete(tx: &mut Tx<'_>, at: Stamp<'_>, id: &CredentialId) -> Result<Option<Credential>, Error> {
    let row = tx
        .opt(
            concat!(
                "DELETE FROM webauthn_credentials WHERE id = $1 RETURNING ",
                columns!()
            ),
            p![id],
        )
        .await?;
    let Some(credential) = row.as_ref().map(read).transpose()? else {
        return Ok(None);
    };
    record(tx, at, Kind::UserPasskeyDeleted, &credential).await?;
    Ok(Some(credential))
}
