//! The one end of every proof: the question before it counts, the session, and
//! what hangs on it.
//!
//! A way to sign in ends by calling [`sign_in`] with what was proved. [`admission`]
//! decides whom that may be, [`must_ask`] whether the person is asked first, and
//! [`next_step`](fn@next_step) whether the application is answered in the same transaction.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::response::Response;
use genkan_db::{Outage, Tx};
use genkan_protocol::oauth::{AuthorizationRequest, ResponseMode};
use genkan_protocol::{Timestamp, Trace};
use genkan_store::admission::{self, Admitted, Claim, Recognized, Refusal};
use genkan_store::interaction::{self, Held, Interaction, Request, Stage};
use genkan_store::proof::Proofs;
use genkan_store::session::{self, Lifetimes, Session, SignIn, Status};
use genkan_store::{Error, Secret, SecretHash, SessionId, Stamp, UserId, conflict, connection, familiar};
use http::{HeaderMap, header};

use super::facts::{self, Facts, SignedIn, session_hash};
use super::next_step::{Arriving, Present, Step, must_ask, next_step};
use super::route::{self, Target};
use super::{advance, redirect_to, refusal};
use crate::answer::{self, NewCode};
use crate::app::App;
use crate::connections::{self, Failure};
use crate::cookies::Cookie;
use crate::web::error::PageError;
use crate::web::id_token_hint::Hint;

/// Somebody has proved who they are.
#[derive(Debug)]
pub(super) struct Proved {
    pub claim: Claim,
    /// When they authenticated, as their provider says.
    pub auth_time: Option<Timestamp>,
    /// What was checked. It is kept if they are refused all the same.
    pub trace: Trace,
}

/// The browser in which a sign-in ends.
#[derive(Debug)]
pub(super) struct Browser {
    /// The cookie of the session that it has.
    session: Option<SecretHash>,
    ip: String,
    user_agent: Option<String>,
}

impl Browser {
    pub(super) fn of(app: &App, headers: &HeaderMap, client_ip: IpAddr) -> Self {
        Self {
            session: session_hash(app, headers),
            ip: client_ip.to_string(),
            user_agent: user_agent(headers),
        }
    }

    /// Its session, as it stands in the transaction that may end it; `begun_in` to look also
    /// for one whose cookie it did not send.
    async fn session(
        &self,
        tx: &mut Tx<'_>,
        at: Stamp<'_>,
        begun_in: Option<&SecretHash>,
    ) -> Result<Option<Session>, Error> {
        let signed_in = SignedIn::find(tx, self.session.as_ref(), at.now).await?;
        let by_cookie = signed_in.map(|signed_in| signed_in.session);
        match begun_in {
            Some(browser) => session::leave_one(tx, at, by_cookie, browser).await,
            None => Ok(by_cookie),
        }
    }
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(header::USER_AGENT)?.as_bytes());
    Some(text.chars().take(512).collect())
}

/// What the page said that asked the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agreed {
    /// The session that it showed.
    pub session: Option<SessionId>,
    /// Whom it named; `None`: somebody whom nobody knew.
    pub user: Option<UserId>,
}

/// What the transaction of a sign-in came to.
#[derive(Debug)]
enum End {
    SignedIn(Box<Session>),
    /// And what the application asked for is answered.
    Answered(Box<Session>),
    /// The person is asked first; what was proved is kept.
    Held,
    Refused(Refusal),
}

