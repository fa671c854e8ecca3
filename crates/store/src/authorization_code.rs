//! Authorization codes: the one-time ticket that a client trades for tokens.
//!
//! Source: RFC 6749 §4.1.2, RFC 9700 §4.5.

use std::time::Duration;

use genkan_db::{AppendTable, Tx, p};
use genkan_protocol::oauth::CodeChallenge;

use crate::grant::{self, Grant};
use crate::row::Columns;
use crate::{ClientId, Error, GrantId, SecretHash, Stamp, Timestamp};

/// How long a code may wait at the client. RFC 6749 §4.1.2 recommends ten
/// minutes at most; a redirect and one POST need far less.
pub const LIFETIME: Duration = Duration::from_secs(60);

/// How long a code is remembered after it expired, to notice a replay.
pub const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// What a code stands for. The code itself is stored only as a hash, so a
/// leaked backup redeems nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationCode {
    pub grant_id: GrantId,
    pub client_id: ClientId,
    pub redirect_uri: String,
    /// Whether the authorization request contained it. If so, the token request must repeat it (RFC 6749
    /// §4.1.3).
    pub redirect_uri_given: bool,
    /// PKCE, always S256.
    pub code_challenge: Option<CodeChallenge>,
}

/// The outcome of presenting a code. Every caller must say what a replay does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redemption {
    /// Presented for the first time, with a valid grant.
    Fresh {
        code: AuthorizationCode,
        grant: Box<Grant>,
    },
    /// Presented again. The grant and all its tokens are revoked now.
    Replayed(GrantId),
    /// Never issued to this client, expired unused, or its session has ended.
    Unknown,
}

/// Issues a code that lives for [`LIFETIME`]. It is written before the commit.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn issue(
    tx: &mut Tx<'_>,
    hash: &SecretHash,
    code: &AuthorizationCode,
    now: Timestamp,
) -> Result<(), Error> {
    let code_challenge = code.code_challenge.as_ref().map(ToString::to_string);
    static CODES: AppendTable = AppendTable::new(
        "INSERT INTO authorization_codes
            (code_hash, grant_id, client_id, redirect_uri, redirect_uri_given, code_challenge, expires_at)
         VALUES",
        7,
    );
    tx.append(
        &CODES,
        p![
            hash,
            &code.grant_id,
            &code.client_id,
            &code.redirect_uri,
            code.redirect_uri_given,
            code_challenge.as_deref(),
            (now + LIFETIME).as_micros(),
        ],
    )?;
    Ok(())
}

/// Redeems a code of a client, at most once.
///
/// Check and mark are one statement, so of two racing requests one gets
/// [`Redemption::Fresh`] and the other [`Redemption::Replayed`].
///
/// Commit in any case. Then a code that came with a wrong `code_verifier` stays used, and a grant that was
/// revoked for a replay stays revoked.
///
/// # Errors
///
/// [`Error::Database`] if the database fails; the code is then unspent.
pub async fn redeem(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    hash: &SecretHash,
    client_id: &ClientId,
) -> Result<Redemption, Error> {
    let spent = tx
        .opt(
            "UPDATE authorization_codes SET redeemed_at = $3
              WHERE code_hash = $1 AND client_id = $2 AND redeemed_at IS NULL AND expires_at > $3
              RETURNING grant_id, client_id, redirect_uri, redirect_uri_given, code_challenge",
            p![hash, client_id, at.now.as_micros()],
        )
        .await?;
    if let Some(row) = spent {
        let code = read(&mut Columns::of(&row))?;
        let grant = grant::find_live(tx, &code.grant_id, at.now).await?;
        return Ok(grant.map_or(Redemption::Unknown, |grant| Redemption::Fresh {
            code,
            grant: Box::new(grant),
        }));
    }
    let replayed = tx
        .opt(
            "SELECT grant_id FROM authorization_codes
              WHERE code_hash = $1 AND client_id = $2 AND redeemed_at IS NOT NULL",
            p![hash, client_id],
        )
        .await?;
    let Some(row) = replayed else {
        return Ok(Redemption::Unknown);
    };
    let grant_id = Columns::of(&row).id()?;
    grant::revoke_replayed(tx, at, &grant_id).await?;
    Ok(Redemption::Replayed(grant_id))
}

fn read(columns: &mut Columns<'_>) -> Result<AuthorizationCode, Error> {
    Ok(AuthorizationCode {
        grant_id: columns.id()?,
        client_id: columns.id()?,
        redirect_uri: columns.text()?,
        redirect_uri_given: columns.bool()?,
        code_challenge: columns
            .optional_text()?
            .map(|text| CodeChallenge::parse(&text))
            .transpose()
            .map_err(|_| Error::Corrupt("authorization_codes.code_challenge"))?,
    })
}
