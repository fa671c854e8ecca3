//! The sign-in log, events, and logins in progress.

use std::time::Duration;

use genkan_contract::scalekit::v1::auditlogs::ListAuthLogRequest;
use genkan_contract::scalekit::v1::auditlogs::audit_logs_service_client::AuditLogsServiceClient;
use genkan_contract::scalekit::v1::auth::auth_service_client::AuthServiceClient;
use genkan_contract::scalekit::v1::auth::{
    GetLoginRequestDetailsRequest, UpdateLoginUserDetailsRequest, User as LoginUser,
};
use genkan_contract::scalekit::v1::events::events_service_client::EventsServiceClient;
use genkan_contract::scalekit::v1::events::{
    EventFilter, ListEventsPaginatedRequest, ListEventsRequest, ObjectType, Source,
};
use genkan_protocol::oauth::{AuthorizationRequest, Prompt, Scope};
use genkan_store::event::{self, Entry, Kind};
use genkan_store::interaction::{self, Interaction, LIFETIME, Request, Stage};
use genkan_store::{Actor, ClientId, ConnectionId, InteractionId, OrganizationId, SecretHash};
use prost_types::value::Kind as ValueKind;
use tonic::Code;

use crate::support::{Harness, on_each_engine};

async fn login(harness: &Harness, email: &str) -> InteractionId {
    let at = harness.at();
    let interaction = Interaction {
        id: at.id(),
        browser: SecretHash::of(b"browser"),
        request: Request::Authorize(Box::new(AuthorizationRequest {
            client_id: "skc_100000000000000000001".to_owned(),
            redirect_uri: "https://app.test/callback".to_owned(),
            redirect_uri_given: true,
            response_mode: genkan_protocol::oauth::ResponseMode::Query,
            scope: Scope::parse("openid email").unwrap(),
            state: None,
            nonce: None,
            code_challenge: None,
            prompt: Prompt::default(),
            max_age: None,
            organization_id: None,
            connection_id: None,
            provider: None,
            domain_hint: None,
            login_hint: Some(email.to_owned()),
            id_token_hint: None,
        })),
        is_foreign: false,
        stage: Stage::Started,
        created_at: at.now,
        expires_at: at.now + LIFETIME,
    };
    harness
        .tx(async |tx, _| interaction::insert(tx, &interaction).await)
        .await;
    interaction.id
}

