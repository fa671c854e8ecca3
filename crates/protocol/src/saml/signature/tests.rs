use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::saml::canonical::{PrefixList, canonicalize};
use crate::saml::test_keys::{signing_key, verification_keys};
use crate::saml::work::{Step, counted};
use crate::saml::{Document, Limits, scan};

mod keys;

const STRICT: AlgorithmPolicy = AlgorithmPolicy { sha1: false };
const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";

/// An honest signature with places for the digest and the value.
const SIGNATURE: &str = r##"<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><ds:Reference URI="#_1"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>[digest]</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>[value]</ds:SignatureValue><ds:KeyInfo><ds:KeyName>any</ds:KeyName></ds:KeyInfo></ds:Signature>"##;

const MESSAGE: &str =
    r#"<a:Message xmlns:a="urn:a" ID="_1"><a:Name>ada@acme.example</a:Name>[signature]<a:Last/></a:Message>"#;

fn check(
    text: &str,
    keys: &[VerificationKey],
    policy: AlgorithmPolicy,
) -> Result<Option<usize>, SignatureError> {
    let text = scan(text.as_bytes(), &Limits::MESSAGE).unwrap();
    let document = Document::parse(&text).unwrap();
    Ok(verify(document.root(), keys, &policy)?.map(|verified| verified.key))
}

fn judge(text: &str) -> Result<Option<usize>, SignatureError> {
    check(text, &verification_keys(&["idp"]), STRICT)
}

/// Signs octets with a key of its own.
type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// Fills a message's places in as the owner of a key would: `SignedInfo` is signed as it stands.
fn forge_with(message: &str, signature: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let text = message.replace("[signature]", signature);
    let digest = {
        let scanned = scan(text.as_bytes(), &Limits::MESSAGE).unwrap();
        let document = Document::parse(&scanned).unwrap();
        let root = document.root();
        let left_out = root.children().find(|child| child.local_name() == "Signature");
        let octets = canonicalize(root, left_out, &PrefixList::default()).unwrap();
        STANDARD.encode(digest::digest(&digest::SHA256, &octets))
    };
    let text = text.replace("[digest]", &digest);
    let value = {
        let scanned = scan(text.as_bytes(), &Limits::MESSAGE).unwrap();
        let document = Document::parse(&scanned).unwrap();
        let info = document
            .root()
            .descendants()
            .find(|element| element.local_name() == "SignedInfo");
        let octets = canonicalize(info.unwrap(), None, &PrefixList::default()).unwrap();
        STANDARD.encode(sign(&octets))
    };
    text.replace("[value]", &value)
}

fn forge(signature: &str) -> String {
    let key = signing_key("idp");
    forge_with(MESSAGE, signature, |octets| key.sign(octets).unwrap())
}

fn forge_changed(from: &str, to: &str) -> String {
    assert!(SIGNATURE.contains(from), "{from}");
    forge(&SIGNATURE.replace(from, to))
}

