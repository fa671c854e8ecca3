//! Claims whose form on the wire is not that of their type.
//!
//! Source: RFC 7519 §4.1.3, RFC 8693 §4.2 (`scope`); Scalekit's SDKs (`scopes`).

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::oauth::Scope;

/// A scope in its two spellings, `scope` and `scopes`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeClaims(pub Scope);

impl From<Scope> for ScopeClaims {
    fn from(scope: Scope) -> Self {
        Self(scope)
    }
}

impl Serialize for ScopeClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("scope", &self.0)?;
        map.serialize_entry("scopes", self.0.as_slice())?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for ScopeClaims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Both {
            scope: Scope,
            scopes: Vec<String>,
        }
        let both = Both::deserialize(deserializer)?;
        if both.scope.as_slice() != both.scopes {
            return Err(D::Error::custom("scope and scopes differ"));
        }
        Ok(Self(both.scope))
    }
}

/// RFC 7519 §4.1.3: one audience may be written as a string.
pub(super) fn audience<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Audience::deserialize(deserializer)? {
        Audience::One(audience) => vec![audience],
        Audience::Many(audiences) => audiences,
    })
}
