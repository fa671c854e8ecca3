//! Names that people will read, on the command line.

use genkan_protocol::name;

use super::Failure;

/// What a name must not hold.
pub(super) fn not_plain(option: &str) -> Failure {
    Failure::usage(format!(
        "{option} holds control characters or marks that turn text around."
    ))
}

/// A name that people will read.
pub(super) fn non_empty(option: &str, text: &str) -> Result<String, Failure> {
    match text.trim() {
        "" => Err(Failure::usage(format!("{option} is empty."))),
        text if text.chars().count() > 200 => {
            Err(Failure::usage(format!("{option} is longer than 200 characters.")))
        }
        text if !name::is_plain(text) => Err(not_plain(option)),
        text => Ok(text.to_owned()),
    }
}
