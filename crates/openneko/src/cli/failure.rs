//! Why a command failed, and the exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use super::printable::printable;

/// A command's failure, in words for the person who ran it.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    message: String,
    kind: FailureKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailureKind {
    Failed,
    Usage,
    /// The person who was asked pressed Ctrl-C.
    Interrupted,
    /// The reader of the output went away, as `head` does. Nothing is wrong.
    NobodyListens,
}

impl Failure {
    /// Exit code 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            kind: FailureKind::Failed,
        }
    }

    /// The command was used wrongly: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Usage,
            ..Self::new(message)
        }
    }

    /// Exit code 130, as after the signal.
    pub(super) fn interrupted() -> Self {
        Self {
            kind: FailureKind::Interrupted,
            ..Self::new("")
        }
    }

    /// Adds the action that failed.
    #[must_use]
    pub fn within(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Prints it to standard error and gives the exit code.
    pub(super) fn report(&self) -> ExitCode {
        if !self.message.is_empty() && self.kind != FailureKind::NobodyListens {
            // Messages quote files and servers, line by line.
            let lines: Vec<_> = self.message.lines().map(printable).collect();
            // Printing fails only if nobody listens.
            let _ = writeln!(io::stderr(), "error: {}", lines.join("\n"));
        }
        ExitCode::from(match self.kind {
            FailureKind::NobodyListens => 0,
            FailureKind::Failed => 1,
            FailureKind::Usage => 2,
            FailureKind::Interrupted => 130,
        })
    }
}

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

/// Errors whose message says all there is to say.
macro_rules! failures {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(error.to_string())
            }
        })*
    };
}

failures!(
    crate::http::Error,
    crate::manifest::Error,
    crate::marketplace::Error,
    crate::package::Error,
    crate::paths::NoCurrentDirectory,
    crate::policy::Error,
    crate::registry::Error,
    crate::secrets::Error,
    openneko_plugin::marketplace::SelectError,
    serde_json::Error,
);
