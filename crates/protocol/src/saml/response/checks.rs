//! The order of the checks, and the line that each leaves in the trace.

use std::time::Duration;

use crate::saml::Cause;
use crate::saml::scan::{XmlError, XmlErrorKind};
use crate::trace::CheckOutcome;
use crate::{Timestamp, Trace};

/// The checks of [`Answer::read`](super::Answer::read), which need no setting of the connection.
pub const READING: &[&str] = &[
    BASE64,
    LENGTH,
    ENCODING,
    DOCUMENT_TYPE,
    SIZE,
    XML,
    IDENTIFIERS,
    MESSAGE,
    VERSION,
    STATUS,
    ASSERTIONS,
];

/// The checks of [`Answer::validate`](super::Answer::validate).
pub const VALIDATION: &[&str] = &[
    CERTIFICATES,
    RESPONSE_SIGNATURE,
    ENCRYPTION,
    DECRYPTED,
    ASSERTION_SIGNATURE,
    SIGNED_PARTS,
    ASSERTION_FORM,
    ISSUER,
    DESTINATION,
    REQUEST,
    CONFIRMATION,
    ISSUE_INSTANT,
    NOT_BEFORE,
    NOT_ON_OR_AFTER,
    AUDIENCE,
    CONDITIONS,
    AUTHN_STATEMENT,
    SESSION,
    AUTHN_INSTANT,
    AUTHN_CONTEXT,
    NAME_ID,
    NAME_ID_FORMAT,
];

pub(super) const BASE64: &str = "Encoding of the form";
pub(super) const LENGTH: &str = "Length";
pub(super) const ENCODING: &str = "Character encoding";
pub(super) const DOCUMENT_TYPE: &str = "No document type";
pub(super) const SIZE: &str = "Number of parts";
pub(super) const XML: &str = "Well-formed XML";
pub(super) const IDENTIFIERS: &str = "Unique identifiers";
pub(super) const MESSAGE: &str = "Kind of message";
pub(super) const VERSION: &str = "Version";
pub(super) const STATUS: &str = "Status";
pub(super) const ASSERTIONS: &str = "Number of assertions";
pub(super) const CERTIFICATES: &str = "Certificates of the provider";
pub(super) const RESPONSE_SIGNATURE: &str = "Signature of the response";
pub(super) const ENCRYPTION: &str = "Encryption";
pub(super) const DECRYPTED: &str = "Decrypted assertion";
pub(super) const ASSERTION_SIGNATURE: &str = "Signature of the assertion";
pub(super) const SIGNED_PARTS: &str = "Signed parts";
pub(super) const ASSERTION_FORM: &str = "Form of the assertion";
pub(super) const ISSUER: &str = "Issuer";
pub(super) const DESTINATION: &str = "Destination";
pub(super) const REQUEST: &str = "Request";
pub(super) const CONFIRMATION: &str = "Subject confirmation";
pub(super) const ISSUE_INSTANT: &str = "Time of issue";
pub(super) const NOT_BEFORE: &str = "Not before";
pub(super) const NOT_ON_OR_AFTER: &str = "Not on or after";
pub(super) const AUDIENCE: &str = "Audience";
pub(super) const CONDITIONS: &str = "Other conditions";
pub(super) const AUTHN_STATEMENT: &str = "Statement of authentication";
pub(super) const SESSION: &str = "Session at the provider";
pub(super) const AUTHN_INSTANT: &str = "Time of authentication";
pub(super) const AUTHN_CONTEXT: &str = "Authentication context";
pub(super) const NAME_ID: &str = "NameID";
pub(super) const NAME_ID_FORMAT: &str = "Format of the NameID";

/// Notes that are no check: they appear only if there is something to say.
pub(super) const CLOCK: &str = "Clocks";
pub(super) const CERTIFICATE: &str = "Certificate";
pub(super) const ATTRIBUTES: &str = "Attributes";
pub(super) const GROUPS: &str = "Groups";

/// The last part of the check of a signature.
pub(super) const CONTENT: &str = "content";

/// Whether the answer that left this trace was made for the request, the time and the service. Anybody who once
/// had an answer of the provider can bring any other again.
pub fn is_for_us(trace: &Trace) -> bool {
    let mut checks = trace.checks().iter();
    // The others come before it.
    checks.any(|check| check.name == AUDIENCE && check.outcome == CheckOutcome::Passed)
}

/// Whether a registered key signed the answer that left this trace: the whole of it, or what the connection
/// demands. Anybody can make any other answer.
pub fn is_signed(trace: &Trace) -> bool {
    let whole = format!("{RESPONSE_SIGNATURE}: {CONTENT}");
    let mut passed = trace
        .checks()
        .iter()
        .filter(|check| check.outcome == CheckOutcome::Passed);
    passed.any(|check| check.name == SIGNED_PARTS || check.name == whole)
}