/// Signs the person in, or keeps what was proved until they have gone on: who
/// began this, and who is signed in here now, decide.
///
/// # Errors
///
/// The page that says why nobody is signed in; or the store fails.
pub(super) async fn sign_in(
    app: &App,
    browser: &Browser,
    interaction: &Interaction,
    proved: Proved,
) -> Result<Response, PageError> {
    let now = app.now();
    let at = app.at(now);
    let held = Held {
        claim: proved.claim,
        arrived_at: now,
        auth_time: proved.auth_time,
    };
    let finish = Finish::new(app, browser, interaction, held).await?;
    let begun = Instant::now();
    // Nearly no browser has a session whose cookie it did not send, so nobody looks for one at first.
    let mut begun_in = None;
    let end = loop {
        let end = app
            .db()
            .tx_read_committed(async |tx| -> Result<End, Error> {
                let previous = browser.session(tx, at, begun_in).await?;
                if let Some(instead) = finish.ask_first(tx, previous.as_ref(), now).await? {
                    return Ok(instead);
                }
                finish.sign_in(tx, at, previous.as_ref(), None).await
            })
            .await;
        let is_second = matches!(end, Err(Error::Conflict(conflict::SESSION_OF_BROWSER)));
        if !(is_second || passes(&end)) || begun.elapsed() >= INSIST_FOR {
            break end?;
        }
        if is_second && begun_in.is_none() {
            begun_in = Some(&interaction.browser);
            continue;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    match end {
        End::SignedIn(session) => Ok(finish.go_on(app, &session)),
        End::Answered(session) => Ok(finish.answer(app, &session)),
        End::Held => Ok(redirect_to(&interaction.id)),
        End::Refused(refusal) => refuse(app, interaction, &finish.held.claim, &refusal, proved.trace).await,
    }
}

/// How long somebody waits whose provider has answered: its answer is used up, and they would
/// have to begin again.
const INSIST_FOR: Duration = Duration::from_secs(12);

/// Whether the database was busy or away, and nothing is done.
fn passes<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Database(error)) if error.outage() == Some(Outage::Passing))
}

/// Goes on with what was kept, as the person agreed. One transaction: the old
/// session ends, the new one begins, and what was kept is used up. Connection, user
/// and admission are decided anew in it.
///
/// # Errors
///
/// As [`sign_in`].
pub(super) async fn go_on(
    app: &App,
    browser: &Browser,
    interaction: &Interaction,
    held: Held,
    agreed: &Agreed,
) -> Result<Response, PageError> {
    let now = app.now();
    let at = app.at(now);
    let finish = Finish::new(app, browser, interaction, held).await?;
    let end = app
        .db()
        .tx(async |tx| -> Result<End, Error> {
            let previous = browser.session(tx, at, Some(&interaction.browser)).await?;
            // Still the one that was shown: another tab may have ended it.
            if previous.as_ref().map(|session| &session.id) != agreed.session.as_ref() {
                return Err(Error::Stale);
            }
            if !admission::still_stands(tx, &finish.held.claim, finish.held.arrived_at).await? {
                return Err(Error::Stale);
            }
            finish.sign_in(tx, at, previous.as_ref(), Some(agreed)).await
        })
        .await;
    match end {
        Ok(End::SignedIn(session)) => Ok(finish.go_on(app, &session)),
        Ok(End::Answered(session)) => Ok(finish.answer(app, &session)),
        // Answered twice, or no longer what was shown: the dispatcher looks again.
        Ok(End::Held) | Err(Error::Stale | Error::Conflict(conflict::SESSION_OF_BROWSER)) => {
            Ok(redirect_to(&interaction.id))
        }
        Ok(End::Refused(refusal)) => refuse_held(app, interaction, &finish.held.claim, &refusal).await,
        Err(error) => Err(error.into()),
    }
}

/// Answers where the kept proof signs nobody in any more.
///
/// # Errors
///
/// As [`sign_in`].
pub(super) async fn refuse_held(
    app: &App,
    interaction: &Interaction,
    claim: &Claim,
    refused: &Refusal,
) -> Result<Response, PageError> {
    if *refused != Refusal::ConnectionNotActive {
        // The next try goes to the provider again.
        advance(app, interaction, &Stage::Started).await?;
    }
    let mut trace = Trace::default();
    trace.pass(
        "Identity provider",
        "its answer held; the person was asked before it counted",
    );
    refuse(app, interaction, claim, refused, trace).await
}

/// The proof is genuine; our own rules refuse it.
async fn refuse(
    app: &App,
    interaction: &Interaction,
    claim: &Claim,
    refused: &Refusal,
    trace: Trace,
) -> Result<Response, PageError> {
    let found = match claim.proof.connection_id() {
        Some(id) if *refused != Refusal::ConnectionNotActive => {
            app.db().read(async |tx| connection::find(tx, id).await).await?
        }
        _ => None,
    };
    let connection = found.ok_or_else(connections::not_active)?;
    let failure = Failure::refused(&connection, claim, refused, trace);
    refusal::failed(app, interaction, failure).await
}

