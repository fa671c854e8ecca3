//! The facts about a login, read in one snapshot of the store, so that no step is decided from two moments.
//!
//! Every caller of [`next_step`](super::next_step::next_step) passes these facts: a new request, the
//! dispatcher, and the pages whose form counts only while they are the next step.
//!
//! The store is read in two rounds. The first finds the interaction and the session by the browser's
//! cookies. The second finds the place, which depends on both.

use genkan_db::Tx;
use genkan_protocol::Timestamp;
use genkan_protocol::oauth::AuthorizationRequest;
use genkan_store::interaction::{self, Interaction, Request, Stage};
use genkan_store::session::{self, Session};
use genkan_store::user::{self, User};
use genkan_store::{Error, InteractionId, Secret, SecretHash, UserId};
use http::HeaderMap;

use super::route::{self, NoTarget, Target};
use super::way_on;
use crate::app::App;
use crate::cookies::Cookie;
use crate::web::error::PageError;
use crate::web::id_token_hint::{self, Hint};

/// The facts that decide the next step of a login.
#[derive(Debug)]
pub struct Facts {
    pub request: Box<AuthorizationRequest>,
    /// [`Stage::Started`] also for a new request, of which nothing is stored.
    pub stage: Stage,
    /// The person who is signed in at this browser.
    pub signed_in: Option<BrowserSession>,
    /// Whether that session gives the application a code, see [`session::gives_to`].
    pub session_gives: bool,
    /// Where the request leads. `None` if it names no place, so the person must be asked.
    pub target: Result<Option<Target>, NoTarget>,
    /// The result of checking the request's `id_token_hint`.
    pub hint: Option<Hint>,
    pub now: Timestamp,
}

/// The live session of a browser, and its user.
#[derive(Debug, Clone, PartialEq)]
pub struct BrowserSession {
    pub session: Session,
    pub user: User,
}

/// A login that this browser started.
#[derive(Debug)]
pub struct Login {
    pub interaction: Interaction,
    /// The browser's secret, for its forms.
    pub browser: Secret,
    /// `None`: a connection is tested, and nobody is signed in.
    pub facts: Option<Facts>,
    /// While the person is asked: the session that began in this browser, if its cookie is not here (yet).
    pub beside: Option<BrowserSession>,
}

impl Facts {
    /// The facts about a new request.
    ///
    /// # Errors
    ///
    /// [`PageError`] if the store fails.
    pub async fn of_request(
        app: &App,
        headers: &HeaderMap,
        mut request: Box<AuthorizationRequest>,
    ) -> Result<Self, PageError> {
        let (session, now) = (session_hash(app, headers), app.now());
        let (signed_in, session_gives, target) = app
            .db()
            .read(async |tx| -> Result<_, Error> {
                let signed_in = BrowserSession::find(tx, session.as_ref(), now).await?;
                let session = session_of(signed_in.as_ref());
                let gives = gives(tx, session, &request, now).await?;
                let target = route::find_target(tx, &request, session, now).await?;
                Ok((signed_in, gives, target))
            })
            .await?;
        let mut hint = hint(app, &request).await?;
        // The hint names nobody whom we know, so no session satisfies it. A new sign-in does.
        if matches!(hint, Some(Hint::UnknownKey)) && !request.prompt.none {
            request.id_token_hint = None;
            request.prompt.login = true;
            hint = None;
        }
        Ok(Self {
            request,
            stage: Stage::Started,
            signed_in,
            session_gives,
            target,
            hint,
            now,
        })
    }

    /// Whether a user may be the answer: only the user of the `id_token_hint` (OIDC Core §3.1.2.1). `None`
    /// is a person without an account.
    pub fn may_be(&self, user: Option<&UserId>) -> bool {
        match &self.hint {
            None => true,
            Some(Hint::Ours(claims)) => user.is_some_and(|id| id.as_str() == claims.sub),
            Some(Hint::UnknownKey | Hint::Forged) => false,
        }
    }
}

impl Login {
    /// The person who is signed in, on a page that asks.
    pub(super) fn present<'a>(&'a self, facts: &'a Facts) -> Option<&'a BrowserSession> {
        facts.signed_in.as_ref().or(self.beside.as_ref())
    }

