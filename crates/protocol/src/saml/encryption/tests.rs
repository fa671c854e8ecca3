use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::*;
use crate::saml::test_keys::{decryption_key, pair};
use crate::saml::work::{Step, counted};
use crate::saml::{Document, Limits, scan};

const PLAIN: &[u8] = b"<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_1\">\xc3\xa9</saml:Assertion>";
const STRICT: EncryptionPolicy = EncryptionPolicy { cbc: false };
const LENIENT: EncryptionPolicy = EncryptionPolicy { cbc: true };

fn open_with(
    text: &str,
    keys: &[DecryptionKey],
    policy: EncryptionPolicy,
) -> Result<Zeroizing<Vec<u8>>, DecryptionError> {
    let text = scan(text.as_bytes(), &Limits::MESSAGE).unwrap();
    let document = Document::parse(&text).unwrap();
    decrypt(document.root(), keys, &policy)
}

fn open(text: &str) -> Result<Zeroizing<Vec<u8>>, DecryptionError> {
    open_with(text, &[decryption_key("sp")], STRICT)
}

fn sealed(content: ContentEncryption, transport: KeyTransport) -> String {
    encrypt_as(PLAIN, &pair("sp").1, content, transport).unwrap()
}

fn honest() -> String {
    encrypt(PLAIN, &pair("sp").1).unwrap()
}

/// The two values of a sealed element: the key, then the content.
fn values(text: &str) -> Vec<String> {
    let part = |part: &str| {
        part.split_once("</xenc:CipherValue>")
            .map(|(value, _)| value.to_owned())
    };
    text.split("<xenc:CipherValue>").filter_map(part).collect()
}

/// With an octet of one of the values changed.
fn flipped(text: &str, value: usize, octet: impl Fn(usize) -> usize) -> String {
    let value = &values(text)[value];
    let mut octets = STANDARD.decode(value).unwrap();
    let at = octet(octets.len());
    octets[at] ^= 1;
    text.replace(value, &STANDARD.encode(octets))
}

#[test]
fn what_is_encrypted_opens_with_each_algorithm_of_the_table() {
    for transport in [
        KeyTransport::OaepMgf1p,
        KeyTransport::OaepSha1,
        KeyTransport::OaepSha256,
    ] {
        for content in [
            ContentEncryption::Aes128Gcm,
            ContentEncryption::Aes256Gcm,
            ContentEncryption::Aes128Cbc,
            ContentEncryption::Aes256Cbc,
        ] {
            let text = sealed(content, transport);
            let opened = open_with(&text, &[decryption_key("sp")], LENIENT);
            assert_eq!(
                opened.as_deref().map(Vec::as_slice),
                Ok(PLAIN),
                "{content:?} {transport:?}"
            );
        }
    }
    assert_eq!(open(&honest()).unwrap().as_slice(), PLAIN);
}

#[test]
fn an_old_key_opens_as_well() {
    let keys = [decryption_key("sp"), decryption_key("sp-old")];
    let old = encrypt(PLAIN, &pair("sp-old").1).unwrap();
    assert!(open_with(&old, &keys, STRICT).is_ok());
    assert_eq!(open(&old), Err(DecryptionError::Failed));
    assert_eq!(open_with(&old, &[], STRICT), Err(DecryptionError::KeyMissing));
}

#[test]
fn the_tables_are_ours() {
    let aes = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
    let oaep = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
    for (from, to) in [
        (aes, "http://www.w3.org/2001/04/xmlenc#aes256-cbc"),
        (aes, "http://www.w3.org/2001/04/xmlenc#aes128-cbc"),
        (aes, "http://www.w3.org/2001/04/xmlenc#tripledes-cbc"),
        (aes, "http://www.w3.org/2009/xmlenc11#aes192-gcm"),
        (aes, ""),
        (oaep, "http://www.w3.org/2001/04/xmlenc#rsa-1_5"),
        (oaep, "http://www.w3.org/2001/04/xmlenc#kw-aes256"),
        (oaep, "http://www.w3.org/2009/xmlenc11#ECDH-ES"),
    ] {
        let (operations, result) = counted(Step::PrivateKey, || open(&honest().replace(from, to)));
        assert_eq!(result, Err(DecryptionError::NotAllowed(to.to_owned())));
        assert_eq!(operations, 0);
    }
    // RSA of version 1.5 stays refused where CBC is allowed.
    let rsa = honest().replace(oaep, "http://www.w3.org/2001/04/xmlenc#rsa-1_5");
    assert!(matches!(
        open_with(&rsa, &[decryption_key("sp")], LENIENT),
        Err(DecryptionError::NotAllowed(_))
    ));
}

