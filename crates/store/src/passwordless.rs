//! Proofs of an e-mail address. An application requests one, and a code, perhaps with a link, is sent by
//! mail. A person who presents one of them can read that mailbox.
//!
//! Each limit is checked inside the statement that counts, so a hundred guesses at once are no better than
//! a hundred one after the other.
//!
//! Source: NIST SP 800-63B §3.1.3 (out-of-band), §3.2.2 (rate limiting).

use std::time::Duration;

use aws_lc_rs::rand;
use genkan_db::{Row, Tx, p};
use genkan_protocol::EmailAddress;

use crate::row::{Columns, secs, words};
use crate::seal::{InstanceKey, SealContext};
use crate::{ClientId, Error, Secret, SecretHash, Stamp, Timestamp};

words! {
    /// The content of the mail.
    pub enum Kind {
        Otp = "OTP",
        Link = "LINK",
        LinkOtp = "LINK_OTP",
    }
}

words! {
    /// What the person is about to do, for the text of the mail.
    pub enum Template {
        SignIn = "SIGNIN",
        SignUp = "SIGNUP",
    }
}

/// The most guesses of a code within [`WINDOW`].
pub const MAX_TRIES: i64 = 5;

/// The most wrong codes that a client may present for one address within [`DAY`], over all requests and
/// mails. NIST SP 800-63B §3.2.2 allows a hundred in a row. With twenty guesses among a million codes, one
/// in fifty thousand attackers succeeds. The link cannot be guessed and still works.
pub const MAX_FAILURES: i64 = 20;

/// The time over which [`MAX_FAILURES`] counts. It begins with the first wrong code, and further ones do
/// not prolong it.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The most mails to one address within [`WINDOW`], from all clients together.
pub const MAX_SENDS_TO_ADDRESS: i64 = 10;

/// The most mails of one client within [`WINDOW`].
pub const MAX_SENDS_OF_CLIENT: i64 = 3_000;

/// The time over which the other limits count.
pub const WINDOW: Duration = Duration::from_secs(10 * 60);

/// The request of an application.
#[derive(Debug, Clone, Copy)]
pub struct NewRequest<'a> {
    pub client_id: &'a ClientId,
    pub email: &'a EmailAddress,
    pub kind: Kind,
    pub template: Option<Template>,
    /// Returned with the proof.
    pub state: Option<&'a str>,
    pub magiclink_auth_uri: Option<&'a str>,
    pub lifetime: Duration,
}

/// The secrets of one mail.
#[derive(Debug)]
pub struct Challenge {
    /// Six digits.
    pub code: Secret,
    pub link_token: Secret,
}

impl Challenge {
    /// # Panics
    ///
    /// If the operating system has no randomness.
    pub fn generate() -> Self {
        Self {
            code: generate_code(),
            link_token: Secret::generate(),
        }
    }
}

/// Six digits, each number as likely as any other.
fn generate_code() -> Secret {
    const NUMBERS: u32 = 1_000_000;
    // Above this number, small codes would be more likely than others.
    const FAIR: u32 = u32::MAX - u32::MAX % NUMBERS;
    loop {
        let mut bytes = [0; 4];
        rand::fill(&mut bytes).expect("the operating system has randomness");
        let number = u32::from_le_bytes(bytes);
        if number < FAIR {
            return Secret::from_presented(format!("{:06}", number % NUMBERS));
        }
    }
}

/// A requested proof, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub email: EmailAddress,
    pub kind: Kind,
    pub template: Option<Template>,
    pub state: Option<String>,
    pub magiclink_auth_uri: Option<String>,
    pub lifetime: Duration,
    pub expires_at: Timestamp,
}

macro_rules! columns {
    () => {
        "email, kind, template, state, magiclink_auth_uri, lifetime_secs, expires_at"
    };
}

fn read(columns: &mut Columns<'_>) -> Result<Request, Error> {
    Ok(Request {
        email: columns.parsed("passwordless_requests.email", EmailAddress::parse)?,
        kind: columns.parsed("passwordless_requests.kind", str::parse)?,
        template: columns
            .optional_text()?
            .map(|word| word.parse())
            .transpose()
            .map_err(|_| Error::Corrupt("passwordless_requests.template"))?,
        state: columns.optional_text()?,
        magiclink_auth_uri: columns.optional_text()?,
        lifetime: columns.seconds()?,
        expires_at: columns.time()?,
    })
}

