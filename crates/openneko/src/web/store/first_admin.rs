//! The word that makes the first admin.
//!
//! To sign in first proves nothing: a stranger can be quicker than the operator. So
//! if there is no admin, each start of the server shows a word in its terminal, and a
//! signed-in person enters it.
//!
//! Every node and every start has a word of its own. Each word counts until it
//! expires or there is an admin. The store has only their hashes.

use std::time::Duration;

use genkan_db::{Error, Tx, p};
use jiff::Timestamp;

use super::after;
use super::manage::{self, Change, ChangeOrigin, ChangeOutcome};
use crate::web::keys::sha256;
use crate::web::random;
use crate::web::rules::Role;

/// How long a word counts.
pub const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Without letters that look like others (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// 120 bits.
const CHARS: usize = 24;
const GROUP: usize = 6;

/// A new word, in groups that can be typed.
pub fn word() -> String {
    let mut word = String::with_capacity(CHARS + CHARS / GROUP);
    for (at, byte) in random::bytes::<CHARS>().iter().enumerate() {
        if at > 0 && at % GROUP == 0 {
            word.push('-');
        }
        word.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    word
}

/// The hash of a typed word.
fn hash(typed: &str) -> [u8; 32] {
    let mut plain = String::with_capacity(CHARS);
    for c in typed
        .chars()
        .filter(|c| *c != '-' && !c.is_whitespace())
        .take(CHARS + 1)
    {
        plain.push(match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            c => c,
        });
    }
    sha256(plain.as_bytes())
}

/// Whether there is no admin. Disabled admins count as admins: disabling one must not
/// hand the deployment to somebody else.
///
/// # Errors
///
/// If the database fails.
pub async fn is_missing(tx: &mut Tx<'_>) -> Result<bool, Error> {
    let admin = tx
        .opt("SELECT 1 FROM app_user WHERE role = 'admin' LIMIT 1", &[])
        .await?;
    Ok(admin.is_none())
}

/// Stores a word if there is no admin. Returns whether it counts.
///
/// # Errors
///
/// If the database fails.
pub async fn offer(tx: &mut Tx<'_>, word: &str, now: Timestamp) -> Result<bool, Error> {
    if !is_missing(tx).await? {
        return Ok(false);
    }
    tx.exec(
        "INSERT INTO first_admin_word (word_hash, created_at, expires_at) VALUES ($1, $2, $3)",
        p![
            &hash(word),
            now.as_microsecond(),
            after(now, LIFETIME).as_microsecond()
        ],
    )
    .await?;
    Ok(true)
}

/// The result of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimOutcome {
    Yes,
    /// Never offered, used, or expired.
    WrongWord,
    /// Somebody became an admin meanwhile.
    TooLate,
}

/// Makes a user the first admin by a word, which is then used up.
///
/// One statement takes the word out, so only one person gets it. If two people have
/// two words, one meets the other's change and runs again ([`super::write`]); then
/// there is an admin.
///
/// # Errors
///
/// If the database fails.
pub async fn claim(
    tx: &mut Tx<'_>,
    typed: &str,
    user_id: &str,
    by: ChangeOrigin<'_>,
) -> Result<ClaimOutcome, Error> {
    if tx.locks() {
        // Two people with two words take out each other's, too: in one order, or each would wait
        // for the other until the database ends one of them.
        tx.all(
            "SELECT word_hash FROM first_admin_word ORDER BY word_hash FOR UPDATE",
            &[],
        )
        .await?;
    }
    let taken = tx
        .opt(
            "DELETE FROM first_admin_word WHERE word_hash = $1 AND expires_at > $2 RETURNING created_at",
            p![&hash(typed), by.at.as_microsecond()],
        )
        .await?;
    if taken.is_none() {
        return Ok(ClaimOutcome::WrongWord);
    }
    if !is_missing(tx).await? {
        return Ok(ClaimOutcome::TooLate);
    }
    tx.exec("DELETE FROM first_admin_word", &[]).await?;
    match manage::change(tx, user_id, Change::SetRole(Role::Admin), by).await? {
        ChangeOutcome::Yes => Ok(ClaimOutcome::Yes),
        ChangeOutcome::Already | ChangeOutcome::LastAdmin | ChangeOutcome::NoSuchUser => {
            Ok(ClaimOutcome::TooLate)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_long_and_read_as_people_type_it() {
        let shown = word();
        assert_eq!(shown.len(), 27);
        assert_eq!(shown.split('-').count(), 4);
        assert_ne!(shown, word());
        let typed = format!(
            " {} ",
            shown
                .to_uppercase()
                .replace('-', " ")
                .replace('0', "O")
                .replace('1', "l")
        );
        assert_eq!(hash(&typed), hash(&shown));
        assert_ne!(hash(&shown[..26]), hash(&shown));
        assert_ne!(hash(&format!("{shown}x")), hash(&shown));
        assert_ne!(hash(""), hash(&shown));
    }
}