/// A check that failed, before it is in the trace.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) cause: Cause,
    pub(super) expected: String,
    pub(super) received: String,
}

impl Failed {
    pub(super) fn new(cause: Cause, expected: impl Into<String>, received: impl Into<String>) -> Self {
        Self {
            cause,
            expected: expected.into(),
            received: received.into(),
        }
    }

    /// Something that must be there is not.
    pub(super) fn missing(cause: Cause, expected: impl Into<String>) -> Self {
        Self::new(cause, expected, "none")
    }
}

/// The trace of one answer.
pub(super) struct Checks<'t> {
    trace: &'t mut Trace,
}

impl<'t> Checks<'t> {
    pub(super) const fn new(trace: &'t mut Trace) -> Self {
        Self { trace }
    }

    /// Writes how a check went, with a note about what was seen.
    pub(super) fn record(
        &mut self,
        name: &str,
        outcome: Result<impl AsRef<str>, Failed>,
    ) -> Result<(), Cause> {
        match outcome {
            Ok(note) => {
                self.pass(name, note);
                Ok(())
            }
            Err(failed) => Err(self.fail(name, &failed)),
        }
    }

    pub(super) fn pass(&mut self, name: &str, note: impl AsRef<str>) {
        self.trace.pass(name, note);
    }

    /// Writes what is worth knowing although it fails nothing.
    pub(super) fn note(&mut self, name: &str, note: impl AsRef<str>) {
        self.trace.pass_over(name, note);
    }

    /// Writes a failed check; those behind it were not reached.
    pub(super) fn fail(&mut self, name: &str, failed: &Failed) -> Cause {
        self.fail_within(name, failed, (name, &[]))
    }

    /// The same for a part of a check: the name of the whole, and the parts behind.
    pub(super) fn fail_within(
        &mut self,
        name: &str,
        failed: &Failed,
        (group, parts): (&str, &[String]),
    ) -> Cause {
        self.trace.fail(name, &failed.expected, &failed.received);
        for part in parts {
            self.trace.not_reached(part);
        }
        let names = || READING.iter().chain(VALIDATION);
        let behind = names().position(|check| *check == group).map_or(0, |at| at + 1);
        for check in names().skip(behind) {
            self.trace.not_reached(*check);
        }
        failed.cause
    }

    /// Writes that the octets are no document that can be read.
    pub(super) fn fail_document(&mut self, error: &XmlError) -> Cause {
        let (check, failed) = match &error.kind {
            XmlErrorKind::Encoding => (
                ENCODING,
                Failed::new(Cause::XmlEncoding, "UTF-8", "another encoding"),
            ),
            XmlErrorKind::DocumentType => (
                DOCUMENT_TYPE,
                Failed::new(Cause::XmlDocumentType, "no document type", "<!DOCTYPE"),
            ),
            XmlErrorKind::Limit(what) => (
                SIZE,
                Failed::new(
                    Cause::XmlLimit,
                    "as many as an answer needs",
                    format!("too many or too long: {what}"),
                ),
            ),
            XmlErrorKind::Malformed(what) => (
                XML,
                Failed::new(Cause::XmlMalformed, "well-formed XML", what.as_str()),
            ),
            XmlErrorKind::DuplicateId(id) => (
                IDENTIFIERS,
                Failed::new(Cause::IdDuplicate, "each identifier once", format!("{id} twice")),
            ),
        };
        for passed in [ENCODING, DOCUMENT_TYPE, SIZE, XML]
            .into_iter()
            .take_while(|name| *name != check)
        {
            self.pass(passed, "");
        }
        self.fail(check, &failed)
    }
}

/// Writes that the checks of [`Answer::validate`](super::Answer::validate) were not reached, for a caller that
/// refused an answer before, or has kept only those that were made.
pub fn not_reached(trace: &mut Trace) {
    for check in VALIDATION {
        let is_there = trace.checks().iter().any(|known| known.name == *check);
        if !is_there {
            trace.not_reached(*check);
        }
    }
}

/// A length of time, as people say it.
pub(super) fn duration(duration: Duration) -> String {
    let secs = duration.as_secs();
    match secs {
        0 => format!("{} ms", duration.subsec_millis()),
        1..120 => format!("{secs} s"),
        120..7_200 => format!("{} min {} s", secs / 60, secs % 60),
        7_200..172_800 => format!("{} h {} min", secs / 3_600, secs / 60 % 60),
        _ => format!("{} days", secs / 86_400),
    }
}

/// A moment, and how far it is from now.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> String {
    let at_text = at.to_rfc3339();
    if at > now {
        format!("{at_text}, {} after our clock", duration(at.since(now)))
    } else {
        format!("{at_text}, {} before our clock", duration(now.since(at)))
    }
}
