//! One key of the configuration, as data.

use super::PREFIX;
use super::setting::Form;

/// What is said of a key.
#[derive(Debug)]
pub struct Key {
    /// Dotted: `database.url`.
    pub name: &'static str,
    /// What it means, in Markdown, a line each.
    pub documentation: &'static [&'static str],
    pub form: Form,
    /// What to write, in words.
    pub expected: &'static str,
    pub fallback: Fallback,
    /// An example where there is no default, or words for a default that depends on others.
    pub example: &'static str,
    pub(super) redact: fn(&str) -> String,
}

impl Key {
    /// The environment variable that sets this key.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "_").to_ascii_uppercase())
    }
}

/// What a key has when nobody writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    Required,
    /// Nothing, or what the text beside it says.
    Absent,
    Text(&'static str),
}
