//! Refresh tokens: how a client gets new access tokens while the session lives.
//!
//! Source: RFC 6749 §6, RFC 9700 §4.14.

use std::time::Duration;

use genkan_db::{AppendTable, Tx, p};

use crate::grant::{self, Grant};
use crate::row::Columns;
use crate::subject::{self, SubjectRow};
use crate::{ClientId, Error, GrantId, Secret, SecretHash, Stamp, Timestamp};

/// How long a used token of a public client may be presented again. The answer may have been lost, or two
/// tabs may have refreshed at once.
pub const GRACE: Duration = Duration::from_secs(30);

/// How refresh tokens rotate: what happens to a token that is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Any token of a living family works, as often as it is presented. This is for confidential clients.
    /// They are bound by their authentication, so a stolen token alone is worth nothing.
    Family,
    /// A token works once, and again within [`GRACE`] of that first use. This is for public clients.
    ///
    /// Why does the grace period not help a thief? During it, the answer contains a *sibling* of the token
    /// that was lost. As soon as one of several siblings is used, the others are superseded. [`GRACE`]
    /// later they are worth nothing: if somebody then presents one, the theft shows and the family ends.
    /// Until then they are answered, because two tabs with one token may refresh at nearly the same time,
    /// again and again. So a thief must follow the owner within half a minute at every single refresh, or
    /// be noticed. The period is counted from the first use and from the supersession, so it cannot be
    /// prolonged.
    StrictWithGrace,
    /// A token works once. This is for confidential clients that ask for it.
    Strict,
}

/// The outcome of presenting a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redemption {
    /// The token is valid. The answer contains a new token, see [`issue`]. With [`Rotation::Family`] it
    /// contains the same token, see [`again`].
    Fresh(Grant),
    /// The token or a sibling was used a moment ago, and it works again. [`Rotation::StrictWithGrace`] says
    /// why this is safe. The answer contains a new token.
    Graced(Grant),
    /// The token was used before. The grant, and so the whole family, is revoked now.
    Reused(GrantId),
    /// Never issued to this client, expired, revoked, or its session has ended.
    Unknown,
}

/// A refresh token of a living family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    pub grant: Grant,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
    /// When a sibling was used instead of it.
    pub superseded_at: Option<Timestamp>,
}

impl RefreshToken {
    /// Whether neither it nor a sibling was presented.
    pub const fn is_unused(&self) -> bool {
        self.used_at.is_none() && self.superseded_at.is_none()
    }
}

/// Ends the significant part of a presented token, see [`again`].
const SEPARATOR: char = '~';

/// The hash under which a presented token is stored.
pub fn hash(presented: &str) -> SecretHash {
    let counts = presented
        .split_once(SEPARATOR)
        .map_or(presented, |(counts, _)| counts);
    SecretHash::of(counts.as_bytes())
}

/// The answer of [`Rotation::Family`]: the same token as another text.
///
/// Clients expect a token that differs from the one they sent, and every token of the family keeps working.
/// A row for each answer would add hundreds a day for a session that is always open. It would not add
/// security, because the holder of one text has the token.
pub fn again(presented: &str) -> Secret {
    let counts = presented
        .split_once(SEPARATOR)
        .map_or(presented, |(counts, _)| counts);
    Secret::generate_with_prefix(&format!("{counts}{SEPARATOR}"))
}

/// Issues a token in the family of `grant_id`. Let it expire with the grant, because a family ends with its
/// session.
///
/// It is written before the commit, so the transaction that issues it does not find it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn issue(
    tx: &mut Tx<'_>,
    hash: &SecretHash,
    grant_id: &GrantId,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    static TOKENS: AppendTable = AppendTable::new(
        "INSERT INTO refresh_tokens (token_hash, grant_id, issued_at, expires_at) VALUES",
        4,
    );
    tx.append(
        &TOKENS,
        p![hash, grant_id, now.as_micros(), expires_at.as_micros()],
    )?;
    Ok(())
}

