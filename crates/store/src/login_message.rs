//! The messages of sign-ins that failed, beside their traces: our request, and the provider's answer.
//!
//! A trace says what was checked; the messages show the rest, such as the attributes. They hold nothing that
//! could be used again.
//!
//! If no key of the provider has signed an answer by SAML, anybody may have made it, and any number of them for
//! one request. Then messages and trace go after a day. An answer by OpenID Connect uses its request up.

use std::time::Duration;

use genkan_db::{Tx, p};
use serde::{Deserialize, Serialize};

use crate::row::{Columns, json};
use crate::{Error, Timestamp, TraceId};

/// The messages of one sign-in, as people read them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginMessage {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// How much of an answer is kept, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;

/// How long the messages are kept if the provider has signed its answer by SAML, and by OpenID Connect.
pub const VERIFIED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long any others are kept, with their trace.
pub const UNVERIFIED: Duration = Duration::from_secs(24 * 60 * 60);

/// Keeps the messages of a trace.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(
    tx: &mut Tx<'_>,
    trace_id: &TraceId,
    message: &LoginMessage,
    expires_at: Timestamp,
) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO login_messages (trace_id, message, expires_at) VALUES ($1, $2, $3)",
        p![trace_id, &json(message), expires_at.as_micros()],
    )
    .await?;
    Ok(())
}

/// Finds the messages of a trace.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(
    tx: &mut Tx<'_>,
    trace_id: &TraceId,
    now: Timestamp,
) -> Result<Option<LoginMessage>, Error> {
    let row = tx
        .opt(
            "SELECT message FROM login_messages WHERE trace_id = $1 AND expires_at > $2",
            p![trace_id, now.as_micros()],
        )
        .await?;
    row.map(|row| Columns::of(&row).json("login_messages.message"))
        .transpose()
}
