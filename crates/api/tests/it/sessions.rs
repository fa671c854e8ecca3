//! Sessions, called through every check.

use std::time::Duration;

use genkan_contract::scalekit::v1::sessions::session_service_client::SessionServiceClient;
use genkan_contract::scalekit::v1::sessions::{
    RevokeAllUserSessionsRequest, RevokeSessionRequest, SessionDetails, SessionDetailsRequest,
    UserSessionDetailsRequest, UserSessionFilter,
};
use genkan_protocol::EmailAddress;
use genkan_store::proof::Proofs;
use genkan_store::session::{self, Lifetimes, Session, SignIn, Status as SessionStatus};
use genkan_store::user::{self, User};
use genkan_store::{Secret, UserId};
use tonic::{Code, Status};

use crate::support::{Harness, InMemory, on_each_engine};

const HOUR: Duration = Duration::from_secs(3600);

struct Sessions {
    harness: Harness,
    client: SessionServiceClient<InMemory>,
}

impl Sessions {
    fn of(harness: Harness) -> Self {
        Self {
            client: SessionServiceClient::new(harness.client()),
            harness,
        }
    }

    fn client(&self) -> SessionServiceClient<InMemory> {
        self.client.clone()
    }

    async fn user(&self, email: &str) -> User {
        let at = self.harness.at();
        let user = User::new(at.id(), EmailAddress::parse(email).unwrap(), at.now);
        self.harness
            .tx(async |tx, at| user::insert(tx, at, &user).await)
            .await;
        user
    }

    async fn sign_in(&self, user: &User) -> Session {
        let sign_in = SignIn {
            session_id: self.harness.at().id(),
            user_id: user.id.clone(),
            organization_id: None,
            connection_id: None,
            proofs: Proofs::default(),
            browser: None,
            ip: Some("192.0.2.1".to_owned()),
            user_agent: Some(
                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0".to_owned(),
            ),
        };
        let lifetimes = Lifetimes {
            absolute: 8 * HOUR,
            idle: HOUR,
        };
        let token = Secret::generate().sha256();
        self.harness
            .tx(async |tx, at| session::start(tx, at, &sign_in, &token, lifetimes).await)
            .await
    }

    async fn get(&self, id: &str) -> Result<SessionDetails, Status> {
        let request = SessionDetailsRequest {
            session_id: id.to_owned(),
        };
        Ok(self.client().get_session(request).await?.into_inner())
    }

    async fn list(&self, user_id: &UserId, filter: UserSessionFilter) -> Result<Vec<String>, Status> {
        let request = UserSessionDetailsRequest {
            user_id: user_id.to_string(),
            filter: Some(filter),
            ..UserSessionDetailsRequest::default()
        };
        let page = self.client().get_user_sessions(request).await?.into_inner();
        assert_eq!(page.total_size as usize, page.sessions.len());
        let statuses = page.sessions.into_iter().map(|session| session.status);
        Ok(statuses.collect())
    }
}

fn of(statuses: &[&str]) -> UserSessionFilter {
    UserSessionFilter {
        status: statuses.iter().map(|status| (*status).to_owned()).collect(),
        ..UserSessionFilter::default()
    }
}

#[tokio::test]
async fn a_session_is_shown_with_its_device_and_how_it_ended() {
    on_each_engine(async |harness| {
        let sessions = Sessions::of(harness);
        let ada = sessions.user("ada@acme.test").await;
        let session = sessions.sign_in(&ada).await;
        let details = sessions.get(session.id.as_str()).await.unwrap();
        assert_eq!(details.status, "active");
        assert_eq!(details.user_id, ada.id.as_str());
        assert!(details.expired_at.is_none() && details.logout_at.is_none());
        let device = details.device.unwrap();
        assert_eq!(
            (&*device.browser, &*device.os, &*device.device_type, &*device.ip),
            ("Firefox", "Linux", "desktop", "192.0.2.1")
        );
        let idle = details.idle_expires_at.unwrap().seconds - details.created_at.unwrap().seconds;
        assert_eq!(idle, 3600);

        // It has expired, although no sweep has run.
        sessions.harness.wait(HOUR);
        let details = sessions.get(session.id.as_str()).await.unwrap();
        assert_eq!(details.status, "expired");
        assert_eq!(details.expired_at, details.idle_expires_at);
        let refused = sessions.get("ses_100000000000000000001").await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
        assert_eq!(refused.message(), "session not found");
        let malformed = sessions.get("ses_x").await.unwrap_err();
        assert_eq!(malformed.code(), Code::InvalidArgument);
    })
    .await;
}