/// Finds a token that has not expired and whose grant is valid, used or not. It is for introspection and
/// revocation.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, hash: &SecretHash, now: Timestamp) -> Result<Option<RefreshToken>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT t.issued_at, t.expires_at, t.used_at, t.superseded_at, ",
                grant::live_columns!(),
                " FROM refresh_tokens t
                  JOIN grants g ON g.id = t.grant_id
                  JOIN sessions s ON s.id = g.session_id
                 WHERE t.token_hash = $1"
            ),
            p![hash],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut columns = Columns::of(&row);
    let (issued_at, expires_at) = (columns.time()?, columns.time()?);
    let (used_at, superseded_at) = (columns.optional_time()?, columns.optional_time()?);
    let grant = grant::read_live(&mut columns, now)?.filter(|_| now < expires_at);
    Ok(grant.map(|grant| RefreshToken {
        grant,
        issued_at,
        expires_at,
        used_at,
        superseded_at,
    }))
}

/// Redeems a token of a client under the rules of `rotation`.
///
/// Commit in any case, so that the grant of a reused token stays revoked.
///
/// # Errors
///
/// [`Error::Database`] if the database fails. The token is then unused.
pub async fn redeem(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    hash: &SecretHash,
    client_id: &ClientId,
    rotation: Rotation,
) -> Result<Redemption, Error> {
    let (redemption, _) = redeem_and_read(tx, at, hash, client_id, rotation).await?;
    Ok(redemption)
}

/// As [`redeem`], with the subject if that was read in the same round trip.
///
/// # Errors
///
/// As [`redeem`].
pub async fn redeem_and_read(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    hash: &SecretHash,
    client_id: &ClientId,
    rotation: Rotation,
) -> Result<(Redemption, Option<SubjectRow>), Error> {
    let Some(token) = find_of_client(tx, hash, client_id, at.now).await? else {
        return Ok((Redemption::Unknown, None));
    };
    match rotation {
        Rotation::Family => return Ok((Redemption::Fresh(token.grant), None)),
        Rotation::StrictWithGrace | Rotation::Strict => {}
    }
    let token = if token.is_unused() {
        let (is_first, subject) = use_up(tx, hash, &token.grant, at.now).await?;
        if is_first {
            return Ok((Redemption::Fresh(token.grant), Some(subject)));
        }
        // Another request was faster. Its time decides whether this one is within the grace period.
        match find_of_client(tx, hash, client_id, at.now).await? {
            Some(token) => token,
            None => return Ok((Redemption::Unknown, None)),
        }
    } else {
        token
    };
    let is_recent = |since: Option<Timestamp>| since.is_some_and(|since| at.now.since(since) < GRACE);
    let has_grace = is_recent(token.used_at) || is_recent(token.superseded_at);
    if rotation == Rotation::StrictWithGrace && has_grace {
        return Ok((Redemption::Graced(token.grant), None));
    }
    grant::revoke_replayed(tx, at, &token.grant.id).await?;
    Ok((Redemption::Reused(token.grant.id), None))
}

/// RFC 6749 §6: the token must have been issued to this client.
async fn find_of_client(
    tx: &mut Tx<'_>,
    hash: &SecretHash,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<Option<RefreshToken>, Error> {
    let found = find(tx, hash, now).await?;
    Ok(found.filter(|token| token.grant.client_id == *client_id))
}

/// Marks a token as used and its siblings as superseded. Check and mark are one statement, so if several
/// requests race, one gets `true`.
///
/// The others mark nothing. If the token was used between their look at it and this statement, the siblings are
/// those that others have just got instead of it, and these must keep working.
///
/// The subject is read right after it, because almost every token that is marked is answered.
async fn use_up(
    tx: &mut Tx<'_>,
    hash: &SecretHash,
    grant: &Grant,
    now: Timestamp,
) -> Result<(bool, SubjectRow), Error> {
    let mark = "UPDATE refresh_tokens
                   SET used_at = CASE WHEN token_hash = $2 THEN CAST($3 AS BIGINT) END,
                       superseded_at = CASE WHEN token_hash <> $2 THEN CAST($3 AS BIGINT) END
                 WHERE grant_id = $1 AND used_at IS NULL AND superseded_at IS NULL
                   AND EXISTS (SELECT 1 FROM refresh_tokens presented
                                WHERE presented.token_hash = $2
                                  AND presented.used_at IS NULL AND presented.superseded_at IS NULL)
                 RETURNING token_hash";
    let params = p![&grant.id, hash, now.as_micros()];
    let (marked, subject) = subject::read_after(tx, (mark, params), grant).await?;
    for row in &marked {
        if Columns::of(row).hash("refresh_tokens.token_hash")? == *hash {
            return Ok((true, subject));
        }
    }
    Ok((false, subject))
}