#[tokio::test]
async fn sign_ins_are_listed_newest_first_in_pages() {
    on_each_engine(async |harness: Harness| {
        let mut client = AuditLogsServiceClient::new(harness.client());
        let mut ids = Vec::new();
        for number in 0..5 {
            ids.insert(
                0,
                login(&harness, &format!("ada{number}@acme.test"))
                    .await
                    .to_string(),
            );
            harness.wait(Duration::from_secs(1));
        }
        let mut request = ListAuthLogRequest {
            page_size: 2,
            ..ListAuthLogRequest::default()
        };
        let mut seen = Vec::new();
        loop {
            let page = client
                .list_auth_requests(request.clone())
                .await
                .unwrap()
                .into_inner();
            assert_eq!(page.total_size, 5);
            seen.extend(page.auth_requests.into_iter().map(|log| log.auth_request_id));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(seen, ids);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_says_whose_it_is_and_how_it_stands() {
    let harness = Harness::start().await;
    let mut client = AuditLogsServiceClient::new(harness.client());
    let id = login(&harness, "ada@acme.test").await;
    login(&harness, "bob@acme.test").await;
    let by = |request: ListAuthLogRequest| request;
    for (request, count) in [
        (
            by(ListAuthLogRequest {
                email: "Ada@Acme.test".to_owned(),
                ..ListAuthLogRequest::default()
            }),
            1,
        ),
        (
            by(ListAuthLogRequest {
                status: vec!["INITIATED".to_owned()],
                ..ListAuthLogRequest::default()
            }),
            2,
        ),
        (
            by(ListAuthLogRequest {
                status: vec!["FAILURE".to_owned(), "SUCCESS".to_owned()],
                ..ListAuthLogRequest::default()
            }),
            0,
        ),
        (
            by(ListAuthLogRequest {
                client_id: "skc_2".to_owned(),
                ..ListAuthLogRequest::default()
            }),
            0,
        ),
        (
            by(ListAuthLogRequest {
                resource_id: "org_1".to_owned(),
                ..ListAuthLogRequest::default()
            }),
            0,
        ),
        (
            by(ListAuthLogRequest {
                email: "nobody".to_owned(),
                ..ListAuthLogRequest::default()
            }),
            0,
        ),
    ] {
        let answer = client.list_auth_requests(request).await.unwrap().into_inner();
        assert_eq!(
            (answer.auth_requests.len(), answer.total_size),
            (count, u32::try_from(count).unwrap())
        );
        if count == 1 {
            let log = &answer.auth_requests[0];
            assert_eq!(log.auth_request_id, id.to_string());
            assert_eq!(
                (log.status.as_str(), log.email.as_str()),
                ("INITIATED", "ada@acme.test")
            );
            assert!(log.environment_id.starts_with("env_"));
            assert_eq!(log.timestamp.unwrap().seconds, harness.now().as_secs());
        }
    }
    let wrong = ListAuthLogRequest {
        status: vec!["DONE".to_owned()],
        ..ListAuthLogRequest::default()
    };
    let error = client.list_auth_requests(wrong).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().contains("status"), "{}", error.message());
}

#[tokio::test]
async fn events_have_the_shape_of_the_contract() {
    on_each_engine(async |harness: Harness| {
        let mut client = EventsServiceClient::new(harness.client());
        let client_id = ClientId::parse("skc_1").unwrap();
        let (organization, connection) = harness
            .tx(async |tx, at| {
                let organization: OrganizationId = at.id();
                let connection: ConnectionId = at.id();
                let entry = Entry::new(Kind::ConnectionRelinkAllowed)
                    .organization(&organization)
                    .connection(&connection)
                    .with("providers", vec!["OKTA"]);
                event::record(tx, at.by(Actor::Client(&client_id)), entry).await?;
                event::record(tx, at, Entry::new(Kind::UserUpdated)).await?;
                Ok((organization, connection))
            })
            .await;
        let filter = EventFilter {
            connection_id: Some(connection.to_string()),
            event_types: vec!["connection.relink_allowed".to_owned(), "nothing.known".to_owned()],
            organization_id: organization.to_string(),
            source: Source::Scalekit.into(),
            ..EventFilter::default()
        };
        let request = ListEventsPaginatedRequest {
            filter: Some(filter),
            ..ListEventsPaginatedRequest::default()
        };
        let events = client
            .list_events_paginated(request)
            .await
            .unwrap()
            .into_inner()
            .events;
        assert_eq!(events.len(), 1);
        let event = &events[0];
        assert_eq!(event.spec_version, "1");
        assert!(event.id.starts_with("evt_") && event.environment_id.starts_with("env_"));
        assert_eq!(event.r#type, "connection.relink_allowed");
        assert_eq!(event.object(), ObjectType::Unspecified);
        assert_eq!(event.organization_id, Some(organization.to_string()));
        assert_eq!(event.display_name, "Connection relink allowed");
        let data = &event.data.as_ref().unwrap().fields;
        let text = |name: &str| data[name].kind.clone().unwrap();
        assert_eq!(
            text("connection_id"),
            ValueKind::StringValue(connection.to_string())
        );
        assert_eq!(text("actor"), ValueKind::StringValue("skc_1".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn events_come_ten_at_a_time_newest_first() {
    let harness = Harness::start().await;
    let mut client = EventsServiceClient::new(harness.client());
    for _ in 0..25 {
        harness
            .tx(async |tx, at| event::record(tx, at, Entry::new(Kind::SessionRevoked)).await)
            .await;
        harness.wait(Duration::from_secs(1));
    }
    let mut request = ListEventsRequest {
        filter: Some(EventFilter {
            event_types: vec!["session.revoked".to_owned()],
            ..EventFilter::default()
        }),
        ..ListEventsRequest::default()
    };
    let mut seen: Vec<i64> = Vec::new();
    let mut pages = 0;
    loop {
        let page = client.list_events(request.clone()).await.unwrap().into_inner();
        assert_eq!(page.total_size, 25);
        pages += 1;
        seen.extend(page.events.iter().map(|event| event.occurred_at.unwrap().seconds));
        if page.next_page_token.is_empty() {
            break;
        }
        assert_eq!(page.events.len(), 10);
        request.page_token = page.next_page_token;
    }
    assert_eq!((pages, seen.len()), (3, 25));
    assert!(seen.is_sorted_by(|newer, older| newer > older));
    request.page_token = "x".to_owned();
    let error = client.list_events(request).await.unwrap_err();
    assert!(error.message().contains("page_token"), "{}", error.message());
}

#[tokio::test]
async fn filters_that_nothing_can_match_give_nothing() {
    let harness = Harness::start().await;
    let mut client = EventsServiceClient::new(harness.client());
    harness
        .tx(async |tx, at| event::record(tx, at, Entry::new(Kind::SessionRevoked)).await)
        .await;
    let none = EventFilter::default;
    for filter in [
        EventFilter {
            event_types: vec!["made.up".to_owned()],
            ..none()
        },
        EventFilter {
            organization_id: "not one".to_owned(),
            ..none()
        },
        EventFilter {
            interceptor_id: Some("icp_1".to_owned()),
            ..none()
        },
        EventFilter {
            source: Source::DirSync.into(),
            event_types: vec!["session.revoked".to_owned()],
            ..none()
        },
    ] {
        let request = ListEventsPaginatedRequest {
            filter: Some(filter.clone()),
            ..ListEventsPaginatedRequest::default()
        };
        let events = client
            .list_events_paginated(request)
            .await
            .unwrap()
            .into_inner()
            .events;
        assert!(events.is_empty(), "{filter:?}");
    }
}

#[tokio::test]
async fn a_login_in_progress_says_what_was_asked_until_it_expires() {
    let harness = Harness::start().await;
    let mut client = AuthServiceClient::new(harness.client());
    let id = login(&harness, "ada@acme.test").await;
    let request = GetLoginRequestDetailsRequest {
        login_request_id: id.to_string(),
    };
    let details = client
        .get_login_request_details(request.clone())
        .await
        .unwrap()
        .into_inner();
    let asked = details.auth_request.unwrap();
    assert_eq!(
        (asked.id, asked.scopes),
        (id.to_string(), vec!["openid".to_owned(), "email".to_owned()])
    );
    assert_eq!(details.client.unwrap().client_id, "skc_100000000000000000001");
    harness.wait(LIFETIME);
    for login_request_id in [id.to_string(), "lri_1".to_owned(), "x".to_owned()] {
        let request = GetLoginRequestDetailsRequest { login_request_id };
        let error = client.get_login_request_details(request).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
    }
    let update = UpdateLoginUserDetailsRequest {
        connection_id: "conn_1".to_owned(),
        login_request_id: id.to_string(),
        user: Some(LoginUser {
            sub: "1".to_owned(),
            email: "ada@acme.test".to_owned(),
            ..LoginUser::default()
        }),
    };
    let error = client.update_login_user_details(update).await.unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented);
    assert!(error.message().contains("MCP"), "{}", error.message());
}
