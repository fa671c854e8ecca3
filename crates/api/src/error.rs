//! How a call fails: a code, a sentence, and an `ErrorInfo` that programs read.
//!
//! Source: `google.rpc.Status` (AIP-193); the codes and their HTTP statuses stand
//! in `docs/guides/management-api.md`.

use genkan_contract::scalekit::v1::errdetails::{
    ErrorInfo, ValidationErrorInfo, validation_error_info::FieldViolation,
};
use genkan_db::Outage;
use genkan_store::conflict;
use genkan_store::user_attribute::{self, MAX_ATTRIBUTES};
use prost::Message;
use tonic::metadata::AsciiMetadataValue;
use tonic::{Code, Status};

/// The type of the first detail of every error.
const ERROR_INFO: &str = "type.googleapis.com/scalekit.v1.errdetails.ErrorInfo";

/// When a call that could not be done for now may come again.
const RETRY_AFTER_SECS: &str = "2";

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller must change something; the sentence says what.
    #[error("{0}")]
    Refused(Refusal),
    #[error(transparent)]
    Store(#[from] genkan_store::Error),
}

/// A refusal, as the caller gets it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub code: Code,
    pub error_code: &'static str,
    pub message: String,
    pub violations: Vec<Violation>,
}

/// A field that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The path in the message: `organization.display_name`.
    pub field: String,
    pub description: String,
    /// The rule: `string.min_len`.
    pub constraint: String,
}

impl Error {
    fn refused(code: Code, error_code: &'static str, message: impl Into<String>) -> Self {
        Self::Refused(Refusal {
            code,
            error_code,
            message: message.into(),
            violations: Vec::new(),
        })
    }

    /// It does not exist, or belongs to another organization; the caller is not told
    /// which.
    pub fn not_found(what: &str) -> Self {
        Self::refused(Code::NotFound, "RESOURCE_NOT_FOUND", format!("{what} not found"))
    }

    /// A public identifier was presented instead of the secret. For the caller's own
    /// caller that is as if there were no token.
    pub(crate) fn identifier_is_no_token(setting: &str) -> Self {
        Self::refused(
            Code::NotFound,
            "TOKEN_IDENTIFIER_REFUSED",
            format!(
                "token not found: this is a token's identifier, which is no secret; \
                 {setting} lets identifiers count as tokens"
            ),
        )
    }

    /// A field has an invalid value: `invalid("page_token", "is not one of ours")`.
    pub fn invalid(field: &str, what: &str) -> Self {
        Self::violations(vec![Violation {
            field: field.to_owned(),
            description: what.to_owned(),
            constraint: String::new(),
        }])
    }

    /// A field is missing.
    pub fn required(field: &str) -> Self {
        Self::violations(vec![Violation {
            field: field.to_owned(),
            description: "is required".to_owned(),
            constraint: "required".to_owned(),
        }])
    }

    /// Several fields break rules. The message names each.
    pub(crate) fn violations(violations: Vec<Violation>) -> Self {
        let sentences: Vec<String> = violations
            .iter()
            .map(|violation| match violation.field.as_str() {
                "" => violation.description.clone(),
                field => format!("{field}: {}", violation.description),
            })
            .collect();
        Self::Refused(Refusal {
            code: Code::InvalidArgument,
            error_code: "INVALID_ARGUMENT",
            message: sentences.join("; "),
            violations,
        })
    }

    /// Something else must be done first; the sentence says what.
    pub fn precondition(sentence: impl Into<String>) -> Self {
        Self::refused(Code::FailedPrecondition, "FAILED_PRECONDITION", sentence)
    }

    pub fn already_exists(sentence: impl Into<String>) -> Self {
        Self::refused(Code::AlreadyExists, "ALREADY_EXISTS", sentence)
    }

    /// Somebody else changed it meanwhile.
    pub fn aborted(sentence: impl Into<String>) -> Self {
        Self::refused(Code::Aborted, "ABORTED", sentence)
    }

    pub fn permission_denied(sentence: impl Into<String>) -> Self {
        Self::refused(Code::PermissionDenied, "PERMISSION_DENIED", sentence)
    }

    /// Too often, or too many.
    pub fn exhausted(sentence: impl Into<String>) -> Self {
        Self::refused(Code::ResourceExhausted, "RATE_LIMITED", sentence)
    }

