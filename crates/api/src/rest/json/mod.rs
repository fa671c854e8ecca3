//! Protobuf messages as JSON, both ways, guided by their descriptors.
//!
//! prost-reflect has a mapping of its own. This one differs where an API for people
//! needs it: a mistake names its field, an unknown enum value is refused although
//! unknown fields are not, a name that occurs twice is refused, and what is written
//! is the same text every time (map keys sorted, whole numbers without `.0`).
//!
//! Source: Protocol Buffers, "ProtoJSON Format".

mod parse;
mod render;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod value;

pub(crate) use self::parse::{field, field_mask, message, refuse_second};
pub(crate) use self::render::{Defaults, Rendered};
pub(crate) use self::text::text;
pub(crate) use self::value::document;

use std::fmt;

/// What is wrong with a request, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Path of the field in the names of the contract; empty for the document as a whole.
    pub(crate) field: String,
    pub(crate) description: String,
}

impl Mistake {
    pub(crate) fn new(field: impl fmt::Display, description: impl Into<String>) -> Self {
        Self {
            field: field.to_string(),
            description: description.into(),
        }
    }
}

/// A place in a document, for [`Mistake`]s. A list on the stack: nothing is allocated
/// while all is well.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At<'a> {
    Root,
    Field(&'a At<'a>, &'a str),
    Index(&'a At<'a>, usize),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}
