//! The SAML side, tested by a service provider that is none.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use genkan_protocol::Timestamp;
use genkan_protocol::saml::{AuthnRequest, IdpMetadata, binding};
use genkan_web::samples::LONG;
use tower::ServiceExt as _;

use super::*;
use crate::simulator::tests::config;

const ACS: &str = "http://localhost:8080/sso/v1/saml/conn_000000000000000000001/callback";

/// The requests whose answers are samples of pages.
pub(crate) fn requests() -> Vec<(&'static str, Request<Body>)> {
    let get = |path: String| Request::get(path).body(Body::empty()).unwrap();
    let wrong = encode(&[
        ("connection_id", "conn_000000000000000000001"),
        ("RelayState", "/reports"),
        ("email", LONG),
        ("given_name", "Grace"),
        ("fault", "wrong_audience"),
    ]);
    vec![
        ("simulator-saml", get(asked_by(ACS))),
        (
            "simulator-saml-wrong",
            Request::post("/simulator/saml/answer")
                .body(wrong.into())
                .unwrap(),
        ),
        (
            "simulator-saml-stranger",
            get(asked_by("https://stranger.test/acs")),
        ),
    ]
}

/// The path that a browser opens with a request for an answer at `acs_url`.
fn asked_by(acs_url: &str) -> String {
    let request = AuthnRequest {
        id: "_request".to_owned(),
        issue_instant: Timestamp::from_secs(1_795_000_000),
        destination: "http://localhost:8080/simulator/saml/sso".to_owned(),
        acs_url: acs_url.to_owned(),
        issuer: "http://localhost:8080/sso/v1/saml/conn_000000000000000000001".to_owned(),
        force_authn: false,
        name_id_format: None,
        requested_context: None,
    };
    binding::redirect_url("/simulator/saml/sso", &request.render(), "state", None).unwrap()
}