fn read_row(row: &Row) -> Result<Request, Error> {
    read(&mut Columns::of(row))
}

/// A code is bound to its request: for another request, the same digits have another hash.
fn code_mac(key: &InstanceKey, request: &SecretHash, code: &str) -> SecretHash {
    let place = SealContext {
        column: "passwordless_requests.code_mac",
        id: "",
    };
    key.mac(place, &[request.as_bytes().as_slice(), code.as_bytes()].concat())
}

/// Whether a mail may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendDecision {
    /// Yes. Queue the mail in this transaction.
    Allowed(Request),
    /// This address has got its maximum of mails.
    AddressLimit,
    /// This client has sent its maximum of mails.
    ClientLimit,
    /// Too many wrong codes were presented for this address today, and the application has no page to which
    /// a link could lead.
    NoMoreCodes,
    /// This client requested no such proof.
    Unknown,
    /// The proof was given, or has expired.
    Over,
}

/// Whether codes for an address still count at a client, after the wrong ones.
async fn codes_count(
    tx: &mut Tx<'_>,
    client_id: &ClientId,
    email: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let row = tx
        .opt(
            "SELECT failures FROM passwordless_failures WHERE client_id = $1 AND email = $2 AND since > $3",
            p![client_id, email, (now - DAY).as_micros()],
        )
        .await?;
    let failures = row.map_or(Ok(0), |row| Columns::of(&row).int())?;
    Ok(failures < MAX_FAILURES)
}

/// Stores a request under `request`, the hash of a new secret. After [`MAX_FAILURES`] the mail contains
/// only a link.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    key: &InstanceKey,
    request: &SecretHash,
    (wanted, challenge): (&NewRequest<'_>, &Challenge),
) -> Result<SendDecision, Error> {
    if let Some(limit) = limit(tx, wanted.email.as_str(), wanted.client_id, at.now).await? {
        return Ok(limit);
    }
    let kind = match wanted.kind {
        Kind::Link => Kind::Link,
        kind if codes_count(tx, wanted.client_id, wanted.email.as_str(), at.now).await? => kind,
        Kind::LinkOtp => Kind::Link,
        Kind::Otp => return Ok(SendDecision::NoMoreCodes),
    };
    let mac = code_mac(key, request, challenge.code.expose());
    let link = challenge.link_token.sha256();
    let expires_at = at.now + wanted.lifetime;
    tx.exec(
        "INSERT INTO passwordless_requests (request_hash, client_id, email, kind, template, state, magiclink_auth_uri,
            code_mac, link_token_hash, lifetime_secs, sends, last_sent_at, tries, tries_since, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, 0, $11, $11, $12)",
        p![
            request,
            wanted.client_id,
            wanted.email.as_str(),
            kind.as_str(),
            wanted.template.map(Template::as_str),
            wanted.state,
            wanted.magiclink_auth_uri,
            &mac,
            &link,
            secs(wanted.lifetime),
            at.now.as_micros(),
            expires_at.as_micros(),
        ],
    )
    .await?;
    Ok(SendDecision::Allowed(Request {
        email: wanted.email.clone(),
        kind,
        template: wanted.template,
        state: wanted.state.map(str::to_owned),
        magiclink_auth_uri: wanted.magiclink_auth_uri.map(str::to_owned),
        lifetime: wanted.lifetime,
        expires_at,
    }))
}

/// Replaces code and link of `request` by new ones, which expire with the first. Earlier guesses still
/// count.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn renew(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    key: &InstanceKey,
    (client_id, request): (&ClientId, &SecretHash),
    challenge: &Challenge,
) -> Result<SendDecision, Error> {
    let known = tx
        .opt(
            "SELECT email, expires_at, used_at, kind FROM passwordless_requests
              WHERE request_hash = $1 AND client_id = $2",
            p![request, client_id],
        )
        .await?;
    let Some(row) = known else {
        return Ok(SendDecision::Unknown);
    };
    let mut columns = Columns::of(&row);
    let (email, expires_at, used_at) = (columns.text()?, columns.time()?, columns.optional_time()?);
    if used_at.is_some() || expires_at <= at.now {
        return Ok(SendDecision::Over);
    }
    if let Some(limit) = limit(tx, &email, client_id, at.now).await? {
        return Ok(limit);
    }
    let is_open = codes_count(tx, client_id, &email, at.now).await?;
    if !is_open && columns.text()? == Kind::Otp.as_str() {
        return Ok(SendDecision::NoMoreCodes);
    }
    let mac = code_mac(key, request, challenge.code.expose());
    let link = challenge.link_token.sha256();
    let renewed = tx
        .opt(
            concat!(
                "UPDATE passwordless_requests SET code_mac = $3, link_token_hash = $4, sends = sends + 1,
                    last_sent_at = $5, expires_at = $5 + lifetime_secs * 1000000,
                    kind = CASE WHEN $6 THEN kind ELSE 'LINK' END
                  WHERE request_hash = $1 AND client_id = $2 AND used_at IS NULL
                  RETURNING ",
                columns!()
            ),
            p![request, client_id, &mac, &link, at.now.as_micros(), is_open],
        )
        .await?;
    renewed.map_or(Ok(SendDecision::Over), |row| {
        Ok(SendDecision::Allowed(read_row(&row)?))
    })
}

