//! The one end of every proof: the question before it counts, the session, and the answer.
//!
//! Every way to sign in ends with a call of [`sign_in`]. [`admission`] decides which user it is,
//! [`must_ask`] whether the person is asked first, and [`next_step`](fn@next_step) whether the same
//! transaction answers the application.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::response::Response;
use genkan_db::{Outage, Tx};
use genkan_protocol::oauth::{AuthorizationRequest, ResponseMode};
use genkan_protocol::{Timestamp, Trace};
use genkan_store::admission::{self, AdmittedPerson, Claim, Recognition, Refusal};
use genkan_store::interaction::{self, Interaction, PendingProof, Request, Stage};
use genkan_store::proof::Proofs;
use genkan_store::session::{self, BrowserSessions, Lifetimes, Session, SignIn, Status};
use genkan_store::{Error, Secret, SecretHash, SessionId, Stamp, UserId, conflict, connection, familiar};
use http::{HeaderMap, header};

use super::facts::{self, BrowserSession, Facts, session_hash};
use super::next_step::{ArrivalFacts, PresentSession, Step, must_ask, next_step};
use super::route::{self, Target};
use super::{advance, redirect_to, refusal};
use crate::answer::{self, NewCode};
use crate::app::App;
use crate::connections::{self, SignInFailure};
use crate::cookies::Cookie;
use crate::web::error::PageError;
use crate::web::id_token_hint::Hint;

/// The authentication of a person: what they have proved, and how it was checked.
#[derive(Debug)]
pub(super) struct Authentication {
    pub claim: Claim,
    /// When they authenticated, as their provider says.
    pub auth_time: Option<Timestamp>,
    /// When the proof ends, if their provider says so.
    pub ends_at: Option<Timestamp>,
    /// The checks. They are stored if the person is refused all the same.
    pub trace: Trace,
    /// Our request to their provider, which is stored with the checks.
    pub request: Option<String>,
}

/// The browser in which a sign-in ends.
#[derive(Debug)]
pub(super) struct Browser {
    /// The cookie of its session.
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

    /// Its session, read in the transaction that may end it. With `begun_in` it also finds a session whose
    /// cookie the browser did not send.
    async fn sessions(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
        begun_in: Option<&SecretHash>,
    ) -> Result<BrowserSessions, Error> {
        let signed_in = BrowserSession::find(tx, self.session.as_ref(), now).await?;
        let by_cookie = signed_in.map(|signed_in| signed_in.session);
        match begun_in {
            Some(browser) => BrowserSessions::find(tx, now, by_cookie, browser).await,
            None => Ok(BrowserSessions::of_cookie(by_cookie)),
        }
    }
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(header::USER_AGENT)?.as_bytes());
    Some(text.chars().take(512).collect())
}

/// The content of the page that the person confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Confirmation {
    /// The session on the page.
    pub session: Option<SessionId>,
    /// The user on the page. `None`: a person without an account.
    pub user: Option<UserId>,
}

/// The result of a sign-in's transaction.
#[derive(Debug)]
enum SignInOutcome {
    SignedIn(Box<Session>),
    /// The application was answered as well.
    Answered(Box<Session>),
    /// The person is asked first, and the proof is stored.
    Unconfirmed,
    Refused(Refusal),
}