    /// The login `id`, if this browser started it and it is still open.
    ///
    /// # Errors
    ///
    /// As [`interaction_of_browser`].
    pub async fn read(app: &App, headers: &HeaderMap, id: &str) -> Result<Self, PageError> {
        let named = InteractionReference::read(app, headers, id)?;
        let (session, now) = (session_hash(app, headers), app.now());
        let (found, signed_in, beside, (session_gives, target)) = app
            .db()
            .read(async |tx| -> Result<_, Error> {
                let found = named.find(tx).await?;
                let signed_in = BrowserSession::find(tx, session.as_ref(), now).await?;
                let beside = match &found {
                    Some(Interaction {
                        stage: Stage::Arrived { .. },
                        browser,
                        ..
                    }) if signed_in.is_none() => BrowserSession::of_browser(tx, browser, now).await?,
                    _ => None,
                };
                let session = session_of(signed_in.as_ref());
                let place = match found.as_ref().map(|interaction| &interaction.request) {
                    Some(Request::Authorize(request)) => (
                        gives(tx, session, request, now).await?,
                        route::find_target(tx, request, session, now).await?,
                    ),
                    Some(Request::TestConnection { .. }) | None => (false, Ok(None)),
                };
                Ok((found, signed_in, beside, place))
            })
            .await?;
        let interaction = still_open(app, found).await?;
        let facts = match &interaction.request {
            Request::Authorize(request) => Some(Facts {
                hint: hint(app, request).await?,
                request: request.clone(),
                stage: interaction.stage.clone(),
                signed_in,
                session_gives,
                target,
                now,
            }),
            Request::TestConnection { .. } => None,
        };
        Ok(Self {
            interaction,
            browser: named.browser,
            facts,
            beside,
        })
    }
}

/// Only the interaction `id`, for a page that needs no other facts.
///
/// # Errors
///
/// A page that says whether it is unknown, expired, or another browser's. So an attacker's link to their
/// own login cannot be completed here (login CSRF).
pub async fn interaction_of_browser(
    app: &App,
    headers: &HeaderMap,
    id: &str,
) -> Result<(Interaction, Secret), PageError> {
    let named = InteractionReference::read(app, headers, id)?;
    let found = app.db().read(async |tx| named.find(tx).await).await?;
    Ok((still_open(app, found).await?, named.browser))
}

/// The interaction of a request: its identifier in the address, and the browser's cookie.
struct InteractionReference {
    id: InteractionId,
    browser: Secret,
}

impl InteractionReference {
    fn read(app: &App, headers: &HeaderMap, id: &str) -> Result<Self, PageError> {
        let id = InteractionId::parse(id).map_err(|_| PageError::interaction_gone())?;
        let browser = app.cookies().read(headers, Cookie::Browser);
        Ok(Self {
            id,
            browser: browser.ok_or_else(PageError::interaction_gone)?,
        })
    }

    async fn find(&self, tx: &mut Tx<'_>) -> Result<Option<Interaction>, Error> {
        interaction::find_past(tx, &self.id, &self.browser.sha256()).await
    }
}

async fn still_open(app: &App, found: Option<Interaction>) -> Result<Interaction, PageError> {
    let interaction = found.ok_or_else(PageError::interaction_gone)?;
    if interaction.expires_at <= app.now() {
        return Err(way_on::gone(app, &interaction).await);
    }
    Ok(interaction)
}

impl BrowserSession {
    /// The live session of a cookie and its user, if the user may sign in.
    ///
    /// # Errors
    ///
    /// [`Error`] if the store fails.
    pub(super) async fn find(
        tx: &mut Tx<'_>,
        session: Option<&SecretHash>,
        now: Timestamp,
    ) -> Result<Option<Self>, Error> {
        let Some(session) = session else { return Ok(None) };
        let Some(session) = session::find_live_by_token(tx, session, now).await? else {
            return Ok(None);
        };
        Self::of(tx, session).await
    }

    /// As [`Self::find`], for the session that began in a browser.
    async fn of_browser(
        tx: &mut Tx<'_>,
        browser: &SecretHash,
        now: Timestamp,
    ) -> Result<Option<Self>, Error> {
        match session::find_of_browser(tx, browser).await? {
            Some(session) if session.is_live(now) => Self::of(tx, session).await,
            _ => Ok(None),
        }
    }

    async fn of(tx: &mut Tx<'_>, session: Session) -> Result<Option<Self>, Error> {
        let user = user::find(tx, &session.user_id).await?;
        let user = user.filter(|user| !user.disabled);
        Ok(user.map(|user| Self { session, user }))
    }
}

fn session_of(signed_in: Option<&BrowserSession>) -> Option<&Session> {
    signed_in.map(|signed_in| &signed_in.session)
}

async fn gives(
    tx: &mut Tx<'_>,
    session: Option<&Session>,
    request: &AuthorizationRequest,
    now: Timestamp,
) -> Result<bool, Error> {
    match session {
        Some(session) => session::gives_to(tx, session, &request.client_id, now).await,
        None => Ok(false),
    }
}

/// The stored hash of a session's cookie.
pub(super) fn session_hash(app: &App, headers: &HeaderMap) -> Option<SecretHash> {
    let cookie = app.cookies().read(headers, Cookie::Session)?;
    Some(cookie.sha256())
}

/// Checks the request's `id_token_hint`. The keys come from the cache, and are not part of the snapshot.
pub(super) async fn hint(app: &App, request: &AuthorizationRequest) -> Result<Option<Hint>, PageError> {
    match &request.id_token_hint {
        Some(token) => Ok(Some(id_token_hint::verify(app, token).await?)),
        None => Ok(None),
    }
}
