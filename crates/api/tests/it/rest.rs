//! REST on the real services: the same answers, permissions, limits and errors.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use axum::body::Body;
use genkan_api::openapi::{self, Operation};
use genkan_api::{Credential, Permissions, RateLimit, Rest};
use genkan_contract::scalekit::v1::organizations::organization_service_client::OrganizationServiceClient;
use genkan_contract::scalekit::v1::organizations::{GetOrganizationRequest, get_organization_request};
use genkan_db::testing::Scratch;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value as Json, json};

use crate::support::{Harness, MANAGEMENT, on_each_engine};

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) json: Json,
}

impl Reply {
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: i32, error_code: &str) -> &str {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.json["code"], code, "{self:?}");
        assert_eq!(self.json["details"][0]["error_code"], error_code, "{self:?}");
        self.json["message"].as_str().unwrap()
    }
}

async fn call(harness: &Harness, token: &str, verb: &str, target: &str, body: &str) -> Reply {
    send(&Rest::new(harness.stack.clone()), token, verb, target, body).await
}

async fn send(rest: &Rest, token: &str, verb: &str, target: &str, body: &str) -> Reply {
    let request = Request::builder()
        .method(verb)
        .uri(target)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = rest.call(request).await;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Reply {
        status: parts.status,
        headers: parts.headers,
        json: serde_json::from_slice(&bytes).unwrap(),
    }
}

pub(crate) async fn rest(harness: &Harness, verb: &str, target: &str, body: &Json) -> Reply {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    call(harness, MANAGEMENT, verb, target, &body).await
}

pub(crate) async fn get(harness: &Harness, target: &str) -> Json {
    let reply = rest(harness, "GET", target, &Json::Null).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json
}

