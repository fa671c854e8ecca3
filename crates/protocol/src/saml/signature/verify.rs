//! Verification of signatures.
//!
//! The signature over `SignedInfo` is checked before the digest of the element. So a
//! stranger without a registered key makes us canonicalize a small `SignedInfo` and nothing else.
//!
//! Source: XML-DSig §3.2, §4; SAML 2.0 Core §5.4; SAML 2.0 Bindings §3.4.4.1.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::algorithm::find_digest;
use super::{AlgorithmPolicy, ENVELOPED, EXCLUSIVE, SignatureMethod, Signed, VerificationKey, Verified};
use crate::saml::canonical::{CanonicalError, PrefixList, canonicalize};
use crate::saml::document::Element;
use crate::saml::names::XML_SIGNATURE;

/// Names that a message brings are shown no longer, in letters.
const MAX_SHOWN: usize = 200;

/// A signature does not count. The order of the variants is the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No key is registered. A signature is never passed over for that.
    #[error("no certificate is registered")]
    CertificateMissing,
    /// Several signatures on one element.
    #[error("the element has more than one signature")]
    Count,
    /// Not the shape that SAML Core §5.4 leaves of XML-DSig §4.
    #[error("the signature is malformed: {0}")]
    Malformed(&'static str),
    /// Another canonicalization than the exclusive one, or one that cannot be done.
    #[error("the canonicalization {0:?} is not accepted")]
    Canonicalization(String),
    /// An algorithm that is not in the table, or not for the registered type of key.
    #[error("the algorithm {0:?} is not accepted")]
    Algorithm(String),
    /// None or several references.
    #[error("the signature has {0} references instead of one")]
    ReferenceCount(usize),
    /// The reference names something else than the element that holds the signature.
    #[error("the signature is over {0:?} and not over the element that holds it")]
    ReferenceForeign(String),
    /// A transform beyond the two that SAML Core §5.4.4 allows.
    #[error("the transforms {0:?} are not accepted")]
    Transform(String),
    /// No registered key made the signature.
    #[error("no registered certificate verifies the signature")]
    Invalid,
    /// The element was changed after it was signed.
    #[error("the element was changed after it was signed")]
    Digest,
}

/// Verifies the enveloped signature of an element.
///
/// `None` if the element has none. Certificates in the signature are not looked at: only
/// `keys` count.
///
/// # Errors
///
/// [`SignatureError`] if there is one and it does not hold.
pub fn verify<'d>(
    parent: Element<'d>,
    keys: &[VerificationKey],
    policy: &AlgorithmPolicy,
) -> Result<Option<Verified<'d>>, SignatureError> {
    let mut signatures = parent.children_named(XML_SIGNATURE, "Signature");
    let Some(signature) = signatures.next() else {
        return Ok(None);
    };
    if keys.is_empty() {
        return Err(SignatureError::CertificateMissing);
    }
    if signatures.next().is_some() {
        return Err(SignatureError::Count);
    }
    let parts = Parts::read(signature)?;
    let canonicalization = parts.canonicalization()?;
    let method = method_of(parts.method, keys, *policy)?;
    let reference = parts.reference(parent)?;
    let transform = reference.transforms()?;
    let algorithm = algorithm_of(reference.digest_method)?;
    let digest_algorithm =
        find_digest(algorithm, *policy).ok_or_else(|| SignatureError::Algorithm(shown(algorithm)))?;
    let digest_value = octets_of(reference.digest_value)?;

    let signed_info = canonicalize(parts.signed_info, None, &canonicalization).map_err(not_canonical)?;
    let key = verifying_key(keys, method, &signed_info, &octets_of(parts.value)?)?;

    let octets = canonicalize(parent, Some(signature), &transform).map_err(not_canonical)?;
    if digest::digest(digest_algorithm, &octets).as_ref() != digest_value {
        return Err(SignatureError::Digest);
    }
    Ok(Some(Verified {
        signed: Signed::new(parent, signature),
        key,
        method,
    }))
}

/// Verifies the signature of a message in a query and tells which key made it.
///
/// `octets` are those of the query as they were sent: another spelling of the same
/// parameters has another signature (SAML Bindings §3.4.4.1).
///
/// # Errors
///
/// [`SignatureError`] if none did.
pub fn verify_query(
    octets: &[u8],
    sig_alg: &str,
    signature: &[u8],
    keys: &[VerificationKey],
    policy: &AlgorithmPolicy,
) -> Result<usize, SignatureError> {
    if keys.is_empty() {
        return Err(SignatureError::CertificateMissing);
    }
    let method = allowed_method(sig_alg, keys, *policy)?;
    verifying_key(keys, method, octets, signature)
}

