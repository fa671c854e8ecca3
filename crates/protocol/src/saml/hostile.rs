//! Answers that are made to cost time or memory, and how little of either they get.
//!
//! Times differ between machines, so work is counted here. The ignored test at the end
//! prints times of the processor and memory, by hand:
//! `cargo test --release -p genkan-protocol --lib hostile -- --ignored --nocapture --test-threads 1`.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::work::{Step, counted};
use super::{
    AlgorithmPolicy, Answer, DecryptionKey, EncryptionPolicy, Expected, ExpectedEncryption, IdpCertificate,
    PendingRequest, RequiredSignature, SigningKey, VerificationKey, encrypt,
};
use crate::{Timestamp, Trace};

const NAMESPACES: &str = r#"xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion""#;
const ACS: &str = "https://sp.genkan.example/sso/v1/saml/conn_1/callback";

/// A key pair of the vectors.
fn pair(name: &str) -> (Vec<u8>, Vec<u8>) {
    let (key, certificate) = match name {
        "idp" => (
            include_str!("../../tests/saml_corpus/keys/idp.key.pem"),
            include_str!("../../tests/saml_corpus/keys/idp.crt.pem"),
        ),
        "attacker" => (
            include_str!("../../tests/saml_corpus/keys/attacker.key.pem"),
            include_str!("../../tests/saml_corpus/keys/attacker.crt.pem"),
        ),
        _ => (
            include_str!("../../tests/saml_corpus/keys/sp.key.pem"),
            include_str!("../../tests/saml_corpus/keys/sp.crt.pem"),
        ),
    };
    let der = |pem: &str| {
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        STANDARD.decode(base64).unwrap()
    };
    (der(key), der(certificate))
}

fn signing_key(name: &str) -> SigningKey {
    let (key, certificate) = pair(name);
    SigningKey::from_pkcs8(&key, &certificate).unwrap()
}

/// A Response with something in its Extensions and something in the Advice of its assertion.
fn response(extensions: &str, advice: &str) -> String {
    format!(
        r#"<samlp:Response {NAMESPACES} ID="_r" Version="2.0" IssueInstant="2026-11-29T11:59:58Z" Destination="{ACS}" InResponseTo="_request1"><saml:Issuer>https://idp.example/saml</saml:Issuer><samlp:Extensions>{extensions}</samlp:Extensions><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>{}</samlp:Response>"#,
        assertion("_a", advice)
    )
}

fn assertion(id: &str, advice: &str) -> String {
    format!(
        r#"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{id}" Version="2.0" IssueInstant="2026-11-29T11:59:58Z"><saml:Issuer>https://idp.example/saml</saml:Issuer><saml:Subject><saml:NameID>alice</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData InResponseTo="_request1" NotOnOrAfter="2026-11-29T12:04:58Z" Recipient="{ACS}"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotOnOrAfter="2026-11-29T12:04:58Z"><saml:AudienceRestriction><saml:Audience>https://sp.genkan.example/conn_1</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:Advice>{advice}</saml:Advice><saml:AuthnStatement AuthnInstant="2026-11-29T11:59:50Z"><saml:AuthnContext><saml:AuthnContextClassRef>urn:x</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement></saml:Assertion>"#
    )
}

fn repeated(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        text.push_str(&piece(number));
        text
    })
}

