//! `GET /sso/v1/oidc/{connection}/callback`: the identity provider's answer.
//!
//! Source: OIDC Core §3.1.2.5, §3.1.2.6.

use std::net::IpAddr;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use genkan_db::Tx;
use genkan_store::admission::{self, Claim, Recognized, Refusal};
use genkan_store::interaction::{self, Held, Interaction, Request};
use genkan_store::session::Session;
use genkan_store::{Error, Proof, Timestamp, familiar};
use http::HeaderMap;

use super::next_step::{Arriving, Present, must_ask};
use super::sign_in::{Arrived, Finishing};
use super::{redirect_to, refusal, signed_in, test_connection, way_on};
use crate::app::App;
use crate::connections::{self, Failure, NotTaken, UpstreamIdentity};
use crate::listener::ClientIp;
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
    let finished = match connections::finish(&app, &headers, &connection_id, raw.as_bytes()).await {
        Ok(finished) => finished,
        Err(NotTaken::Unsolicited) => return Err(way_on::unsolicited(&app, &headers, &connection_id).await),
        Err(NotTaken::Page(page)) => return Err(page),
    };
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

/// Signs the person in, or keeps what was proved until they have gone on: who
/// began this, and who is signed in here now, decide.
async fn sign_in(
    app: &App,
    headers: &HeaderMap,
    client_ip: IpAddr,
    interaction: &Interaction,
    upstream: UpstreamIdentity,
) -> Result<Response, PageError> {
    let now = app.now();
    let at = app.at(now);
    let previous = signed_in(app, headers).await?.map(|(session, _)| session);
    let held = Held {
        claim: claim(&upstream),
        arrived_at: now,
        auth_time: upstream.auth_time,
    };
    let finishing = Finishing::new(app, headers, client_ip, interaction, held).await?;
    let arrived = app
        .db()
        .tx(async |tx| -> Result<Arrived, Error> {
            if let Some(instead) = ask_first(tx, &finishing, previous.as_ref(), now).await? {
                return Ok(instead);
            }
            finishing.finish(tx, at, previous.as_ref()).await
        })
        .await?;
    match arrived {
        Arrived::SignedIn(session) => Ok(finishing.respond(app, &session)),
        Arrived::Held => Ok(redirect_to(&interaction.id)),
        Arrived::Refused(Refusal::ConnectionNotActive) => Err(PageError::connection_not_active()),
        Arrived::Refused(refusal) => {
            refusal::refuse(app, interaction, Failure::refused(&upstream, &refusal)).await
        }
    }
}

/// What happens in place of the sign-in, if the person must be asked.
async fn ask_first(
    tx: &mut Tx<'_>,
    finishing: &Finishing<'_>,
    previous: Option<&Session>,
    now: Timestamp,
) -> Result<Option<Arrived>, Error> {
    let interaction = finishing.interaction;
    let began_by_form = interaction.began_by_form();
    // Most sign-ins: nobody is here, and nobody else began it.
    if began_by_form || (previous.is_none() && !interaction.is_foreign) {
        return Ok(None);
    }
    let recognized = match admission::recognize(tx, finishing.claim(), now).await? {
        Ok(recognized) => recognized,
        Err(refusal) => return Ok(Some(Arrived::Refused(refusal))),
    };
    let is_remembered = match finishing.claim().proof.connection_id() {
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
    interaction::hold(tx, &interaction.id, &interaction.stage, &finishing.held).await?;
    Ok(Some(Arrived::Held))
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

/// What an identity comes to as a claim.
pub(super) fn claim(upstream: &UpstreamIdentity) -> Claim {
    let proof = Proof::Connection {
        connection_id: upstream.connection.id.clone(),
        subject: upstream.subject.clone(),
    };
    Claim {
        proof,
        profile: upstream.profile.clone(),
        groups: upstream.groups.clone(),
        roles: upstream.roles.clone(),
        attributes: upstream.attributes.clone(),
    }
}