pub(crate) async fn organization(harness: &Harness, name: &str) -> String {
    let reply = rest(
        harness,
        "POST",
        "/api/v1/organizations",
        &json!({ "display_name": name }),
    )
    .await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    reply.json["organization"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_rest_creates_is_there_for_grpc() {
    on_each_engine(async |harness| {
        let sent = json!({ "displayName": "Acme", "external_id": "a/b c", "metadata": { "zone": "1", "area": "2" } });
        let reply = rest(&harness, "POST", "/api/v1/organizations", &sent).await;
        assert_eq!(reply.status, StatusCode::CREATED);
        let id = reply.json["organization"]["id"].as_str().unwrap();

        let identities = Some(get_organization_request::Identities::Id(id.to_owned()));
        let request = GetOrganizationRequest { identities };
        let mut grpc = OrganizationServiceClient::new(harness.client());
        let found = grpc.get_organization(request).await.unwrap().into_inner();
        assert_eq!(found.organization.unwrap().display_name, "Acme");

        let found = get(&harness, "/api/v1/organizations:external/a%2Fb%20c").await;
        assert_eq!(found["organization"]["id"], id);
        assert_eq!(found["organization"]["metadata"], json!({ "area": "2", "zone": "1" }));
        let created = found["organization"]["create_time"].as_str().unwrap();
        assert!(created.starts_with("2026-11-") && created.ends_with('Z'), "{created}");
    })
    .await;
}

#[tokio::test]
async fn a_patch_changes_what_its_body_names() {
    on_each_engine(async |harness| {
        let id = organization(&harness, "Acme").await;
        let path = format!("/api/v1/organizations/{id}");
        let both = json!({ "external_id": "acme-42", "metadata": { "zone": "1" } });
        assert_eq!(rest(&harness, "PATCH", &path, &both).await.status, StatusCode::OK);
        let name = json!({ "displayName": "Acme Incorporated" });
        let changed = rest(&harness, "PATCH", &path, &name).await.json;
        assert_eq!(changed["organization"]["display_name"], "Acme Incorporated");
        assert_eq!(changed["organization"]["external_id"], "acme-42");
        assert_eq!(changed["organization"]["metadata"], json!({ "zone": "1" }));
    })
    .await;
}

#[tokio::test]
async fn pages_follow_one_another() {
    let harness = Harness::start().await;
    for number in 0..5 {
        organization(&harness, &format!("Organization {number}")).await;
    }
    let mut names = Vec::new();
    let mut token = String::new();
    loop {
        let page = get(
            &harness,
            &format!("/api/v1/organizations?page_size=2&page_token={token}"),
        )
        .await;
        for organization in page["organizations"].as_array().unwrap() {
            names.push(organization["display_name"].as_str().unwrap().to_owned());
        }
        token = page["next_page_token"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(
        names,
        [4, 3, 2, 1, 0].map(|number| format!("Organization {number}"))
    );
    let bad = rest(&harness, "GET", "/api/v1/organizations?page_token=x", &Json::Null).await;
    assert!(bad.refused(400, 3, "INVALID_ARGUMENT").contains("page_token"));
}

#[tokio::test]
async fn every_failure_has_its_status_and_names_what_is_wrong() {
    let harness = Harness::start().await;
    let post = async |body: Json| rest(&harness, "POST", "/api/v1/organizations", &body).await;

    let missing = post(json!({})).await;
    assert!(
        missing
            .refused(400, 3, "INVALID_ARGUMENT")
            .contains("organization.display_name")
    );
    let violation = &missing.json["details"][0]["validation_error_info"]["field_violations"][0];
    assert_eq!(violation["field"], "organization.display_name");

    let wrong = post(json!({ "display_name": "A", "region_code": "MARS" })).await;
    assert!(
        wrong
            .refused(400, 3, "INVALID_ARGUMENT")
            .starts_with("organization.region_code: must be one of ")
    );
    let nul = post(json!({ "display_name": "A\u{0}" })).await;
    assert!(nul.refused(400, 3, "INVALID_ARGUMENT").contains("NUL"));

    let same = json!({ "display_name": "A", "external_id": "one" });
    assert_eq!(post(same.clone()).await.status, StatusCode::CREATED);
    post(same).await.refused(409, 6, "ALREADY_EXISTS");

    for id in ["org_100000000000000000001", "..", "%2e%2e%2fusers", "x"] {
        let target = format!("/api/v1/organizations/{id}");
        let reply = rest(&harness, "GET", &target, &Json::Null).await;
        assert_eq!(
            reply.refused(404, 5, "RESOURCE_NOT_FOUND"),
            "organization not found",
            "{id}"
        );
    }
}

#[tokio::test]
async fn a_token_opens_over_rest_what_it_opens_over_grpc() {
    let harness = Harness::start().await;
    harness.grant(
        "reads",
        Permissions::Only(BTreeSet::from(["organizations:read".to_owned()])),
    );
    harness.present("stranger", Credential::NotForManagement("this token is a user's"));

    let list = "/api/v1/organizations";
    assert_eq!(
        call(&harness, "reads", "GET", list, "").await.status,
        StatusCode::OK
    );
    let refused = call(&harness, "reads", "POST", list, r#"{"display_name":"A"}"#).await;
    assert!(
        refused
            .refused(403, 7, "PERMISSION_DENIED")
            .contains("organizations:write")
    );
    call(&harness, "stranger", "GET", list, "")
        .await
        .refused(403, 7, "PERMISSION_DENIED");
    let unknown = call(&harness, "nobody", "GET", list, "").await;
    unknown.refused(401, 16, "UNAUTHENTICATED");
    assert_eq!(unknown.headers[header::WWW_AUTHENTICATE], "Bearer");
}

#[tokio::test]
async fn too_many_calls_are_told_when_to_come_back() {
    let limit = RateLimit {
        per_minute: NonZeroU32::new(6),
    };
    let harness = Harness::on(Scratch::sqlite_with(genkan_store::MIGRATIONS).await, limit).await;
    assert_eq!(
        rest(&harness, "GET", "/api/v1/organizations", &Json::Null)
            .await
            .status,
        StatusCode::OK
    );
    let refused = rest(&harness, "GET", "/api/v1/organizations", &Json::Null).await;
    refused.refused(429, 8, "RATE_LIMITED");
    let seconds: u64 = refused.headers[header::RETRY_AFTER]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=10).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_method_that_is_not_served_says_so() {
    let harness = Harness::start().await;
    let unserved = genkan_api::methods::all().find(|(path, method)| {
        method.unserved.is_some() && path.ends_with("OrganizationService/GetOrganizationBranding")
    });
    if unserved.is_some() {
        let target = "/api/v1/organizations/org_1/portal_customizations";
        rest(&harness, "GET", target, &Json::Null)
            .await
            .refused(501, 12, "UNIMPLEMENTED");
    }
    assert!(genkan_api::methods::all().any(|(_, method)| method.unserved.is_some()));
}

/// Bodies that break parsers.
fn hostile_bodies() -> Vec<String> {
    vec![
        "[".repeat(5_000),
        "{\"a\":".repeat(5_000),
        format!("[{}0]", "0,".repeat(120_000)),
        "{\"a\":1,\"a\":2}".to_owned(),
        "{} {}".to_owned(),
        "\u{feff}{}".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "\"\\ud800\"".to_owned(),
        format!("{{\"display_name\":\"{}\"}}", "x".repeat(100_000)),
        format!("{{\"page_size\":{}}}", "9".repeat(4_000)),
    ]
}

/// A status that a request can earn by itself, or that its service answers.
fn is_the_callers(status: StatusCode) -> bool {
    status.is_success() || status.is_client_error() || status == StatusCode::NOT_IMPLEMENTED
}

#[tokio::test]
async fn nothing_hostile_makes_the_api_fail() {
    let harness = Harness::start().await;
    let rest = Rest::new(harness.stack.clone());
    let with_body = |operation: &&Operation| openapi::example_body(operation).is_some();
    for operation in openapi::operations().iter().filter(with_body) {
        let target = openapi::example_target(operation);
        for body in hostile_bodies() {
            let reply = send(&rest, MANAGEMENT, operation.verb.as_str(), &target, &body).await;
            assert!(
                is_the_callers(reply.status),
                "{} {:.40}: {reply:?}",
                operation.id,
                body
            );
        }
    }
    for operation in openapi::operations() {
        for hostile in [
            "%00",
            "%F0%9F%92%A9",
            "%ff",
            "..",
            "%2e%2e",
            "a%2f..%2fb",
            "%25",
            &"x".repeat(5_000),
        ] {
            let path = operation
                .path
                .split('/')
                .map(|segment| match segment.split_once('}') {
                    Some((_, verb)) => format!("{hostile}{verb}"),
                    None => segment.to_owned(),
                });
            let path = path.collect::<Vec<_>>().join("/");
            let body = openapi::example_body(operation).unwrap_or_default();
            let reply = send(
                &rest,
                MANAGEMENT,
                operation.verb.as_str(),
                &path,
                &body.to_string(),
            )
            .await;
            assert!(
                is_the_callers(reply.status),
                "{} {path:.80}: {reply:?}",
                operation.id
            );
        }
    }
}

#[tokio::test]
async fn every_example_is_a_request_that_its_service_understands() {
    on_each_engine(async |harness| {
        let rest = Rest::new(harness.stack.clone());
        for operation in openapi::operations() {
            let body = openapi::example_body(operation).unwrap_or_default();
            let target = openapi::example_target(operation);
            let reply = send(
                &rest,
                MANAGEMENT,
                operation.verb.as_str(),
                &target,
                &body.to_string(),
            )
            .await;
            assert!(is_the_callers(reply.status), "{}: {reply:?}", operation.id);
            assert_ne!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{}", operation.id);
        }
    })
    .await;
}

#[tokio::test]
async fn the_body_of_a_stranger_is_not_read() {
    let harness = Harness::start().await;
    let rest = Rest::new(harness.stack.clone());
    let answer = async |token: &str| {
        let (read, was_read) = (
            std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)),
            std::sync::atomic::Ordering::Relaxed,
        );
        let flag = std::sync::Arc::clone(&read);
        let body = futures_util::stream::once(async move {
            flag.store(true, was_read);
            Ok::<_, std::convert::Infallible>(r#"{"organization": {"display_name": "Acme"}}"#)
        });
        let request = Request::post("/api/v1/organizations")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from_stream(body))
            .unwrap();
        let status = rest.call(request).await.status();
        (status.as_u16(), read.load(was_read))
    };
    assert_eq!(answer("nobody's").await, (401, false));
    harness.grant(
        "reader",
        Permissions::Only(BTreeSet::from(["users:read".to_owned()])),
    );
    assert_eq!(answer("reader").await, (403, false));
    assert!(answer(MANAGEMENT).await.1);
}
