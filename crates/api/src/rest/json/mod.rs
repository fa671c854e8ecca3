//! Protobuf messages as JSON, both ways, guided by their descriptors.
//!
//! prost-reflect has a mapping of its own. This one differs for an API that people use:
//! a mistake names its field; an unknown enum value is refused, although unknown fields
//! are not; a duplicate name is refused; and the text is always the same (map keys
//! sorted, whole numbers without `.0`).
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

/// A mistake in a request, and its place.
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

/// A place in a document, for [`Mistake`]s. It is a list on the stack, so a correct
/// document allocates nothing for it.
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
