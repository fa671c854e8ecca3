//! Reads and validates the answer of an identity provider.
//!
//! In two steps, because the caller has to look up the request that is answered in
//! between: [`Answer::read`] does not need to know the connection, and no private key is
//! used before [`Answer::validate`].
//!
//! Source: SAML 2.0 Core §3.3.3; Profiles §4.1.4.2, §4.1.4.3.

mod authentication;
mod checks;
mod conditions;
mod confirmation;
mod content;
mod envelope;
mod protection;
mod subject;

use std::time::Duration;

pub use checks::{READING, VALIDATION, is_for_us, is_signed, not_reached};

use self::checks::{
    ASSERTIONS, BASE64, Checks, DOCUMENT_TYPE, ENCODING, Failed, IDENTIFIERS, LENGTH, SIZE, XML,
};
use super::binding::{MAX_RESPONSE_BYTES, decode_response};
use super::document::{Document, Element};
use super::names::ASSERTION;
use super::scan::{Limits, scan};
use super::signature::{Signed, Verified};
use super::{
    AlgorithmPolicy, Assertion, Cause, DecryptionKey, EncryptionPolicy, NameIdFormat, RequestedContext,
    VerificationKey,
};
use crate::{Timestamp, Trace};

/// What a connection expects of an answer.
#[derive(Debug, Clone)]
pub struct Expected<'e> {
    /// The time.
    pub now: Timestamp,
    /// How far the clocks of both servers may differ.
    pub skew: Duration,
    /// Our address for answers.
    pub acs_url: &'e str,
    /// Our entity id.
    pub entity_id: &'e str,
    /// The provider's.
    pub idp_entity_id: &'e str,
    /// The keys of the certificates that the connection has.
    pub keys: &'e [VerificationKey],
    /// Algorithms of signatures.
    pub algorithms: AlgorithmPolicy,
    /// Which parts must be signed.
    pub signing: RequiredSignature,
    /// Whether the assertion must be encrypted, and how it is decrypted.
    pub encryption: ExpectedEncryption<'e>,
    /// The provider may begin a sign-in.
    pub allow_unsolicited: bool,
    /// The format that was requested. Only where it is transient, a transient name is accepted.
    pub requested_name_id: Option<NameIdFormat>,
    /// The person had to sign in at the provider after this time.
    pub force_authn_since: Option<Timestamp>,
    /// The requested context.
    pub requested_context: Option<&'e RequestedContext>,
}

/// Which parts of an answer must be signed. There is no choice "none", because anybody
/// can make an unsigned answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequiredSignature {
    /// The response.
    Response,
    /// The assertion.
    Assertion,
    /// Both.
    Both,
    /// One of them.
    Either,
}

/// How assertions are decrypted.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedEncryption<'e> {
    /// A plain assertion is refused.
    pub required: bool,
    /// Our keys, older ones too.
    pub keys: &'e [DecryptionKey],
    /// Algorithms of encryption.
    pub policy: EncryptionPolicy,
}

/// What the caller knows of the request that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingRequest<'r> {
    /// The answer names none.
    Unsolicited,
    /// A live request of this connection.
    Solicited {
        /// The identifier of the request.
        id: &'r str,
    },
}

/// Whether reading an answer takes our private key, and who vouches for what it would decrypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivateKeyUse {
    /// The assertion is plain, or a check before the decryption refuses the answer.
    None,
    /// A registered key signed the Response, and with it the cipher text.
    Vouched,
    /// Anybody may have made the cipher text. A stranger who tries variants of it could learn from the
    /// refusals, so the caller counts them.
    Unvouched,
}

/// The XML of an answer and the request that it says it answers, for an answer that
/// [`Answer::read`] refuses: whoever waits for it should hear why. Nothing is checked
/// beyond what reading needs.
pub fn peek(form_value: &str) -> Option<(String, Option<String>)> {
    let octets = decode_response(form_value).ok()?;
    let xml = scan(&octets, &Limits::MESSAGE).ok()?.into_owned();
    let in_response_to = {
        let document = Document::parse(&xml).ok()?;
        document.root().attribute("InResponseTo").map(ToOwned::to_owned)
    };
    Some((xml, in_response_to))
}

/// An answer that nobody has verified.
#[derive(Debug, Clone)]
pub struct Answer {
    xml: String,
    in_response_to: Option<String>,
}

/// What the checks of the content look at.
struct Content<'c> {
    /// Only a verified signature makes this.
    assertion: Signed<'c>,
    /// Whatever the Response says: it can only refuse.
    response: Element<'c>,
    is_response_signed: bool,
    request: PendingRequest<'c>,
    expected: &'c Expected<'c>,
}

impl Answer {
    /// Reads the form's field SAMLResponse: the checks that need no connection.
    ///
    /// # Errors
    ///
    /// The [`Cause`] of the first check that fails; the trace has both values.
    pub fn read(form_value: &str, trace: &mut Trace) -> Result<Self, Cause> {
        let mut checks = Checks::new(trace);
        let octets = match decode_response(form_value) {
            Ok(octets) => octets,
            Err(cause @ Cause::MessageTooLong) => {
                checks.pass(BASE64, "");
                let expected = format!("{MAX_RESPONSE_BYTES} octets at most");
                let received = format!("{} letters of base64", form_value.len());
                return Err(checks.fail(LENGTH, &Failed::new(cause, expected, received)));
            }
            Err(cause) => {
                let received = format!("{} letters that are not base64", form_value.len());
                return Err(checks.fail(BASE64, &Failed::new(cause, "base64", received)));
            }
        };
        checks.pass(BASE64, "base64");
        checks.pass(LENGTH, format!("{} octets", octets.len()));
        let xml = match scan(&octets, &Limits::MESSAGE) {
            Ok(text) => text.into_owned(),
            Err(error) => return Err(checks.fail_document(&error)),
        };
        let in_response_to = match Document::parse(&xml) {
            Ok(document) => {
                for check in [ENCODING, DOCUMENT_TYPE, SIZE, XML, IDENTIFIERS] {
                    checks.pass(check, "");
                }
                envelope::check(document.root(), &mut checks)?;
                document.root().attribute("InResponseTo").map(ToOwned::to_owned)
            }
            Err(error) => return Err(checks.fail_document(&error)),
        };
        Ok(Self { xml, in_response_to })
    }

