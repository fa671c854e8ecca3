//! Newtypes of checked text: one macro, one error.

/// A text that breaks the rule of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} is not valid: {rule}")]
pub struct Invalid {
    what: &'static str,
    /// The text, cut short: it may come from a stranger.
    text: String,
    rule: &'static str,
}

impl Invalid {
    pub(crate) fn new(what: &'static str, text: &str, rule: &'static str) -> Self {
        Self {
            what,
            text: text.chars().take(80).collect(),
            rule,
        }
    }
}

/// Implements the common parts of every checked text. The type has one field
/// that holds the text, and `fn check(&str) -> Result<(), Invalid>`.
macro_rules! checked_text {
    ($name:ident) => {
        impl $name {
            /// Checks the form of `text`.
            ///
            /// # Errors
            ///
            /// [`Invalid`](crate::Invalid), with the rule that `text` breaks.
            pub fn parse(text: &str) -> Result<Self, crate::Invalid> {
                Self::check(text)?;
                Ok(Self(text.to_owned()))
            }

            /// The text as it was read.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        crate::text::text_impls!($name);
    };
}

/// The implementations that need only `parse` and `as_str`.
macro_rules! text_impls {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use {checked_text, text_impls};
