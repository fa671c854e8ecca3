//! Sessions of users: listing and ending them.

mod device;
mod render;

use genkan_contract::scalekit::v1::sessions::session_service_server::{SERVICE_NAME, SessionService};
use genkan_contract::scalekit::v1::sessions::{
    RevokeAllUserSessionsRequest, RevokeAllUserSessionsResponse, RevokeSessionRequest, RevokeSessionResponse,
    SessionDetails, SessionDetailsRequest, UserSessionDetails, UserSessionDetailsRequest, UserSessionFilter,
};
use genkan_db::Tx;
use genkan_protocol::Timestamp;
use genkan_store::session::{self, Filter, Session, Status};
use genkan_store::{MAX_LIMIT, Page, SessionId, UserId, user};
use tonic::{Request, Response};

use crate::paging::Sizes;
use crate::{Answer, Api, Error, id, paging};

pub(super) const SERVICE: &str = SERVICE_NAME;

/// The methods that this service does not serve, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

async fn get(tx: &mut Tx<'_>, text: &str) -> Result<Session, Error> {
    let id: SessionId = id("session", text)?;
    let found = session::find(tx, &id).await?;
    found.ok_or_else(|| Error::not_found("session"))
}

async fn existing_user(tx: &mut Tx<'_>, text: &str) -> Result<UserId, Error> {
    let found = user::find(tx, &id("user", text)?).await?;
    found.map(|user| user.id).ok_or_else(|| Error::not_found("user"))
}

#[tonic::async_trait]
impl SessionService for Api {
    async fn get_session(&self, request: Request<SessionDetailsRequest>) -> Answer<SessionDetails> {
        let (call, message) = self.accept(request);
        let (session, clients) = self
            .read(async |tx| {
                let session = get(tx, &message.session_id).await?;
                let clients = session::clients_of(tx, std::slice::from_ref(&session)).await?;
                Ok((session, clients))
            })
            .await?;
        Ok(Response::new(render::session(&session, &clients, call.now)))
    }

    async fn get_user_sessions(
        &self,
        request: Request<UserSessionDetailsRequest>,
    ) -> Answer<UserSessionDetails> {
        let (call, message) = self.accept(request);
        let page = paging::request(message.page_size, &message.page_token, Sizes::USUAL)?;
        let filter = filter(&message.filter.unwrap_or_default())?;
        let (rows, clients, total) = self
            .read(async |tx| {
                let user_id = existing_user(tx, &message.user_id).await?;
                let rows = session::list_for_user(tx, &user_id, &filter, call.now, &page).await?;
                let clients = session::clients_of(tx, &rows).await?;
                let total = session::count_for_user(tx, &user_id, &filter, call.now).await?;
                Ok((rows, clients, total))
            })
            .await?;
        let paged = paging::answer(&page, rows, |session| &session.id);
        Ok(Response::new(UserSessionDetails {
            sessions: paged
                .rows
                .iter()
                .map(|session| render::session(session, &clients, call.now))
                .collect(),
            next_page_token: paged.next_page_token,
            prev_page_token: paged.prev_page_token,
            total_size: u32::try_from(total).unwrap_or(u32::MAX),
        }))
    }

    async fn revoke_session(&self, request: Request<RevokeSessionRequest>) -> Answer<RevokeSessionResponse> {
        let (call, message) = self.accept(request);
        let session = self
            .tx(async |tx| {
                let session = get(tx, &message.session_id).await?;
                match session.status_at(call.now) {
                    Status::Active => {
                        session::end(tx, call.at(), &session.id, Status::Revoked).await?;
                    }
                    // It has already ended.
                    Status::Revoked => {}
                    status @ (Status::Logout | Status::Expired) => {
                        return Err(Error::precondition(format!(
                            "the session is not active: its status is {status}"
                        )));
                    }
                }
                get(tx, &message.session_id).await
            })
            .await?;
        // The clients of the session must be told.
        self.host().wake_jobs();
        Ok(Response::new(RevokeSessionResponse {
            revoked_session: Some(render::revoked(&session, call.now)),
        }))
    }

    async fn revoke_all_user_sessions(
        &self,
        request: Request<RevokeAllUserSessionsRequest>,
    ) -> Answer<RevokeAllUserSessionsResponse> {
        let (call, message) = self.accept(request);
        let revoked = self
            .tx(async |tx| {
                let user_id = existing_user(tx, &message.user_id).await?;
                session::hold_person(tx, &user_id).await?;
                let active = Filter {
                    statuses: vec![Status::Active],
                    ..Filter::default()
                };
                let mut revoked = Vec::new();
                loop {
                    // Ended sessions leave the list, so the first page is the next one.
                    let page = Page::first(MAX_LIMIT);
                    let rows = session::list_for_user(tx, &user_id, &active, call.now, &page).await?;
                    if rows.is_empty() {
                        return Ok(revoked);
                    }
                    for row in rows {
                        session::end(tx, call.at(), &row.id, Status::Revoked).await?;
                        revoked.push(get(tx, row.id.as_str()).await?);
                    }
                }
            })
            .await?;
        self.host().wake_jobs();
        Ok(Response::new(RevokeAllUserSessionsResponse {
            total_revoked: u32::try_from(revoked.len()).unwrap_or(u32::MAX),
            revoked_sessions: revoked
                .iter()
                .map(|session| render::revoked(session, call.now))
                .collect(),
        }))
    }
}

fn filter(wanted: &UserSessionFilter) -> Result<Filter, Error> {
    let statuses = wanted
        .status
        .iter()
        .map(|word| {
            word.to_ascii_lowercase().parse().map_err(|_| {
                Error::invalid("filter.status", "is not one of active, expired, revoked, logout")
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(Filter {
        statuses,
        created_from: wanted
            .start_time
            .map(|time| moment("filter.start_time", time))
            .transpose()?,
        created_until: wanted
            .end_time
            .map(|time| moment("filter.end_time", time))
            .transpose()?,
    })
}

fn moment(field: &str, time: prost_types::Timestamp) -> Result<Timestamp, Error> {
    let micros = time.seconds.checked_mul(1_000_000);
    let micros = micros.and_then(|micros| micros.checked_add(i64::from(time.nanos / 1_000)));
    micros
        .map(Timestamp::from_micros)
        .ok_or_else(|| Error::invalid(field, "is beyond the calendar"))
}
