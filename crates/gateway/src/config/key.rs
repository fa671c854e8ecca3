//! The description of one key of the configuration.

use super::PREFIX;
use super::setting::Form;

/// The description of a key.
#[derive(Debug)]
pub struct Key {
    /// Dotted: `database.url`.
    pub name: &'static str,
    /// Its meaning, in Markdown, one entry for each line.
    pub documentation: &'static [&'static str],
    pub form: Form,
    /// The form of its values, in words.
    pub expected: &'static str,
    pub fallback: Fallback,
    /// An example if there is no default, or words for a default that depends on other keys.
    pub example: &'static str,
    pub(super) redact: fn(&str) -> String,
}

impl Key {
    /// The environment variable that sets this key.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "_").to_ascii_uppercase())
    }
}

/// The default of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    Required,
    /// No default, or the one that the text beside it describes.
    Absent,
    Text(&'static str),
}