/// A sign-in about to be finished in one browser.
struct Finish<'a> {
    browser: &'a Browser,
    interaction: &'a Interaction,
    held: Held,
    new_id: SessionId,
    cookie: Secret,
    lifetimes: Lifetimes,
    /// `None`: the dispatcher answers.
    request: Option<Asked<'a>>,
    /// Somebody else's session has ended, and its clients are to be told.
    has_ended: AtomicBool,
}

/// What an application asked for, and what is needed to answer it at once.
struct Asked<'a> {
    request: &'a AuthorizationRequest,
    hint: Option<Hint>,
    new_code: NewCode,
}

impl<'a> Asked<'a> {
    async fn of(app: &App, interaction: &'a Interaction, now: Timestamp) -> Result<Option<Self>, PageError> {
        let Request::Authorize(request) = &interaction.request else {
            return Ok(None);
        };
        // A page that posts itself has an address of its own: this one says what the provider sent.
        if request.response_mode != ResponseMode::Query {
            return Ok(None);
        }
        let Ok(cached) = answer::application_of(app, request).await else {
            return Ok(None);
        };
        Ok(Some(Self {
            request,
            hint: facts::hint(app, request).await?,
            new_code: NewCode::of(app, &cached, now),
        }))
    }
}

impl<'a> Finish<'a> {
    async fn new(
        app: &App,
        browser: &'a Browser,
        interaction: &'a Interaction,
        held: Held,
    ) -> Result<Self, PageError> {
        let environment = app.environment().await?;
        let now = app.now();
        Ok(Self {
            browser,
            interaction,
            held,
            request: Asked::of(app, interaction, now).await?,
            has_ended: AtomicBool::new(false),
            new_id: app.ids().next::<SessionId>(now),
            cookie: Secret::generate(),
            lifetimes: Lifetimes {
                absolute: environment.session_absolute,
                idle: environment.session_idle,
            },
        })
    }

    /// What happens in place of the sign-in, if the person must be asked.
    async fn ask_first(
        &self,
        tx: &mut Tx<'_>,
        previous: Option<&Session>,
        now: Timestamp,
    ) -> Result<Option<End>, Error> {
        let interaction = self.interaction;
        let began_by_form = interaction.began_by_form();
        // Most sign-ins: nobody is here, and nobody else began it.
        if began_by_form || (previous.is_none() && !interaction.is_foreign) {
            return Ok(None);
        }
        let recognized = match admission::recognize(tx, &self.held.claim, now).await? {
            Ok(recognized) => recognized,
            Err(refusal) => return Ok(Some(End::Refused(refusal))),
        };
        let is_remembered = match self.held.claim.proof.connection_id() {
            Some(id) => familiar::is_remembered(tx, &interaction.browser, id, now).await?,
            None => false,
        };
        let arriving = Arriving {
            began_by_form,
            present: present(previous, &recognized),
            is_foreign: interaction.is_foreign,
            is_remembered,
        };
        if !must_ask(arriving) {
            return Ok(None);
        }
        interaction::hold(tx, &interaction.id, &interaction.stage, &self.held).await?;
        Ok(Some(End::Held))
    }

    /// Links or creates the identity, starts or renews the session, and answers the
    /// application or advances the interaction. The events are part of each.
    async fn sign_in(
        &self,
        tx: &mut Tx<'_>,
        at: Stamp<'_>,
        previous: Option<&Session>,
        agreed: Option<&Agreed>,
    ) -> Result<End, Error> {
        let claim = &self.held.claim;
        let admitted = match admission::admit(tx, at, claim).await? {
            Ok(admitted) => admitted,
            Err(refusal) => return Ok(End::Refused(refusal)),
        };
        let user_id = &admitted.user.id;
        let is_agreed = agreed.is_none_or(|agreed| match &agreed.user {
            None => admitted.user_created,
            Some(id) => id == user_id,
        });
        if !is_agreed {
            return Err(Error::Stale);
        }
        let mut sign_in = SignIn {
            session_id: self.new_id.clone(),
            user_id: user_id.clone(),
            organization_id: admitted.connection.organization_id.clone(),
            connection_id: claim.proof.connection_id().cloned(),
            proofs: Proofs::of(&claim.proof, self.held.auth_time),
            browser: Some(self.interaction.browser),
            ip: Some(self.browser.ip.clone()),
            user_agent: self.browser.user_agent.clone(),
        };
        let session = self.begin(tx, at, &mut sign_in, (previous, &admitted)).await?;
        if let Some(connection_id) = claim.proof.connection_id() {
            familiar::remember(tx, &self.interaction.browser, connection_id, at.now).await?;
        }
        let session = Box::new(session);
        if self.answer_at_once(tx, at, admitted, &session).await? {
            return Ok(End::Answered(session));
        }
        let authenticated = Stage::Authenticated {
            session_id: session.id.clone(),
        };
        let interaction = self.interaction;
        interaction::advance(tx, &interaction.id, &interaction.stage, &authenticated).await?;
        Ok(End::SignedIn(session))
    }

