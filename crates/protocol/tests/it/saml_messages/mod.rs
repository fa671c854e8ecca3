//! SAML messages from outside: each cause, the edges of time, what a trace shows, requests.
//!
//! The answers here are made by our own simulated provider. Those of other people's software are in
//! `saml_providers`, and the attacks in `saml_corpus`.

mod causes;
mod notes;
mod requests;
mod times;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use genkan_protocol::saml::idp::{IdpResponse, Protection};
use genkan_protocol::saml::{
    AlgorithmPolicy, Answer, Assertion, AuthnRequest, Cause, DecryptionKey, EncryptionPolicy, Expected,
    ExpectedEncryption, IdpCertificate, NameId, NameIdFormat, PendingRequest, RequestedContext,
    RequiredSignature, SigningKey, VerificationKey,
};
use genkan_protocol::{Timestamp, Trace};

const ACS: &str = "https://sp.example/acs";
const SP: &str = "https://sp.example/metadata";
const IDP: &str = "https://idp.example/saml";
const REQUEST: &str = "_request1";
/// 2026-11-29T12:00:00Z
const NOW: Timestamp = Timestamp::from_secs(1_795_953_600);
const SKEW: Duration = Duration::from_secs(180);

/// Throw-away keys of the corpus.
fn pem(file: &str) -> String {
    let path = format!("{}/tests/saml_corpus/keys/{file}.pem", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn der(file: &str) -> Vec<u8> {
    let pem = pem(file);
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(base64).unwrap()
}

fn signing_key(name: &str) -> SigningKey {
    SigningKey::from_pkcs8(&der(&format!("{name}.key")), &der(&format!("{name}.crt"))).unwrap()
}

fn decryption_key(name: &str) -> DecryptionKey {
    DecryptionKey::from_pkcs8(&der(&format!("{name}.key")), &der(&format!("{name}.crt"))).unwrap()
}

fn verification_key(name: &str) -> VerificationKey {
    let certificate = IdpCertificate::parse_all(&pem(&format!("{name}.crt")))
        .unwrap()
        .remove(0);
    VerificationKey::new(certificate).unwrap()
}

fn request() -> AuthnRequest {
    AuthnRequest {
        id: REQUEST.to_owned(),
        issue_instant: NOW,
        destination: "https://idp.example/sso".to_owned(),
        acs_url: ACS.to_owned(),
        issuer: SP.to_owned(),
        force_authn: false,
        name_id_format: None,
        requested_context: None,
    }
}

/// An honest answer, not signed.
fn response() -> IdpResponse {
    let name_id = NameId::new("alice@acme.example", NameIdFormat::Email);
    let mut response = IdpResponse::to_request(&request(), IDP, "1", name_id, NOW);
    response.attributes = vec![
        ("email".to_owned(), vec!["alice@acme.example".to_owned()]),
        (
            "groups".to_owned(),
            vec!["staff".to_owned(), "editors".to_owned()],
        ),
    ];
    response
}

/// An answer whose Assertion is signed after the text was edited.
fn signed_after(edit: impl FnOnce(String) -> String) -> String {
    let xml = edit(response().render(&Protection::default()).unwrap());
    signing_key("idp").sign_enveloped(&xml, "_a1").unwrap()
}

/// The same, for one replacement.
fn signed_with(from: &str, to: &str) -> String {
    signed_after(|xml| replaced(&xml, from, to))
}

fn replaced(xml: &str, from: &str, to: &str) -> String {
    assert!(xml.contains(from), "{from} is not in {xml}");
    xml.replace(from, to)
}

fn encrypted(protection: Protection<'_>) -> String {
    let certificate = der("sp.crt");
    response()
        .render(&Protection {
            encrypt_to: Some(&certificate),
            ..protection
        })
        .unwrap()
}

fn form(xml: &str) -> String {
    STANDARD.encode(xml)
}

/// A connection.
struct Connection {
    now: Timestamp,
    skew: Duration,
    keys: Vec<VerificationKey>,
    decryption_keys: Vec<DecryptionKey>,
    must_encrypt: bool,
    cbc: bool,
    signing: RequiredSignature,
    allow_unsolicited: bool,
    requested_name_id: Option<NameIdFormat>,
    force_authn_since: Option<Timestamp>,
    requested_context: Option<RequestedContext>,
    pending: PendingRequest<'static>,
}

impl Connection {
    fn new() -> Self {
        Self {
            now: NOW,
            skew: SKEW,
            keys: vec![verification_key("idp")],
            decryption_keys: vec![decryption_key("sp")],
            must_encrypt: false,
            cbc: false,
            signing: RequiredSignature::Either,
            allow_unsolicited: false,
            requested_name_id: None,
            force_authn_since: None,
            requested_context: None,
            pending: PendingRequest::Solicited { id: REQUEST },
        }
    }

    fn take(&self, form_value: &str) -> (Result<Assertion, Cause>, Trace) {
        let mut trace = Trace::default();
        let outcome = Answer::read(form_value, &mut trace)
            .and_then(|answer| answer.validate(self.pending, &self.expected(), &mut trace));
        (outcome, trace)
    }

    fn take_xml(&self, xml: &str) -> (Result<Assertion, Cause>, Trace) {
        self.take(&form(xml))
    }

    fn expected(&self) -> Expected<'_> {
        Expected {
            now: self.now,
            skew: self.skew,
            acs_url: ACS,
            entity_id: SP,
            idp_entity_id: IDP,
            keys: &self.keys,
            algorithms: AlgorithmPolicy::default(),
            signing: self.signing,
            encryption: ExpectedEncryption {
                required: self.must_encrypt,
                keys: &self.decryption_keys,
                policy: EncryptionPolicy { cbc: self.cbc },
            },
            allow_unsolicited: self.allow_unsolicited,
            requested_name_id: self.requested_name_id,
            force_authn_since: self.force_authn_since,
            requested_context: self.requested_context.as_ref(),
        }
    }
}
