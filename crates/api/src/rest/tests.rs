//! Binding and answering, on the contract's own routes.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::Ready;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use prost_reflect::DynamicMessage;
use serde_json::{Value as Json, json};
use tonic::{Code, Status};
use tower::Service;

use super::json::{Defaults, Rendered};
use super::routes::{RouteMatch, Routes};
use super::{Rest, bind};

#[test]
fn the_list_of_what_is_elsewhere_is_the_contract_s() {
    let paths = Routes::get().iter().map(|route| route.path.as_str());
    let elsewhere: BTreeSet<&str> = paths.filter(|path| !path.starts_with("/api/")).collect();
    assert_eq!(elsewhere, BTreeSet::from(super::ELSEWHERE));
}

/// The RPC that a request reaches, and its message in JSON.
fn bound(verb: &str, target: &str, body: &str) -> Result<(String, Json), String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match Routes::get().find(&verb.parse().unwrap(), path) {
        RouteMatch::Route(route, captures) => {
            let message = bind::bind(route, &captures, query, body.as_bytes())
                .map_err(|mistake| format!("{}: {}", mistake.field, mistake.description))?;
            let rendered = Rendered {
                message: &message,
                defaults: Defaults::Left,
            };
            Ok((
                route.method.name().to_owned(),
                serde_json::to_value(rendered).unwrap(),
            ))
        }
        RouteMatch::OtherVerbs(verbs) => Err(format!("only {verbs:?}")),
        RouteMatch::Nothing => Err("nothing".to_owned()),
    }
}

#[track_caller]
fn reaches(verb: &str, target: &str, rpc: &str, message: &Json) {
    assert_eq!(
        bound(verb, target, ""),
        Ok((rpc.to_owned(), message.clone())),
        "{verb} {target}"
    );
}

#[test]
fn every_annotation_is_a_route_of_its_own() {
    let mut count = 0;
    for route in Routes::get().iter() {
        let sample: String = route
            .path
            .split('/')
            .skip(1)
            .map(|segment| match segment.split_once('}') {
                Some((_, verb)) => format!("/x{verb}"),
                None => format!("/{segment}"),
            })
            .collect();
        let RouteMatch::Route(found, _) = Routes::get().find(&route.verb, &sample) else {
            panic!("{sample} leads nowhere")
        };
        assert_eq!(
            (&found.path, found.method.full_name()),
            (&route.path, route.method.full_name()),
            "{sample}"
        );
        count += 1;
    }
    assert!(count >= 200, "{count}");
}

#[test]
fn the_closest_template_wins() {
    reaches(
        "GET",
        "/api/v1/organizations/org_1",
        "GetOrganization",
        &json!({ "id": "org_1" }),
    );
    reaches(
        "GET",
        "/api/v1/organizations:search?query=abc",
        "SearchOrganization",
        &json!({ "query": "abc" }),
    );
    reaches(
        "GET",
        "/api/v1/organizations/-/connections:search?query=x",
        "SearchOrganizationConnections",
        &json!({ "query": "x" }),
    );
    reaches(
        "GET",
        "/api/v1/roles/editor/users:count",
        "GetRoleUsersCount",
        &json!({ "role_name": "editor" }),
    );
    reaches(
        "PATCH",
        "/api/v1/organizations/o/connections/c:enable",
        "EnableConnection",
        &json!({ "organization_id": "o", "id": "c" }),
    );
    reaches(
        "PATCH",
        "/api/v1/connections/c:disable",
        "DisableEnvironmentConnection",
        &json!({ "connection_id": "c" }),
    );
}

#[test]
fn values_are_decoded_after_the_path_is_cut() {
    reaches(
        "GET",
        "/api/v1/organizations:external/a%2Fb%20c%3Ad%C3%BC",
        "GetOrganizationByExternalId",
        &json!({ "external_id": "a/b c:dü" }),
    );
    reaches(
        "GET",
        "/api/v1/roles/a:b",
        "GetRole",
        &json!({ "role_name": "a:b" }),
    );
    reaches(
        "GET",
        "/api/v1/roles/a+b",
        "GetRole",
        &json!({ "role_name": "a+b" }),
    );
    reaches(
        "GET",
        "/api/v1/organizations/..",
        "GetOrganization",
        &json!({ "id": ".." }),
    );
    reaches(
        "GET",
        "/api/v1/organizations/%2E%2E%2Fusers",
        "GetOrganization",
        &json!({ "id": "../users" }),
    );
    reaches(
        "GET",
        "/api/v1/organizations/%00",
        "GetOrganization",
        &json!({ "id": "\u{0}" }),
    );
    reaches(
        "GET",
        "/api/v1/organizations/%2525",
        "GetOrganization",
        &json!({ "id": "%25" }),
    );
    for bad in ["%ff", "%c3%28", "%", "%2", "%zz", "a%"] {
        let message = bound("GET", &format!("/api/v1/organizations/{bad}"), "").unwrap_err();
        assert_eq!(message, "id: is not valid percent-encoded UTF-8", "{bad}");
    }
}

