//! Opening of encrypted assertions.
//!
//! Source: XML Encryption 1.1 §3, §4.4, §6.1; SAML 2.0 Core §2.3.4, §6.1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{
    ContentEncryption, DecryptionKey, ELEMENT, EncryptionPolicy, KeyTransport, XML_ENCRYPTION,
    XML_ENCRYPTION_11,
};
use crate::saml::canonical::escaped_attribute;
use crate::saml::document::Element;
use crate::saml::names::XML_SIGNATURE;
use crate::saml::work::{self, Step};

/// A message encrypts its key to no more recipients.
const MAX_ENCRYPTED_KEYS: usize = 4;
/// Names that a message brings are shown no longer, in letters.
const MAX_SHOWN: usize = 250;

/// An encrypted element cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptionError {
    /// We have no key.
    #[error("there is no decryption key")]
    KeyMissing,
    /// An algorithm that is not in the table, by name.
    #[error("the encryption algorithm {0:?} is not accepted")]
    NotAllowed(String),
    /// Not the shape of SAML Core §2.3.4 and XML Encryption §3. Anybody can see that.
    #[error("the encrypted element is malformed: {0}")]
    Malformed(&'static str),
    /// It cannot be opened. Nothing tells which step failed: that would be an oracle.
    #[error("the encrypted element cannot be decrypted")]
    Failed,
}

/// Opens an encrypted element: the octets that were encrypted.
///
/// A caller makes sure first that the message answers a request of ours: each call may
/// take several operations with the private key.
///
/// # Errors
///
/// [`DecryptionError`] if it is refused or cannot be opened.
pub fn decrypt(
    encrypted: Element<'_>,
    keys: &[DecryptionKey],
    policy: &EncryptionPolicy,
) -> Result<Zeroizing<Vec<u8>>, DecryptionError> {
    if keys.is_empty() {
        return Err(DecryptionError::KeyMissing);
    }
    let sealed = Sealed::read(encrypted, *policy)?;
    sealed
        .keys
        .iter()
        .flat_map(|wrapped| keys.iter().map(move |key| (wrapped, key)))
        .find_map(|(wrapped, key)| open(&sealed, wrapped, key))
        .ok_or(DecryptionError::Failed)
}

/// Unwraps and opens in one step. A key that cannot be unwrapped is replaced by one of
/// zeros, so that both failures cost the same time (XML Encryption §6.1.3).
fn open(sealed: &Sealed, wrapped: &WrappedKey, key: &DecryptionKey) -> Option<Zeroizing<Vec<u8>>> {
    work::count(Step::PrivateKey, 1);
    let length = sealed.content.key_len();
    let mut room = Zeroizing::new(vec![0; key.key.min_output_size()]);
    let label = Some(wrapped.label.as_slice()).filter(|label| !label.is_empty());
    let unwrapped = key
        .key
        .decrypt(wrapped.transport.algorithm(), &wrapped.octets, &mut room, label)
        .ok()
        .filter(|unwrapped| unwrapped.len() == length);
    let is_unwrapped = unwrapped.is_some();
    let mut content_key = Zeroizing::new(vec![0; length]);
    if let Some(unwrapped) = unwrapped {
        content_key.copy_from_slice(unwrapped);
    }
    let mut octets = Zeroizing::new(sealed.octets.clone());
    let is_open = sealed.content.open(&content_key, &mut octets).is_ok();
    (is_unwrapped && is_open).then_some(octets)
}

/// What an encrypted element holds.
struct Sealed {
    content: ContentEncryption,
    octets: Vec<u8>,
    keys: Vec<WrappedKey>,
}

struct WrappedKey {
    transport: KeyTransport,
    label: Vec<u8>,
    octets: Vec<u8>,
}

impl Sealed {
    fn read(encrypted: Element<'_>, policy: EncryptionPolicy) -> Result<Self, DecryptionError> {
        let is_known = |child: &Element<'_>| {
            child.is(XML_ENCRYPTION, "EncryptedData") || child.is(XML_ENCRYPTION, "EncryptedKey")
        };
        if !encrypted.holds_elements_only() || !encrypted.children().all(|child| is_known(&child)) {
            return Err(DecryptionError::Malformed(
                "it holds more than encrypted data and keys",
            ));
        }
        let data = only(
            encrypted,
            XML_ENCRYPTION,
            "EncryptedData",
            "there is not one EncryptedData",
        )?;
        // SAML Core §2.3.4: if there is a type, it is this one.
        if data.attribute("Type").is_some_and(|kind| kind != ELEMENT) {
            return Err(DecryptionError::Malformed("the type is not that of an element"));
        }
        let algorithm = algorithm_of(method_of(data)?)?;
        let content = ContentEncryption::find(algorithm, policy)
            .ok_or_else(|| DecryptionError::NotAllowed(shown(algorithm)))?;
        Ok(Self {
            content,
            octets: cipher_value(data)?,
            keys: wrapped_keys(encrypted, data)?,
        })
    }
}

