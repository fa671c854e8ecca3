//! Our requests and our metadata: what we send, and that the other side reads it.

use genkan_protocol::saml::binding::{self, decode_request, post_form, redirect_url};
use genkan_protocol::saml::{
    AlgorithmPolicy, AuthnRequest, Cause, ContextComparison, Document, Limits, NameIdFormat,
    RequestedContext, SpMetadata, scan, verify, verify_query,
};
use url::Url;

use super::{NOW, REQUEST, der, request, signing_key, verification_key};

fn full() -> AuthnRequest {
    AuthnRequest {
        force_authn: true,
        name_id_format: Some(NameIdFormat::Persistent),
        requested_context: Some(RequestedContext {
            classes: vec!["urn:a&b".to_owned(), "urn:c".to_owned()],
            comparison: ContextComparison::Minimum,
        }),
        issuer: "https://sp.example/\"<&>".to_owned(),
        ..request()
    }
}

#[test]
fn a_request_asks_for_nothing_but_what_the_connection_wants() {
    let xml = request().render();
    assert_eq!(
        xml,
        r#"<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_request1" Version="2.0" IssueInstant="2026-11-29T12:00:00Z" Destination="https://idp.example/sso" ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" AssertionConsumerServiceURL="https://sp.example/acs"><saml:Issuer>https://sp.example/metadata</saml:Issuer></samlp:AuthnRequest>"#
    );
    let xml = full().render();
    assert!(xml.contains(r#" ForceAuthn="true""#));
    assert!(xml.contains(
        r#"<samlp:NameIDPolicy Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" AllowCreate="true"/><samlp:RequestedAuthnContext Comparison="minimum"><saml:AuthnContextClassRef>urn:a&amp;b</saml:AuthnContextClassRef>"#
    ));
}

#[test]
fn a_request_is_read_as_it_was_written() {
    for request in [request(), full()] {
        assert_eq!(AuthnRequest::parse(request.render().as_bytes()).unwrap(), request);
    }
    for (from, to) in [
        ("AuthnRequest", "LogoutRequest"),
        ("Version=\"2.0\"", "Version=\"1.1\""),
        (" ID=", " Id="),
        ("AssertionConsumerServiceURL=", "AssertionConsumerServiceIndex="),
        ("saml:Issuer", "saml:Other"),
        ("2026-11-29T12:00:00Z", "2026-11-29T12:00:00"),
        ("<samlp:AuthnRequest", "<!DOCTYPE a><samlp:AuthnRequest"),
    ] {
        let xml = request().render().replace(from, to);
        AuthnRequest::parse(xml.as_bytes()).unwrap_err();
    }
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).unwrap();
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

#[test]
fn a_redirect_carries_the_request_and_keeps_the_query_of_the_address() {
    let xml = full().render();
    for (location, start) in [
        ("https://idp.example/sso", "https://idp.example/sso?SAMLRequest="),
        ("https://idp.example/sso?", "https://idp.example/sso?SAMLRequest="),
        (
            "https://idp.example/sso?idpid=1",
            "https://idp.example/sso?idpid=1&SAMLRequest=",
        ),
        (
            "https://idp.example/sso?idpid=1#top",
            "https://idp.example/sso?idpid=1&SAMLRequest=",
        ),
    ] {
        let url = redirect_url(location, &xml, "state&=+ /", None).unwrap();
        assert!(url.starts_with(start), "{url}");
        assert_eq!(parameter(&url, "RelayState").as_deref(), Some("state&=+ /"));
        assert_eq!(parameter(&url, "Signature"), None);
        let octets = decode_request(&parameter(&url, "SAMLRequest").unwrap(), true).unwrap();
        assert_eq!(AuthnRequest::parse(&octets).unwrap(), full());
    }
}

/// Bindings §3.4.4.1: over the octets as they are sent, in this order.
#[test]
fn a_redirect_is_signed_over_its_query() {
    let url = redirect_url(
        "https://idp.example/sso?a=1",
        &request().render(),
        REQUEST,
        Some(&signing_key("sp")),
    )
    .unwrap();
    let (_, query) = url.split_once("?a=1&").unwrap();
    let (signed, signature) = query.split_once("&Signature=").unwrap();
    let names: Vec<&str> = signed
        .split('&')
        .map(|pair| pair.split_once('=').unwrap().0)
        .collect();
    assert_eq!(names, ["SAMLRequest", "RelayState", "SigAlg"]);
    let octets = decode_request(&parameter(&url, "Signature").unwrap(), false).unwrap();
    let algorithm = parameter(&url, "SigAlg").unwrap();
    let keys = [verification_key("sp")];
    let policy = AlgorithmPolicy::default();
    assert_eq!(
        verify_query(signed.as_bytes(), &algorithm, &octets, &keys, &policy),
        Ok(0)
    );
    verify_query(
        signed.replace("_request1", "_request2").as_bytes(),
        &algorithm,
        &octets,
        &keys,
        &policy,
    )
    .unwrap_err();
    assert!(!signature.contains('&'));
}

#[test]
fn a_form_carries_a_request_with_its_signature_inside() {
    let xml = signing_key("sp")
        .sign_enveloped(&request().render(), REQUEST)
        .unwrap();
    let form = post_form("https://idp.example/sso", &xml, "state");
    assert_eq!(form.action, "https://idp.example/sso");
    let names: Vec<&str> = form.fields.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["SAMLRequest", "RelayState"]);
    let octets = decode_request(&form.fields[0].1, false).unwrap();
    assert_eq!(AuthnRequest::parse(&octets).unwrap(), request());
    let text = scan(&octets, &Limits::MESSAGE).unwrap();
    let document = Document::parse(&text).unwrap();
    let keys = [verification_key("sp")];
    assert!(
        verify(document.root(), &keys, &AlgorithmPolicy::default())
            .unwrap()
            .is_some()
    );
    // The schema has the signature behind the issuer.
    let children: Vec<&str> = document
        .root()
        .children()
        .map(|child| child.local_name())
        .collect();
    assert_eq!(children, ["Issuer", "Signature"]);
}

#[test]
fn a_request_that_inflates_without_end_is_not_read() {
    let bomb = " ".repeat(10 * 1024 * 1024);
    let url = redirect_url("https://idp.example/sso", &bomb, "", None).unwrap();
    assert!(url.len() < 30_000);
    assert_eq!(
        decode_request(&parameter(&url, "SAMLRequest").unwrap(), true),
        None
    );
    assert_eq!(decode_request("AAAA", true), None);
    assert_eq!(decode_request("!", true), None);
}

#[test]
fn white_space_in_base64_is_passed_over_and_length_is_limited() {
    assert_eq!(binding::decode_response("PGEv\r\nPg= =\t"), Ok(b"<a/>".to_vec()));
    assert_eq!(binding::decode_response("PGEvPg"), Err(Cause::Base64Malformed));
    let longest = "AAAA".repeat(binding::MAX_RESPONSE_BYTES / 3);
    binding::decode_response(&longest).unwrap();
    assert_eq!(
        binding::decode_response(&format!("{longest}AAAA")),
        Err(Cause::MessageTooLong)
    );
}

#[test]
fn our_metadata_name_each_key_by_its_use() {
    let (signing, encryption) = ([der("sp.crt"), der("sp-old.crt")], [der("sp-other.crt")]);
    let mut metadata = SpMetadata {
        entity_id: "https://sp.example/?a=1&b=\"2\"",
        acs_url: "https://sp.example/acs",
        valid_until: None,
        requests_signed: true,
        wants_assertions_signed: false,
        name_id_format: None,
        signing_certificates: &signing,
        encryption_certificates: &encryption,
    };
    let xml = metadata.render();
    let text = scan(xml.as_bytes(), &Limits::METADATA).unwrap();
    let document = Document::parse(&text).unwrap();
    let root = document.root();
    assert_eq!(
        root.attribute("entityID"),
        Some("https://sp.example/?a=1&b=\"2\"")
    );
    assert_eq!(root.attribute("validUntil"), None);
    let provider = root.children().next().unwrap();
    assert_eq!(provider.attribute("AuthnRequestsSigned"), Some("true"));
    assert_eq!(provider.attribute("WantAssertionsSigned"), Some("false"));
    let uses: Vec<_> = provider
        .children()
        .filter_map(|child| child.attribute("use"))
        .collect();
    assert_eq!(uses, ["signing", "signing", "encryption"]);
    // Lasso then demands a name that it has given before.
    assert!(!xml.contains("NameIDFormat"));
    assert_eq!(xml.matches("EncryptionMethod").count(), 3);
    let services: Vec<_> = provider
        .children()
        .filter_map(|child| child.attribute("Location"))
        .collect();
    assert_eq!(services, ["https://sp.example/acs"]);
    metadata.valid_until = Some(NOW);
    metadata.name_id_format = Some(NameIdFormat::Email);
    let xml = metadata.render();
    assert!(xml.contains(r#"validUntil="2026-11-29T12:00:00Z""#));
    assert!(xml.contains(
        "<md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>"
    ));
}