#[tokio::test]
async fn sessions_are_listed_by_status_and_time_page_by_page() {
    on_each_engine(async |harness| {
        let sessions = Sessions::of(harness);
        let (ada, bob) = (
            sessions.user("ada@acme.test").await,
            sessions.user("bob@acme.test").await,
        );
        sessions.sign_in(&bob).await;
        let first = sessions.sign_in(&ada).await;
        sessions.harness.wait(Duration::from_secs(10));
        let second = sessions.sign_in(&ada).await;
        sessions.sign_in(&ada).await;
        sessions
            .harness
            .tx(async |tx, at| session::end(tx, at, &second.id, SessionStatus::Logout).await)
            .await;
        let list = async |filter| sessions.list(&ada.id, filter).await.unwrap();
        assert_eq!(list(of(&[])).await, ["active", "logout", "active"]);
        assert_eq!(list(of(&["logout"])).await, ["logout"]);
        assert_eq!(list(of(&["ACTIVE", "expired"])).await, ["active", "active"]);
        let early = UserSessionFilter {
            end_time: Some(prost_types::Timestamp {
                seconds: first.created_at.as_secs() + 1,
                nanos: 0,
            }),
            ..of(&[])
        };
        assert_eq!(list(early).await, ["active"]);
        let unknown = sessions.list(&ada.id, of(&["asleep"])).await.unwrap_err();
        assert_eq!(unknown.code(), Code::InvalidArgument);
        assert!(unknown.message().contains("filter.status"), "{unknown}");
        let beyond = UserSessionFilter {
            start_time: Some(prost_types::Timestamp {
                seconds: i64::MAX,
                nanos: 0,
            }),
            ..of(&[])
        };
        let beyond = sessions.list(&ada.id, beyond).await.unwrap_err();
        assert_eq!(beyond.code(), Code::InvalidArgument);

        let request = |page_token: String| UserSessionDetailsRequest {
            user_id: ada.id.to_string(),
            page_size: 2,
            page_token,
            filter: None,
        };
        let page = sessions.client().get_user_sessions(request(String::new())).await;
        let page = page.unwrap().into_inner();
        assert_eq!((page.sessions.len(), page.total_size), (2, 3));
        let rest = sessions
            .client()
            .get_user_sessions(request(page.next_page_token))
            .await;
        assert_eq!(
            rest.unwrap().into_inner().sessions[0].session_id,
            first.id.as_str()
        );
    })
    .await;
}

#[tokio::test]
async fn a_revoked_session_stays_revoked_and_others_live() {
    on_each_engine(async |harness| {
        let sessions = Sessions::of(harness);
        let ada = sessions.user("ada@acme.test").await;
        let (one, other) = (sessions.sign_in(&ada).await, sessions.sign_in(&ada).await);
        let revoke = async |session: &Session| {
            let request = RevokeSessionRequest {
                session_id: session.id.to_string(),
            };
            let answer = sessions.client().revoke_session(request).await?;
            Ok::<_, Status>(answer.into_inner().revoked_session.unwrap())
        };
        let revoked = revoke(&one).await.unwrap();
        assert_eq!(revoked.status, "revoked");
        assert!(revoked.expired_at.is_some() && revoked.logout_at.is_none());
        assert_eq!(
            revoke(&one).await.unwrap(),
            revoked,
            "asked twice, it is done once"
        );
        assert_eq!(sessions.get(other.id.as_str()).await.unwrap().status, "active");

        sessions
            .harness
            .tx(async |tx, at| session::end(tx, at, &other.id, SessionStatus::Logout).await)
            .await;
        let over = revoke(&other).await.unwrap_err();
        assert_eq!(over.code(), Code::FailedPrecondition);
        assert!(over.message().contains("logout"), "{over}");
    })
    .await;
}

#[tokio::test]
async fn all_active_sessions_of_a_user_are_revoked_at_once() {
    on_each_engine(async |harness| {
        let sessions = Sessions::of(harness);
        let (ada, bob) = (
            sessions.user("ada@acme.test").await,
            sessions.user("bob@acme.test").await,
        );
        let bobs = sessions.sign_in(&bob).await;
        let ended = sessions.sign_in(&ada).await;
        for _ in 0..3 {
            sessions.sign_in(&ada).await;
        }
        sessions
            .harness
            .tx(async |tx, at| session::end(tx, at, &ended.id, SessionStatus::Logout).await)
            .await;
        let revoke = async |user_id: &str| {
            let request = RevokeAllUserSessionsRequest {
                user_id: user_id.to_owned(),
            };
            let answer = sessions.client().revoke_all_user_sessions(request).await?;
            Ok::<_, Status>(answer.into_inner())
        };
        let revoked = revoke(ada.id.as_str()).await.unwrap();
        assert_eq!(revoked.total_revoked, 3);
        assert!(
            revoked
                .revoked_sessions
                .iter()
                .all(|session| session.status == "revoked")
        );
        assert_eq!(
            sessions.list(&ada.id, of(&[])).await.unwrap(),
            ["revoked", "revoked", "revoked", "logout"]
        );
        assert_eq!(sessions.get(bobs.id.as_str()).await.unwrap().status, "active");
        assert_eq!(revoke(ada.id.as_str()).await.unwrap().total_revoked, 0);
        let nobody = revoke("usr_100000000000000000001").await.unwrap_err();
        assert_eq!(nobody.code(), Code::NotFound);
    })
    .await;
}
