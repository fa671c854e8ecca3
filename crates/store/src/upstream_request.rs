//! Requests to an identity provider that wait for their answer. Each answer is accepted once.
//!
//! Source: RFC 6749 §10.12, RFC 9700 §4.7.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan_db::{AppendTable, Row, Tx, p};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::row::Columns;
use crate::seal::{OpenError, SealContext};
use crate::{ConnectionId, Error, InstanceKey, InteractionId, Secret, SecretHash, Timestamp};

/// How long a person may take at the identity provider.
pub const LIFETIME: Duration = Duration::from_secs(30 * 60);

const COLUMN: &str = "upstream_requests.expected";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamRequest {
    /// The `state` that the provider must send back.
    pub state: SecretHash,
    pub interaction_id: InteractionId,
    pub connection_id: ConnectionId,
    /// What the answer must match, see [`ExpectedAnswer::seal`].
    pub expected_sealed: Vec<u8>,
    pub expires_at: Timestamp,
}

/// What an answer must match, in terms of its protocol.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum ExpectedAnswer {
    #[serde(rename = "OIDC")]
    Oidc {
        /// The nonce that the ID token must contain.
        nonce: String,
        /// Our PKCE verifier, if a challenge was sent.
        #[serde(with = "exposed")]
        code_verifier: Option<Secret>,
        /// The provider was asked to answer by a form, and not in the query.
        form_post: bool,
        /// The `prompt` of the request, for the people who read the trace of a failure.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt: Option<String>,
        /// Its `login_hint`, for them too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login_hint: Option<String>,
    },
    #[serde(rename = "SAML")]
    Saml {
        /// When the request was made. A fresh sign-in is not older.
        requested_at: Timestamp,
        /// The provider was asked for credentials even if it has a session (`ForceAuthn`).
        is_forced: bool,
    },
}

/// How often the answers to one request are decrypted. A stranger who has an encrypted answer could
/// otherwise try variants of it and learn from what each is refused for.
pub const MAX_DECRYPTIONS: i64 = 3;

/// Serializes a secret. It is used only inside sealed values.
mod exposed {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::Secret;

    pub(super) fn serialize<S: Serializer>(
        secret: &Option<Secret>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(Secret::expose).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Secret>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        Ok(text.map(Secret::from_presented))
    }
}

impl ExpectedAnswer {
    /// Seals it for the request with this `state`.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness.
    pub fn seal(&self, key: &InstanceKey, state: &SecretHash) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("it is made of texts and flags");
        key.seal(place(&id(state)), &Zeroizing::new(json))
    }
}

fn id(state: &SecretHash) -> String {
    URL_SAFE_NO_PAD.encode(state.as_bytes())
}

const fn place(id: &str) -> SealContext<'_> {
    SealContext { column: COLUMN, id }
}

impl UpstreamRequest {
    /// What the answer must match.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if it was sealed under another instance key.
    pub fn expected(&self, key: &InstanceKey) -> Result<ExpectedAnswer, OpenError> {
        let json = key.open(place(&id(&self.state)), &self.expected_sealed)?;
        serde_json::from_slice(&json).map_err(|_| OpenError)
    }
}

/// Stores a request before the browser is sent away with it. It replaces an earlier one of the same
/// interaction.
///
/// An interaction has one at a time, so that going back and forth does not fill the table. The answer to an
/// earlier request is no longer accepted.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn replace(tx: &mut Tx<'_>, request: &UpstreamRequest) -> Result<(), Error> {
    tx.exec(
        "DELETE FROM upstream_requests WHERE interaction_id = $1",
        p![&request.interaction_id],
    )
    .await?;
    insert(tx, request).await
}

/// Stores the first request of an interaction, see [`replace`].
///
/// The row waits for the commit, so this transaction does not find it unless it flushes.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(tx: &mut Tx<'_>, request: &UpstreamRequest) -> Result<(), Error> {
    static REQUESTS: AppendTable = AppendTable::new(
        "INSERT INTO upstream_requests (state_hash, interaction_id, connection_id, expected_sealed, expires_at) VALUES",
        5,
    );
    tx.append(
        &REQUESTS,
        p![
            &request.state,
            &request.interaction_id,
            &request.connection_id,
            &request.expected_sealed,
            request.expires_at.as_micros(),
        ],
    )?;
    Ok(())
}

/// Whether a connection waits for an answer with this `state`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn is_waited_for(
    tx: &mut Tx<'_>,
    state: &SecretHash,
    connection_id: &ConnectionId,
    now: Timestamp,
) -> Result<bool, Error> {
    let row = tx
        .opt(
            "SELECT 1 FROM upstream_requests WHERE state_hash = $1 AND connection_id = $2 AND expires_at > $3",
            p![state, connection_id, now.as_micros()],
        )
        .await?;
    Ok(row.is_some())
}

/// Finds a request of any connection, also one that has expired, and keeps it. Only the answer's browser
/// may use it up, see [`consume`].
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, state: &SecretHash) -> Result<Option<UpstreamRequest>, Error> {
    let row = tx
        .opt(
            "SELECT state_hash, interaction_id, connection_id, expected_sealed, expires_at
               FROM upstream_requests WHERE state_hash = $1",
            p![state],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Counts one decryption of an answer to this request. Says whether it may be made.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn may_decrypt(tx: &mut Tx<'_>, state: &SecretHash) -> Result<bool, Error> {
    let counted = tx
        .exec(
            "UPDATE upstream_requests SET decryptions = decryptions + 1
              WHERE state_hash = $1 AND decryptions < $2",
            p![state, MAX_DECRYPTIONS],
        )
        .await?;
    Ok(counted == 1)
}

/// Finds and deletes the request that an answer belongs to. So if several answers have one `state`, one
/// counts. The caller must check that the answer came to the address of this connection.
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
             RETURNING state_hash, interaction_id, connection_id, expected_sealed, expires_at",
            p![state],
        )
        .await?;
    let request = row.as_ref().map(read).transpose()?;
    Ok(request.filter(|request| now < request.expires_at))
}

fn read(row: &Row) -> Result<UpstreamRequest, Error> {
    let mut columns = Columns::of(row);
    Ok(UpstreamRequest {
        state: columns.hash("upstream_requests.state_hash")?,
        interaction_id: columns.id()?,
        connection_id: columns.id()?,
        expected_sealed: columns.bytes()?,
        expires_at: columns.time()?,
    })
}
