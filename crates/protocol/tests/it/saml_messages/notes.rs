//! What a trace tells although nothing failed, and what an assertion becomes.

use genkan_protocol::saml::{Cause, NameIdFormat};
use genkan_protocol::trace::{Check, CheckOutcome};
use genkan_protocol::{Timestamp, Trace};

use super::{Connection, NOW, der, replaced, response, signed_after, signed_with, verification_key};

fn notes(trace: &Trace) -> Vec<&Check> {
    let is_note = |check: &&Check| check.outcome == CheckOutcome::PassedOver;
    trace.checks().iter().filter(is_note).collect()
}

fn note(trace: &Trace) -> (&str, &str) {
    let notes = notes(trace);
    assert_eq!(notes.len(), 1, "{notes:?}");
    (&notes[0].name, notes[0].note.as_deref().unwrap())
}

#[test]
fn an_ordinary_answer_has_no_notes() {
    let (outcome, trace) = Connection::new().take_xml(&signed_after(|xml| xml));
    outcome.unwrap();
    assert_eq!(notes(&trace), Vec::<&Check>::new());
}

#[test]
fn clocks_that_differ_are_noted_with_both_times() {
    let mut connection = Connection::new();
    let xml = signed_after(|xml| xml);
    for secs in [31, -31, 150] {
        connection.now = Timestamp::from_secs(NOW.as_secs() + secs);
        let (outcome, trace) = connection.take_xml(&xml);
        outcome.unwrap();
        let (name, text) = note(&trace);
        assert_eq!(name, "Clocks");
        assert!(text.starts_with(Cause::ClockDiffers.sentence()), "{text}");
        assert!(text.contains("2026-11-29T12:00:00Z"), "{text}");
    }
    connection.now = Timestamp::from_secs(NOW.as_secs() + 30);
    assert_eq!(notes(&connection.take_xml(&xml).1), Vec::<&Check>::new());
}

/// Metadata Interoperability Profile §2.6.1; rows 12 and 35.
#[test]
fn the_end_of_a_certificate_stops_nobody_and_is_told() {
    let key = verification_key("idp");
    let end = key.certificate().expires_at();
    let mut connection = Connection::new();
    connection.now = Timestamp::from_secs(end.as_secs() + 3 * 86_400);
    let date = connection.now.to_rfc3339();
    let (day, _) = date.split_once('T').unwrap();
    let xml = signed_after(|xml| {
        let minutes = format!("{day}T{}", &date[11..16]);
        xml.replace("2026-11-29T12:00", &minutes)
            .replace("2026-11-29T12:05", &format!("{day}T23:59"))
    });
    let (outcome, trace) = connection.take_xml(&xml);
    outcome.unwrap_or_else(|cause| panic!("{cause:?} {trace:?}"));
    let text = notes(&trace)
        .iter()
        .find(|check| check.name == "Certificate")
        .unwrap()
        .note
        .clone()
        .unwrap();
    assert!(text.contains("3 days ago"), "{text}");
    // A key that does not verify is shown with its end as well.
    connection.keys = vec![verification_key("idp-other")];
    let (outcome, trace) = connection.take_xml(&xml);
    assert_eq!(outcome.unwrap_err(), Cause::SignatureInvalid);
    assert!(
        trace
            .failure()
            .unwrap()
            .expected
            .as_deref()
            .unwrap()
            .contains(" ago")
    );
}

/// All three have the same names and the same end. `openssl x509 -fingerprint -sha256` printed the hashes.
#[test]
fn certificates_are_told_apart_by_their_hashes() {
    const NEXT: &str =
        "B1:74:DA:AF:40:C6:64:09:14:97:53:80:BD:A9:1E:7C:7F:C5:91:C3:B5:13:B1:DC:09:14:D5:7E:F3:7B:76:48";
    const ATTACKER: &str =
        "94:22:EA:55:C0:83:3E:23:57:E4:54:27:75:C5:4D:D5:B0:8E:D6:67:FA:FB:C4:9D:D8:29:C5:FE:54:75:73:68";
    const IDP: &str =
        "14:28:E4:65:0E:3D:8B:A4:3B:FA:5A:78:8B:8E:F3:08:56:E7:5D:EF:20:63:78:B6:69:93:CA:0F:97:90:01:A9";
    let mut connection = Connection::new();
    connection.keys = vec![verification_key("idp-next"), verification_key("attacker")];
    let (outcome, trace) = connection.take_xml(&signed_after(|xml| xml));
    assert_eq!(outcome.unwrap_err(), Cause::SignatureInvalid);
    let failed = trace.failure().unwrap();
    let (expected, received) = (
        failed.expected.as_deref().unwrap(),
        failed.received.as_deref().unwrap(),
    );
    for hash in [NEXT, ATTACKER] {
        assert!(
            expected.contains(&format!("SHA-256 {hash} (CN=idp.example, until 2036-01-01)")),
            "{expected}"
        );
        assert!(!received.contains(hash), "{received}");
    }
    let named = format!("it names a certificate that is not registered: SHA-256 {IDP} (CN=idp.example");
    assert!(received.starts_with(&named), "{received}");
    assert!(!expected.contains(IDP), "{expected}");
}

