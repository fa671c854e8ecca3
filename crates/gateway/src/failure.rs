//! Why a command failed, what to do next, and the exit code.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use genkan_store::mistake::{Fault, Mistake};

use crate::config::{InstanceKeyFileError, Mistakes};

/// A command's failure, in words for the person who ran it.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    message: String,
    remedy: Option<String>,
    kind: FailureKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailureKind {
    Failed,
    Usage,
    NotFound,
    /// The reader of the output went away, as `head` does: nothing is wrong.
    NobodyListens,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            remedy: None,
            kind: FailureKind::Failed,
        }
    }

    /// The command was used wrongly.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Usage,
            ..Self::new(message)
        }
    }

    /// The command names something that does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::NotFound,
            ..Self::new(message)
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Prints it to standard error and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if self.kind != FailureKind::NobodyListens {
            // Printing fails only if standard error is closed.
            let _ = writeln!(io::stderr(), "{self}");
        }
        ExitCode::from(match self.kind {
            FailureKind::NobodyListens => 0,
            FailureKind::Failed => 1,
            FailureKind::Usage => 2,
            FailureKind::NotFound => 3,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n  {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let kind = if error.kind() == io::ErrorKind::BrokenPipe {
            FailureKind::NobodyListens
        } else {
            FailureKind::Failed
        };
        Self {
            kind,
            ..Self::new(error.to_string())
        }
    }
}

impl From<Mistakes> for Failure {
    fn from(mistakes: Mistakes) -> Self {
        let count = match mistakes.0.len() {
            1 => "a mistake".to_owned(),
            count => format!("{count} mistakes"),
        };
        Self::new(format!("The configuration has {count}.\n\n{mistakes}"))
    }
}

impl From<InstanceKeyFileError> for Failure {
    fn from(error: InstanceKeyFileError) -> Self {
        Self::new(error.to_string()).remedy(error.remedy())
    }
}

impl From<genkan_db::Error> for Failure {
    fn from(error: genkan_db::Error) -> Self {
        genkan_store::Error::from(error).into()
    }
}

impl Failure {
    /// A conflict of roles or permissions, in words.
    fn of_role(name: &str) -> Option<Self> {
        use genkan_store::{conflict, permission, role};

        Some(match name {
            conflict::ROLE_NAME => Self::new("A role of this name exists.").remedy(
                "An organization has no role of a name that the environment uses, nor the other way round.",
            ),
            conflict::ROLE_CYCLE => Self::new("The role would extend itself."),
            conflict::ROLE_DEPTH => Self::new(format!(
                "A chain of roles that extend each other has at most {}.",
                role::MAX_DEPTH
            )),
            conflict::ROLE_BASE => {
                Self::new("The other role is not one that all who have this role could have.")
            }
            conflict::ROLE_ASSIGNED => Self::new("People have the role.")
                .remedy("Name the role that they get in its place: --reassign ROLE"),
            conflict::ROLE_OF_GROUP => Self::new("Groups of a directory give the role.")
                .remedy("Name the role that they give in its place: --reassign ROLE"),
            conflict::ROLE_DEFAULT => Self::new("New members get the role.")
                .remedy("Name the role that they get in its place: --reassign ROLE"),
            conflict::ROLE_EXTENDED => Self::new("Other roles extend the role.")
                .remedy("Let them extend another one or none first: genkan role update … --extends \"\""),
            conflict::ROLES => Self::new(format!("There are {} roles already.", role::MAX_ROLES)),
            conflict::PERMISSION_NAME => Self::new("A permission of this name exists."),
            conflict::PERMISSIONS => Self::new(format!(
                "There are {} permissions already.",
                permission::MAX_PERMISSIONS
            )),
            _ => return None,
        })
    }
}

impl From<genkan_store::Error> for Failure {
    fn from(error: genkan_store::Error) -> Self {
        use genkan_store::user_attribute::MAX_ATTRIBUTES;
        use genkan_store::{Error, conflict};

        match error {
            Error::Conflict(conflict::CLIENT_SECRETS) => {
                Self::new("The client has as many secrets as it may have.")
                    .remedy("Delete the one that nothing uses any more: genkan app secret delete")
            }
            Error::Conflict(conflict::LAST_CLIENT_SECRET) => {
                Self::new("It is the only secret: without one the client could do nothing.")
                    .remedy("Add another one first, or delete the client.")
            }
            Error::Conflict(conflict::PUBLIC_CLIENT) => {
                Self::new("A public application has no secret: it could not keep it.")
                    .remedy("Single-page and native applications use PKCE.")
            }
            Error::Conflict(conflict::ORGANIZATION_EXTERNAL_ID) => {
                Self::new("Another organization has this external id.")
            }
            Error::Conflict(conflict::ORGANIZATION_SLUG) => Self::new("Another organization has this slug."),
            Error::Conflict(conflict::DOMAIN) => Self::new("An organization has this domain already."),
            Error::Conflict(conflict::USER_EMAIL) => Self::new("Another user has this e-mail address."),
            Error::Conflict(conflict::USER_EXTERNAL_ID) => Self::new("Another user has this external id."),
            Error::Conflict(conflict::USER_ATTRIBUTE) => {
                Self::new("An attribute with this key is registered already.")
                    .remedy("`genkan attribute update` changes it.")
            }
            Error::Conflict(conflict::USER_ATTRIBUTES) => Self::new(format!(
                "There are {MAX_ATTRIBUTES} attributes already, because tokens contain them all."
            ))
            .remedy("Delete one that no application reads: `genkan attribute delete`."),
            Error::Conflict(conflict::CONNECTION_ATTRIBUTE) => {
                Self::usage("--attribute names an attribute that is neither Genkan's own nor registered.").remedy(
                    "After custom. stands the key of an attribute: `genkan attribute list` shows them, and `genkan \
                     attribute create` registers another one.",
                )
            }
            Error::Conflict(conflict::CONNECTION_REDIRECT) => Self::usage(
                "--saml-default-redirect-uri is the initiate-login address of no application.",
            )
            .remedy("Register it first: `genkan app update APP --initiate-login-uri URL`."),
            Error::Conflict(conflict::CONNECTION_ENTITY_ID) => Self::usage(
                "--saml-sp-entity-id is that of another connection: its assertions would count for both.",
            )
            .remedy("`genkan connection show CONNECTION` prints ours for each connection."),
            Error::Conflict(conflict::CONNECTION_ASSERTION_URL) => Self::usage(
                "--saml-sp-assertion-url is that of another connection: its assertions would count for both.",
            )
            .remedy("`genkan connection show CONNECTION` prints ours for each connection."),
            Error::Conflict(conflict::MEMBERSHIP) => Self::new("The user is a member already."),
            Error::Conflict(conflict::ORGANIZATION_FULL) => {
                Self::new("The organization has as many users as it may have.")
            }
            Error::Conflict(conflict::INVITATION_ADDRESS) => {
                Self::new("The person has another address than was invited.")
            }
            Error::Conflict(name) if let Some(failure) = Self::of_role(name) => failure,
            Error::Invalid(mistake) => Self::usage(format!(
                "--{} {}.",
                field_of(&mistake).replace('_', "-"),
                fault_of(&mistake)
            )),
            Error::Stale => Self::new("Something that this command needs was changed or deleted meanwhile.")
                .remedy("Look again, and repeat the command."),
            error => database_failed(error),
        }
    }
}

/// The name of a mistake's field in commands and imported files.
pub(crate) fn field_of(mistake: &Mistake) -> &'static str {
    match mistake.field {
        "organization.display_name" => "name",
        "user_attribute.sso_addition_info.default_oidc_mapping" => "oidc_claim",
        "user_attribute.sso_addition_info.default_saml_mapping" => "saml_attribute",
        field => field.rsplit('.').next().unwrap_or(field),
    }
}

/// The reason of a mistake, which follows the name of the field.
pub(crate) fn fault_of(mistake: &Mistake) -> String {
    match mistake.fault {
        Fault::TooLong { most } => format!("is longer than {most} characters"),
        fault => fault.to_string(),
    }
}

/// A failure of the store, in words.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands over the error")]
pub fn database_failed(error: genkan_store::Error) -> Failure {
    Failure::new(format!("The database failed: {}", chain(&error))).remedy("`genkan doctor` looks closer.")
}

/// An error with its causes, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
