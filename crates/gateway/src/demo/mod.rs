//! The demo application of `genkan dev`: an example of an application that signs
//! people in through Genkan.
//!
//! It knows only the gateway's issuer and its own registration, and speaks to the
//! gateway over HTTP like any other application. Its sessions are in memory and gone
//! after a restart.
//!
//! Source: OpenID Connect Core 1.0 §3.1, RP-Initiated Logout 1.0, Back-Channel
//! Logout 1.0, RFC 9700.

mod login;
mod logout;
mod pages;
mod relying_party;
mod session;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use genkan_protocol::Timestamp;

use crate::web::{fallback, static_files};

use relying_party::RelyingParty;
use session::Sessions;

/// Begins a sign-in; also the address for logins that begin at the provider.
pub const LOGIN_PATH: &str = "/login";
/// Receives the authorization response.
pub const CALLBACK_PATH: &str = "/callback";
/// Receives logout tokens.
pub const BACK_CHANNEL_LOGOUT_PATH: &str = "/backchannel-logout";

/// The largest form that is read.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The settings of the demo application.
#[derive(Clone)]
pub struct DemoConfig {
    /// The gateway.
    pub issuer: String,
    /// Its own origin, which is also where a sign-out returns to.
    pub url: String,
    pub client_id: String,
    pub client_secret: String,
    /// The organization of the second button.
    pub organization_id: String,
    /// Reaches the issuer, and trusts its certificate if it has one.
    pub http: reqwest::Client,
}

/// Shows no secret.
impl fmt::Debug for DemoConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoConfig")
            .field("issuer", &self.issuer)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// The whole application. `clock` tells the time.
pub fn router(config: DemoConfig, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Router {
    routes(Demo(Arc::new(Inner {
        relying_party: RelyingParty::new(config),
        sessions: Sessions::default(),
        clock: Box::new(clock),
    })))
}

fn routes(demo: Demo) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route(LOGIN_PATH, get(login::begin))
        .route(CALLBACK_PATH, get(login::finish))
        .route("/refresh", post(login::refresh))
        .route("/logout", post(logout::sign_out))
        .route(BACK_CHANNEL_LOGOUT_PATH, post(logout::back_channel))
        .method_not_allowed_fallback(fallback::method_not_allowed)
        .fallback(fallback::not_found)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(demo)
        .merge(static_files::router())
}

#[derive(Clone)]
struct Demo(Arc<Inner>);

struct Inner {
    relying_party: RelyingParty,
    sessions: Sessions,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Demo {
    fn relying_party(&self) -> &RelyingParty {
        &self.0.relying_party
    }

    /// Its own origin.
    fn url(&self) -> &str {
        &self.0.relying_party.config().url
    }

    fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    fn now(&self) -> Timestamp {
        (self.0.clock)()
    }
}
