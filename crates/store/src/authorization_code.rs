//! Authorization codes: the one-time ticket that a client trades for tokens.
//!
//! Source: RFC 6749 §4.1.2, RFC 9700 §4.5.

use std::time::Duration;

use genkan_db::{AppendTable, Row, Tx, p};
use genkan_protocol::oauth::CodeChallenge;

use crate::grant::{self, Grant};
use crate::row::Columns;
use crate::subject::{self, SubjectRow};
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
/// It begins with a look at the code, because a transaction on PostgreSQL can begin together with a
/// statement that changes nothing. The look decides nothing: check and mark are one statement after it, so
/// of two racing requests one gets [`Redemption::Fresh`] and the other [`Redemption::Replayed`].
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
    let (redemption, _) = redeem_and_read(tx, at, hash, client_id).await?;
    Ok(redemption)
}

/// As [`redeem`], with the subject of a fresh code, which is read in the same round trip.
///
/// # Errors
///
/// As [`redeem`].
pub async fn redeem_and_read(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    hash: &SecretHash,
    client_id: &ClientId,
) -> Result<(Redemption, Option<SubjectRow>), Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT a.redeemed_at, a.expires_at, a.grant_id, a.client_id, a.redirect_uri, a.redirect_uri_given,
                    a.code_challenge, ",
                grant::live_columns!(),
                " FROM authorization_codes a
                  JOIN grants g ON g.id = a.grant_id
                  JOIN sessions s ON s.id = g.session_id
                 WHERE a.code_hash = $1 AND a.client_id = $2"
            ),
            p![hash, client_id],
        )
        .await?;
    let Some(row) = row else {
        return Ok((Redemption::Unknown, None));
    };
    let found = FoundCode::read(&row, at.now)?;
    if !found.is_redeemed {
        if at.now >= found.expires_at {
            return Ok((Redemption::Unknown, None));
        }
        let (is_first, subject) = use_up(tx, hash, found.grant.as_ref(), at.now).await?;
        if is_first {
            let code = found.code;
            let redemption = found
                .grant
                .map_or(Redemption::Unknown, |grant| Redemption::Fresh {
                    code,
                    grant: Box::new(grant),
                });
            return Ok((redemption, subject));
        }
        // Another request was faster.
    }
    grant::revoke_replayed(tx, at, &found.code.grant_id).await?;
    Ok((Redemption::Replayed(found.code.grant_id), None))
}

/// Marks a code as redeemed. Check and mark are one statement, so only one of several racing requests gets `true`.
///
/// The subject of the grant is read right after it, because almost every code that is marked is answered.
async fn use_up(
    tx: &mut Tx<'_>,
    hash: &SecretHash,
    grant: Option<&Grant>,
    now: Timestamp,
) -> Result<(bool, Option<SubjectRow>), Error> {
    let mark = "UPDATE authorization_codes SET redeemed_at = $2
                 WHERE code_hash = $1 AND redeemed_at IS NULL AND expires_at > $2
                 RETURNING code_hash";
    let params = p![hash, now.as_micros()];
    let Some(grant) = grant else {
        let marked = tx.all(mark, params).await?;
        return Ok((!marked.is_empty(), None));
    };
    let (marked, subject) = subject::read_after(tx, (mark, params), grant).await?;
    Ok((!marked.is_empty(), Some(subject)))
}

/// A code of a client, as it is stored.
struct FoundCode {
    is_redeemed: bool,
    expires_at: Timestamp,
    code: AuthorizationCode,
    /// If it is valid.
    grant: Option<Grant>,
}

impl FoundCode {
    fn read(row: &Row, now: Timestamp) -> Result<Self, Error> {
        let mut columns = Columns::of(row);
        Ok(Self {
            is_redeemed: columns.optional_time()?.is_some(),
            expires_at: columns.time()?,
            code: read(&mut columns)?,
            grant: grant::read_live(&mut columns, now)?,
        })
    }
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