    /// The session that this browser has from now on.
    async fn begin(
        &self,
        tx: &mut Tx<'_>,
        at: Stamp<'_>,
        sign_in: &mut SignIn,
        (previous, admitted): (Option<&Session>, &Admitted),
    ) -> Result<Session, Error> {
        let token = self.cookie.sha256();
        match previous {
            // The same person again: one session goes on, under a new cookie.
            Some(known) if known.user_id == sign_in.user_id => {
                sign_in.session_id = known.id.clone();
                return match session::rejoin(tx, at, sign_in, &token, self.lifetimes).await {
                    // It lived a moment ago: it has just ended elsewhere.
                    Err(Error::Stale) => Err(tx.begin_anew().into()),
                    rejoined => rejoined,
                };
            }
            // Somebody else at the same browser: theirs ends first, and its
            // clients are told.
            Some(other) => {
                session::end(tx, at, &other.id, Status::Logout).await?;
                self.has_ended.store(true, Ordering::Relaxed);
            }
            None => {}
        }
        let lifetimes = self.lifetimes.shortened_by(admitted.session_policy.as_ref());
        session::start_under(tx, at, sign_in, &token, lifetimes).await
    }

    /// Does what the dispatcher would do next, if that is to answer the application. It
    /// would read again what this transaction has written.
    async fn answer_at_once(
        &self,
        tx: &mut Tx<'_>,
        at: Stamp<'_>,
        admitted: Admitted,
        session: &Session,
    ) -> Result<bool, Error> {
        let Some(asked) = &self.request else {
            return Ok(false);
        };
        let target = match Target::of_arrival(asked.request, &admitted.connection) {
            Some(target) => Ok(Some(target)),
            None => route::find_target(tx, asked.request, Some(session), at.now).await?,
        };
        let facts = Facts {
            request: Box::new(asked.request.clone()),
            stage: Stage::Authenticated {
                session_id: session.id.clone(),
            },
            signed_in: Some(SignedIn {
                session: session.clone(),
                user: admitted.user,
            }),
            // The connection is enabled: they have just come in by it.
            session_gives: true,
            target,
            hint: asked.hint.clone(),
            now: at.now,
        };
        let Some(Step::Complete(place)) = next_step(&facts) else {
            return Ok(false);
        };
        let interaction = self.interaction;
        interaction::complete(tx, &interaction.id, &interaction.stage, &session.id).await?;
        asked.new_code.issue(tx, at, asked.request, place).await?;
        Ok(true)
    }

    /// Sends the browser to the next step with its new session.
    fn go_on(&self, app: &App, session: &Session) -> Response {
        self.give(app, session, redirect_to(&self.interaction.id))
    }

    /// Sends the browser back to the application with its new session.
    fn answer(&self, app: &App, session: &Session) -> Response {
        match &self.request {
            Some(asked) => self.give(app, session, asked.new_code.respond(app, asked.request)),
            None => self.go_on(app, session),
        }
    }

    fn give(&self, app: &App, session: &Session, mut response: Response) -> Response {
        if self.has_ended.load(Ordering::Relaxed) {
            app.wake_jobs();
        }
        let max_age = session.expires_at.since(app.now()).as_secs();
        let cookie = app.cookies().set(Cookie::Session, &self.cookie, max_age);
        response.headers_mut().append(header::SET_COOKIE, cookie);
        response
    }
}

/// Who is at the browser, beside who arrives.
fn present(previous: Option<&Session>, recognized: &Recognized) -> Present {
    match (previous, &recognized.user) {
        (None, _) => Present::Nobody,
        (Some(session), Some(user)) if session.user_id == user.id => {
            if session.organization_id == recognized.organization_id {
                Present::SamePlace
            } else {
                Present::Elsewhere
            }
        }
        (Some(_), _) => Present::SomebodyElse,
    }
}
