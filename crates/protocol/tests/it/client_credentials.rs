//! Credentials of clients, well and badly presented.
//!
//! Source: RFC 6749 §2.3.1 and §5.2, RFC 7617 §2.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use genkan_protocol::oauth::client_authentication::{ClientAuthenticationError as Error, Method};
use genkan_protocol::oauth::{Credentials, Duplicate, ErrorCode, Parameters};

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

fn parse(headers: &[&str], body: &str) -> Result<Credentials, Error> {
    let headers: Vec<&[u8]> = headers.iter().map(|header| header.as_bytes()).collect();
    Credentials::parse(&headers, &Parameters::parse(body.as_bytes()).unwrap())
}

#[track_caller]
fn refused(headers: &[&str], body: &str) -> Error {
    parse(headers, body).expect_err("bad credentials were taken")
}

#[track_caller]
fn taken(headers: &[&str], body: &str) -> (String, String, Method) {
    match parse(headers, body).unwrap() {
        Credentials::Secret {
            client_id,
            secret,
            method,
        } => (client_id, secret.to_string(), method),
        Credentials::Public { client_id } => panic!("no secret for {client_id}"),
    }
}

fn expected(client_id: &str, secret: &str, method: Method) -> (String, String, Method) {
    (client_id.to_owned(), secret.to_owned(), method)
}

#[test]
fn the_example_of_the_standard_is_read() {
    // RFC 6749 §2.3.1 and §4.1.3.
    let credentials = taken(&["Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"], "");
    assert_eq!(
        credentials,
        expected("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw", Method::Basic)
    );
    let credentials = taken(&[], "client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw");
    assert_eq!(
        credentials,
        expected("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw", Method::Post)
    );
}

#[test]
fn basic_credentials_are_form_encoded_inside() {
    let credentials = taken(&[&basic("skc%3A1:s%20%25%3A+%C3%A9:x")], "");
    assert_eq!(credentials, expected("skc:1", "s %: é:x", Method::Basic));
    // RFC 9110 §11.1: the scheme in any case, and spaces around the rest.
    for scheme in ["basic", "BASIC", "bAsIc"] {
        let header = format!("{scheme}   {}  ", STANDARD.encode("a:b"));
        assert_eq!(taken(&[&header], ""), expected("a", "b", Method::Basic));
    }
}

#[test]
fn one_method_in_a_request() {
    let header = basic("skc_1:secret");
    assert_eq!(
        refused(&[&header], "client_id=skc_1&client_secret=secret"),
        Error::Multiple
    );
    assert_eq!(refused(&[&header], "client_secret=secret"), Error::Multiple);
    assert_eq!(refused(&[&header, &header], ""), Error::Multiple);
    assert_eq!(refused(&[&basic("skc_1:"), &header], ""), Error::Multiple);
    assert_eq!(
        refused(&[&basic("skc_1:")], "client_secret=secret"),
        Error::Multiple
    );
    assert_eq!(Error::Multiple.code(), ErrorCode::InvalidRequest);
}

#[test]
fn the_body_may_repeat_the_client_id_of_the_header_and_no_other() {
    let header = basic("skc_1:secret");
    assert_eq!(
        taken(&[&header], "client_id=skc_1"),
        expected("skc_1", "secret", Method::Basic)
    );
    assert_eq!(refused(&[&header], "client_id=skc_2"), Error::Mismatch);
    assert_eq!(refused(&[&header], "client_id=SKC_1"), Error::Mismatch);
}

#[test]
fn a_stray_bearer_token_is_ignored() {
    for stray in [
        "Bearer abc.def.ghi",
        "bearer x",
        "Bearer",
        "Bearer \u{7f}",
        "Digest username=\"x\"",
        "",
    ] {
        let credentials = taken(&[stray], "client_id=skc_1&client_secret=s");
        assert_eq!(credentials, expected("skc_1", "s", Method::Post), "{stray}");
    }
    assert_eq!(
        taken(&["Bearer x", &basic("a:b")], ""),
        expected("a", "b", Method::Basic)
    );
    assert_eq!(
        refused(&["Bearer x"], "grant_type=client_credentials"),
        Error::Missing
    );
}