/// Signs the person in, or stores the proof until they confirm it. This depends on who began the sign-in,
/// and on who is signed in here now.
///
/// # Errors
///
/// The page that says why nobody is signed in. Or the store has failed.
pub(super) async fn sign_in(
    app: &App,
    browser: &Browser,
    interaction: &Interaction,
    authentication: Authentication,
) -> Result<Response, PageError> {
    let now = app.now();
    let at = app.at(now);
    let pending = PendingProof {
        claim: authentication.claim,
        arrived_at: now,
        auth_time: authentication.auth_time,
        ends_at: authentication.ends_at,
    };
    let attempt = SignInAttempt::new(app, browser, interaction, pending).await?;
    let begun = Instant::now();
    // Almost no browser has a session whose cookie it did not send, so at first nobody looks for one.
    let mut begun_in = None;
    let end = loop {
        let end = app
            .db()
            .tx_read_committed(async |tx| -> Result<SignInOutcome, Error> {
                let sessions = browser.sessions(tx, now, begun_in).await?;
                if let Some(instead) = attempt.ask_first(tx, sessions.present.as_ref(), now).await? {
                    return Ok(instead);
                }
                attempt.sign_in(tx, at, &sessions, None).await
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
        SignInOutcome::SignedIn(session) => Ok(attempt.go_on(app, &session)),
        SignInOutcome::Answered(session) => Ok(attempt.answer(app, &session)),
        SignInOutcome::Unconfirmed => Ok(redirect_to(&interaction.id)),
        SignInOutcome::Refused(refusal) => {
            refuse(
                app,
                interaction,
                &attempt.pending.claim,
                &refusal,
                (authentication.trace, authentication.request),
            )
            .await
        }
    }
}

/// How long the sign-in is repeated for a person whose provider has answered. The answer is used up, so
/// they would have to begin again.
const INSIST_FOR: Duration = Duration::from_secs(12);

/// Whether the database was busy or away, and nothing was done.
fn passes<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Database(error)) if error.outage() == Some(Outage::Passing))
}