/// The keys are in the data's `KeyInfo`, or beside the data (SAML Core §6.1); references
/// between the two are not followed.
fn wrapped_keys(encrypted: Element<'_>, data: Element<'_>) -> Result<Vec<WrappedKey>, DecryptionError> {
    let info = data
        .only(XML_SIGNATURE, "KeyInfo")
        .map_err(|_| DecryptionError::Malformed("there are several KeyInfo"))?;
    let found: Vec<Element<'_>> = info
        .into_iter()
        .chain([encrypted])
        .flat_map(|place| place.children_named(XML_ENCRYPTION, "EncryptedKey"))
        .take(MAX_ENCRYPTED_KEYS + 1)
        .collect();
    if found.is_empty() {
        return Err(DecryptionError::Malformed("there is no EncryptedKey"));
    }
    if found.len() > MAX_ENCRYPTED_KEYS {
        return Err(DecryptionError::Malformed("there are too many EncryptedKey"));
    }
    let mut keys = Vec::new();
    let mut refused = None;
    for element in found {
        match wrapped_key(element) {
            Ok(key) => keys.push(key),
            // Another recipient's key may be wrapped in another way.
            Err(DecryptionError::NotAllowed(name)) => refused = refused.or(Some(name)),
            Err(error) => return Err(error),
        }
    }
    match refused {
        Some(name) if keys.is_empty() => Err(DecryptionError::NotAllowed(name)),
        _ => Ok(keys),
    }
}

fn wrapped_key(key: Element<'_>) -> Result<WrappedKey, DecryptionError> {
    let method = method_of(key)?;
    let parameter = |namespace, name| match method.only(namespace, name) {
        Ok(element) => element.map(algorithm_of).transpose(),
        Err(_) => Err(DecryptionError::Malformed(
            "a parameter of the key is given twice",
        )),
    };
    let digest = parameter(XML_SIGNATURE, "DigestMethod")?;
    let mask = parameter(XML_ENCRYPTION_11, "MGF")?;
    let transport = KeyTransport::find(algorithm_of(method)?, digest, mask)
        .map_err(|name| DecryptionError::NotAllowed(shown(&name)))?;
    // XML Encryption §5.5.2: the label of OAEP.
    let label = match method.only(XML_ENCRYPTION, "OAEPparams") {
        Ok(None) => Vec::new(),
        Ok(Some(label)) => octets_of(label)?,
        Err(_) => {
            return Err(DecryptionError::Malformed(
                "a parameter of the key is given twice",
            ));
        }
    };
    Ok(WrappedKey {
        transport,
        label,
        octets: cipher_value(key)?,
    })
}

fn method_of(element: Element<'_>) -> Result<Element<'_>, DecryptionError> {
    only(
        element,
        XML_ENCRYPTION,
        "EncryptionMethod",
        "there is not one EncryptionMethod",
    )
}

fn algorithm_of(element: Element<'_>) -> Result<&str, DecryptionError> {
    element
        .attribute("Algorithm")
        .ok_or(DecryptionError::Malformed("an Algorithm is missing"))
}

/// XML Encryption §3.3.1. A `CipherReference` would make us fetch something, so it is refused.
fn cipher_value(element: Element<'_>) -> Result<Vec<u8>, DecryptionError> {
    let data = only(
        element,
        XML_ENCRYPTION,
        "CipherData",
        "there is not one CipherData",
    )?;
    octets_of(only(
        data,
        XML_ENCRYPTION,
        "CipherValue",
        "there is not one CipherValue",
    )?)
}

fn octets_of(element: Element<'_>) -> Result<Vec<u8>, DecryptionError> {
    let wrong = || DecryptionError::Malformed("a value is not base64");
    let mut text: Vec<u8> = element.bare_text().ok_or_else(wrong)?.into();
    text.retain(|octet| !octet.is_ascii_whitespace());
    STANDARD.decode(text).map_err(|_| wrong())
}

fn only<'d>(
    element: Element<'d>,
    namespace: &'static str,
    name: &'static str,
    wrong: &'static str,
) -> Result<Element<'d>, DecryptionError> {
    match element.only(namespace, name) {
        Ok(Some(child)) => Ok(child),
        Ok(None) | Err(_) => Err(DecryptionError::Malformed(wrong)),
    }
}

fn shown(name: &str) -> String {
    name.chars().take(MAX_SHOWN).collect()
}

/// Puts a decrypted text into an element that declares what is in force at the place
/// where it came from, so that prefixes declared outside of the cipher text resolve
/// (XML Encryption §4.4 lets the parser's context count).
///
/// The text must have gone through [`scan`](crate::saml::scan()) alone: then it is one
/// element, and cannot end the element around it.
pub fn enclose(context: Element<'_>, plain: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(plain.len() + 1024));
    text.push_str("<Decrypted");
    for (prefix, namespace) in context.namespaces() {
        text.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
        text.push_str(prefix);
        text.push_str("=\"");
        text.push_str(&escaped_attribute(namespace));
        text.push('"');
    }
    text.push('>');
    text.push_str(plain);
    text.push_str("</Decrypted>");
    text
}