#[test]
fn malformed_basic_credentials_are_refused() {
    for (name, header) in [
        ("nothing", "Basic".to_owned()),
        ("only a space", "Basic ".to_owned()),
        ("not base64", "Basic !!!!".to_owned()),
        ("base64url", "Basic Pz8_Pz8_Og".to_owned()),
        ("no padding", "Basic YTpiYg".to_owned()),
        ("too much padding", "Basic YTpi====".to_owned()),
        ("trailing bits", "Basic YTpiYh==".to_owned()),
        ("a second word", "Basic YTpi YTpi".to_owned()),
        ("no colon", basic("skc_1")),
        ("no client id", basic(":secret")),
        ("a bad escape", basic("skc_1:%zz")),
        ("a cut escape", basic("skc_1:%4")),
        ("a NUL", basic("skc_1\0:secret")),
        ("an escaped NUL", basic("skc_1%00:secret")),
        ("a line break", basic("skc_1:%0d%0a")),
        ("an overlong form", basic("skc_1:%c0%af")),
        ("a quoted pair", "Basic \"YTpi\"".to_owned()),
    ] {
        assert_eq!(refused(&[&header], ""), Error::Malformed, "{name}");
        // Nor does the body take over: the client meant to authenticate.
        assert_eq!(refused(&[&header], "client_id=skc_1"), Error::Malformed, "{name}");
    }
    let latin1 = [&b"Basic "[..], STANDARD.encode(b"skc_1:caf\xe9").as_bytes()].concat();
    assert_eq!(
        Credentials::parse(&[&latin1], &Parameters::default()).unwrap_err(),
        Error::Malformed
    );
    let raw = b"Basic \xff\xfe";
    assert_eq!(
        Credentials::parse(&[raw], &Parameters::default()).unwrap_err(),
        Error::Malformed
    );
    assert_eq!(Error::Malformed.code(), ErrorCode::InvalidClient);
}

#[test]
fn a_client_without_a_secret_is_public() {
    for (headers, body) in [
        (vec![], "client_id=spac_1"),
        (vec![], "client_id=spac_1&client_secret="),
        (vec![basic("spac_1:")], ""),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        assert!(
            matches!(parse(&headers, body), Ok(Credentials::Public { client_id }) if client_id == "spac_1")
        );
    }
    assert_eq!(refused(&[], ""), Error::Missing);
    assert_eq!(refused(&[], "client_id="), Error::Missing);
    assert_eq!(refused(&[], "client_secret=s"), Error::Missing);
    assert_eq!(Error::Missing.code(), ErrorCode::InvalidClient);
}

#[test]
fn repeated_long_and_unsupported_credentials_are_refused() {
    assert_eq!(
        refused(&[], "client_id=a&client_id=b"),
        Error::Duplicate(Duplicate("client_id"))
    );
    assert_eq!(
        refused(&[&basic("a:b")], "client_id=a&client_id=a"),
        Error::Duplicate(Duplicate("client_id"))
    );
    assert_eq!(
        refused(&[], "client_id=a&client_secret=b&client_secret=b").code(),
        ErrorCode::InvalidRequest
    );
    assert_eq!(
        refused(&[], &format!("client_id={}", "a".repeat(129))),
        Error::TooLong
    );
    assert_eq!(
        refused(&[&basic(&format!("a:{}", "b".repeat(513)))], ""),
        Error::TooLong
    );
    let assertion = "client_id=a&client_secret=b&client_assertion_type=urn%3Ax&client_assertion=y";
    assert_eq!(refused(&[], assertion), Error::Assertion);
    assert_eq!(refused(&[], "client_id=a&client_assertion=y"), Error::Assertion);
    assert_eq!(
        refused(&[], "client_id=a&client_assertion_type=urn%3Ax"),
        Error::Assertion
    );
}

#[test]
fn a_secret_stays_out_of_logs() {
    let shown = format!("{:?}", parse(&[&basic("skc_1:hunter2")], "").unwrap());
    assert!(shown.contains("skc_1") && !shown.contains("hunter2"), "{shown}");
}