/// The library cannot do it, and says so by name rather than failing.
#[test]
fn two_different_hashes_are_refused_by_name() {
    let refused = |text: &str| match open(text) {
        Err(DecryptionError::NotAllowed(name)) => name,
        other => panic!("{other:?}"),
    };
    let sha1 = "http://www.w3.org/2000/09/xmldsig#sha1";
    let sha256 = "http://www.w3.org/2001/04/xmlenc#sha256";
    assert_eq!(
        refused(&honest().replace(sha1, sha256)),
        "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p http://www.w3.org/2001/04/xmlenc#sha256 \
         http://www.w3.org/2009/xmlenc11#mgf1sha1"
    );
    let newer = sealed(ContentEncryption::Aes128Gcm, KeyTransport::OaepSha256);
    assert!(
        refused(&newer.replace(sha256, sha1))
            .ends_with("xmldsig#sha1 http://www.w3.org/2009/xmlenc11#mgf1sha256")
    );
    assert!(
        refused(&newer.replace("mgf1sha256", "mgf1sha1"))
            .ends_with("xmlenc#sha256 http://www.w3.org/2009/xmlenc11#mgf1sha1")
    );
    assert!(refused(&newer.replace("mgf1sha256", "mgf1sha512")).ends_with("mgf1sha512"));
    // The defaults of a key without parameters are SHA-1 (XML Encryption §5.5.2).
    let bare = honest().replace(&format!("<ds:DigestMethod Algorithm=\"{sha1}\"/>"), "");
    assert!(open(&bare).is_ok());
}

/// XML Encryption §6.1: whoever changes the cipher text learns nothing from the answer.
#[test]
fn every_failure_looks_the_same() {
    let honest = honest();
    let changed = [
        flipped(&honest, 0, |_| 0),
        flipped(&honest, 0, |length| length - 1),
        flipped(&honest, 1, |_| 0),
        flipped(&honest, 1, |_| 12),
        flipped(&honest, 1, |length| length - 17),
        flipped(&honest, 1, |length| length - 1),
        // A key of another length than the content's algorithm has.
        honest.replace("aes256-gcm", "aes128-gcm"),
        // Too short for a nonce, for a tag, for a block of RSA.
        honest.replace(&values(&honest)[1], "AAAA"),
        honest.replace(&values(&honest)[1], &STANDARD.encode([0_u8; 20])),
        honest.replace(&values(&honest)[0], "AAAA"),
        honest.replace(&values(&honest)[0], &STANDARD.encode([0_u8; 256])),
        honest.replace(&values(&honest)[0], &STANDARD.encode([0xff_u8; 256])),
        // Another hash than the key was wrapped with.
        honest.replace("http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p", "http://www.w3.org/2009/xmlenc11#rsa-oaep")
            .replace("http://www.w3.org/2000/09/xmldsig#sha1\"/>", "http://www.w3.org/2001/04/xmlenc#sha256\"/><m:MGF xmlns:m=\"http://www.w3.org/2009/xmlenc11#\" Algorithm=\"http://www.w3.org/2009/xmlenc11#mgf1sha256\"/>"),
    ];
    for (number, text) in changed.iter().enumerate() {
        let (operations, result) = counted(Step::PrivateKey, || open(text));
        assert_eq!(result, Err(DecryptionError::Failed), "{number}");
        assert_eq!(operations, 1, "{number}");
    }
    let cbc = sealed(ContentEncryption::Aes256Cbc, KeyTransport::OaepMgf1p);
    for octets in [Vec::new(), vec![0; 15], vec![0; 16], vec![0; 17], vec![0; 31]] {
        let text = cbc.replace(&values(&cbc)[1], &STANDARD.encode(&octets));
        let result = open_with(&text, &[decryption_key("sp")], LENIENT);
        let expected = if octets.is_empty() {
            DecryptionError::Malformed("a value is not base64")
        } else {
            DecryptionError::Failed
        };
        assert_eq!(result, Err(expected), "{}", octets.len());
    }
}

