//! Genuine answers of providers that nobody here wrote: `tests/data/README.md`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use genkan_protocol::Trace;
use genkan_protocol::saml::{
    AlgorithmPolicy, Answer, DecryptionKey, EncryptionPolicy, Expected, ExpectedEncryption, IdpCertificate,
    IdpMetadata, PendingRequest, RequiredSignature, VerificationKey,
};
use serde::Deserialize;

use crate::saml_corpus::{der, moment};

#[derive(Deserialize)]
struct Info {
    acs_url: String,
    sp_entity_id: String,
    idp_entity_id: String,
    responses: BTreeMap<String, Response>,
}

#[derive(Deserialize)]
struct Response {
    request_id: Option<String>,
    clock: String,
}

fn read(provider: &str, file: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::fs::read_to_string(folder.join(provider).join(file)).unwrap()
}

fn every_answer_signs_in(provider: &str) {
    let info: Info = serde_json::from_str(&read(provider, "info.json")).unwrap();
    let metadata = IdpMetadata::parse(&read(provider, "idp-metadata.xml")).unwrap();
    assert_eq!(metadata.entity_id, info.idp_entity_id);
    let certificates = IdpCertificate::parse_all(&read(provider, "idp-signing.crt")).unwrap();
    let keys: Vec<VerificationKey> = certificates
        .into_iter()
        .map(|certificate| VerificationKey::new(certificate).unwrap())
        .collect();
    let pkcs8: String = read(provider, "sp-decryption.pkcs8.b64")
        .split_whitespace()
        .collect();
    let certificate = der(&read(provider, "sp-decryption.crt"));
    let decryption = [DecryptionKey::from_pkcs8(&STANDARD.decode(pkcs8).unwrap(), &certificate).unwrap()];
    assert!(!info.responses.is_empty());
    for (name, response) in &info.responses {
        let mut trace = Trace::default();
        let is_encrypted = name.contains("encrypted");
        let expected = Expected {
            // The clock is the moment of the capture; milliseconds do not matter.
            now: moment(&format!("{}Z", &response.clock[..19])),
            skew: Duration::from_secs(180),
            acs_url: &info.acs_url,
            entity_id: &info.sp_entity_id,
            idp_entity_id: &info.idp_entity_id,
            keys: &keys,
            algorithms: AlgorithmPolicy::default(),
            signing: RequiredSignature::Either,
            encryption: ExpectedEncryption {
                required: is_encrypted,
                keys: &decryption,
                policy: EncryptionPolicy {
                    cbc: name.contains("cbc"),
                },
            },
            allow_unsolicited: response.request_id.is_none(),
            requested_name_id: None,
            force_authn_since: None,
            requested_context: None,
        };
        let request = match &response.request_id {
            Some(id) => PendingRequest::Solicited { id },
            None => PendingRequest::Unsolicited,
        };
        let outcome = Answer::read(&read(provider, &format!("{name}.b64")), &mut trace)
            .and_then(|answer| answer.validate(request, &expected, &mut trace));
        let assertion =
            outcome.unwrap_or_else(|cause| panic!("{provider}/{name}: {cause:?} {:?}", trace.failure()));
        let values = || {
            assertion
                .attributes
                .values()
                .flatten()
                .chain([&assertion.name_id.value])
        };
        assert!(
            values().any(|value| value.contains('@')),
            "{provider}/{name}: {:?}",
            assertion.attributes
        );
    }
}

#[test]
fn keycloak() {
    every_answer_signs_in("keycloak");
}

#[test]
fn lemonldap() {
    every_answer_signs_in("lemonldap");
}

#[test]
fn samlp() {
    every_answer_signs_in("samlp");
}

#[test]
fn simplesamlphp() {
    every_answer_signs_in("simplesamlphp");
}