fn encode(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

fn simulator() -> Simulator {
    Simulator::new(config(), || Timestamp::from_secs(1_795_000_000))
}

async fn send(simulator: &Simulator, request: Request<Body>) -> (StatusCode, String) {
    let response = simulator.router().oneshot(request).await.unwrap();
    let status = response.status();
    assert!(!response.headers().contains_key(header::LOCATION));
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn get(simulator: &Simulator, path: &str) -> (StatusCode, String) {
    send(simulator, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn answer(simulator: &Simulator, form: &[(&str, &str)]) -> (StatusCode, String) {
    let body = Body::from(encode(form));
    send(
        simulator,
        Request::post("/simulator/saml/answer").body(body).unwrap(),
    )
    .await
}

#[tokio::test]
async fn the_metadata_lead_to_both_bindings_and_keep_the_key() {
    let simulator = simulator();
    let (_, document) = get(&simulator, "/simulator/saml/metadata").await;
    let metadata = IdpMetadata::parse(&document).unwrap();
    assert_eq!(
        metadata.entity_id,
        "http://localhost:8080/simulator/saml/metadata"
    );
    let sign_on = Some("http://localhost:8080/simulator/saml/sso");
    assert_eq!(metadata.sso_redirect_url.as_deref(), sign_on);
    assert_eq!(metadata.sso_post_url.as_deref(), sign_on);
    assert_eq!(get(&simulator, "/simulator/saml/metadata").await.1, document);
}

/// It signs anybody in, so it must not do so elsewhere.
#[tokio::test]
async fn an_answer_goes_to_connections_of_its_own_gateway_only() {
    let simulator = simulator();
    for acs in [
        "https://stranger.test/acs",
        "http://localhost:8080.stranger.test/sso/v1/saml/conn_1/callback",
        "http://localhost:8080/sso/v1/saml/conn_1/../x/callback",
        "http://localhost:8080/sso/v1/saml/conn_1/callback?x",
        "http://localhost:8080/sso/v1/oidc/conn_1/callback",
        "javascript:conn_1",
    ] {
        let path = asked_by(acs);
        let (status, page) = get(&simulator, &path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{acs}");
        assert!(!page.contains("<form"), "{acs}: {page}");
        // The same request in the form of our own page.
        let url = url::Url::parse("http://localhost").unwrap().join(&path).unwrap();
        let mut form: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        form.push(("deflated".to_owned(), "true".to_owned()));
        form.push(("email".to_owned(), "ada@example.com".to_owned()));
        let form: Vec<(&str, &str)> = form
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let (status, page) = answer(&simulator, &form).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{acs}");
        assert!(!page.contains("SAMLResponse"), "{acs}");
    }
    for id in ["", "conn_", "conn_1/../../x", "//stranger.test", "conn_１"] {
        let path = format!("/simulator/saml/initiate?{}", encode(&[("connection_id", id)]));
        assert_eq!(get(&simulator, &path).await.0, StatusCode::BAD_REQUEST, "{id}");
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_with_a_page() {
    let simulator = simulator();
    // A megabyte of zeros in a kilobyte, a document type, and no XML.
    let bomb = binding::redirect_url("/simulator/saml/sso", &"0".repeat(1 << 20), "s", None).unwrap();
    let hostile = "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>";
    let hostile = binding::redirect_url("/simulator/saml/sso", hostile, "s", None).unwrap();
    for path in [
        bomb.as_str(),
        &hostile,
        "/simulator/saml/sso",
        "/simulator/saml/sso?SAMLRequest=x",
        "/simulator/saml/sso?SAMLRequest=%zz",
    ] {
        let (status, page) = get(&simulator, path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert!(page.contains("The simulator cannot read this"), "{page}");
    }
}

#[tokio::test]
async fn a_wrong_form_is_shown_again_with_the_request() {
    let form = [
        ("connection_id", "conn_1"),
        ("RelayState", "\"><script>"),
        ("email", "ada"),
        ("given_name", "<b>"),
    ];
    let (status, page) = answer(&simulator(), &form).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(page.contains("aria-invalid=\"true\"") && page.contains("value=\"conn_1\""));
    assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
}

#[tokio::test]
async fn nothing_is_repeated_before_there_is_something_to_repeat() {
    let simulator = simulator();
    let form = |fault| {
        [
            ("connection_id", "conn_1"),
            ("email", "ada@example.com"),
            ("fault", fault),
        ]
    };
    let (status, page) = answer(&simulator, &form("replay")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(page.contains("There is no earlier answer"), "{page}");
    let (_, first) = answer(&simulator, &form("")).await;
    let (status, again) = answer(&simulator, &form("replay")).await;
    assert_eq!((status, again), (StatusCode::OK, first));
}

/// Anybody may ask for answers, so that not each of them is kept.
#[tokio::test]
async fn only_the_last_answers_can_be_repeated() {
    let simulator = simulator();
    let sign_in = async |number: usize, fault: &str| {
        let connection_id = format!("conn_{number}");
        let form = [
            ("connection_id", connection_id.as_str()),
            ("email", "ada@example.com"),
            ("fault", fault),
        ];
        answer(&simulator, &form).await.0
    };
    for number in 0..EARLIER_ANSWERS + 3 {
        assert_eq!(sign_in(number, "").await, StatusCode::OK);
    }
    let mut repeated = 0;
    for number in 0..EARLIER_ANSWERS + 3 {
        repeated += usize::from(sign_in(number, "replay").await == StatusCode::OK);
    }
    assert_eq!(repeated, EARLIER_ANSWERS);
}

/// A connection that is not there is another mistake than a database that is not.
#[tokio::test]
async fn a_certificate_that_cannot_be_read_is_told_apart_from_none() {
    let sign_in = async |find: EncryptionCertificates| {
        let mut config = config();
        config.saml.encryption = Some(find);
        let simulator = Simulator::new(config, || Timestamp::from_secs(1_795_000_000));
        let form = [
            ("connection_id", "conn_1"),
            ("email", "ada@example.com"),
            ("fault", "encrypted"),
        ];
        answer(&simulator, &form).await
    };
    let advice = "look whether the connection still exists";
    let (status, page) = sign_in(Arc::new(|_| Box::pin(async { Ok(None) }))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(page.contains(advice), "{page}");
    let (status, page) = sign_in(Arc::new(|_| Box::pin(async { Err(PageError::internal("gone")) }))).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!page.contains(advice), "{page}");
}