/// The limit that another mail would break.
async fn limit(
    tx: &mut Tx<'_>,
    email: &str,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<Option<SendDecision>, Error> {
    let since = (now - WINDOW).as_micros();
    let to_address = tx
        .opt(
            "SELECT COALESCE(CAST(SUM(sends) AS BIGINT), 0) FROM passwordless_requests
              WHERE email = $1 AND last_sent_at > $2",
            p![email, since],
        )
        .await?;
    let of_client = tx
        .opt(
            "SELECT COALESCE(CAST(SUM(sends) AS BIGINT), 0) FROM passwordless_requests
              WHERE client_id = $1 AND last_sent_at > $2",
            p![client_id, since],
        )
        .await?;
    let number = |row: Option<Row>| row.map_or(Ok(0), |row| Columns::of(&row).int());
    if number(to_address)? >= MAX_SENDS_TO_ADDRESS {
        return Ok(Some(SendDecision::AddressLimit));
    }
    Ok((number(of_client)? >= MAX_SENDS_OF_CLIENT).then_some(SendDecision::ClientLimit))
}

/// The outcome of presenting a code or a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// The proof is given, once. Later calls get [`Verification::Over`].
    Proven(Request),
    Wrong,
    /// It was guessed [`MAX_TRIES`] times within [`WINDOW`]. This guess was not checked.
    TooManyTries,
    /// [`MAX_FAILURES`] codes for this address were wrong within [`DAY`]. This guess was not checked.
    TooManyFailures,
    /// The proof was given, or has expired.
    Over,
    /// This client requested no such proof.
    Unknown,
}

/// Presents a code. Commit in any case, because a wrong one counts.
///
/// Counting, comparing and using up are one statement. So if many guesses come at once, at most
/// [`MAX_TRIES`] are checked, and only the first right one counts.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn verify_code(
    tx: &mut Tx<'_>,
    key: &InstanceKey,
    (client_id, request): (&ClientId, &SecretHash),
    code: &Secret,
    now: Timestamp,
) -> Result<Verification, Error> {
    let mac = code_mac(key, request, code.expose());
    let window_began = (now - WINDOW).as_micros();
    if !count_failure(tx, (client_id, request), now).await? {
        return why_not_looked_at(tx, (client_id, request), now).await;
    }
    let looked_at = tx
        .opt(
            concat!(
                "UPDATE passwordless_requests SET
                    tries = CASE WHEN tries_since <= $5 THEN 1 ELSE tries + 1 END,
                    tries_since = CASE WHEN tries_since <= $5 THEN $4 ELSE tries_since END,
                    used_at = CASE WHEN code_mac = $3 THEN $4 ELSE NULL END
                  WHERE request_hash = $1 AND client_id = $2 AND used_at IS NULL AND expires_at > $4
                    AND kind <> 'LINK' AND (tries < $6 OR tries_since <= $5)
                  RETURNING ",
                columns!(),
                ", used_at"
            ),
            p![request, client_id, &mac, now.as_micros(), window_began, MAX_TRIES],
        )
        .await?;
    if let Some(row) = looked_at {
        let mut columns = Columns::of(&row);
        let request = read(&mut columns)?;
        return Ok(match columns.optional_time()? {
            Some(_) => {
                // It was right, so it is no failure. Earlier failures stay counted.
                tx.exec(
                    "UPDATE passwordless_failures SET failures = failures - 1
                      WHERE client_id = $1 AND email = $2 AND failures > 0",
                    p![client_id, request.email.as_str()],
                )
                .await?;
                Verification::Proven(request)
            }
            None => Verification::Wrong,
        });
    }
    why_not_looked_at(tx, (client_id, request), now).await
}