#[test]
fn paths_that_are_nearly_right_lead_nowhere() {
    for path in [
        "/api/v1/organizations/",
        "/api/v1//organizations",
        "//api/v1/organizations",
        "/api/v1/organizations/a/",
        "/api/v1/organizations/a/b",
        "/api/v1/ORGANIZATIONS",
        "/api/v2/organizations",
        "/api/v1/../v1/organizations",
        "/api/v1/organizations%2Forg_1",
        "/api",
        "/",
        "",
        "/api/v1/organizations:searchx",
        "api/v1/organizations",
        "/api/v1/organizations\u{0}",
    ] {
        assert_eq!(bound("GET", path, ""), Err("nothing".to_owned()), "{path:?}");
    }
    assert_eq!(bound("GET", &"/a".repeat(100_000), ""), Err("nothing".to_owned()));
}

#[test]
fn the_query_is_bound_by_the_types_of_the_contract() {
    reaches(
        "GET",
        "/api/v1/organizations?page_size=5&pageToken=t&external_id=",
        "ListOrganization",
        &json!({ "page_size": 5, "page_token": "t", "external_id": "" }),
    );
    reaches(
        "GET",
        "/api/v1/organizations?page%5Fsize=5&&unknown=1&=x&a.b.c=1&page_token.x=1",
        "ListOrganization",
        &json!({ "page_size": 5 }),
    );
    reaches(
        "GET",
        "/api/v1/organizations?page_token=a+b%2Bc%26d%3D",
        "ListOrganization",
        &json!({ "page_token": "a b+c&d=" }),
    );
    reaches(
        "GET",
        "/api/v1/logs/authentication/requests?status=SUCCESS&status=FAILURE&start_time=2026-11-22T14:03:11.5%2B02:00",
        "ListAuthRequests",
        &json!({ "status": ["SUCCESS", "FAILURE"], "start_time": "2026-11-22T12:03:11.500Z" }),
    );
    reaches(
        "GET",
        "/api/v1/organizations/o/domains?page_size=0&pageNumber=2",
        "ListDomains",
        &json!({ "organization_id": "o", "page_size": 0, "page_number": 2 }),
    );
    reaches(
        "GET",
        "/api/v1/users/u/sessions?filter.status=a&filter.status=b",
        "GetUserSessions",
        &json!({ "user_id": "u", "filter": { "status": ["a", "b"] } }),
    );
}

#[test]
fn a_query_that_does_not_fit_is_refused() {
    for (query, mistake) in [
        ("page_size=x", "page_size: must be a whole number, not a string"),
        ("page_size=", "page_size: must be a whole number, not a string"),
        ("page_size=-1", "page_size: is out of range"),
        ("page_size=99999999999", "page_size: is out of range"),
        ("page_size=1&page_size=1", "page_size: is given twice"),
        ("page_size=1&pageSize=1", "page_size: is given twice"),
        ("page_token=%ff", ": the query is not valid percent-encoded UTF-8"),
        ("page_token=%", ": the query is not valid percent-encoded UTF-8"),
    ] {
        assert_eq!(
            bound("GET", &format!("/api/v1/organizations?{query}"), ""),
            Err(mistake.to_owned()),
            "{query}"
        );
    }
    let many = bound(
        "GET",
        &format!("/api/v1/organizations?{}", "a=1&".repeat(101)),
        "",
    );
    assert_eq!(many, Err(": the query has more than 100 parameters".to_owned()));
    let long = bound(
        "GET",
        &format!("/api/v1/organizations?a={}", "x".repeat(20_000)),
        "",
    );
    assert_eq!(long, Err(": the query is longer than 16384 bytes".to_owned()));
    let message = bound("GET", "/api/v1/users/u/sessions?filter=a", "");
    assert_eq!(
        message,
        Err("filter: holds several values: name one of its fields".to_owned())
    );
}

