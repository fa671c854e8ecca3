//! Honest and hostile SAML answers, each with the one outcome that is right.
//!
//! `tests/saml/generate.py` makes them, with keys of its own and without any code of the
//! verifier. `saml_corpus/manifest.json` says under which settings each is judged, and
//! whether it is accepted with which values, or refused with which cause.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use genkan_protocol::saml::{
    AlgorithmPolicy, Answer, Assertion, Cause, DecryptionKey, EncryptionPolicy, Expected, ExpectedEncryption,
    IdpCertificate, PendingRequest, RequestedContext, RequiredSignature, VerificationKey,
};
use genkan_protocol::{Timestamp, Trace};
use serde::Deserialize;
use x509_cert::der::DateTime;

/// One line of the manifest.
#[derive(Deserialize)]
pub(crate) struct Vector {
    /// Below `vectors/`: a document, or the value of a form (`.form`).
    pub(crate) file: String,
    pub(crate) settings: Settings,
    accept: Option<BTreeMap<String, serde_json::Value>>,
    cause: Option<String>,
}

/// What a vector sets otherwise than most.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    keys: Vec<String>,
    decryption_keys: Vec<String>,
    signing: String,
    sha1: bool,
    cbc: bool,
    encrypted: bool,
    unsolicited: bool,
    /// The ID of the pending request; null if there is none.
    request: Option<String>,
    now: String,
    skew: u64,
    force_authn_since: Option<String>,
    requested_context: Option<Vec<String>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keys: vec!["idp".to_owned()],
            decryption_keys: vec!["sp".to_owned()],
            signing: "either".to_owned(),
            sha1: false,
            cbc: false,
            encrypted: false,
            unsolicited: false,
            request: Some("_request1".to_owned()),
            now: "2026-11-29T12:00:00Z".to_owned(),
            skew: 180,
            force_authn_since: None,
            requested_context: None,
        }
    }
}

/// The fuzz target of `tests/saml/fuzz`, a package of its own, reads it as well.
fn folder() -> PathBuf {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = folders.find_map(|folder| {
        let corpus = folder.join("crates/protocol/tests/saml_corpus");
        corpus.is_dir().then_some(corpus)
    });
    found.unwrap()
}

fn pem(name: &str) -> String {
    std::fs::read_to_string(folder().join("keys").join(name)).unwrap()
}

fn verification_key(name: &str) -> VerificationKey {
    let certificates = IdpCertificate::parse_all(&pem(&format!("{name}.crt.pem"))).unwrap();
    VerificationKey::new(certificates.into_iter().next().unwrap()).unwrap()
}

/// The octets between the marks of PEM.
pub(crate) fn der(text: &str) -> Vec<u8> {
    let base64: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(base64).unwrap()
}

fn decryption_key(name: &str) -> DecryptionKey {
    let (key, certificate) = (pem(&format!("{name}.key.pem")), pem(&format!("{name}.crt.pem")));
    DecryptionKey::from_pkcs8(&der(&key), &der(&certificate)).unwrap()
}

/// The manifest.
pub(crate) fn vectors() -> Vec<Vector> {
    serde_json::from_slice(&std::fs::read(folder().join("manifest.json")).unwrap()).unwrap()
}

impl Vector {
    /// The octets of the vector's file.
    pub(crate) fn octets(&self) -> Vec<u8> {
        std::fs::read(folder().join("vectors").join(&self.file)).unwrap()
    }

    /// Whether it is an answer that must be accepted.
    pub(crate) const fn is_honest(&self) -> bool {
        self.accept.is_some()
    }

    fn form_value(&self) -> String {
        let octets = self.octets();
        if self.file.ends_with(".form") {
            String::from_utf8(octets).unwrap()
        } else {
            STANDARD.encode(octets)
        }
    }

    /// What is wrong with the verifier's judgement, if anything is.
    fn misjudged(&self, judge: &Judge) -> Option<String> {
        let mut trace = Trace::default();
        let outcome = judge.judge(&self.form_value(), &mut trace);
        let why = || {
            let failed = trace.failure();
            failed.map_or_else(String::new, |check| format!(" ({check:?})"))
        };
        match (outcome, &self.accept, &self.cause) {
            (Err(cause), None, Some(expected)) if cause.code() == expected => trace
                .failure()
                .is_none()
                .then(|| "the trace names no failure".to_owned()),
            (Err(cause), None, Some(expected)) => {
                Some(format!("{} instead of {expected}{}", cause.code(), why()))
            }
            (Err(cause), Some(_), _) => Some(format!("refused: {}{}", cause.code(), why())),
            (Ok(_), _, Some(expected)) => Some(format!("ACCEPTED instead of {expected}")),
            (Ok(assertion), Some(values), _) => differs(&assertion, values),
            (_, None, None) => Some("the manifest has no outcome".to_owned()),
        }
    }
}