/// A key that cannot be unwrapped is replaced by zeros. Content that is encrypted with
/// zeros does not open for that.
#[test]
fn the_key_of_zeros_opens_nothing() {
    let mut room = vec![0; 12];
    let key = aws_lc_rs::aead::UnboundKey::new(&aws_lc_rs::aead::AES_256_GCM, &[0; 32]).unwrap();
    let key = aws_lc_rs::aead::LessSafeKey::new(key);
    let mut content = PLAIN.to_vec();
    let nonce = aws_lc_rs::aead::Nonce::assume_unique_for_key([0; 12]);
    key.seal_in_place_append_tag(nonce, aws_lc_rs::aead::Aad::empty(), &mut content)
        .unwrap();
    room.append(&mut content);
    let honest = honest();
    let text = honest
        .replace(&values(&honest)[1], &STANDARD.encode(&room))
        .replace(&values(&honest)[0], &STANDARD.encode([1_u8; 256]));
    assert_eq!(open(&text), Err(DecryptionError::Failed));
}

/// XML Encryption §5.2: the octets of the padding but the last may be anything.
#[test]
fn padding_may_be_random() {
    use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
    use aws_lc_rs::iv::FixedLength;
    let certificate = pair("sp").1;
    let text = encrypt_as(
        b"",
        &certificate,
        ContentEncryption::Aes128Cbc,
        KeyTransport::OaepMgf1p,
    )
    .unwrap();
    // Encrypts to a key that is known here, as a provider would.
    let key = [7; 16];
    let wrapped = {
        use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PrivateDecryptingKey};
        let public = PrivateDecryptingKey::from_pkcs8(&pair("sp").0)
            .unwrap()
            .public_key();
        let public = OaepPublicEncryptingKey::new(public).unwrap();
        let mut wrapped = vec![0; public.ciphertext_size()];
        public
            .encrypt(&OAEP_SHA1_MGF1SHA1, &key, &mut wrapped, None)
            .unwrap();
        wrapped
    };
    let mut blocks = b"<a>1234567</a>\xaa\x02".to_vec();
    let cipher = EncryptingKey::cbc(UnboundCipherKey::new(&AES_128, &key).unwrap()).unwrap();
    let context = EncryptionContext::Iv128(FixedLength::from([9; 16]));
    cipher.less_safe_encrypt(&mut blocks, context).unwrap();
    let content = STANDARD.encode([&[9; 16], blocks.as_slice()].concat());
    let text = text
        .replace(&values(&text)[1], &content)
        .replace(&values(&text)[0], &STANDARD.encode(wrapped));
    let opened = open_with(&text, &[decryption_key("sp")], LENIENT).unwrap();
    assert_eq!(opened.as_slice(), b"<a>1234567</a>");
}

/// The element is moved: `EncryptedKey` beside the data, for several recipients.
fn keys_of(text: &str) -> (String, String, String) {
    let start = text.find("<xenc:EncryptedKey>").unwrap();
    let end = text.find("</xenc:EncryptedKey>").unwrap() + "</xenc:EncryptedKey>".len();
    (text[..start].into(), text[start..end].into(), text[end..].into())
}