/// The parts of a signature, each in its place (XML-DSig §4.2 to §4.4).
struct Parts<'d> {
    signed_info: Element<'d>,
    value: Element<'d>,
    canonicalization: Element<'d>,
    method: Element<'d>,
    references: Vec<Element<'d>>,
}

/// The parts of its one reference (XML-DSig §4.4.3).
struct Reference<'d> {
    transforms: Element<'d>,
    digest_method: Element<'d>,
    digest_value: Element<'d>,
}

impl<'d> Parts<'d> {
    /// An `Object` would be a place for a second message, so it is refused (SAML Core §5.4.6
    /// knows no use for it).
    fn read(signature: Element<'d>) -> Result<Self, SignatureError> {
        let wrong = SignatureError::Malformed("it is not SignedInfo, SignatureValue and KeyInfo");
        let (signed_info, value) = match *elements_of(signature, &["Id"])? {
            [info, value] if named(info, "SignedInfo") && named(value, "SignatureValue") => (info, value),
            [info, value, key]
                if named(info, "SignedInfo") && named(value, "SignatureValue") && named(key, "KeyInfo") =>
            {
                (info, value)
            }
            _ => return Err(wrong),
        };
        let [canonicalization, method, references @ ..] = &*elements_of(signed_info, &["Id"])? else {
            return Err(SignatureError::Malformed("SignedInfo is not complete"));
        };
        if !named(*canonicalization, "CanonicalizationMethod")
            || !named(*method, "SignatureMethod")
            || !references.iter().all(|reference| named(*reference, "Reference"))
        {
            return Err(SignatureError::Malformed(
                "SignedInfo has other elements than its own",
            ));
        }
        Ok(Self {
            signed_info,
            value,
            canonicalization: *canonicalization,
            method: *method,
            references: references.to_vec(),
        })
    }

    /// SAML Core §5.4.3: exclusive canonicalization. The variant with comments is not supported.
    fn canonicalization(&self) -> Result<PrefixList<'d>, SignatureError> {
        let algorithm = algorithm_of(self.canonicalization)?;
        if algorithm != EXCLUSIVE {
            return Err(SignatureError::Canonicalization(shown(algorithm)));
        }
        prefix_list(self.canonicalization)
    }

    /// SAML Core §5.4.2: one reference, to the element that holds the signature.
    fn reference(&self, parent: Element<'d>) -> Result<Reference<'d>, SignatureError> {
        let [reference] = *self.references.as_slice() else {
            return Err(SignatureError::ReferenceCount(self.references.len()));
        };
        let parts = elements_of(reference, &["Id", "URI", "Type"])?;
        let uri = reference.attribute("URI").unwrap_or_default();
        let id = parent.attribute("ID").filter(|id| !id.is_empty());
        if id.is_none() || uri.strip_prefix('#') != id {
            return Err(SignatureError::ReferenceForeign(shown(uri)));
        }
        match *parts {
            [transforms, digest_method, digest_value]
                if named(transforms, "Transforms")
                    && named(digest_method, "DigestMethod")
                    && named(digest_value, "DigestValue") =>
            {
                Ok(Reference {
                    transforms,
                    digest_method,
                    digest_value,
                })
            }
            // XML-DSig §4.4.3.2: without transforms the default is inclusive canonicalization,
            // and the signature would cover itself.
            [method, value] if named(method, "DigestMethod") && named(value, "DigestValue") => {
                Err(SignatureError::Transform(String::new()))
            }
            _ => Err(SignatureError::Malformed(
                "Reference has other elements than its own",
            )),
        }
    }
}