/// Which of the values that the provider signed came out otherwise.
fn differs(assertion: &Assertion, values: &BTreeMap<String, serde_json::Value>) -> Option<String> {
    for (name, expected) in values {
        let value = match name.as_str() {
            "name_id" => serde_json::json!(assertion.name_id.value),
            "session_index" => serde_json::json!(assertion.session_index),
            "session_ends_at" => serde_json::json!(assertion.session_ends_at.map(Timestamp::to_rfc3339)),
            "authn_context" => serde_json::json!(assertion.authn_context),
            "attributes" => serde_json::json!(assertion.attributes),
            other => return Some(format!("{other} is compared with nothing")),
        };
        let same = match name.as_str() {
            "session_ends_at" => expected
                .as_str()
                .is_some_and(|text| assertion.session_ends_at == Some(moment(text))),
            _ => value == *expected,
        };
        if !same {
            return Some(format!("{name} is {value} instead of {expected}"));
        }
    }
    None
}

/// A moment as the manifest writes it.
pub(crate) fn moment(text: &str) -> Timestamp {
    let parsed: DateTime = text.parse().unwrap();
    Timestamp::from_secs(parsed.unix_duration().as_secs().try_into().unwrap())
}

/// The settings of a connection, with its keys read.
pub(crate) struct Judge {
    keys: Vec<VerificationKey>,
    decryption_keys: Vec<DecryptionKey>,
    context: Option<RequestedContext>,
    signing: RequiredSignature,
    settings: Settings,
}

impl Judge {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            keys: settings.keys.iter().map(|name| verification_key(name)).collect(),
            decryption_keys: settings
                .decryption_keys
                .iter()
                .map(|name| decryption_key(name))
                .collect(),
            context: settings
                .requested_context
                .clone()
                .map(|classes| RequestedContext {
                    classes,
                    comparison: genkan_protocol::saml::ContextComparison::Exact,
                }),
            signing: match settings.signing.as_str() {
                "either" => RequiredSignature::Either,
                "response" => RequiredSignature::Response,
                "assertion" => RequiredSignature::Assertion,
                "both" => RequiredSignature::Both,
                other => panic!("{other}"),
            },
            settings,
        }
    }

    /// All checks of an answer that need no browser.
    pub(crate) fn judge(&self, form_value: &str, trace: &mut Trace) -> Result<Assertion, Cause> {
        let answer = Answer::read(form_value, trace)?;
        let request = match &self.settings.request {
            Some(id) => PendingRequest::Solicited { id },
            None => PendingRequest::Unsolicited,
        };
        let expected = Expected {
            now: moment(&self.settings.now),
            skew: Duration::from_secs(self.settings.skew),
            acs_url: "https://sp.genkan.example/sso/v1/saml/conn_1/callback",
            entity_id: "https://sp.genkan.example/conn_1",
            idp_entity_id: "https://idp.example/saml",
            keys: &self.keys,
            algorithms: AlgorithmPolicy {
                sha1: self.settings.sha1,
            },
            signing: self.signing,
            encryption: ExpectedEncryption {
                required: self.settings.encrypted,
                keys: &self.decryption_keys,
                policy: EncryptionPolicy {
                    cbc: self.settings.cbc,
                },
            },
            allow_unsolicited: self.settings.unsolicited,
            requested_name_id: None,
            force_authn_since: self.settings.force_authn_since.as_deref().map(moment),
            requested_context: self.context.as_ref(),
        };
        answer.validate(request, &expected, trace)
    }
}

#[test]
fn each_answer_is_judged_as_the_manifest_says() {
    let mut wrong = String::new();
    let (mut accepted, mut refused) = (0, 0);
    for mut vector in vectors() {
        let judge = Judge::new(std::mem::take(&mut vector.settings));
        if vector.is_honest() {
            accepted += 1;
        } else {
            refused += 1;
        }
        if let Some(how) = vector.misjudged(&judge) {
            writeln!(wrong, "{}: {how}", vector.file).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    // So that a manifest that was cut is not a test that passes.
    assert!(accepted > 140 && refused > 700, "{accepted} {refused}");
}

/// What is in the folder is in the manifest, and the other way round.
#[test]
fn no_vector_is_left_out() {
    let mut files = Vec::new();
    for group in std::fs::read_dir(folder().join("vectors")).unwrap() {
        let group = group.unwrap();
        for file in std::fs::read_dir(group.path()).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            files.push(format!("{}/{name}", group.file_name().into_string().unwrap()));
        }
    }
    files.sort();
    let mut listed: Vec<String> = vectors().into_iter().map(|vector| vector.file).collect();
    listed.sort();
    let strays: Vec<&String> = files
        .iter()
        .filter(|file| !listed.contains(file))
        .chain(listed.iter().filter(|file| !files.contains(file)))
        .collect();
    assert!(strays.is_empty(), "{strays:?}");
}
