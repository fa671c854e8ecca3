//! `GET /api/auth/callback`: the browser comes back from the provider.
//!
//! Every failure ends at the sign-in page with a code and a reference. The messages of
//! the provider and the plugin go to the log.
//!
//! Source: RFC 6749 §4.1.2, RFC 9207.

use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use genkan_db::Error;
use genkan_web::cookie;
use genkan_web::listener::ClientIp;
use openneko_plugin::rpc::CompleteAuth;
use url::form_urlencoded;

use super::begin::{LIFETIME_SECS, own_failure, too_many};
use super::browser;
use super::entry::{Entry, SignInSuccess};
use super::switch;
use crate::host::Provider;
use crate::web::app::App;
use crate::web::door::Door;
use crate::web::identity::Identity;
use crate::web::keys::{is_equal, sha256};
use crate::web::plugin::PluginFailure;
use crate::web::problem::Problem;
use crate::web::query::Query;
use crate::web::rules::Refusal;
use crate::web::store::arrival::{self, Arrival};
use crate::web::store::audit::{self, Event, Kind};
use crate::web::store::flow::{self, Flow};
use crate::web::store::session::{self, Browser};
use crate::web::store::switch::Switch;
use crate::web::store::{after, user};
use crate::web::{jar, random, reply, return_path, store};

/// Longest code, and longest error text, that is read.
const MAX_VALUE_BYTES: usize = 4096;

pub(super) async fn callback(
    State(app): State<App>,
    client: ClientIp,
    method: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    // A link preview must not use up a state.
    if method == Method::HEAD {
        return reply::method_not_allowed(method).await;
    }
    if let Err(wait) = app.count(client) {
        return too_many(&headers, wait);
    }
    let query = Query::parse(query.as_deref()).unwrap_or_default();
    let attempt = Attempt {
        app: &app,
        headers: &headers,
        browser: browser(client, &headers),
        reference: random::reference(),
    };
    let mut response = match attempt.run(&query).await {
        Ok(NextStep::Enter(welcome)) => {
            let mut response = reply::redirect(StatusCode::FOUND, &welcome.return_path);
            let line = app.jar().set_session(&welcome.cookie, welcome.max_age_secs);
            response.headers_mut().append(header::SET_COOKIE, line);
            response
        }
        Ok(NextStep::Ask(token)) => {
            let mut response = reply::redirect(StatusCode::FOUND, switch::PATH);
            let line = app.jar().set_switch(&token, LIFETIME_SECS);
            response.headers_mut().append(header::SET_COOKIE, line);
            response
        }
        Err(failure) => attempt.failed(failure).await,
    };
    // This sign-in is over in any case.
    let state_cookie = query.get("state").and_then(jar::state_name);
    if let Some(name) = state_cookie.filter(|name| cookie::read(&headers, name).is_some()) {
        let line = app.jar().clear_state(&name);
        response.headers_mut().append(header::SET_COOKIE, line);
    }
    response
}

/// The return of one browser.
struct Attempt<'a> {
    app: &'a App,
    headers: &'a HeaderMap,
    browser: Browser,
    reference: String,
}

/// The next step after a successful sign-in.
#[derive(Clone)]
enum NextStep {
    Enter(SignInSuccess),
    /// The browser has a session of another person; holds the token of the waiting sign-in.
    Ask(String),
}

/// A failed sign-in, and what is known of it.
struct FailedCallback {
    problem: Problem,
    /// For the log and the audit.
    detail: Option<String>,
    reference: Option<String>,
    provider: Option<String>,
    email: Option<String>,
    /// Where to go after the next try.
    return_path: Option<String>,
}

impl FailedCallback {
    fn of(problem: Problem) -> Box<Self> {
        Box::new(Self {
            problem,
            detail: None,
            reference: None,
            provider: None,
            email: None,
            return_path: None,
        })
    }

    fn because(problem: Problem, detail: impl Into<String>) -> Box<Self> {
        let mut failed = Self::of(problem);
        failed.detail = Some(detail.into());
        failed
    }

