//! How long the verification of one answer takes, of one core's time.
//!
//! `bench/saml/run` builds and starts it. The answers are those that real providers gave,
//! from `crates/protocol/tests/data`. "signature" is scan, parse, canonical form and
//! signature of the parts that are signed; "whole" is every check from the form's field to
//! the Assertion, with the trace, and with decryption where it is encrypted.

#![expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use genkan_protocol::saml::{
    AlgorithmPolicy, Answer, DecryptionKey, Document, EncryptionPolicy, Expected, ExpectedEncryption,
    IdpCertificate, IdpMetadata, Limits, PendingRequest, RequiredSignature, VerificationKey, scan, verify,
};
use genkan_protocol::{Timestamp, Trace};
use serde_json::Value;

const ANSWERS: [(&str, &str); 7] = [
    ("samlp", "assertion-signed"),
    ("simplesamlphp", "assertion-signed"),
    ("keycloak", "assertion-signed"),
    ("lemonldap", "both-signed"),
    ("samlp", "both-signed"),
    ("samlp", "both-signed-encrypted"),
    ("keycloak", "both-signed-encrypted"),
];
/// A round takes at least this much of the processor.
const ROUND: Duration = Duration::from_millis(400);
const ROUNDS: usize = 7;

fn main() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    println!(
        "{:40} {:>7} {:>13} {:>13}",
        "answer", "octets", "signature, µs", "whole, µs"
    );
    for (provider, name) in ANSWERS {
        let given = Given::read(&data.join(provider), name);
        let signature = median(|| given.signature());
        let whole = median(|| given.whole());
        let label = format!("{provider} {name}");
        println!(
            "{label:40} {:>7} {signature:>13.1} {whole:>13.1}",
            given.octets.len()
        );
    }
}

/// An answer and what its connection expects.
struct Given {
    form: String,
    octets: Vec<u8>,
    keys: Vec<VerificationKey>,
    decryption: Vec<DecryptionKey>,
    info: Value,
    request_id: String,
    now: Timestamp,
}

impl Given {
    fn read(folder: &Path, name: &str) -> Self {
        let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
        let info: Value = serde_json::from_str(&read("info.json")).unwrap();
        let form = read(&format!("{name}.b64")).trim().to_owned();
        let metadata = IdpMetadata::parse(&read("idp-metadata.xml")).unwrap();
        let keys = metadata
            .certificates
            .into_iter()
            .map(|certificate| VerificationKey::new(certificate).unwrap());
        let certificate = IdpCertificate::parse_all(&read("sp-decryption.crt")).unwrap();
        let pkcs8: String = read("sp-decryption.pkcs8.b64").split_ascii_whitespace().collect();
        let pkcs8 = STANDARD.decode(pkcs8).unwrap();
        let octets = STANDARD.decode(&form).unwrap();
        let text = String::from_utf8(octets.clone()).unwrap();
        let (_, instant) = text.split_once("IssueInstant=\"").unwrap();
        Self {
            request_id: info["responses"][name]["request_id"].as_str().unwrap().to_owned(),
            now: timestamp(&instant[..19]),
            form,
            octets,
            keys: keys.collect(),
            decryption: vec![DecryptionKey::from_pkcs8(&pkcs8, certificate[0].der()).unwrap()],
            info,
        }
    }

    fn signature(&self) {
        let text = scan(&self.octets, &Limits::MESSAGE).unwrap();
        let document = Document::parse(&text).unwrap();
        let root = document.root();
        let verified = root
            .children()
            .chain([root])
            .filter_map(|element| verify(element, &self.keys, &AlgorithmPolicy::default()).unwrap())
            .count();
        assert!(verified > 0);
    }

    fn whole(&self) {
        let mut trace = Trace::default();
        let answer = Answer::read(&self.form, &mut trace).unwrap();
        let text = |name: &str| self.info[name].as_str().unwrap();
        let expected = Expected {
            now: self.now,
            skew: Duration::from_secs(180),
            acs_url: text("acs_url"),
            entity_id: text("sp_entity_id"),
            idp_entity_id: text("idp_entity_id"),
            keys: &self.keys,
            algorithms: AlgorithmPolicy::default(),
            signing: RequiredSignature::Either,
            encryption: ExpectedEncryption {
                required: false,
                keys: &self.decryption,
                policy: EncryptionPolicy::default(),
            },
            allow_unsolicited: false,
            requested_name_id: None,
            force_authn_since: None,
            requested_context: None,
        };
        let request = PendingRequest::Solicited { id: &self.request_id };
        answer.validate(request, &expected, &mut trace).unwrap();
    }
}

/// Seconds of a time such as `2026-11-29T18:39:38`.
fn timestamp(text: &str) -> Timestamp {
    let number = |at: std::ops::Range<usize>| text[at].parse::<i64>().unwrap();
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    // Days since 1970, by the count of days before March of the year (proleptic Gregorian calendar).
    let year = if month <= 2 { year - 1 } else { year };
    let before = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + before - 719_468;
    Timestamp::from_secs(days * 86_400 + number(11..13) * 3600 + number(14..16) * 60 + number(17..19))
}

/// Microseconds of the processor that one run takes: the median of some rounds.
fn median(run: impl Fn()) -> f64 {
    let round = || {
        let start = processor_time();
        let mut runs = 0_u32;
        loop {
            for _ in 0..50 {
                run();
            }
            runs += 50;
            let spent = processor_time() - start;
            if spent >= ROUND {
                return spent.as_secs_f64() * 1e6 / f64::from(runs);
            }
        }
    };
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| round()).collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

/// What this thread spent on a processor, so that other programs do not count (Linux, proc(5)).
fn processor_time() -> Duration {
    let line = fs::read_to_string(PathBuf::from("/proc/thread-self/schedstat")).unwrap();
    Duration::from_nanos(line.split(' ').next().unwrap().parse().unwrap())
}