/// Continues with the stored proof, as the person agreed. In one transaction the old session ends, the new
/// one begins, and the proof is used up. Connection, user and admission are decided anew.
///
/// # Errors
///
/// As [`sign_in`].
pub(super) async fn go_on(
    app: &App,
    browser: &Browser,
    interaction: &Interaction,
    pending: PendingProof,
    confirmation: &Confirmation,
) -> Result<Response, PageError> {
    let now = app.now();
    let at = app.at(now);
    let attempt = SignInAttempt::new(app, browser, interaction, pending).await?;
    let end = app
        .db()
        .tx(async |tx| -> Result<SignInOutcome, Error> {
            let sessions = browser.sessions(tx, now, Some(&interaction.browser)).await?;
            // It must still be the session on the page. Another tab may have ended it.
            if sessions.present.as_ref().map(|session| &session.id) != confirmation.session.as_ref() {
                return Err(Error::Stale);
            }
            if !admission::still_stands(tx, &attempt.pending.claim, attempt.pending.arrived_at).await? {
                return Err(Error::Stale);
            }
            attempt.sign_in(tx, at, &sessions, Some(confirmation)).await
        })
        .await;
    match end {
        Ok(SignInOutcome::SignedIn(session)) => Ok(attempt.go_on(app, &session)),
        Ok(SignInOutcome::Answered(session)) => Ok(attempt.answer(app, &session)),
        // It was answered twice, or the page is out of date. The dispatcher decides anew.
        Ok(SignInOutcome::Unconfirmed)
        | Err(Error::Stale | Error::Conflict(conflict::SESSION_OF_BROWSER)) => {
            Ok(redirect_to(&interaction.id))
        }
        Ok(SignInOutcome::Refused(refusal)) => {
            refuse_pending(app, interaction, &attempt.pending.claim, &refusal).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The answer if the stored proof signs nobody in any more.
///
/// # Errors
///
/// As [`sign_in`].
pub(super) async fn refuse_pending(
    app: &App,
    interaction: &Interaction,
    claim: &Claim,
    refused: &Refusal,
) -> Result<Response, PageError> {
    if *refused != Refusal::ConnectionNotActive {
        // The next attempt goes to the provider again.
        advance(app, interaction, &Stage::Started).await?;
    }
    let mut trace = Trace::default();
    trace.pass(
        "Identity provider",
        "its answer held; the person was asked before it counted",
    );
    // The request is not kept until then.
    refuse(app, interaction, claim, refused, (trace, None)).await
}

/// Refuses a valid proof by our own rules.
async fn refuse(
    app: &App,
    interaction: &Interaction,
    claim: &Claim,
    refused: &Refusal,
    checked: (Trace, Option<String>),
) -> Result<Response, PageError> {
    let found = match claim.proof.connection_id() {
        Some(id) if *refused != Refusal::ConnectionNotActive => {
            app.db().read(async |tx| connection::find(tx, id).await).await?
        }
        _ => None,
    };
    let connection = found.ok_or_else(connections::not_active)?;
    let failure = SignInFailure::refused(&connection, claim, refused, checked);
    refusal::failed(app, interaction, failure).await
}

/// The data of a sign-in in one browser.
struct SignInAttempt<'a> {
    browser: &'a Browser,
    interaction: &'a Interaction,
    pending: PendingProof,
    new_id: SessionId,
    cookie: Secret,
    lifetimes: Lifetimes,
    /// `None`: the dispatcher answers.
    request: Option<ClientRequest<'a>>,
    /// Another session has ended, and its clients must be told.
    has_ended: AtomicBool,
}

/// The request of an application, and what an immediate answer needs.
struct ClientRequest<'a> {
    request: &'a AuthorizationRequest,
    hint: Option<Hint>,
    new_code: NewCode,
}

impl<'a> ClientRequest<'a> {
    async fn of(app: &App, interaction: &'a Interaction, now: Timestamp) -> Result<Option<Self>, PageError> {
        let Request::Authorize(request) = &interaction.request else {
            return Ok(None);
        };
        // A page that submits itself needs an address of its own, because this one contains the provider's
        // answer.
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

impl<'a> SignInAttempt<'a> {
    async fn new(
        app: &App,
        browser: &'a Browser,
        interaction: &'a Interaction,
        pending: PendingProof,
    ) -> Result<Self, PageError> {
        let environment = app.environment().await?;
        let now = app.now();
        Ok(Self {
            browser,
            interaction,
            pending,
            request: ClientRequest::of(app, interaction, now).await?,
            has_ended: AtomicBool::new(false),
            new_id: app.ids().next::<SessionId>(now),
            cookie: Secret::generate(),
            lifetimes: Lifetimes {
                absolute: environment.session_absolute,
                idle: environment.session_idle,
            },
        })
    }

    /// What happens instead of the sign-in, if the person must be asked.
    async fn ask_first(
        &self,
        tx: &mut Tx<'_>,
        previous: Option<&Session>,
        now: Timestamp,
    ) -> Result<Option<SignInOutcome>, Error> {
        let interaction = self.interaction;
        let began_by_form = interaction.began_by_form();
        // The usual case: nobody is signed in, and no other site began it.
        if began_by_form || (previous.is_none() && !interaction.is_foreign) {
            return Ok(None);
        }
        let recognition = match admission::recognize(tx, &self.pending.claim, now).await? {
            Ok(recognition) => recognition,
            Err(refusal) => return Ok(Some(SignInOutcome::Refused(refusal))),
        };
        let is_remembered = match self.pending.claim.proof.connection_id() {
            Some(id) => familiar::is_remembered(tx, &interaction.browser, id, now).await?,
            None => false,
        };
        let arriving = ArrivalFacts {
            began_by_form,
            present: present(previous, &recognition),
            is_foreign: interaction.is_foreign,
            is_remembered,
        };
        if !must_ask(arriving) {
            return Ok(None);
        }
        interaction::hold(tx, &interaction.id, &interaction.stage, &self.pending).await?;
        Ok(Some(SignInOutcome::Unconfirmed))
    }

    /// Links or creates the identity, starts or renews the session, and answers the
    /// application or advances the interaction. The events are part of each.
    async fn sign_in(
        &self,
        tx: &mut Tx<'_>,
        at: Stamp<'_>,
        sessions: &BrowserSessions,
        confirmation: Option<&Confirmation>,
    ) -> Result<SignInOutcome, Error> {
        let claim = &self.pending.claim;
        let admitted = match admission::admit(tx, at, claim).await? {
            Ok(admitted) => admitted,
            Err(refusal) => return Ok(SignInOutcome::Refused(refusal)),
        };
        let user_id = &admitted.user.id;
        let is_agreed = confirmation.is_none_or(|confirmation| match &confirmation.user {
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
            proofs: Proofs::of(&claim.proof, self.pending.auth_time),
            browser: Some(self.interaction.browser),
            ip: Some(self.browser.ip.clone()),
            user_agent: self.browser.user_agent.clone(),
        };
        let session = self.begin(tx, at, &mut sign_in, (sessions, &admitted)).await?;
        if let Some(connection_id) = claim.proof.connection_id() {
            familiar::remember(tx, &self.interaction.browser, connection_id, at.now).await?;
        }
        let session = Box::new(session);
        if self.answer_at_once(tx, at, admitted, &session).await? {
            return Ok(SignInOutcome::Answered(session));
        }
        let authenticated = Stage::Authenticated {
            session_id: session.id.clone(),
        };
        let interaction = self.interaction;
        interaction::advance(tx, &interaction.id, &interaction.stage, &authenticated).await?;
        Ok(SignInOutcome::SignedIn(session))
    }

    /// The session of this browser from now on.
    async fn begin(
        &self,
        tx: &mut Tx<'_>,
        at: Stamp<'_>,
        sign_in: &mut SignIn,
        (sessions, admitted): (&BrowserSessions, &AdmittedPerson),
    ) -> Result<Session, Error> {
        // Not before the person is admitted and so locked: whoever ends all sessions of a person locks them
        // in this order.
        if sessions.leave_one(tx, at).await? {
            self.has_ended.store(true, Ordering::Relaxed);
        }
        let token = self.cookie.sha256();
        // A session has one proof, so it ends with it, and so do the grants that begin by it.
        let lifetimes = self.lifetimes.until(self.pending.ends_at, at.now);
        match &sessions.present {
            // The same person again: the session continues with a new cookie.
            Some(known) if known.user_id == sign_in.user_id => {
                sign_in.session_id = known.id.clone();
                return match session::rejoin(tx, at, sign_in, &token, lifetimes).await {
                    // It was active a moment ago, so it has just ended elsewhere.
                    Err(Error::Stale) => Err(tx.begin_anew().into()),
                    rejoined => rejoined,
                };
            }
            // Another person at the same browser: their session ends first, and its clients are told.
            Some(other) => {
                session::end(tx, at, &other.id, Status::Logout).await?;
                self.has_ended.store(true, Ordering::Relaxed);
            }
            None => {}
        }
        let lifetimes = lifetimes.shortened_by(admitted.session_policy.as_ref());
        session::start_under(tx, at, sign_in, &token, lifetimes).await
    }

    /// Does the dispatcher's next step, if that is to answer the application. The dispatcher would read
    /// again what this transaction has written.
    async fn answer_at_once(
        &self,
        tx: &mut Tx<'_>,
        at: Stamp<'_>,
        admitted: AdmittedPerson,
        session: &Session,
    ) -> Result<bool, Error> {
        let Some(client_request) = &self.request else {
            return Ok(false);
        };
        let target = match Target::of_arrival(client_request.request, &admitted.connection) {
            Some(target) => Ok(Some(target)),
            None => route::find_target(tx, client_request.request, Some(session), at.now).await?,
        };
        let facts = Facts {
            request: Box::new(client_request.request.clone()),
            stage: Stage::Authenticated {
                session_id: session.id.clone(),
            },
            signed_in: Some(BrowserSession {
                session: session.clone(),
                user: admitted.user,
            }),
            // The connection is enabled, because they have just come in through it.
            session_gives: true,
            target,
            hint: client_request.hint.clone(),
            now: at.now,
        };
        let Some(Step::Complete(place)) = next_step(&facts) else {
            return Ok(false);
        };
        let interaction = self.interaction;
        interaction::complete(tx, &interaction.id, &interaction.stage, &session.id).await?;
        client_request
            .new_code
            .issue(tx, at, client_request.request, place)
            .await?;
        Ok(true)
    }

    /// Sends the browser to the next step with its new session.
    fn go_on(&self, app: &App, session: &Session) -> Response {
        self.give(app, session, redirect_to(&self.interaction.id))
    }

    /// Sends the browser back to the application with its new session.
    fn answer(&self, app: &App, session: &Session) -> Response {
        match &self.request {
            Some(client_request) => self.give(
                app,
                session,
                client_request.new_code.respond(app, client_request.request),
            ),
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

/// Who is signed in at the browser, compared with the arriving person.
fn present(previous: Option<&Session>, recognition: &Recognition) -> PresentSession {
    match (previous, &recognition.user) {
        (None, _) => PresentSession::Nobody,
        (Some(session), Some(user)) if session.user_id == user.id => {
            if session.organization_id == recognition.organization_id {
                PresentSession::SamePlace
            } else {
                PresentSession::Elsewhere
            }
        }
        (Some(_), _) => PresentSession::SomebodyElse,
    }
}
