//! Names for people, on the command line.

use genkan_protocol::name;

use super::Failure;

/// A name for people.
pub(super) fn non_empty(option: &str, text: &str) -> Result<String, Failure> {
    match text.trim() {
        "" => Err(Failure::usage(format!("{option} is empty."))),
        text if text.chars().count() > 200 => {
            Err(Failure::usage(format!("{option} is longer than 200 characters.")))
        }
        text if !name::is_plain(text) => Err(Failure::usage(format!(
            "{option} holds control characters or marks that turn text around."
        ))),
        text => Ok(text.to_owned()),
    }
}