impl<'d> Reference<'d> {
    /// SAML Core §5.4.4: the enveloped signature transform, then exclusive canonicalization.
    fn transforms(&self) -> Result<PrefixList<'d>, SignatureError> {
        let transforms = elements_of(self.transforms, &[])?;
        match *transforms {
            [enveloped, exclusive] if named(enveloped, "Transform") && named(exclusive, "Transform") => {
                let names = (algorithm_of(enveloped)?, algorithm_of(exclusive)?);
                if names != (ENVELOPED, EXCLUSIVE) {
                    return Err(SignatureError::Transform(shown(&format!(
                        "{} {}",
                        names.0, names.1
                    ))));
                }
                if enveloped.children().next().is_some() {
                    return Err(SignatureError::Malformed("a transform has content"));
                }
                prefix_list(exclusive)
            }
            _ => {
                let names: Vec<&str> = transforms
                    .iter()
                    .filter_map(|transform| transform.attribute("Algorithm"))
                    .take(4)
                    .collect();
                Err(SignatureError::Transform(shown(&names.join(" "))))
            }
        }
    }
}

/// The elements in one of the signature's own, which has nothing else in it, and no
/// attribute beside these.
fn elements_of<'d>(element: Element<'d>, attributes: &[&str]) -> Result<Vec<Element<'d>>, SignatureError> {
    let known = |attribute: &str| attributes.contains(&attribute);
    if !element.attributes().all(|attribute| known(attribute.name)) {
        return Err(SignatureError::Malformed("an attribute that has no place there"));
    }
    if !element.holds_elements_only() {
        return Err(SignatureError::Malformed("text between its elements"));
    }
    Ok(element.children().collect())
}

fn named(element: Element<'_>, local_name: &str) -> bool {
    element.is(XML_SIGNATURE, local_name)
}

fn algorithm_of<'d>(element: Element<'d>) -> Result<&'d str, SignatureError> {
    element
        .attribute("Algorithm")
        .ok_or(SignatureError::Malformed("an Algorithm is missing"))
}

/// Exclusive C14N §2.1: the one parameter of the algorithm.
fn prefix_list<'d>(element: Element<'d>) -> Result<PrefixList<'d>, SignatureError> {
    match *elements_of(element, &["Algorithm"])? {
        [] => Ok(PrefixList::default()),
        [list] if list.is(EXCLUSIVE, "InclusiveNamespaces") => {
            if !elements_of(list, &["PrefixList"])?.is_empty() {
                return Err(SignatureError::Malformed("InclusiveNamespaces has content"));
            }
            PrefixList::parse(list.attribute("PrefixList").unwrap_or_default()).map_err(not_canonical)
        }
        _ => Err(SignatureError::Malformed(
            "a canonicalization has unknown parameters",
        )),
    }
}

/// The method by our table. XML-DSig §4.4.2: parameters, such as the length of an HMAC, have no use here.
fn method_of(
    element: Element<'_>,
    keys: &[VerificationKey],
    policy: AlgorithmPolicy,
) -> Result<SignatureMethod, SignatureError> {
    let uri = algorithm_of(element)?;
    let method = allowed_method(uri, keys, policy)?;
    if !elements_of(element, &["Algorithm"])?.is_empty() {
        return Err(SignatureError::Malformed("SignatureMethod has parameters"));
    }
    Ok(method)
}

fn allowed_method(
    uri: &str,
    keys: &[VerificationKey],
    policy: AlgorithmPolicy,
) -> Result<SignatureMethod, SignatureError> {
    SignatureMethod::find(uri, policy)
        .filter(|method| keys.iter().any(|key| key.fits(*method)))
        .ok_or_else(|| SignatureError::Algorithm(shown(uri)))
}

fn verifying_key(
    keys: &[VerificationKey],
    method: SignatureMethod,
    message: &[u8],
    signature: &[u8],
) -> Result<usize, SignatureError> {
    keys.iter()
        .position(|key| key.verifies(method, message, signature))
        .ok_or(SignatureError::Invalid)
}

/// XML-DSig §4.3, §4.4.3.6: base64. A comment in it is how CVE-2025-29775 began.
fn octets_of(element: Element<'_>) -> Result<Vec<u8>, SignatureError> {
    let wrong = || SignatureError::Malformed("a value is not base64");
    if element.attributes().any(|attribute| attribute.name != "Id") {
        return Err(SignatureError::Malformed("an attribute that has no place there"));
    }
    let mut text: Vec<u8> = element.bare_text().ok_or_else(wrong)?.into();
    text.retain(|octet| !octet.is_ascii_whitespace());
    STANDARD.decode(text).map_err(|_| wrong())
}

fn not_canonical(error: CanonicalError) -> SignatureError {
    SignatureError::Canonicalization(error.to_string())
}

fn shown(name: &str) -> String {
    name.chars().take(MAX_SHOWN).collect()
}