    /// The request that it says it answers. Nobody has verified that, so it serves to look
    /// the request up and for nothing else.
    pub fn in_response_to(&self) -> Option<&str> {
        self.in_response_to.as_deref()
    }

    /// The answer as it came, decoded. An encrypted assertion is still encrypted.
    pub fn xml(&self) -> &str {
        &self.xml
    }

    /// Whether [`Self::validate`] would use a private key, before one is at hand: it makes the
    /// checks that stand before the decryption.
    pub fn private_key_use(&self, request: PendingRequest<'_>, expected: &Expected<'_>) -> PrivateKeyUse {
        // `validate` writes them into the trace.
        let mut unread = Trace::default();
        let mut checks = Checks::new(&mut unread);
        let Ok(document) = Document::parse(&self.xml) else {
            return PrivateKeyUse::None;
        };
        let root = document.root();
        if root.child(ASSERTION, "EncryptedAssertion").is_none() {
            return PrivateKeyUse::None;
        }
        match before_decryption(root, request, expected, &mut checks) {
            Err(_) => PrivateKeyUse::None,
            Ok(Some(_)) => PrivateKeyUse::Vouched,
            Ok(None) => PrivateKeyUse::Unvouched,
        }
    }

    /// Validates it: signatures, encryption and content, in this order.
    ///
    /// # Errors
    ///
    /// The [`Cause`] of the first check that fails; the trace has both values.
    pub fn validate(
        &self,
        request: PendingRequest<'_>,
        expected: &Expected<'_>,
        trace: &mut Trace,
    ) -> Result<Assertion, Cause> {
        let mut checks = Checks::new(trace);
        let document = Document::parse(&self.xml).map_err(|error| checks.fail_document(&error))?;
        let root = document.root();
        let response = before_decryption(root, request, expected, &mut checks)?;
        let (text, inner);
        let encrypted = root.child(ASSERTION, "EncryptedAssertion");
        let is_encrypted = encrypted.is_some();
        let element = match encrypted {
            None => {
                protection::plain(expected, &mut checks)?;
                let missing = || Failed::missing(Cause::AssertionMissing, "one assertion");
                let assertion = root.child(ASSERTION, "Assertion");
                assertion.ok_or_else(|| checks.fail(ASSERTIONS, &missing()))?
            }
            Some(encrypted) => {
                let is_covered = response.is_some() && request != PendingRequest::Unsolicited;
                text = protection::open(encrypted, is_covered, expected, &mut checks)?;
                inner = Document::parse(&text);
                protection::decrypted(&inner, &mut checks)?
            }
        };
        let signed = protection::assertion_signature(element, expected, &mut checks)?;
        protection::signed_parts(
            response.is_some(),
            signed.is_some(),
            expected.signing,
            &mut checks,
        )?;
        let assertion = match (signed, response) {
            (Some(verified), _) => Some(verified.signed),
            (None, Some(outer)) if is_encrypted => Some(outer.signed.decrypted(element)),
            (None, Some(outer)) => outer.signed.child(ASSERTION, "Assertion"),
            (None, None) => None,
        };
        // Below, everything of the Assertion is `Signed`.
        let content = Content {
            assertion: assertion.ok_or(Cause::SignatureMissing)?,
            response: root,
            is_response_signed: response.is_some(),
            request,
            expected,
        };
        content.check(&mut checks)
    }
}

/// Checks 15 to 23, and of an encrypted assertion the first of check 34.
fn before_decryption<'d>(
    root: Element<'d>,
    request: PendingRequest<'_>,
    expected: &Expected<'_>,
    checks: &mut Checks<'_>,
) -> Result<Option<Verified<'d>>, Cause> {
    protection::certificates(expected, checks)?;
    let response = protection::response_signature(root, expected, checks)?;
    if root.child(ASSERTION, "EncryptedAssertion").is_some() {
        content::request_before_decryption(root, request, expected, checks)?;
    }
    Ok(response)
}

impl Content<'_> {
    /// Checks 31 to 38.
    fn check(&self, checks: &mut Checks<'_>) -> Result<Assertion, Cause> {
        let (id, issuer) = content::check(self, checks)?;
        let confirmed_until = confirmation::check(self, checks)?;
        let times = conditions::check(self, confirmed_until, checks)?;
        let authentication = authentication::check(self, checks)?;
        let name_id = subject::check(self, checks)?;
        let attributes = subject::attributes(self, checks);
        Ok(Assertion {
            id,
            issuer,
            name_id,
            session_index: authentication.session_index,
            session_ends_at: authentication.session_ends_at,
            authn_instant: authentication.instant,
            authn_context: authentication.context,
            attributes,
            issue_instant: times.issue_instant,
            not_on_or_after: times.not_on_or_after,
            in_response_to: match self.request {
                PendingRequest::Unsolicited => None,
                PendingRequest::Solicited { id } => Some(id.to_owned()),
            },
        })
    }
}
