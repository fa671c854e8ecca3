//! The checks of every call: its caller, its permissions, and its message.

use std::io::Write;
use std::num::NonZeroU32;

use bytes::{BufMut, Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use genkan_api::{Credential, Permissions, RateLimit, methods};
use genkan_contract::scalekit::v1::organizations::organization_service_client::OrganizationServiceClient;
use genkan_contract::scalekit::v1::organizations::{CreateOrganizationRequest, ListOrganizationsRequest};
use genkan_db::testing::Scratch;
use http::{Request, header};
use http_body_util::Full;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::ServiceExt;

use crate::support::{Harness, MANAGEMENT, error_info};

const LIST: &str = "/scalekit.v1.organizations.OrganizationService/ListOrganization";

async fn list(harness: &Harness, tokens: &[&str]) -> Result<(), Status> {
    let mut client = OrganizationServiceClient::new(harness.client_with(tokens.iter().copied()));
    client
        .list_organization(ListOrganizationsRequest::default())
        .await
        .map(|_| ())
}

/// The status of a call with these bytes as its body.
async fn send(harness: &Harness, path: &str, encoding: Option<&str>, body: Vec<u8>) -> Status {
    let mut request = Request::post(format!("https://auth.acme.test{path}"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::AUTHORIZATION, format!("Bearer {MANAGEMENT}"));
    if let Some(encoding) = encoding {
        request = request.header("grpc-encoding", encoding);
    }
    let request = request.body(Body::new(Full::new(Bytes::from(body)))).unwrap();
    let response = harness.stack.clone().oneshot(request).await.unwrap();
    Status::from_header_map(response.headers()).unwrap_or_else(|| Status::ok(""))
}

fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::new();
    frame.put_u8(flag);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    frame.to_vec()
}

fn gzip(message: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(message).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_call_without_a_token_is_unauthenticated() {
    let harness = Harness::start().await;
    let refused = list(&harness, &[]).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(error_info(&refused).error_code, "UNAUTHENTICATED");
}

#[tokio::test]
async fn any_valid_one_of_several_tokens_is_enough() {
    let harness = Harness::start().await;
    let code = async |tokens: &[&str]| list(&harness, tokens).await.err().map(|status| status.code());
    assert_eq!(code(&[MANAGEMENT, "stale"]).await, None);
    assert_eq!(code(&["stale", MANAGEMENT]).await, None);
    assert_eq!(code(&["stale", "staler"]).await, Some(Code::Unauthenticated));
    // Nobody gets to try a thousand.
    assert_eq!(
        code(&["a", "b", "c", "d", MANAGEMENT]).await,
        Some(Code::Unauthenticated)
    );
}

#[tokio::test]
async fn a_genuine_token_that_is_not_for_management_is_denied() {
    let harness = Harness::start().await;
    harness.present("user", Credential::NotForManagement("this token is a user's"));
    let denied = list(&harness, &["user"]).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    assert_eq!(error_info(&denied).error_code, "PERMISSION_DENIED");
}

#[tokio::test]
async fn a_client_without_management_access_is_told_to_authenticate() {
    let harness = Harness::start().await;
    let why = "this client has no access to the management API";
    harness.present("plain", Credential::NoAccess(why.to_owned()));
    let refused = list(&harness, &["plain"]).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(error_info(&refused).error_code, "UNAUTHENTICATED");
    assert!(refused.message().contains(why), "{refused}");
}

#[tokio::test]
async fn too_many_calls_are_refused_with_the_time_to_wait() {
    let limit = RateLimit {
        per_minute: NonZeroU32::new(6),
    };
    let harness = Harness::on(Scratch::sqlite_with(genkan_store::MIGRATIONS).await, limit).await;
    let _ = list(&harness, &[MANAGEMENT]).await;
    let refused = list(&harness, &[MANAGEMENT]).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(error_info(&refused).error_code, "RATE_LIMITED");
    let wait: u64 = refused
        .metadata()
        .get("retry-after")
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=11).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_broken_rule_names_its_field() {
    let harness = Harness::start().await;
    let mut client = OrganizationServiceClient::new(harness.client());
    let refused = client
        .create_organization(CreateOrganizationRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "organization: is required");
    let info = error_info(&refused);
    assert_eq!(info.error_code, "INVALID_ARGUMENT");
    let violations = info.validation_error_info.unwrap().field_violations;
    assert_eq!(violations[0].field, "organization");
}

#[tokio::test]
async fn frames_that_lie_are_refused() {
    let harness = Harness::start().await;
    for (what, body) in [
        ("nothing", Vec::new()),
        ("half a prefix", vec![0, 0, 0]),
        ("less than it says", vec![0, 0, 0, 0, 9, 1]),
        ("more than it says", [frame(0, b""), vec![1]].concat()),
        ("two messages", [frame(0, b""), frame(0, b"")].concat()),
        ("an unknown flag", frame(7, b"")),
        ("not a message", frame(0, &[0xff; 40])),
        ("not gzip", frame(1, b"plain")),
    ] {
        let refused = send(&harness, LIST, Some("gzip"), body).await;
        assert_eq!(refused.code(), Code::InvalidArgument, "{what}");
        assert_eq!(error_info(&refused).error_code, "INVALID_ARGUMENT", "{what}");
    }
    let unknown = send(&harness, LIST, Some("br"), frame(1, b"")).await;
    assert_eq!(unknown.code(), Code::Unimplemented);
}

#[tokio::test]
async fn messages_have_a_limit_packed_and_unpacked() {
    let harness = Harness::start().await;
    let big = vec![0; 5 * 1024 * 1024];
    let packed = gzip(&vec![0; 200 * 1024 * 1024]);
    assert!(packed.len() < 1024 * 1024);
    for body in [
        frame(0, &big),
        frame(1, &packed),
        vec![0, 0xff, 0xff, 0xff, 0xff, 1],
    ] {
        let refused = send(&harness, LIST, Some("gzip"), body).await;
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert_eq!(error_info(&refused).error_code, "MESSAGE_TOO_LARGE");
    }
}

#[tokio::test]
async fn a_packed_message_is_read() {
    let harness = Harness::start().await;
    // `page_size: 101` is a varint of two bytes.
    let code = send(&harness, LIST, Some("gzip"), frame(1, &gzip(b"")))
        .await
        .code();
    assert_eq!(code, Code::Ok);
}

#[tokio::test]
async fn a_method_that_does_not_exist_is_unimplemented_with_a_sentence() {
    let harness = Harness::start().await;
    for path in [
        "/scalekit.v1.organizations.OrganizationService/Fly",
        "/no.Service/Method",
        "/",
    ] {
        let refused = send(&harness, path, None, frame(0, b"")).await;
        assert_eq!(refused.code(), Code::Unimplemented, "{path}");
        assert_eq!(error_info(&refused).error_code, "UNIMPLEMENTED");
    }
}

#[test]
fn permissions_are_those_of_the_contract() {
    let permissions = methods::permissions();
    assert!(permissions.contains("organizations:read"));
    assert!(permissions.contains("app_authorization:write"));
    assert!(permissions.iter().all(|name| name.contains(':')));
}

#[tokio::test]
async fn a_token_with_a_scope_does_what_it_lists() {
    let harness = Harness::start().await;
    let only = |name: &str| Permissions::Only([name.to_owned()].into());
    harness.grant("reader", only("organizations:read"));
    harness.grant("other", only("users:read"));
    let denied = list(&harness, &["other"]).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    assert!(denied.message().contains("organizations:read"));
    let code = list(&harness, &["reader"])
        .await
        .err()
        .map(|status| status.code());
    assert_eq!(code, None);
}

/// `AssignUserRoles` with empty roles: two bytes each.
const ASSIGN: &str = "/scalekit.v1.users.UserService/AssignUserRoles";

#[tokio::test]
async fn millions_of_empty_elements_are_refused_before_they_are_decoded() {
    let harness = Harness::start().await;
    let empty = [0x1a, 0].repeat(2_097_000);
    for body in [frame(0, &empty), frame(1, &gzip(&empty))] {
        let refused = send(&harness, ASSIGN, Some("gzip"), body).await;
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert_eq!(error_info(&refused).error_code, "MESSAGE_TOO_LARGE");
        assert!(
            refused.message().contains("100000 elements"),
            "{}",
            refused.message()
        );
    }
}

/// The one thread of this runtime represents a worker that also serves sign-ins.
#[tokio::test]
async fn others_go_on_while_a_large_message_is_read() {
    let harness = Harness::start().await;
    let mut large = vec![0x0a, 0x80, 0x80, 0xc0, 0x01];
    large.extend(vec![b'x'; 3 * 1024 * 1024]);
    large.extend([0x1a, 0].repeat(99_000));
    for (flag, body) in [(0, large.clone()), (1, gzip(&large))] {
        let call = {
            let harness = harness.clone();
            tokio::spawn(async move { send(&harness, ASSIGN, Some("gzip"), frame(flag, &body)).await })
        };
        tokio::task::yield_now().await;
        assert!(!call.is_finished(), "it was read on the worker's own thread");
        let refused = call.await.unwrap();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(
            refused.message().contains("roles: must have at most 100 items"),
            "{}",
            refused.message()
        );
    }
}