#[test]
fn a_key_may_stand_beside_the_data_and_there_may_be_four() {
    let (before, key, after) = keys_of(&honest());
    let declared = key.replacen(
        "<xenc:EncryptedKey",
        "<xenc:EncryptedKey xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"",
        1,
    );
    let beside = format!("{before}<ds:RetrievalMethod URI=\"#_k\"/>{after}").replace(
        "</saml:EncryptedAssertion>",
        &format!("{declared}</saml:EncryptedAssertion>"),
    );
    assert_eq!(open(&beside).unwrap().as_slice(), PLAIN);

    let (_, others, _) = keys_of(&encrypt(PLAIN, &pair("sp-old").1).unwrap());
    let refused = others.replace("rsa-oaep-mgf1p", "rsa-1_5");
    let several = format!("{before}{others}{refused}{key}{others}{after}");
    assert_eq!(open(&several).unwrap().as_slice(), PLAIN);

    // The most that one message costs: each key with each of ours.
    let ours = [decryption_key("sp"), decryption_key("idp")];
    let four = format!("{before}{}{after}", others.repeat(4));
    let (operations, result) = counted(Step::PrivateKey, || open_with(&four, &ours, STRICT));
    assert_eq!((operations, result), (8, Err(DecryptionError::Failed)));
    let many = format!("{before}{}{after}", key.repeat(400));
    let (operations, result) = counted(Step::PrivateKey, || open_with(&many, &ours, STRICT));
    assert!(matches!(result, Err(DecryptionError::Malformed(_))));
    assert_eq!(operations, 0);
}

#[test]
fn an_encrypted_element_has_one_shape() {
    let honest = honest();
    let (before, key, after) = keys_of(&honest);
    let start = honest.find("<xenc:EncryptedData").unwrap();
    let end = honest.find("</saml:EncryptedAssertion>").unwrap();
    let data = &honest[start..end];
    let content = values(&honest)[1].clone();
    for text in [
        format!("{before}{after}"),
        honest.replace(data, ""),
        honest.replace(data, &data.repeat(2)),
        honest.replace(data, &format!("{data}<saml:Assertion/>")),
        honest.replace(data, &format!("text{data}")),
        honest.replace("xmlenc#Element\"", "xmlenc#Content\""),
        honest.replace(&content, ""),
        honest.replace(&content, &format!("{content}<!-- -->")),
        honest.replace(&content, "*"),
        honest.replace(
            &format!("<xenc:CipherValue>{content}</xenc:CipherValue>"),
            "<xenc:CipherReference URI=\"http://127.0.0.1/\"/>",
        ),
        honest.replace(
            "<ds:KeyInfo ",
            "<ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"/><ds:KeyInfo ",
        ),
        honest.replace(
            "<xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"/>",
            "",
        ),
        honest.replace(
            "<ds:DigestMethod",
            "<ds:DigestMethod Algorithm=\"http://www.w3.org/2000/09/xmldsig#sha1\"/><ds:DigestMethod",
        ),
        honest.replace(&key, &key.replace("CipherData", "Other")),
    ] {
        let (operations, result) = counted(Step::PrivateKey, || open(&text));
        assert!(
            matches!(result, Err(DecryptionError::Malformed(_))),
            "{result:?} {text}"
        );
        assert_eq!(operations, 0);
    }
    // SAML Core §2.3.4: the type may be absent.
    let untyped = honest.replace(" Type=\"http://www.w3.org/2001/04/xmlenc#Element\"", "");
    assert!(open(&untyped).is_ok());
    // base64 may be broken into lines.
    let lines = honest.replace(&content, &format!("\n {}\n {}\n", &content[..7], &content[7..]));
    assert!(open(&lines).is_ok());
}

#[test]
fn a_decrypted_text_is_put_where_its_prefixes_resolve() {
    let outer = "<r xmlns='urn:d&amp;' xmlns:saml='urn:saml' xmlns:xs='urn:xs'><e xmlns:xs='urn:2'/></r>";
    let document = Document::parse(outer).unwrap();
    let place = document.root().children().next().unwrap();
    let enclosed = enclose(place, "<saml:A xs:b='1'><c/></saml:A>");
    let inner = Document::parse(&enclosed).unwrap();
    let assertion = inner.root().children().next().unwrap();
    assert!(assertion.is("urn:saml", "A"));
    assert_eq!(assertion.attribute_in("urn:2", "b"), Some("1"));
    assert!(assertion.children().next().unwrap().is("urn:d&", "c"));
}

#[test]
fn a_key_shows_nothing_of_itself() {
    assert_eq!(format!("{:?}", decryption_key("sp")), "DecryptionKey { .. }");
    assert_eq!(decryption_key("sp").certificate_der(), pair("sp").1);
}