/// Counts a guess as wrong before it is checked, so that of many at once at most [`MAX_FAILURES`] are
/// checked. Says whether this one may be.
async fn count_failure(
    tx: &mut Tx<'_>,
    (client_id, request): (&ClientId, &SecretHash),
    now: Timestamp,
) -> Result<bool, Error> {
    let (window_began, day_began) = ((now - WINDOW).as_micros(), (now - DAY).as_micros());
    let counted = tx
        .opt(
            "INSERT INTO passwordless_failures (client_id, email, failures, since)
             SELECT client_id, email, 1, CAST($3 AS BIGINT) FROM passwordless_requests
              WHERE request_hash = $1 AND client_id = $2 AND used_at IS NULL AND expires_at > $3
                AND kind <> 'LINK' AND (tries < $4 OR tries_since <= $5)
             ON CONFLICT (client_id, email) DO UPDATE SET
                failures = CASE WHEN passwordless_failures.since <= $6 THEN 1
                                ELSE passwordless_failures.failures + 1 END,
                since = CASE WHEN passwordless_failures.since <= $6 THEN $3
                             ELSE passwordless_failures.since END
              WHERE passwordless_failures.failures < $7 OR passwordless_failures.since <= $6
             RETURNING failures",
            p![
                request,
                client_id,
                now.as_micros(),
                MAX_TRIES,
                window_began,
                day_began,
                MAX_FAILURES
            ],
        )
        .await?;
    Ok(counted.is_some())
}

async fn why_not_looked_at(
    tx: &mut Tx<'_>,
    (client_id, request): (&ClientId, &SecretHash),
    now: Timestamp,
) -> Result<Verification, Error> {
    let row = tx
        .opt(
            "SELECT expires_at, used_at, kind, email FROM passwordless_requests
              WHERE request_hash = $1 AND client_id = $2",
            p![request, client_id],
        )
        .await?;
    let Some(row) = row else {
        return Ok(Verification::Unknown);
    };
    let mut columns = Columns::of(&row);
    let (expires_at, used_at) = (columns.time()?, columns.optional_time()?);
    let (kind, email) = (columns.text()?, columns.text()?);
    Ok(if used_at.is_some() || expires_at <= now {
        Verification::Over
    } else if kind == Kind::Link.as_str() {
        Verification::Wrong
    } else if codes_count(tx, client_id, &email, now).await? {
        Verification::TooManyTries
    } else {
        Verification::TooManyFailures
    })
}

/// Presents the token of a link, together with its request if the application stored that.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn verify_link(
    tx: &mut Tx<'_>,
    client_id: &ClientId,
    request: Option<&SecretHash>,
    link_token: &Secret,
    now: Timestamp,
) -> Result<Verification, Error> {
    let token = link_token.sha256();
    let request = request.map(|hash| hash.as_bytes().as_slice());
    let proven = tx
        .opt(
            concat!(
                "UPDATE passwordless_requests SET used_at = $4
                  WHERE link_token_hash = $1 AND client_id = $2 AND request_hash = COALESCE($3, request_hash)
                    AND used_at IS NULL AND expires_at > $4 AND kind <> 'OTP'
                  RETURNING ",
                columns!()
            ),
            p![&token, client_id, request, now.as_micros()],
        )
        .await?;
    if let Some(row) = proven {
        return Ok(Verification::Proven(read_row(&row)?));
    }
    let known = tx
        .opt(
            "SELECT email FROM passwordless_requests
              WHERE link_token_hash = $1 AND client_id = $2 AND request_hash = COALESCE($3, request_hash)
                AND kind <> 'OTP'",
            p![&token, client_id, request],
        )
        .await?;
    Ok(if known.is_some() {
        Verification::Over
    } else {
        Verification::Unknown
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_six_digits_and_is_not_predictable() {
        let codes: std::collections::HashSet<String> =
            (0..200).map(|_| generate_code().expose().to_owned()).collect();
        assert!(
            codes
                .iter()
                .all(|code| code.len() == 6 && code.bytes().all(|c| c.is_ascii_digit()))
        );
        assert!(codes.len() > 190);
    }
}
