//! `GET /sso/v1/oidc/{connection}/callback`: the identity provider's answer.
//!
//! Source: OIDC Core §3.1.2.5, §3.1.2.6.

use std::net::IpAddr;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use genkan_store::identity::{self, Arrival, Outcome};
use genkan_store::interaction::{self, Interaction, Request, Stage};
use genkan_store::session::{self, Lifetimes, Session, SignIn, Status};
use genkan_store::{Error, Secret, SessionId};
use http::{HeaderMap, header};

use super::{redirect_to, refusal, signed_in, test_connection};
use crate::app::App;
use crate::connections::{self, Failure, UpstreamIdentity};
use crate::listener::ClientIp;
use crate::web::cookie::Cookie;
use crate::web::error::PageError;

/// Finishes what [`connections::start`] began.
pub async fn callback(
    State(app): State<App>,
    Path(connection_id): Path<String>,
    ClientIp(client_ip): ClientIp,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let raw = query.unwrap_or_default();
    let finished = connections::finish(&app, &headers, &connection_id, raw.as_bytes()).await?;
    match &finished.interaction.request {
        Request::Authorize(_) => match finished.result {
            Ok(identity) => sign_in(&app, &headers, client_ip, &finished.interaction, identity).await,
            Err(failure) => refusal::refuse(&app, &finished.interaction, failure).await,
        },
        Request::TestConnection { test_id, .. } => {
            test_connection::finish(&app, &finished.interaction, test_id, finished.result).await
        }
    }
}

/// What the transaction of a sign-in came to.
enum Arrived {
    SignedIn(Box<Session>),
    Refused(connections::Refusal),
    ConnectionNotActive,
}

/// One transaction: link or create the identity, start or renew the session,
/// advance the interaction. The events are part of each.
async fn sign_in(
    app: &App,
    headers: &HeaderMap,
    client_ip: IpAddr,
    interaction: &Interaction,
    upstream: UpstreamIdentity,
) -> Result<Response, PageError> {
    let now = app.now();
    let at = app.at(now);
    let environment = app.environment().await?;
    let lifetimes = Lifetimes {
        absolute: environment.session_absolute,
        idle: environment.session_idle,
    };
    let previous = signed_in(app, headers).await?.map(|(session, _)| session);
    let cookie = Secret::generate();
    let token = cookie.sha256();
    let arrival = arrival(&upstream);
    let new_id = app.ids().next::<SessionId>(now);
    let user_agent = user_agent(headers);
    let arrived = app
        .db()
        .tx(async |tx| -> Result<Arrived, Error> {
            let (user, organization_id) = match identity::arrive(tx, at, &arrival).await? {
                Outcome::SignedIn {
                    user,
                    organization_id,
                    ..
                } => (user, organization_id),
                outcome => return Ok(refused(&outcome)),
            };
            let mut sign_in = SignIn {
                session_id: new_id.clone(),
                user_id: user.id.clone(),
                organization_id,
                connection_id: Some(upstream.connection.id.clone()),
                ip: Some(client_ip.to_string()),
                user_agent: user_agent.clone(),
            };
            let session = match &previous {
                // The same person again: one session goes on, under a new cookie.
                Some(known) if known.user_id == user.id => {
                    sign_in.session_id = known.id.clone();
                    session::rejoin(tx, at, &sign_in, &token, lifetimes).await?
                }
                // Somebody else at the same browser: theirs ends first.
                Some(other) => {
                    session::end(tx, at, &other.id, Status::Logout).await?;
                    session::start(tx, at, &sign_in, &token, lifetimes).await?
                }
                None => session::start(tx, at, &sign_in, &token, lifetimes).await?,
            };
            let authenticated = Stage::Authenticated {
                session_id: session.id.clone(),
            };
            interaction::advance(tx, &interaction.id, &interaction.stage, &authenticated).await?;
            Ok(Arrived::SignedIn(Box::new(session)))
        })
        .await?;
    match arrived {
        Arrived::SignedIn(session) => {
            app.wake_jobs();
            let max_age = session.expires_at.since(now).as_secs();
            let mut response = redirect_to(&interaction.id);
            let cookie = app.cookies().set(Cookie::Session, &cookie, max_age);
            response.headers_mut().append(header::SET_COOKIE, cookie);
            Ok(response)
        }
        Arrived::ConnectionNotActive => Err(PageError::connection_not_active()),
        Arrived::Refused(refusal) => {
            refusal::refuse(app, interaction, Failure::refused(&upstream, &refusal)).await
        }
    }
}

fn arrival(upstream: &UpstreamIdentity) -> Arrival {
    Arrival {
        connection_id: upstream.connection.id.clone(),
        subject: upstream.subject.clone(),
        profile: upstream.profile.clone(),
        groups: upstream.groups.clone(),
        roles: upstream.roles.clone(),
        attributes: upstream.attributes.clone(),
    }
}

fn refused(outcome: &Outcome) -> Arrived {
    use connections::Refusal;
    Arrived::Refused(match outcome {
        Outcome::EmailNotTrusted => Refusal::EmailNotTrusted,
        Outcome::HostedDomainForeign => Refusal::HostedDomain,
        Outcome::DomainNotProved => Refusal::DomainNotProved,
        Outcome::SubjectChanged { known } => Refusal::SubjectChanged { known: known.clone() },
        Outcome::EmailNotVerified => Refusal::EmailNotVerified,
        Outcome::Disabled => Refusal::Disabled,
        Outcome::OrganizationFull => Refusal::OrganizationFull,
        Outcome::NotProvisioned | Outcome::EmailMissing => Refusal::NotProvisioned,
        Outcome::ConnectionNotActive | Outcome::SignedIn { .. } => return Arrived::ConnectionNotActive,
    })
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(header::USER_AGENT)?.as_bytes());
    Some(text.chars().take(512).collect())
}
