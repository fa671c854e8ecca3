//! Values that cannot be stored, and why. These rules of the domain hold for every caller.
//!
//! The functions that write users, organizations, roles and memberships check them, so no caller can skip
//! the rules. The contract states most of them, too, and its check names the broken rule first. A value
//! from before a rule stays until it is changed.

use std::fmt;

use genkan_protocol::name;
use serde_json::{Map, Value};

/// The most pairs of metadata. Their names and values have limits, too. The contract allows fewer, but
/// other callers may have stored more.
const MAX_PAIRS: usize = 100;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 2_048;

/// A value that cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} {fault}")]
pub struct Mistake {
    /// The field, by its name in the contract: `organization.display_name`.
    pub field: &'static str,
    pub fault: Fault,
}

/// What is wrong with a value. As text it comes after the name of the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Empty,
    TooLong {
        /// In characters.
        most: usize,
    },
    /// See [`name::is_plain`].
    NotPlain,
    /// It does not have the form that is described.
    NotOfForm(&'static str),
    TooManyPairs,
    PairTooLong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::TooLong { most } => write!(f, "has more than {most} characters"),
            Self::NotPlain => f.write_str("holds control characters or marks that turn text around"),
            Self::NotOfForm(form) => write!(f, "is no {form}"),
            Self::TooManyPairs => write!(f, "has more than {MAX_PAIRS} pairs"),
            Self::PairTooLong => write!(
                f,
                "has a name of more than {MAX_KEY} characters or a value of more than {MAX_VALUE}"
            ),
        }
    }
}

impl Fault {
    pub(crate) fn of(self, field: &'static str) -> Mistake {
        Mistake { field, fault: self }
    }
}

/// Whether `text` is one for people to read, with at most `most` characters.
pub(crate) fn text(text: &str, most: usize) -> Result<(), Fault> {
    if text.chars().count() > most {
        Err(Fault::TooLong { most })
    } else if name::is_plain(text) {
        Ok(())
    } else {
        Err(Fault::NotPlain)
    }
}

/// Whether `text` is a name, with at most `most` characters.
pub(crate) fn title(title: &str, most: usize) -> Result<(), Fault> {
    if title.trim().is_empty() {
        return Err(Fault::Empty);
    }
    text(title, most)
}

/// Whether the metadata are few and short enough.
pub(crate) fn pairs(map: &Map<String, Value>) -> Result<(), Fault> {
    if map.len() > MAX_PAIRS {
        return Err(Fault::TooManyPairs);
    }
    let is_long = |value: &Value| match value.as_str() {
        Some(text) => text.chars().count() > MAX_VALUE,
        None => value.to_string().chars().count() > MAX_VALUE,
    };
    if map
        .iter()
        .any(|(key, value)| key.chars().count() > MAX_KEY || is_long(value))
    {
        return Err(Fault::PairTooLong);
    }
    Ok(())
}