    pub(crate) fn too_large(sentence: impl Into<String>) -> Self {
        Self::refused(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", sentence)
    }

    pub fn unimplemented(sentence: impl Into<String>) -> Self {
        Self::refused(Code::Unimplemented, "UNIMPLEMENTED", sentence)
    }

    pub(crate) fn unauthenticated(sentence: impl Into<String>) -> Self {
        Self::refused(Code::Unauthenticated, "UNAUTHENTICATED", sentence)
    }

    pub(crate) fn unavailable() -> Self {
        Self::refused(Code::Unavailable, "UNAVAILABLE", "try again in a moment")
    }

    /// Whether the failed call may have been committed all the same.
    pub(crate) fn may_be_done(&self) -> bool {
        matches!(
            self,
            Self::Store(genkan_store::Error::Database(error)) if error.outage() == Some(Outage::Unknown)
        )
    }

    /// Not one of the codes after which clients send a call again by themselves: it would happen twice.
    fn unknown_outcome() -> Self {
        Self::refused(
            Code::DeadlineExceeded,
            "OUTCOME_UNKNOWN",
            "the database did not confirm it in time: look whether it was done before you do it again",
        )
    }
}

impl From<genkan_db::Error> for Error {
    fn from(error: genkan_db::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The refusal of a value that another row already has.
fn taken(conflict: &'static str) -> Error {
    Error::already_exists(match conflict {
        conflict::ORGANIZATION_EXTERNAL_ID => {
            "external_id: an organization with this external id already exists"
        }
        conflict::ORGANIZATION_SLUG => "slug: an organization with this slug already exists",
        conflict::DOMAIN => "domain: this domain already exists for an organization",
        conflict::USER_EMAIL => "email: a user with this e-mail address already exists",
        conflict::USER_EXTERNAL_ID => "external_id: a user with this external id already exists",
        conflict::USER_ATTRIBUTE => {
            "key: an attribute with this key already exists, perhaps with other large and small letters"
        }
        conflict::USER_ATTRIBUTES => {
            return Error::precondition(format!(
                "there are {MAX_ATTRIBUTES} attributes already, the most allowed: delete one first"
            ));
        }
        conflict::CONNECTION_ATTRIBUTE => {
            return Error::invalid(
                "connection.attribute_mapping",
                &format!(
                    "names an attribute that is neither ours ({}) nor registered: after `custom.` stands the key of \
                     one of GET /api/v1/sso-user-attributes",
                    user_attribute::OWN.join(", ")
                ),
            );
        }
        conflict::MEMBERSHIP => "the user already is a member of this organization",
        conflict::ORGANIZATION_FULL => {
            return Error::precondition(
                "max_allowed_users: the organization has as many users as it may have",
            );
        }
        conflict::INVITATION_ADDRESS => {
            return Error::precondition("the user has another address than the invitation was sent to");
        }
        other => return Error::precondition(format!("{other}: already exists")),
    })
}

fn of_outage(outage: Option<Outage>) -> Error {
    match outage {
        Some(Outage::Passing) => Error::unavailable(),
        Some(Outage::Unknown) => Error::unknown_outcome(),
        None => Error::refused(
            Code::Internal,
            "INTERNAL",
            "something failed inside Genkan; its log says what",
        ),
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let refused = match error {
            Error::Refused(refusal) => return refusal,
            Error::Store(genkan_store::Error::Conflict(conflict)) => taken(conflict),
            Error::Store(genkan_store::Error::Invalid(mistake)) => {
                Error::invalid(mistake.field, &mistake.fault.to_string())
            }
            Error::Store(genkan_store::Error::Stale) => {
                Error::aborted("it was changed or deleted meanwhile: read it again and decide again")
            }
            Error::Store(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a management call failed"
                );
                match &error {
                    genkan_store::Error::Database(database) => of_outage(database.outage()),
                    _ => of_outage(None),
                }
            }
        };
        match refused {
            Error::Refused(refusal) => refusal,
            Error::Store(_) => unreachable!("the arms above make refusals"),
        }
    }
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// An error that leaves Genkan.
pub fn refusal(error: Error) -> Status {
    let refusal = Refusal::from(error);
    let violations: Vec<FieldViolation> = refusal
        .violations
        .into_iter()
        .map(|violation| FieldViolation {
            field: violation.field,
            description: violation.description,
            constraint: violation.constraint,
        })
        .collect();
    let info = ErrorInfo {
        error_code: refusal.error_code.to_owned(),
        validation_error_info: (!violations.is_empty()).then_some(ValidationErrorInfo {
            field_violations: violations,
        }),
        ..ErrorInfo::default()
    };
    // Clients compare code and message with those of the trailers.
    let details = RpcStatus {
        code: refusal.code.into(),
        message: refusal.message.clone(),
        details: vec![prost_types::Any {
            type_url: ERROR_INFO.to_owned(),
            value: info.encode_to_vec(),
        }],
    };
    let mut status = Status::with_details(refusal.code, refusal.message, details.encode_to_vec().into());
    if refusal.code == Code::Unavailable {
        let seconds = AsciiMetadataValue::from_static(RETRY_AFTER_SECS);
        status.metadata_mut().insert("retry-after", seconds);
    }
    status
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        refusal(error)
    }
}
