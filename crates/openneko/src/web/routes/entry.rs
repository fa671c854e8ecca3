//! The last step of a sign-in: the browser gets its session.

use genkan_db::{Error, Tx};
use jiff::Timestamp;

use crate::web::app::App;
use crate::web::keys::sha256;
use crate::web::rules::Refusal;
use crate::web::store::audit::{self, Event, Kind};
use crate::web::store::session::{self, Browser};
use crate::web::store::user::User;

/// A successful sign-in.
#[derive(Clone)]
pub(super) struct SignInSuccess {
    pub(super) return_path: String,
    pub(super) cookie: String,
    pub(super) max_age_secs: i64,
}

/// The request and the provider of an entry.
pub(super) struct Entry<'a> {
    pub(super) app: &'a App,
    pub(super) browser: &'a Browser,
    pub(super) reference: &'a str,
    /// The plugin that vouches for them.
    pub(super) provider: &'a str,
    pub(super) return_path: &'a str,
    /// The session that this browser had, which then ends.
    pub(super) old: Option<[u8; 32]>,
    pub(super) at: Timestamp,
}

impl Entry<'_> {
    /// Starts the session of `user` and ends the one before it.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(super) async fn start(
        &self,
        tx: &mut Tx<'_>,
        user: &User,
    ) -> Result<Result<SignInSuccess, Refusal>, Error> {
        let (now, lifetimes) = (self.at, self.app.config().lifetimes);
        let Some(expires_at_secs) = session::free_expiry(tx, &user.id, now, lifetimes.absolute).await? else {
            return Ok(Err(Refusal::TooManySessions));
        };
        let cookie = self.app.keys().session_cookie(&user.id, expires_at_secs);
        let new = session::NewSession {
            cookie_hash: &sha256(cookie.as_bytes()),
            user_id: &user.id,
            expires_at_secs,
            idle: lifetimes.idle,
            browser: self.browser,
        };
        session::start(tx, new, now).await?;
        if let Some(old) = &self.old {
            session::end(tx, old, now).await?;
        }
        let event = Event {
            user_id: Some(user.id.clone()),
            email: Some(user.email.clone()),
            provider: Some(self.provider.to_owned()),
            ip: self.browser.ip.clone(),
            user_agent: self.browser.user_agent.clone(),
            ..Event::new(Kind::SignIn, now, self.reference)
        };
        audit::record(tx, &event).await?;
        Ok(Ok(SignInSuccess {
            return_path: self.return_path.to_owned(),
            cookie,
            max_age_secs: expires_at_secs - now.as_second(),
        }))
    }
}