#[test]
fn an_honest_signature_holds_and_tells_its_key() {
    assert_eq!(judge(&forge(SIGNATURE)), Ok(Some(0)));
    let keys = verification_keys(&["idp-next", "idp-p256", "idp"]);
    assert_eq!(check(&forge(SIGNATURE), &keys, STRICT), Ok(Some(2)));
    // Spelled in other ways with the same canonical form.
    let spaced = SIGNATURE
        .replace("><", ">\n  <")
        .replace("[digest]", " [digest]\n");
    assert_eq!(judge(&forge(&spaced)), Ok(Some(0)));
    let without_key = SIGNATURE.replace("<ds:KeyInfo><ds:KeyName>any</ds:KeyName></ds:KeyInfo>", "");
    assert_eq!(judge(&forge(&without_key)), Ok(Some(0)));
    let with_ids = SIGNATURE
        .replace("<ds:SignedInfo>", r#"<ds:SignedInfo Id="_i">"#)
        .replace("<ds:SignatureValue>", r#"<ds:SignatureValue Id="_v">"#)
        .replace("<ds:Reference ", r#"<ds:Reference Id="_r" Type="urn:x" "#);
    assert_eq!(judge(&forge(&with_ids)), Ok(Some(0)));
}

#[test]
fn signatures_of_ours_hold_where_they_are_put() {
    let key = signing_key("idp");
    let assertion = r#"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_2"><saml:Issuer>i</saml:Issuer><saml:Subject/></saml:Assertion>"#;
    let text = format!(r#"<?xml version="1.0"?><r:R xmlns:r="urn:r" ID="_1">{assertion}</r:R>"#);
    let signed = key.sign_enveloped(&text, "_2").unwrap();
    assert!(signed.contains("</saml:Issuer><ds:Signature "), "{signed}");
    // Both, the inner one first, as providers do it.
    let signed = key.sign_enveloped(&signed, "_1").unwrap();
    assert!(
        signed.starts_with(r#"<r:R xmlns:r="urn:r" ID="_1"><ds:Signature "#),
        "{signed}"
    );
    let document = Document::parse(&signed).unwrap();
    let keys = verification_keys(&["idp"]);
    let outer = verify(document.root(), &keys, &STRICT).unwrap().unwrap();
    assert_eq!(outer.method, SigningKey::METHOD);
    let inner = document.root().children().nth(1).unwrap();
    assert!(verify(inner, &keys, &STRICT).unwrap().is_some());

    let odd = r#"<r ID="a&quot;&amp;&lt;&#9;b"><c/></r>"#;
    let signed = key.sign_enveloped(odd, "a\"&<\tb").unwrap();
    assert_eq!(judge(&signed), Ok(Some(0)));
    for (text, id) in [
        ("<r ID='_1'/>", "_1"),
        ("<r ID='_1'><a/></r>", "_2"),
        ("<r Id='_1'><a/></r>", "_1"),
    ] {
        assert_eq!(key.sign_enveloped(text, id), Err(SigningError::NoElement));
    }
    assert!(matches!(
        key.sign_enveloped("<r", "_1"),
        Err(SigningError::Message(_))
    ));
}

#[test]
fn a_change_after_signing_is_noticed() {
    let honest = forge(SIGNATURE);
    for (from, to) in [
        ("ada@acme", "eve@acme"),
        ("<a:Last/>", ""),
        ("<a:Last/>", "<a:Last b=''/>"),
        ("<a:Last/>", "<a:Last/><a:Name>eve</a:Name>"),
        ("<a:Last/>", "<a:Last/> "),
        ("<a:Last/>", "<a:Last/><?p?>"),
        ("urn:a", "urn:b"),
        ("ID=\"_1\">", "ID=\"_1\" b=\"1\">"),
    ] {
        assert_eq!(
            judge(&honest.replacen(from, to, 1)),
            Err(SignatureError::Digest),
            "{to}"
        );
    }
    // What canonicalization leaves out may change: the meaning is the same.
    let commented = honest.replacen("ada@acme", "ada<!-- -->@acme", 1);
    assert_eq!(judge(&commented), Ok(Some(0)));
    assert_eq!(
        judge(&honest.replacen("<a:Last/>", "<a:Last ></a:Last>", 1)),
        Ok(Some(0))
    );
}

#[test]
fn without_a_signature_or_without_a_key() {
    assert_eq!(judge("<a ID='_1'/>"), Ok(None));
    // A signature further in is not the element's.
    assert_eq!(judge(&format!("<b ID='_b'>{}</b>", forge(SIGNATURE))), Ok(None));
    assert_eq!(
        check(&forge(SIGNATURE), &[], STRICT),
        Err(SignatureError::CertificateMissing)
    );
}

/// The certificate in the message is anybody's.
#[test]
fn a_key_that_is_not_registered_does_not_count() {
    let attacker = signing_key("attacker");
    let signed = attacker.sign_enveloped("<a ID='_1'><b/></a>", "_1").unwrap();
    assert_eq!(judge(&signed), Err(SignatureError::Invalid));
    let keys = verification_keys(&["idp", "idp-next", "idp-p256"]);
    let (tried, result) = counted(Step::PublicKey, || check(&signed, &keys, STRICT));
    assert_eq!(result, Err(SignatureError::Invalid));
    // The key on a curve cannot have made an RSA signature.
    assert_eq!(tried, 2);
}

#[test]
fn a_second_signature_is_refused() {
    let honest = forge(SIGNATURE);
    let start = honest.find("<ds:Signature ").unwrap();
    let end = honest.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    let (before, rest) = honest.split_at(end);
    let twice = format!("{before}{}{rest}", &honest[start..end]);
    assert_eq!(judge(&twice), Err(SignatureError::Count));
}

#[test]
fn a_signature_has_one_shape() {
    let object = "<ds:Object><a:Message ID=\"_2\"/></ds:Object></ds:Signature>";
    let info_start = SIGNATURE.find("<ds:SignedInfo>").unwrap();
    let info_end = SIGNATURE.find("<ds:SignatureValue>").unwrap();
    let info = &SIGNATURE[info_start..info_end];
    let two_infos = format!("{info}<ds:SignatureValue>");
    for (from, to) in [
        ("</ds:Signature>", object),
        ("<ds:SignatureValue>", &two_infos),
        ("<ds:SignatureValue>[value]</ds:SignatureValue>", ""),
        (
            "[value]</ds:SignatureValue>",
            "[value]</ds:SignatureValue><ds:SignatureValue>AA==</ds:SignatureValue>",
        ),
        ("</ds:SignedInfo>", "<ds:Other/></ds:SignedInfo>"),
        (
            "</ds:SignedInfo>",
            "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:SignedInfo>",
        ),
        ("<ds:KeyInfo>", "text<ds:KeyInfo>"),
        ("<ds:SignedInfo>", "<ds:SignedInfo><!-- -->text"),
        ("<ds:SignedInfo>", "<ds:SignedInfo other=\"1\">"),
        ("<ds:SignedInfo>", "<ds:SignedInfo xml:id=\"_i\">"),
        ("<ds:Signature ", "<ds:Signature ID=\"_s\" "),
        ("<ds:Reference ", "<ds:Reference xmlns:x=\"urn:x\" x:URI=\"#_2\" "),
        ("[digest]", "[digest]<!-- -->"),
        ("[digest]", "AA==<!-- -->[digest]"),
        ("[digest]", "[digest]<?p?>"),
        ("[digest]", "<b/>[digest]"),
        ("[digest]", ""),
        ("[digest]", "*"),
        ("[digest]", "[digest]=="),
        (
            "[digest]</ds:DigestValue>",
            "[digest]</ds:DigestValue><ds:DigestValue>AA==</ds:DigestValue>",
        ),
        ("<ds:DigestValue>", "<ds:DigestValue other=\"1\">"),
        ("[value]", "[value]<!-- -->"),
        ("[value]", "<!-- -->[value]"),
        ("[value]", ""),
        ("[value]", "*"),
        ("<ds:Transforms>", "<ds:Transforms>text"),
        (
            "rsa-sha256\"/>",
            "rsa-sha256\"><ds:HMACOutputLength>0</ds:HMACOutputLength></ds:SignatureMethod>",
        ),
        (
            "enveloped-signature\"/>",
            "enveloped-signature\"><ds:XPath>x</ds:XPath></ds:Transform>",
        ),
        (
            "xml-exc-c14n#\"/><ds:SignatureMethod",
            "xml-exc-c14n#\"><ds:x/></ds:CanonicalizationMethod><ds:SignatureMethod",
        ),
        (
            "<ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/>",
            "<ds:SignatureMethod/>",
        ),
    ] {
        let verdict = judge(&forge_changed(from, to));
        assert!(
            matches!(verdict, Err(SignatureError::Malformed(_))),
            "{to}: {verdict:?}"
        );
    }
}

#[test]
fn canonicalization_is_exclusive() {
    for name in [
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
        "http://www.w3.org/2001/10/xml-exc-c14n",
        "",
    ] {
        let text = forge_changed(
            "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>",
            &format!("<ds:CanonicalizationMethod Algorithm=\"{name}\"/>"),
        );
        assert_eq!(
            judge(&text),
            Err(SignatureError::Canonicalization(name.to_owned()))
        );
    }
}

/// Oracle's provider writes such a list (§2b of the field).
#[test]
fn prefix_lists_are_honoured_in_both_places() {
    let list = "xml-exc-c14n#\"><ec:InclusiveNamespaces xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"xs\"/>";
    let signature = SIGNATURE
        .replace(
            "xml-exc-c14n#\"/><ds:SignatureMethod",
            &format!("{list}</ds:CanonicalizationMethod><ds:SignatureMethod"),
        )
        .replace(
            "xml-exc-c14n#\"/></ds:Transforms>",
            &format!("{list}</ds:Transform></ds:Transforms>"),
        );
    // The message declares no xs, so that the list changes nothing.
    assert_eq!(judge(&forge(&signature)), Ok(Some(0)));
    // It does here, and both forms are other ones.
    let key = signing_key("idp");
    let message = MESSAGE.replace("xmlns:a", "xmlns:xs=\"urn:xs\" xmlns:a");
    let text = forge_with(&message, &signature, |octets| key.sign(octets).unwrap());
    assert_eq!(judge(&text), Err(SignatureError::Invalid));
    let text = forge_with(&message, &signature, |octets| {
        let octets = String::from_utf8(octets.to_vec()).unwrap();
        let inclusive = octets.replacen(
            "xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"",
            "xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" xmlns:xs=\"urn:xs\"",
            1,
        );
        key.sign(inclusive.as_bytes()).unwrap()
    });
    assert_eq!(judge(&text), Err(SignatureError::Digest));
    let long = list.replace("\"xs\"", &format!("\"{}\"", "xs ".repeat(100)));
    let text = forge_changed(
        "xml-exc-c14n#\"/></ds:Transforms>",
        &format!("{long}</ds:Transform></ds:Transforms>"),
    );
    assert!(matches!(judge(&text), Err(SignatureError::Canonicalization(_))));
}

#[test]
fn the_table_of_methods_is_ours() {
    for name in [
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
        "http://www.w3.org/2001/04/xmldsig-more#RSA-SHA256",
        "none",
        "",
        // In the table, and not for the registered key.
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    ] {
        let text = forge_changed(RSA_SHA256, name);
        assert_eq!(judge(&text), Err(SignatureError::Algorithm(name.to_owned())));
    }
}

#[test]
fn sha1_counts_only_by_name() {
    let sha1 = AlgorithmPolicy { sha1: true };
    let keys = verification_keys(&["idp"]);
    let method = forge_changed(RSA_SHA256, "http://www.w3.org/2000/09/xmldsig#rsa-sha1");
    assert!(matches!(
        check(&method, &keys, STRICT),
        Err(SignatureError::Algorithm(_))
    ));
    // Allowed, and then the signature, which is of SHA-256, does not hold.
    assert_eq!(check(&method, &keys, sha1), Err(SignatureError::Invalid));
    let name = "http://www.w3.org/2000/09/xmldsig#sha1";
    let digest = forge_changed("http://www.w3.org/2001/04/xmlenc#sha256", name);
    assert_eq!(
        check(&digest, &keys, STRICT),
        Err(SignatureError::Algorithm(name.to_owned()))
    );
    assert_eq!(check(&digest, &keys, sha1), Err(SignatureError::Digest));
    assert_eq!(check(&forge(SIGNATURE), &keys, sha1), Ok(Some(0)));
}

#[test]
fn there_is_one_reference_and_it_is_to_the_parent() {
    let start = SIGNATURE.find("<ds:Reference ").unwrap();
    let end = SIGNATURE.find("</ds:SignedInfo>").unwrap();
    let reference = &SIGNATURE[start..end];
    assert_eq!(
        judge(&forge(&SIGNATURE.replace(reference, ""))),
        Err(SignatureError::ReferenceCount(0))
    );
    let two = format!("{reference}{reference}");
    assert_eq!(
        judge(&forge(&SIGNATURE.replace(reference, &two))),
        Err(SignatureError::ReferenceCount(2))
    );
    for uri in [
        "",
        "#",
        "#_2",
        "_1",
        "##_1",
        "#_1 ",
        "#xpointer(/)",
        "#xpointer(id('_1'))",
        "http://127.0.0.1/x",
        "file:///etc/passwd",
        "cid:_1",
    ] {
        let text = forge_changed("\"#_1\"", &format!("\"{uri}\""));
        assert_eq!(
            judge(&text),
            Err(SignatureError::ReferenceForeign(uri.to_owned()))
        );
    }
    assert_eq!(
        judge(&forge_changed(" URI=\"#_1\"", "")),
        Err(SignatureError::ReferenceForeign(String::new()))
    );
    // Without an identifier of its own, or with one in a namespace, nothing is the parent's.
    let key = signing_key("idp");
    for (from, id) in [
        ("ID=\"_1\"", ""),
        ("ID=\"_1\"", "a:ID=\"_1\""),
        ("ID=\"_1\"", "Id=\"_1\""),
        ("ID=\"_1\"", "ID=\"\""),
    ] {
        let message = MESSAGE.replace(from, id);
        for uri in ["#_1", "#"] {
            let signature = SIGNATURE.replace("#_1", uri);
            let text = forge_with(&message, &signature, |octets| key.sign(octets).unwrap());
            assert_eq!(
                judge(&text),
                Err(SignatureError::ReferenceForeign(uri.to_owned())),
                "{id}"
            );
        }
    }
}

#[test]
fn there_are_two_transforms_in_their_order() {
    let enveloped = format!("<ds:Transform Algorithm=\"{ENVELOPED}\"/>");
    let exclusive = format!("<ds:Transform Algorithm=\"{EXCLUSIVE}\"/>");
    let both = format!("{enveloped}{exclusive}");
    let xpath = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ds:XPath>x</ds:XPath></ds:Transform>";
    let unknown = "<ds:Transform Algorithm=\"urn:unknown\"/>";
    for transforms in [
        String::new(),
        enveloped.clone(),
        exclusive.clone(),
        format!("{exclusive}{enveloped}"),
        format!("{enveloped}{enveloped}"),
        format!("{both}{exclusive}"),
        format!("{enveloped}{xpath}"),
        format!("{enveloped}{unknown}{exclusive}"),
        format!("{xpath}{both}"),
        both.repeat(500),
        format!("{enveloped}{exclusive}").replace("exc-c14n#", "exc-c14n#WithComments"),
        format!("{enveloped}<ds:Other Algorithm=\"{EXCLUSIVE}\"/>"),
    ] {
        let verdict = judge(&forge_changed(&both, &transforms));
        assert!(
            matches!(verdict, Err(SignatureError::Transform(_))),
            "{transforms:.200}: {verdict:?}"
        );
    }
    let verdict = judge(&forge_changed(
        &format!("<ds:Transforms>{both}</ds:Transforms>"),
        "",
    ));
    assert_eq!(verdict, Err(SignatureError::Transform(String::new())));
    let verdict = judge(&forge_changed(&enveloped, &unknown.repeat(3)));
    let names = format!("urn:unknown urn:unknown urn:unknown {EXCLUSIVE}");
    assert_eq!(verdict, Err(SignatureError::Transform(names)));
}

/// Trap 5: a stranger without a key gets a small form canonicalized, however large the message.
#[test]
fn the_signature_is_checked_before_the_digest() {
    let large = format!("<a:Last/>{}", "<a:b c=\"d\">e</a:b>".repeat(10_000));
    let message = MESSAGE.replace("<a:Last/>", &large);
    let idp = signing_key("idp");
    let attacker = signing_key("attacker");
    let honest = forge_with(&message, SIGNATURE, |octets| idp.sign(octets).unwrap());
    let forged = forge_with(&message, SIGNATURE, |octets| attacker.sign(octets).unwrap());
    let (octets, result) = counted(Step::Canonical, || judge(&forged));
    assert_eq!(result, Err(SignatureError::Invalid));
    assert!(octets < 1500, "{octets}");
    let (octets, result) = counted(Step::Canonical, || judge(&honest));
    assert_eq!(result, Ok(Some(0)));
    assert!(octets > 100_000, "{octets}");
}

/// A reader of what is signed finds nothing of what the signature does not cover.
#[test]
fn nothing_of_the_signature_itself_is_signed() {
    let signature = SIGNATURE.replace(
        "<ds:KeyName>any</ds:KeyName>",
        "<a:Name xmlns:a=\"urn:a\">eve@acme.example</a:Name>",
    );
    let text = forge(&signature);
    let document = Document::parse(&text).unwrap();
    let verified = verify(document.root(), &verification_keys(&["idp"]), &STRICT)
        .unwrap()
        .unwrap();
    let names: Vec<&str> = verified.signed.children().map(Signed::local_name).collect();
    assert_eq!(names, ["Name", "Last"]);
    assert_eq!(verified.signed.attribute("ID"), Some("_1"));
    let name = verified.signed.only("urn:a", "Name").unwrap().unwrap();
    assert_eq!(name.text().unwrap(), "ada@acme.example");
    assert!(
        verified
            .signed
            .child(crate::saml::names::XML_SIGNATURE, "Signature")
            .is_none()
    );
}

/// The names in errors come from strangers.
#[test]
fn what_errors_show_is_short() {
    let name = "x".repeat(10_000);
    let Err(SignatureError::Algorithm(shown)) = judge(&forge_changed(RSA_SHA256, &name)) else {
        panic!("accepted");
    };
    assert_eq!(shown.len(), 200);
}