/// Row 7: Entra ID sends the address of a list instead of more than 150 groups.
#[test]
fn groups_that_the_provider_did_not_list_are_noted() {
    let link = "http://schemas.microsoft.com/claims/groups.link";
    let xml = signed_with(r#"Name="groups""#, &format!(r#"Name="{link}""#));
    let (outcome, trace) = Connection::new().take_xml(&xml);
    assert!(outcome.unwrap().has_unlisted_groups());
    assert_eq!(note(&trace), ("Groups", Cause::GroupsOverage.sentence()));
}

#[test]
fn another_format_than_the_requested_one_is_noted() {
    let mut connection = Connection::new();
    connection.requested_name_id = Some(NameIdFormat::Persistent);
    let (outcome, trace) = connection.take_xml(&signed_after(|xml| xml));
    outcome.unwrap();
    assert_eq!(note(&trace).0, "Format of the NameID");
}

#[test]
fn attributes_come_by_name_and_by_friendly_name_where_it_is_free() {
    let statement = r#"<saml:AttributeStatement>
        <saml:Attribute Name="urn:oid:0.9.2342.19200300.100.1.3" FriendlyName="mail"><saml:AttributeValue>a@acme.example</saml:AttributeValue></saml:Attribute>
        <saml:Attribute Name="Role"><saml:AttributeValue>one</saml:AttributeValue></saml:Attribute>
        <saml:Attribute Name="Role"><saml:AttributeValue>t<!-- -->wo</saml:AttributeValue></saml:Attribute>
        <saml:Attribute Name="urn:evil" FriendlyName="email"><saml:AttributeValue>admin@acme.example</saml:AttributeValue></saml:Attribute>
        <saml:Attribute Name="empty"><saml:AttributeValue/><saml:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/></saml:Attribute>
        <saml:Attribute Name="targeted"><saml:AttributeValue><saml:NameID>x</saml:NameID></saml:AttributeValue></saml:Attribute>
        <saml:EncryptedAttribute/>"#;
    let xml = signed_with("<saml:AttributeStatement>", statement);
    let (outcome, trace) = Connection::new().take_xml(&xml);
    let attributes = outcome.unwrap().attributes;
    assert_eq!(attributes["mail"], ["a@acme.example"]);
    assert_eq!(
        attributes["urn:oid:0.9.2342.19200300.100.1.3"],
        ["a@acme.example"]
    );
    assert_eq!(attributes["Role"], ["one", "two"]);
    // The attribute of that name is not the one that is only called so.
    assert_eq!(attributes["email"], ["alice@acme.example"]);
    assert_eq!(attributes["empty"], Vec::<String>::new());
    assert_eq!(attributes["targeted"], Vec::<String>::new());
    let (name, text) = note(&trace);
    assert_eq!(name, "Attributes");
    assert!(
        text.contains("targeted") && text.contains("EncryptedAttribute"),
        "{text}"
    );
}

/// Row 7 of the traps: nothing of what was encrypted shows in a trace before it is verified.
#[test]
fn a_trace_holds_no_plain_text_that_could_not_be_read() {
    let secret = "<secret-name/>";
    let encrypted = genkan_protocol::saml::encrypt(secret.as_bytes(), &der("sp.crt")).unwrap();
    let plain = response()
        .render(&genkan_protocol::saml::idp::Protection::default())
        .unwrap();
    let (head, _) = plain.split_once("<saml:Assertion").unwrap();
    let xml = replaced(&format!("{head}|</samlp:Response>"), "|", &encrypted);
    let (outcome, trace) = Connection::new().take_xml(&xml);
    assert_eq!(outcome.unwrap_err(), Cause::DecryptedNotAnAssertion);
    assert!(!format!("{trace:?}").contains("secret"));
}