#[test]
fn the_path_beats_query_and_body() {
    reaches(
        "GET",
        "/api/v1/organizations/org_1?id=org_2&external_id=e",
        "GetOrganization",
        &json!({ "id": "org_1" }),
    );
    let body = r#"{"organization_id":"org_2","absolute_session_timeout":5}"#;
    let (_, message) = bound(
        "PATCH",
        "/api/v1/organizations/org_1/session-policy?organization_id=org_3&absolute_session_timeout=7",
        body,
    )
    .unwrap();
    assert_eq!(
        message,
        json!({ "organization_id": "org_1", "absolute_session_timeout": 5 })
    );
}

#[test]
fn a_named_body_is_the_field_and_nothing_beside_it() {
    let (rpc, message) = bound(
        "POST",
        "/api/v1/organizations?organization.display_name=x",
        r#"{"displayName":"Acme","organization":{"display_name":"y"}}"#,
    )
    .unwrap();
    assert_eq!(rpc, "CreateOrganization");
    assert_eq!(message, json!({ "organization": { "display_name": "Acme" } }));
    let (_, message) = bound("POST", "/api/v1/organizations", "").unwrap();
    assert_eq!(message, json!({ "organization": {} }));
    let mistake = bound("POST", "/api/v1/organizations", r#"{"metadata":{"a":1}}"#).unwrap_err();
    assert_eq!(mistake, "organization.metadata.a: must be a string, not a number");
}

#[test]
fn a_patch_says_by_its_names_what_it_changes() {
    let mask = |query: &str, body: &str| {
        bound("PATCH", &format!("/api/v1/organizations/org_1{query}"), body)
            .unwrap()
            .1["update_mask"]
            .clone()
    };
    assert_eq!(
        mask(
            "",
            r#"{"displayName":"A","metadata":{"abc":"1"},"nobody":1,"external_id":null}"#
        ),
        json!("display_name,external_id,metadata")
    );
    assert_eq!(mask("", "{}"), json!(""));
    assert_eq!(
        mask("?update_mask=metadata,displayName", r#"{"display_name":"A"}"#),
        json!("metadata,display_name")
    );
    let twice = bound(
        "PATCH",
        "/api/v1/organizations/o?update_mask=a&update_mask=b",
        "{}",
    );
    assert_eq!(twice, Err("update_mask: is given twice".to_owned()));
}

// The whole way ------------------------------------------------------------------

/// What a call of the services looked like.
#[derive(Debug, Default)]
struct Seen {
    path: String,
    headers: HeaderMap,
}

type Answer = fn(&str) -> Result<DynamicMessage, Status>;

#[derive(Clone)]
struct Services {
    answer: Answer,
    seen: Arc<Mutex<Option<Seen>>>,
}

impl crate::Gate for Services {
    async fn admit(&self, _: &mut http::request::Parts, _: &str) -> Result<(), Status> {
        Ok(())
    }
}

impl Service<Request<tonic::body::Body>> for Services {
    type Response = Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let response = match (self.answer)(&path) {
            Ok(message) => framed(&message),
            Err(status) => status.into_http(),
        };
        let headers = request.headers().clone();
        *self.seen.lock() = Some(Seen { path, headers });
        std::future::ready(Ok(response))
    }
}

/// REST in front of services that all give `answer`.
fn rest(answer: Answer) -> (Rest<Services>, Arc<Mutex<Option<Seen>>>) {
    let seen = Arc::new(Mutex::new(None));
    let record = seen.clone();
    (Rest::new(Services { answer, seen: record }), seen)
}

fn framed(message: &DynamicMessage) -> Response<tonic::body::Body> {
    let bytes = prost::Message::encode_to_vec(message);
    let mut frame = vec![0];
    frame.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    frame.extend(bytes);
    let trailers = async {
        Some(Ok(HeaderMap::from_iter([(
            "grpc-status".parse().unwrap(),
            "0".parse().unwrap(),
        )])))
    };
    Response::new(tonic::body::Body::new(
        http_body_util::Full::new(bytes::Bytes::from(frame)).with_trailers(trailers),
    ))
}

fn empty_of(path: &str) -> Result<DynamicMessage, Status> {
    let (service, method) = path[1..].split_once('/').unwrap();
    let service = crate::descriptors::pool().get_service_by_name(service).unwrap();
    let method = service
        .methods()
        .find(|candidate| candidate.name() == method)
        .unwrap();
    Ok(DynamicMessage::new(method.output()))
}

async fn send(answer: Answer, request: Request<Body>) -> (StatusCode, HeaderMap, Json, Option<Seen>) {
    let (rest, seen) = rest(answer);
    let (parts, body) = rest.call(request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let json = if body.is_empty() {
        Json::Null
    } else {
        serde_json::from_slice(&body).unwrap()
    };
    (parts.status, parts.headers, json, seen.lock().take())
}

fn request(verb: &str, path: &str) -> http::request::Builder {
    Request::builder()
        .method(verb)
        .uri(path)
        .header(header::AUTHORIZATION, "Bearer t")
}

#[tokio::test]
async fn a_create_answers_201_and_everything_else_200() {
    for (verb, path, body, expected) in [
        ("POST", "/api/v1/organizations", "{}", StatusCode::CREATED),
        ("GET", "/api/v1/organizations", "", StatusCode::OK),
        ("DELETE", "/api/v1/organizations/o", "", StatusCode::OK),
        ("POST", "/api/v1/tokens:validate", "{}", StatusCode::OK),
        ("PUT", "/api/v1/organizations/o/portal_links", "", StatusCode::OK),
    ] {
        let (status, headers, json, seen) =
            send(empty_of, request(verb, path).body(Body::from(body)).unwrap()).await;
        assert_eq!(status, expected, "{verb} {path}");
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert!(json.is_object());
        assert!(seen.is_some());
    }
}

#[tokio::test]
async fn the_caller_is_passed_on_and_cookies_are_not() {
    let request = request("GET", "/api/v1/organizations")
        .header(header::AUTHORIZATION, "Bearer second")
        .header(header::USER_AGENT, "curl/8")
        .header("x-request-id", "r1")
        .header(header::COOKIE, "session=1")
        .header("grpc-timeout", "1n")
        .body(Body::empty())
        .unwrap();
    let (_, _, _, seen) = send(empty_of, request).await;
    let Seen { path, headers } = seen.unwrap();
    assert_eq!(
        path,
        "/scalekit.v1.organizations.OrganizationService/ListOrganization"
    );
    let tokens: Vec<_> = headers.get_all(header::AUTHORIZATION).iter().collect();
    assert_eq!(tokens, ["Bearer t", "Bearer second"]);
    assert_eq!(
        (&headers[header::USER_AGENT], &headers["x-request-id"]),
        (&"curl/8".parse().unwrap(), &"r1".parse().unwrap())
    );
    assert!(!headers.contains_key(header::COOKIE) && !headers.contains_key("grpc-timeout"));
}

#[tokio::test]
async fn without_a_token_nothing_is_read_and_nothing_called() {
    let never = Body::from_stream(futures_util::stream::pending::<
        Result<bytes::Bytes, std::io::Error>,
    >());
    let request = Request::post("/api/v1/organizations").body(never).unwrap();
    let (status, headers, json, seen) = send(empty_of, request).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(headers[header::WWW_AUTHENTICATE], "Bearer");
    assert_eq!(
        (&json["code"], &json["details"][0]["error_code"]),
        (&json!(16), &json!("UNAUTHENTICATED"))
    );
    assert!(seen.is_none());
}

#[tokio::test]
async fn unknown_paths_and_wrong_verbs_say_so_in_the_same_shape() {
    let (status, _, json, _) = send(
        empty_of,
        request("GET", "/api/v1/nothing").body(Body::empty()).unwrap(),
    )
    .await;
    assert_eq!((status, &json["code"]), (StatusCode::NOT_FOUND, &json!(5)));

    let (status, headers, json, _) = send(
        empty_of,
        request("PUT", "/api/v1/organizations/o")
            .body(Body::empty())
            .unwrap(),
    )
    .await;
    assert_eq!(
        (status, &json["code"]),
        (StatusCode::METHOD_NOT_ALLOWED, &json!(12))
    );
    assert_eq!(headers[header::ALLOW], "DELETE, GET, HEAD, OPTIONS, PATCH");

    let (status, headers, json, seen) = send(
        empty_of,
        request("OPTIONS", "/api/v1/organizations")
            .body(Body::empty())
            .unwrap(),
    )
    .await;
    assert_eq!((status, json), (StatusCode::NO_CONTENT, Json::Null));
    assert_eq!(headers[header::ALLOW], "GET, HEAD, OPTIONS, POST");
    assert!(seen.is_none());

    let (status, _, _, seen) = send(
        empty_of,
        request("HEAD", "/api/v1/organizations")
            .body(Body::empty())
            .unwrap(),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    assert!(seen.unwrap().path.ends_with("/ListOrganization"));
}

#[tokio::test]
async fn only_json_is_read_and_only_so_much() {
    let post = |name: header::HeaderName, value: &str, body: &str| {
        request("POST", "/api/v1/organizations")
            .header(name, value)
            .body(Body::from(body.to_owned()))
            .unwrap()
    };
    for good in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
    ] {
        assert_eq!(
            send(empty_of, post(header::CONTENT_TYPE, good, "{}")).await.0,
            StatusCode::CREATED,
            "{good}"
        );
    }
    for bad in [
        "application/x-www-form-urlencoded",
        "text/plain",
        "application/jsonp",
        "",
    ] {
        let (status, _, json, seen) = send(empty_of, post(header::CONTENT_TYPE, bad, "{}")).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{bad}");
        assert_eq!(json["details"][0]["error_code"], "UNSUPPORTED_MEDIA_TYPE");
        assert!(seen.is_none());
    }
    assert_eq!(
        send(empty_of, post(header::CONTENT_ENCODING, "gzip", "{}"))
            .await
            .0,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let large = format!("{{\"display_name\":\"{}\"}}", "x".repeat(4 * 1024 * 1024));
    assert_eq!(
        send(empty_of, post(header::CONTENT_TYPE, "application/json", &large))
            .await
            .0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    for broken in [
        "{",
        "[]",
        "1",
        "\"x\"",
        "null",
        "{}{}",
        &"[".repeat(5_000),
        &"{\"metadata\":".repeat(5_000),
    ] {
        let (status, _, json, seen) =
            send(empty_of, post(header::CONTENT_TYPE, "application/json", broken)).await;
        assert_eq!(
            (status, &json["code"]),
            (StatusCode::BAD_REQUEST, &json!(3)),
            "{broken:.20}"
        );
        assert!(seen.is_none());
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_callers_mistake() {
    let broken = Body::from_stream(futures_util::stream::iter([
        Ok("{"),
        Err(std::io::Error::other("gone")),
    ]));
    let (status, _, json, _) = send(
        empty_of,
        request("POST", "/api/v1/organizations").body(broken).unwrap(),
    )
    .await;
    assert_eq!(
        (status, &json["message"]),
        (
            StatusCode::BAD_REQUEST,
            &json!("the body could not be read to its end")
        )
    );
}

fn refused(_: &str) -> Result<DynamicMessage, Status> {
    // google.rpc.Status{8, "slow down", [Any(ErrorInfo{error_code: "RATE_LIMITED"})]}
    let info: &[u8] = b"\x0a\x0cRATE_LIMITED";
    let url = b"type.googleapis.com/scalekit.v1.errdetails.ErrorInfo";
    let mut any = vec![0x0a, u8::try_from(url.len()).unwrap()];
    any.extend_from_slice(url);
    any.extend([0x12, u8::try_from(info.len()).unwrap()]);
    any.extend_from_slice(info);
    let mut details = vec![0x08, 8, 0x1a, u8::try_from(any.len()).unwrap()];
    details.extend(any);
    let mut status = Status::with_details(Code::ResourceExhausted, "slow down", details.into());
    status.metadata_mut().insert("retry-after", "7".parse().unwrap());
    Err(status)
}

#[tokio::test]
async fn a_status_keeps_its_details_and_when_to_come_back() {
    let (status, headers, json, _) = send(
        refused,
        request("GET", "/api/v1/organizations")
            .body(Body::empty())
            .unwrap(),
    )
    .await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(headers[header::RETRY_AFTER], "7");
    let details = json!([{ "@type": "type.googleapis.com/scalekit.v1.errdetails.ErrorInfo", "error_code": "RATE_LIMITED" }]);
    assert_eq!(
        json,
        json!({ "code": 8, "message": "slow down", "details": details })
    );
}

#[test]
fn every_code_has_the_status_of_the_table() {
    let expected = [
        200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
    ];
    for (code, http) in (0..).zip(expected) {
        assert_eq!(
            super::error::http_status(Code::from(code)).as_u16(),
            http,
            "{code}"
        );
    }
}

#[test]
fn the_api_is_below_api_and_where_the_annotations_say() {
    let (rest, _) = rest(empty_of);
    for path in [
        "/api/v1/organizations",
        "/api/nothing",
        "/api/",
        "/.well-known/webauthn",
    ] {
        assert!(rest.serves(path), "{path}");
    }
    for path in [
        "/",
        "/api",
        "/apis/x",
        "/oauth/token",
        "/.well-known/openid-configuration",
        "/keys",
    ] {
        assert!(!rest.serves(path), "{path}");
    }
}