/// Declarations of so many prefixes.
fn declarations(count: usize) -> String {
    repeated(count, |number| format!(r#" xmlns:p{number}="urn:p{number}""#))
}

/// As many elements as a message may have, each of which uses all the prefixes that one may have.
fn canonical_bomb() -> String {
    let uses = repeated(60, |number| format!(r#" p{number}:a="""#));
    format!(
        "<x{}>{}</x>",
        declarations(110),
        format!("<y{uses}/>").repeat(800)
    )
}

/// Siblings that each declare for themselves what they use.
fn redeclared_bomb() -> String {
    format!(
        r#"<x xmlns:p="urn:{}">{}</x>"#,
        "p".repeat(60_000),
        "<p:y/>".repeat(19_000)
    )
}

/// A message that is made to cost much: its name, its text, and the one cause.
type Hostile = (&'static str, String, &'static str);

fn messages() -> Vec<Hostile> {
    let within =
        |(name, text, cause): (&'static str, String, &'static str)| (name, response(&text, ""), cause);
    let texts = long_texts().into_iter().chain(many_parts()).chain(namespaces());
    texts.map(within).chain(signatures()).chain(encrypted()).collect()
}

/// What stands in the Extensions: text and markup that does not end.
fn long_texts() -> Vec<Hostile> {
    vec![
        ("3 MB of text", "a".repeat(3_000_000), "message_too_long"),
        (
            "half a megabyte of text",
            "a".repeat(500_000),
            "signature_missing",
        ),
        (
            "half a megabyte of white space",
            " ".repeat(500_000),
            "signature_missing",
        ),
        (
            "half a megabyte of comment",
            format!("<!--{}-->", "-x".repeat(240_000)),
            "signature_missing",
        ),
        (
            "half a megabyte of ampersands",
            "&".repeat(500_000),
            "xml_malformed",
        ),
        (
            "half a megabyte of less-than",
            "<".repeat(500_000),
            "xml_malformed",
        ),
        ("half a megabyte of open tags", "<a>".repeat(160_000), "xml_limit"),
        (
            "comments that do not end",
            "<!--".repeat(100_000),
            "xml_malformed",
        ),
        (
            "CDATA that does not end",
            "<![CDATA[".repeat(50_000),
            "xml_malformed",
        ),
        (
            "instructions that do not end",
            "<?x ".repeat(100_000),
            "xml_malformed",
        ),
        ("100,000 references", "&#65;".repeat(100_000), "xml_limit"),
        (
            "as many references as allowed",
            "&#65;".repeat(19_900),
            "signature_missing",
        ),
    ]
}

fn many_parts() -> Vec<Hostile> {
    let deep = |depth: usize| format!("{}{}", "<x>".repeat(depth), "</x>".repeat(depth));
    let attributes = |count: usize| repeated(count, |number| format!(r#" a{number}="""#));
    let identifiers = repeated(15_000, |number| format!(r#"<x ID="_{number}"/>"#));
    vec![
        ("20,000 deep", deep(20_000), "xml_limit"),
        ("as deep as allowed", deep(45), "signature_missing"),
        ("100,000 elements", "<x/>".repeat(100_000), "xml_limit"),
        (
            "as many elements as allowed",
            "<x/>".repeat(19_900),
            "signature_missing",
        ),
        ("70,000 comments", "<!---->".repeat(70_000), "xml_limit"),
        (
            "10,000 attributes",
            format!("<x{}/>", attributes(10_000)),
            "xml_limit",
        ),
        (
            "as many attributes as allowed on many elements",
            format!("<x{}/>", attributes(64)).repeat(1_000),
            "signature_missing",
        ),
        (
            "a name of 100,000 letters",
            format!("<{}/>", "x".repeat(100_000)),
            "xml_limit",
        ),
        ("an identifier on every element", identifiers, "signature_missing"),
    ]
}

fn namespaces() -> Vec<Hostile> {
    let nested = format!("{}{}", r#"<x xmlns:p="urn:p">"#.repeat(44), "</x>".repeat(44));
    let each = |count: usize| repeated(count, |number| format!(r#"<x xmlns:p{number}="urn:p"/>"#));
    let with_children =
        |count: usize, children: usize| format!("<x{}>{}</x>", declarations(count), "<y/>".repeat(children));
    vec![
        (
            "1,000 namespaces with 1,000 children",
            with_children(1_000, 1_000),
            "xml_limit",
        ),
        ("9,000 namespaces, each at a child", each(9_000), "xml_limit"),
        (
            "as many namespaces as allowed with many children",
            with_children(110, 19_000),
            "signature_missing",
        ),
        ("nested declarations of one prefix", nested, "signature_missing"),
    ]
}

/// Whole messages with signatures: a stranger's, and the provider's own.
fn signatures() -> Vec<Hostile> {
    let signed = |key: &str, text: &str, id: &str| signing_key(key).sign_enveloped(text, id).unwrap();
    let bomb = response("", &canonical_bomb());
    let broken = signed("attacker", &bomb, "_a").replace("<ds:SignatureValue>", "<ds:SignatureValue>AAAA");
    let many_signed = {
        let one = signed("attacker", &assertion("_b", ""), "_b");
        let assertions = repeated(150, |number| one.replace("\"_b\"", &format!("\"_b{number}\"")));
        response("", "").replace("</samlp:Response>", &format!("{assertions}</samlp:Response>"))
    };
    let references = {
        let signed = signed("attacker", &response("", ""), "_a");
        let (head, rest) = signed.split_once("<ds:Reference ").unwrap();
        let (inside, tail) = rest.split_once("</ds:Reference>").unwrap();
        let one = format!("<ds:Reference {inside}</ds:Reference>");
        format!("{head}{}{tail}", one.repeat(800))
    };
    // What was signed was small; a stranger needs no more, since the signature is wrong anyway.
    let redeclared = |key: &str| {
        let small = signed(key, &response("", ""), "_a");
        small.replace("<saml:Advice>", &format!("<saml:Advice>{}", redeclared_bomb()))
    };
    vec![
        ("canonical bomb, unsigned", bomb.clone(), "signature_missing"),
        (
            "canonical bomb, signed by a stranger",
            broken,
            "signature_invalid",
        ),
        (
            "canonical bomb, signed by the provider",
            signed("idp", &bomb, "_a"),
            "accepted",
        ),
        (
            "redeclared bomb, signed by a stranger",
            redeclared("attacker"),
            "signature_invalid",
        ),
        (
            "redeclared bomb in what the provider had signed",
            redeclared("idp"),
            "canonicalization_not_allowed",
        ),
        ("800 references in a signature", references, "reference_count"),
        ("150 signed assertions", many_signed, "assertion_count"),
    ]
}

/// Keys that are encrypted to us, so that ours has to work.
fn encrypted() -> Vec<Hostile> {
    let keys = |count: usize| {
        let sealed = encrypt(assertion("_a", "").as_bytes(), &pair("sp").1).unwrap();
        let start = sealed.find("<xenc:EncryptedKey").unwrap();
        let end = sealed.find("</xenc:EncryptedKey>").unwrap() + "</xenc:EncryptedKey>".len();
        let (before, key, after) = (&sealed[..start], &sealed[start..end], &sealed[end..]);
        let text = response("", "");
        let (head, _) = text.split_once("<saml:Assertion").unwrap();
        format!("{head}{before}{}{after}</samlp:Response>", key.repeat(count))
    };
    vec![
        ("four keys", keys(4), "signature_missing"),
        ("400 keys", keys(400), "decryption_failed"),
    ]
}

/// The code of the cause, or `accepted`.
fn judge(form_value: &str) -> &'static str {
    let mut trace = Trace::default();
    let answer = match Answer::read(form_value, &mut trace) {
        Ok(answer) => answer,
        Err(cause) => return cause.code(),
    };
    let certificate = IdpCertificate::from_base64(&STANDARD.encode(pair("idp").1)).unwrap();
    let (key, own) = pair("sp");
    let expected = Expected {
        now: Timestamp::from_secs(1_795_953_600), // 2026-11-29T12:00:00Z
        skew: Duration::from_secs(180),
        acs_url: ACS,
        entity_id: "https://sp.genkan.example/conn_1",
        idp_entity_id: "https://idp.example/saml",
        keys: &[VerificationKey::new(certificate).unwrap()],
        algorithms: AlgorithmPolicy::default(),
        signing: RequiredSignature::Either,
        encryption: ExpectedEncryption {
            required: false,
            keys: &[DecryptionKey::from_pkcs8(&key, &own).unwrap()],
            policy: EncryptionPolicy::default(),
        },
        allow_unsolicited: false,
        requested_name_id: None,
        force_authn_since: None,
        requested_context: None,
    };
    let request = PendingRequest::Solicited { id: "_request1" };
    answer
        .validate(request, &expected, &mut trace)
        .map_or_else(super::Cause::code, |_| "accepted")
}

#[test]
fn no_message_costs_more_than_it_is_long() {
    let mut wrong = String::new();
    for (name, message, expected) in messages() {
        let form_value = STANDARD.encode(&message);
        let (scanned, (canonical, (compared, (public, (private, cause))))) = counted(Step::Scanned, || {
            counted(Step::Canonical, || {
                counted(Step::Compared, || {
                    counted(Step::PublicKey, || {
                        counted(Step::PrivateKey, || judge(&form_value))
                    })
                })
            })
        });
        if cause != expected {
            writeln!(wrong, "{name}: {cause} instead of {expected}").unwrap();
        }
        let mut bound = |what: &str, count: usize, most: usize| {
            if count > most {
                writeln!(wrong, "{name}: {count} times {what}, {most} at most").unwrap();
            }
        };
        // Each octet is looked at a few times at most, whatever stands there.
        bound("an octet was scanned", scanned, 4 * message.len());
        // Without the provider's signature, a SignedInfo is all that is canonicalized.
        let is_strangers = !matches!(
            cause,
            "accepted" | "canonicalization_not_allowed" | "digest_mismatch"
        );
        bound(
            "an octet was canonicalized",
            canonical,
            if is_strangers { 4_096 } else { 5 << 20 },
        );
        bound(
            "a namespace was compared",
            compared,
            if is_strangers { 1_000 } else { 40 << 20 },
        );
        bound("a signature was verified", public, 1);
        bound("a key was unwrapped", private, 4);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The time that this thread spent on a processor, so that other programs do not count (Linux, proc(5)).
fn processor_nanoseconds() -> f64 {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    line.split(' ').next().unwrap().parse().unwrap()
}

#[test]
#[ignore = "measures; by hand, in a release build"]
fn how_long_each_message_takes() {
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .map(str::trim);
        line.unwrap_or("unknown").to_owned()
    };
    println!("before: {}", peak());
    for (name, message, _) in messages() {
        let form_value = STANDARD.encode(&message);
        let before = processor_nanoseconds();
        let cause = judge(&form_value);
        let spent = processor_nanoseconds() - before;
        println!(
            "{:>9.2} ms  {:>7} octets  peak {}  {cause:<30} {name}",
            spent / 1e6,
            message.len(),
            peak()
        );
    }
}