    fn during(mut self: Box<Self>, flow: &Flow) -> Box<Self> {
        self.provider = Some(flow.provider.clone());
        self.return_path = Some(flow.return_path.clone());
        self
    }
}

impl From<Error> for Box<FailedCallback> {
    fn from(error: Error) -> Self {
        FailedCallback::because(Problem::Internal, error.to_string())
    }
}

impl From<PluginFailure> for Box<FailedCallback> {
    fn from(failure: PluginFailure) -> Self {
        let problem = if failure.code == "TIMEOUT" {
            Problem::PluginTimeout
        } else {
            Problem::PluginFailed
        };
        let mut failed = FailedCallback::because(problem, format!("{}: {}", failure.code, failure.message));
        failed.reference = failure.correlation_id;
        failed
    }
}

impl Attempt<'_> {
    async fn run(&self, query: &Query) -> Result<NextStep, Box<FailedCallback>> {
        // The state comes first: without it, anybody may have put the error or the
        // code into a link.
        let state = query
            .get("state")
            .ok_or(FailedCallback::of(Problem::BadCallback))?;
        self.check_browser(state)?;
        let flow = self.redeem(state).await?;
        self.finish(query, state, &flow)
            .await
            .map_err(|failed| failed.during(&flow))
    }

    /// Whether this browser began the sign-in.
    fn check_browser(&self, state: &str) -> Result<(), Box<FailedCallback>> {
        let name = jar::state_name(state).ok_or(FailedCallback::of(Problem::StateMissing))?;
        let value = cookie::read(self.headers, &name).ok_or(FailedCallback::of(Problem::StateMissing))?;
        let ours = self
            .app
            .keys()
            .verify_state(value)
            .ok_or(FailedCallback::of(Problem::StateMissing))?;
        if is_equal(&ours, state) {
            Ok(())
        } else {
            Err(FailedCallback::of(Problem::StateMismatch))
        }
    }

    /// Takes the sign-in out of the store: a second request finds nothing.
    async fn redeem(&self, state: &str) -> Result<Flow, Box<FailedCallback>> {
        let state_hash = sha256(state.as_bytes());
        let db = self.app.db();
        let flow = store::write(db, async |tx| flow::redeem(tx, &state_hash).await).await?;
        flow.filter(|flow| flow.expires_at > self.app.now())
            .ok_or(FailedCallback::of(Problem::StateUsed))
    }

    async fn finish(&self, query: &Query, state: &str, flow: &Flow) -> Result<NextStep, Box<FailedCallback>> {
        if let Some(error) = query.get("error") {
            let problem = match error {
                "access_denied" => Problem::AccessDenied,
                _ => Problem::ProviderError,
            };
            let description = query.get("error_description").unwrap_or_default();
            return Err(FailedCallback::because(
                problem,
                format!("{error}: {description}"),
            ));
        }
        let code = query.get("code").filter(|code| code.len() <= MAX_VALUE_BYTES);
        let code = code.ok_or(FailedCallback::of(Problem::BadCallback))?;
        // Another plugin must not get the code: the plugin of this reading is called, even
        // if another one is installed in the meantime.
        let provider = match self.app.door().await? {
            Door::Open(provider) if provider.plugin_name == flow.provider => provider,
            Door::Open(_) => return Err(FailedCallback::of(Problem::PluginChanged)),
            Door::Pending(_) | Door::Setup | Door::Lost(_) | Door::NoPublicUrl => {
                return Err(FailedCallback::of(Problem::NotReady));
            }
        };
        let mut call = CompleteAuth::new(code, &flow.redirect_uri, state)
            .with("codeVerifier", &flow.code_verifier)
            .with("nonce", &flow.nonce);
        if let Some(iss) = query.get("iss").filter(|iss| iss.len() <= MAX_VALUE_BYTES) {
            call = call.with("iss", iss);
        }
        let identity = self.ask(&provider, call).await?;
        self.welcome(&identity, flow).await.map_err(|mut failed| {
            failed.email = Some(identity.email.clone());
            failed
        })
    }

    /// Asks the plugin who it is.
    async fn ask(&self, provider: &Provider, call: CompleteAuth) -> Result<Identity, Box<FailedCallback>> {
        let Some(_turn) = self.app.turn().await else {
            return Err(own_failure("BUSY", "too many sign-ins are under way").into());
        };
        let answer = self.app.host().complete_auth(provider, call).await?;
        Identity::check(answer)
            .map_err(|invalid| FailedCallback::because(Problem::BadIdentity, invalid.to_string()))
    }

    /// Finds or makes the user, and starts a session or asks, in one transaction.
    async fn welcome(&self, identity: &Identity, flow: &Flow) -> Result<NextStep, Box<FailedCallback>> {
        let new_user_id = user::new_id();
        let arrival = Arrival {
            provider: &flow.provider,
            identity,
            rules: &self.app.config().rules,
            new_user_id: &new_user_id,
            reference: &self.reference,
            at: self.app.now(),
        };
        let db = self.app.db();
        let outcome = store::write(db, async |tx| match arrival::arrive(tx, arrival).await? {
            Err(refusal) => Ok(Err(refusal)),
            Ok(user) => self.enter(tx, arrival, &user, flow).await,
        })
        .await?;
        outcome.map_err(|refusal| FailedCallback::of(refusal.into()))
    }

    /// Another person's session ends only after they confirm: they may have followed a
    /// link, and this sign-in may be its author's.
    async fn enter(
        &self,
        tx: &mut genkan_db::Tx<'_>,
        arrival: Arrival<'_>,
        user: &user::User,
        flow: &Flow,
    ) -> Result<Result<NextStep, Refusal>, Error> {
        let now = arrival.at;
        let old = cookie::read(self.headers, jar::SESSION)
            .and_then(|value| self.app.keys().verify_session(value, now));
        if let Some(session_hash) = old
            && let Some(live) = session::find_live(tx, &session_hash, now).await?
            && live.user.id != user.id
        {
            let token = random::token::<32>();
            let waiting = Switch {
                session_hash,
                user_id: user.id.clone(),
                provider: flow.provider.clone(),
                return_path: flow.return_path.clone(),
                created_at: now,
                expires_at: after(now, Duration::from_secs(LIFETIME_SECS.unsigned_abs())),
            };
            store::switch::insert(tx, &sha256(token.as_bytes()), &waiting).await?;
            return Ok(Ok(NextStep::Ask(token)));
        }
        let entry = Entry {
            app: self.app,
            browser: &self.browser,
            reference: &self.reference,
            provider: &flow.provider,
            return_path: &flow.return_path,
            old,
            at: now,
        };
        Ok(entry.start(tx, user).await?.map(NextStep::Enter))
    }

    /// Records a failure and sends the browser to the sign-in page.
    async fn failed(&self, failed: Box<FailedCallback>) -> Response {
        let reference = failed.reference.as_deref().unwrap_or(&self.reference);
        let code = failed.problem.code();
        let event = Event {
            code: Some(code.to_owned()),
            email: failed.email.clone(),
            provider: failed.provider.clone(),
            detail: failed.detail.clone(),
            ip: self.browser.ip.clone(),
            user_agent: self.browser.user_agent.clone(),
            ..Event::new(Kind::SignInFailed, self.app.now(), reference)
        };
        tracing::warn!(
            reference,
            code,
            plugin = failed.provider,
            detail = failed.detail,
            "a sign-in failed"
        );
        let db = self.app.db();
        let recorded = store::write(db, async |tx| audit::record(tx, &event).await).await;
        if let Err(error) = recorded {
            tracing::error!(reference, %error, "a failed sign-in could not be recorded");
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("error", code)
            .append_pair("reference", reference);
        if let Some(path) = failed.return_path.filter(|path| path != return_path::HOME) {
            query.append_pair("returnTo", &path);
        }
        reply::redirect(StatusCode::FOUND, &format!("/signin?{}", query.finish()))
    }
}
