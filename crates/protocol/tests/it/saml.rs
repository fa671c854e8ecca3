//! Metadata and certificates of SAML providers, as administrators enter them.

use genkan_protocol::saml::{CertificateError, IdpCertificate, IdpMetadata, MetadataError};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519,
};

/// A certificate that somebody made for `name`.
fn certificate(name: &str, algorithm: &'static rcgen::SignatureAlgorithm) -> rcgen::Certificate {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_after = rcgen::date_time_ymd(2030, 1, 2);
    params
        .self_signed(&KeyPair::generate_for(algorithm).unwrap())
        .unwrap()
}

fn good(name: &str) -> rcgen::Certificate {
    certificate(name, &PKCS_ECDSA_P256_SHA256)
}

fn base64(certificate: &rcgen::Certificate) -> String {
    let pem = certificate.pem();
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

#[test]
fn a_certificate_is_read_as_pem_and_as_bare_base64() {
    let made = good("Acme IdP");
    let spaced = base64(&made)
        .as_bytes()
        .chunks(7)
        .fold(String::new(), |text, chunk| {
            text + "  \r\n" + std::str::from_utf8(chunk).unwrap()
        });
    for text in [
        made.pem(),
        base64(&made),
        spaced,
        format!("Bag Attributes\n{}", made.pem()),
    ] {
        let read = IdpCertificate::parse_all(&text).unwrap();
        assert_eq!(read.len(), 1, "{text}");
        assert_eq!(read[0].der(), made.der().as_ref());
        assert!(read[0].issuer().contains("CN=Acme IdP"), "{}", read[0].issuer());
        // 2030-01-02T00:00:00Z
        assert_eq!(read[0].expires_at().as_secs(), 1_893_542_400);
        assert_eq!(IdpCertificate::parse_all(&read[0].to_pem()).unwrap(), read);
    }
}

#[test]
fn two_certificates_are_read_while_a_provider_rotates_and_the_same_one_once() {
    let (old, new) = (good("old"), good("new"));
    let read = IdpCertificate::parse_all(&[old.pem(), new.pem(), old.pem()].concat()).unwrap();
    assert_eq!(read.len(), 2);
    let many: String = (0..11).map(|number| good(&number.to_string()).pem()).collect();
    assert_eq!(IdpCertificate::parse_all(&many), Err(CertificateError::TooMany));
}

#[test]
fn what_is_no_certificate_is_refused() {
    let made = good("Acme");
    let cut = &base64(&made)[..200];
    let unclosed = made.pem().replace("-----END CERTIFICATE-----", "");
    for (text, expected) in [
        ("", CertificateError::Empty),
        (" \n ", CertificateError::Empty),
        (
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
            CertificateError::Empty,
        ),
        ("not base64!", CertificateError::Malformed),
        ("AAAA", CertificateError::Malformed),
        (cut, CertificateError::Malformed),
        (&unclosed, CertificateError::Malformed),
        (&"A".repeat(20_000), CertificateError::Malformed),
    ] {
        assert_eq!(IdpCertificate::parse_all(text), Err(expected), "{text}");
    }
    let key = KeyPair::generate().unwrap().serialize_pem();
    let both = format!("{}{key}", made.pem());
    assert_eq!(
        IdpCertificate::parse_all(&both),
        Err(CertificateError::PrivateKey)
    );
}

#[test]
fn a_key_that_signs_nothing_safely_is_refused() {
    let made = certificate("Acme", &PKCS_ED25519);
    assert_eq!(IdpCertificate::parse_all(&made.pem()), Err(CertificateError::Key));
    assert_eq!(IdpCertificate::parse_all(RSA_1024), Err(CertificateError::Key));
}

/// `openssl req -x509 -newkey rsa:1024 -nodes -subj /CN=weak -days 3650`
const RSA_1024: &str = include_str!("saml_rsa_1024.pem");

/// Metadata with `body` inside the provider.
fn metadata(body: &str) -> String {
    format!(
        r#"<?xml version="1.0"?>
        <md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID=" https://idp.acme.test ">
          <md:IDPSSODescriptor WantAuthnRequestsSigned="true"
              protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{body}</md:IDPSSODescriptor>
        </md:EntityDescriptor>"#
    )
}

fn key(certificate: &rcgen::Certificate, used: &str) -> String {
    format!(
        r#"<md:KeyDescriptor {used}><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>
           <ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"#,
        base64(certificate)
    )
}

/// Certificates in one X509Data.
fn data(certificates: &[&rcgen::Certificate]) -> String {
    let listed: String = certificates
        .iter()
        .map(|certificate| format!("<ds:X509Certificate>{}</ds:X509Certificate>", base64(certificate)))
        .collect();
    format!("<ds:X509Data>{listed}</ds:X509Data>")
}

fn descriptor(data: &str) -> String {
    format!(
        r#"<md:KeyDescriptor use="signing"><ds:KeyInfo
           xmlns:ds="http://www.w3.org/2000/09/xmldsig#">{data}</ds:KeyInfo></md:KeyDescriptor>"#
    )
}

/// A certificate that may issue others, if `is_authority`: by `issuer`, or else by itself.
fn issued(
    name: &str,
    is_authority: bool,
    issuer: Option<&Issuer<'static, KeyPair>>,
) -> (rcgen::Certificate, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    (certificate, Issuer::new(params, key))
}

/// XML-DSig §4.5.4. The holder of the key of the company's authority is not its identity provider.
#[test]
fn of_a_chain_only_the_end_becomes_a_signing_key() {
    let (root, by_root) = issued("Acme Root", true, None);
    let (middle, by_middle) = issued("Acme Issuing", true, Some(&by_root));
    let (leaf, _) = issued("idp.acme.test", false, Some(&by_middle));
    // `openssl req -x509` makes an authority of each.
    let (alone, _) = issued("idp.acme.test", true, None);
    let (next, _) = issued("idp.acme.test", true, None);
    let (unrelated, _) = issued("Another Root", true, None);
    let read = |data: &str| {
        let address = service("SingleSignOnService", "HTTP-POST", "https://idp.acme.test");
        let read = IdpMetadata::parse(&metadata(&format!("{}{address}", descriptor(data)))).unwrap();
        let ders =
            |all: &[IdpCertificate]| -> Vec<Vec<u8>> { all.iter().map(|one| one.der().to_vec()).collect() };
        (ders(&read.certificates), ders(&read.left_out))
    };
    let ders =
        |all: &[&rcgen::Certificate]| -> Vec<Vec<u8>> { all.iter().map(|one| one.der().to_vec()).collect() };
    for (document, keys, left_out) in [
        (
            data(&[&leaf, &middle, &root]),
            ders(&[&leaf]),
            ders(&[&middle, &root]),
        ),
        // In any order.
        (
            data(&[&root, &middle, &leaf]),
            ders(&[&leaf]),
            ders(&[&root, &middle]),
        ),
        // The middle is missing, or there is another authority.
        (data(&[&root, &leaf]), ders(&[&leaf]), ders(&[&root])),
        (data(&[&unrelated, &leaf]), ders(&[&leaf]), ders(&[&unrelated])),
        // An end that is an authority too.
        (data(&[&root, &middle]), ders(&[&middle]), ders(&[&root])),
        (data(&[&alone]), ders(&[&alone]), ders(&[])),
        // Two that signed themselves: they cannot both be the one key.
        (data(&[&alone, &next]), ders(&[&alone]), ders(&[&next])),
        // Each in an X509Data of its own: a chain, and two that signed themselves.
        (
            format!("{}{}", data(&[&leaf]), data(&[&root])),
            ders(&[&leaf]),
            ders(&[&root]),
        ),
        (
            format!("{}{}", data(&[&alone]), data(&[&next])),
            ders(&[&alone, &next]),
            ders(&[]),
        ),
    ] {
        assert_eq!(read(&document), (keys, left_out));
    }
}

/// An authority of the last century does not keep a provider out.
#[test]
fn a_weak_key_counts_only_if_it_is_to_sign() {
    let (_, weak) = RSA_1024.split_once("-----BEGIN CERTIFICATE-----").unwrap();
    let (weak, _) = weak.split_once("-----END").unwrap();
    let weak = format!("<ds:X509Certificate>{weak}</ds:X509Certificate>");
    let (leaf, _) = issued("idp.acme.test", false, None);
    let address = service("SingleSignOnService", "HTTP-POST", "https://idp.acme.test");
    let read = |data: &str| IdpMetadata::parse(&metadata(&format!("{}{address}", descriptor(data))));
    let beside = data(&[&leaf]).replace("</ds:X509Data>", &format!("{weak}</ds:X509Data>"));
    assert_eq!(read(&beside).unwrap().certificates[0].der(), leaf.der().as_ref());
    assert_eq!(
        read(&format!("<ds:X509Data>{weak}</ds:X509Data>")),
        Err(MetadataError::Certificate(CertificateError::Key))
    );
}

fn service(name: &str, binding: &str, location: &str) -> String {
    format!(r#"<md:{name} Binding="urn:oasis:names:tc:SAML:2.0:bindings:{binding}" Location="{location}"/>"#)
}

#[test]
fn metadata_name_the_provider_its_addresses_and_its_signing_keys() {
    let (signing, any, encryption) = (good("signing"), good("any"), good("encryption"));
    let body = [
        key(&signing, r#"use="signing""#),
        key(&any, ""),
        key(&encryption, r#"use="encryption""#),
        service("SingleLogoutService", "HTTP-POST", "https://idp.acme.test/slo"),
        service("SingleSignOnService", "SOAP", "https://idp.acme.test/soap"),
        service("SingleSignOnService", "HTTP-POST", "https://idp.acme.test/post"),
        service(
            "SingleSignOnService",
            "HTTP-Redirect",
            "https://idp.acme.test/redirect?a=1&amp;b=2",
        ),
    ];
    let read = IdpMetadata::parse(&format!("\u{feff}{}", metadata(&body.concat()))).unwrap();
    assert_eq!(read.entity_id, "https://idp.acme.test");
    assert_eq!(
        read.sso_redirect_url.as_deref(),
        Some("https://idp.acme.test/redirect?a=1&b=2")
    );
    assert_eq!(read.sso_post_url.as_deref(), Some("https://idp.acme.test/post"));
    assert_eq!(read.slo_post_url.as_deref(), Some("https://idp.acme.test/slo"));
    assert_eq!(read.slo_redirect_url, None);
    assert!(read.wants_signed_requests);
    let keys: Vec<&[u8]> = read.certificates.iter().map(IdpCertificate::der).collect();
    assert_eq!(keys, [signing.der().as_ref(), any.der().as_ref()]);
}

#[test]
fn metadata_that_cannot_sign_anybody_in_are_refused() {
    let key = key(&good("signing"), "");
    let address = service("SingleSignOnService", "HTTP-POST", "https://idp.acme.test");
    let whole = metadata(&format!("{key}{address}"));
    IdpMetadata::parse(&whole).unwrap();
    let of_a_federation = format!(
        r#"<m:EntitiesDescriptor xmlns:m="urn:oasis:names:tc:SAML:2.0:metadata">{}</m:EntitiesDescriptor>"#,
        whole.replace(r#"<?xml version="1.0"?>"#, "")
    );
    let (head, from) = whole.split_once("<md:IDPSSODescriptor").unwrap();
    let (provider, tail) = from.split_once("</md:IDPSSODescriptor>").unwrap();
    let provider = format!("<md:IDPSSODescriptor{provider}</md:IDPSSODescriptor>");
    let two = format!("{head}{provider}{provider}{tail}");
    let encrypting = metadata(&format!(
        "{}{address}",
        key.replace("KeyDescriptor >", r#"KeyDescriptor use="encryption">"#)
    ));
    let odd_certificate = metadata(&format!(
        "{address}{}",
        key.replace("</ds:X509Certificate>", "<!-- -->!</ds:X509Certificate>")
    ));
    for (xml, expected) in [
        ("<a/>".to_owned(), MetadataError::NoProvider),
        (
            whole.replace("SAML:2.0:protocol", "SAML:1.1:protocol"),
            MetadataError::NoProvider,
        ),
        (
            whole.replace("IDPSSODescriptor", "SPSSODescriptor"),
            MetadataError::NoProvider,
        ),
        (two, MetadataError::Several),
        (of_a_federation, MetadataError::Federation),
        (
            whole.replace("https://idp.acme.test ", ""),
            MetadataError::NoEntityId,
        ),
        (metadata(&key), MetadataError::NoSignOnAddress),
        (metadata(&address), MetadataError::NoCertificate),
        (encrypting, MetadataError::NoCertificate),
        (
            odd_certificate,
            MetadataError::Certificate(CertificateError::Malformed),
        ),
        (
            whole.replace("entityID=", r#"validUntil="2030-01-01" entityID="#),
            MetadataError::ValidUntil,
        ),
        (
            format!("{whole}{}", " ".repeat(1024 * 1024)),
            MetadataError::TooLong,
        ),
    ] {
        let start: String = xml.chars().take(200).collect();
        assert_eq!(IdpMetadata::parse(&xml), Err(expected), "{start}");
    }
    for xml in [
        "",
        "{}",
        "<a>",
        "<a></b>",
        "<a/><a/>",
        r#"<?xml version="1.0" encoding="latin1"?><a/>"#,
    ] {
        let error = IdpMetadata::parse(xml).unwrap_err();
        assert!(matches!(error, MetadataError::Malformed(_)), "{xml}: {error}");
    }
}

#[test]
fn the_earlier_end_of_the_document_is_told() {
    let key = key(&good("signing"), "");
    let address = service("SingleSignOnService", "HTTP-POST", "https://idp.acme.test");
    let whole = metadata(&format!("{key}{address}"));
    assert_eq!(IdpMetadata::parse(&whole).unwrap().valid_until, None);
    let whole = whole.replace("entityID=", r#"validUntil="2030-01-02T00:00:00Z" entityID="#);
    let of_the_root = IdpMetadata::parse(&whole).unwrap().valid_until.unwrap();
    assert_eq!(of_the_root.to_rfc3339(), "2030-01-02T00:00:00Z");
    let whole = whole.replace(
        "WantAuthnRequestsSigned",
        r#"validUntil="2029-01-02T01:00:00+01:00" WantAuthnRequestsSigned"#,
    );
    let of_both = IdpMetadata::parse(&whole).unwrap().valid_until.unwrap();
    assert_eq!(of_both.to_rfc3339(), "2029-01-02T00:00:00Z");
}

/// The keys in it, and the addresses of both bindings.
#[test]
fn the_metadata_of_keycloak_are_read_with_both_keys() {
    let xml = include_str!("../data/keycloak/idp-metadata.xml");
    let read = IdpMetadata::parse(xml).unwrap();
    assert_eq!(read.entity_id, "http://localhost:18080/realms/acme");
    assert_eq!(read.certificates.len(), 2);
    let address = Some("http://localhost:18080/realms/acme/protocol/saml");
    for url in [
        &read.sso_redirect_url,
        &read.sso_post_url,
        &read.slo_redirect_url,
        &read.slo_post_url,
    ] {
        assert_eq!(url.as_deref(), address);
    }
    assert!(read.wants_signed_requests);
}

#[test]
fn a_document_type_is_refused_before_it_can_expand_or_name_a_file() {
    let bomb = r#"<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>"#;
    let file = r#"<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>"#;
    for xml in [bomb, file] {
        assert_eq!(IdpMetadata::parse(xml), Err(MetadataError::DocumentType));
    }
}

/// Metadata by URL or upload come from strangers: their size is limited before a tree is built, whose cost
/// grows with the square of attributes and the cube of namespaces.
#[test]
fn metadata_that_would_exhaust_the_parser_are_refused_first() {
    let deep = format!("{}{}", "<a>".repeat(30_000), "</a>".repeat(30_000));
    let wide = format!("<a>{}</a>", "<b/>".repeat(30_000));
    let attributes: String = (0..10_000).map(|number| format!(r#" a{number}="""#)).collect();
    let namespaces: String = (0..3_000)
        .map(|number| format!(r#" xmlns:p{number}="x""#))
        .collect();
    for xml in [
        deep,
        wide,
        format!("<a{attributes}/>"),
        format!("<a{namespaces}>{}</a>", "<b/>".repeat(1_000)),
    ] {
        assert_eq!(IdpMetadata::parse(&xml), Err(MetadataError::TooLong));
    }
}
