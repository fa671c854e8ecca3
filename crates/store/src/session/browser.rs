//! The one session of a browser.
//!
//! A sign-in knows the session of its browser by the cookie that came with the
//! request. Of two that end at the same moment neither brings the other's cookie, and a
//! browser that left before the answer never got its own. So a session also keeps which
//! browser it began in, and an index lets each have one active session.

use genkan_db::{Tx, p};

use super::{Session, Status, columns, end, read};
use crate::{Error, SecretHash, SessionId, Stamp, Timestamp};

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

/// The sessions of a browser while a sign-in ends in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrowserSessions {
    /// The one that it has: that of its cookie, else the one that began there and lives.
    pub present: Option<Session>,
    /// Any other that began there, and how it ends.
    superfluous: Option<(SessionId, Status)>,
}

impl BrowserSessions {
    /// Only the one of a cookie, if it sent one.
    pub const fn of_cookie(present: Option<Session>) -> Self {
        Self {
            present,
            superfluous: None,
        }
    }

    /// That of its cookie, and the one that began there. Nothing ends yet, because a session is locked after
    /// its person (see `docs/decisions/isolation.md`).
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if the database fails.
    pub async fn find(
        tx: &mut Tx<'_>,
        now: Timestamp,
        by_cookie: Option<Session>,
        browser: &SecretHash,
    ) -> Result<Self, Error> {
        let Some(found) = find_of_browser(tx, browser).await? else {
            return Ok(Self::of_cookie(by_cookie));
        };
        let status = match &by_cookie {
            Some(known) if known.id == found.id => return Ok(Self::of_cookie(by_cookie)),
            Some(_) => Status::Logout,
            None if found.is_live(now) => return Ok(Self::of_cookie(Some(found))),
            None => Status::Expired,
        };
        Ok(Self {
            present: by_cookie,
            superfluous: Some((found.id, status)),
        })
    }

    /// Leaves one session, before the next one begins there. Says whether another has ended. The person who
    /// arrives must have been admitted before.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if the database fails.
    pub async fn leave_one(&self, tx: &mut Tx<'_>, at: Stamp<'_>) -> Result<bool, Error> {
        match &self.superfluous {
            Some((id, status)) => end(tx, at, id, *status).await,
            None => Ok(false),
        }
    }
}
