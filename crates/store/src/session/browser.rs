//! The one session of a browser.
//!
//! A sign-in knows the session of its browser by the cookie that came with the
//! request. Of two that end at the same moment neither brings the other's cookie, and a
//! browser that left before the answer never got its own. So a session also keeps which
//! browser it began in, and an index lets each have one active session.

use genkan_db::{Tx, p};

use super::{Session, Status, columns, end, read};
use crate::{Error, SecretHash, Stamp};

/// Finds the active session that began in a browser. It may have expired.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_of_browser(tx: &mut Tx<'_>, browser: &SecretHash) -> Result<Option<Session>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM sessions WHERE browser_hash = $1 AND status = 'active'"
            ),
            p![browser],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Gives the one session that a browser has: that of its cookie, else the one that began
/// there and lives. Any other that began there ends.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn leave_one(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    by_cookie: Option<Session>,
    browser: &SecretHash,
) -> Result<Option<Session>, Error> {
    let Some(found) = find_of_browser(tx, browser).await? else {
        return Ok(by_cookie);
    };
    let superfluous = match &by_cookie {
        Some(known) if known.id == found.id => return Ok(by_cookie),
        Some(_) => Status::Logout,
        None if found.is_live(at.now) => return Ok(Some(found)),
        None => Status::Expired,
    };
    end(tx, at, &found.id, superfluous).await?;
    Ok(by_cookie)
}
