//! Scopes: what a token allows.
//!
//! Source: RFC 6749 §3.3.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most scopes in one request.
const MAX_SCOPES: usize = 64;

/// A set of scopes in the order in which they were asked for.
///
/// ```
/// use genkan_protocol::oauth::Scope;
///
/// let scope = Scope::parse("openid email openid").unwrap();
/// assert_eq!(scope.to_string(), "openid email");
/// assert!(scope.contains("email"));
/// assert!(scope.is_subset(&Scope::parse("profile email openid").unwrap()));
/// assert!(Scope::parse("open\"id").is_err());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(Vec<String>);

/// Why a scope is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// A character that no scope has.
    #[error("a scope is printable ASCII without quotation marks and backslashes")]
    Character,
    /// More than 64 scopes.
    #[error("there are more than 64 scopes")]
    TooMany,
}

impl Scope {
    /// No scope at all.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Parses scopes separated by spaces. Repeated ones count once, and an extra space
    /// is accepted, because it cannot change the set.
    ///
    /// # Errors
    ///
    /// A [`ScopeError`] by RFC 6749 §3.3.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let mut scopes: Vec<String> = Vec::new();
        for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
            // RFC 6749 §3.3: %x21 / %x23-5B / %x5D-7E.
            if !scope
                .bytes()
                .all(|c| matches!(c, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
            {
                return Err(ScopeError::Character);
            }
            if scopes.iter().any(|known| known == scope) {
                continue;
            }
            if scopes.len() == MAX_SCOPES {
                return Err(ScopeError::TooMany);
            }
            scopes.push(scope.to_owned());
        }
        Ok(Self(scopes))
    }

    /// Whether the scope is in the set. Scopes are case-sensitive (RFC 6749 §3.3).
    pub fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|known| known == scope)
    }

    /// Whether every scope of this set is in the other.
    pub fn is_subset(&self, of: &Self) -> bool {
        self.0.iter().all(|scope| of.contains(scope))
    }

    /// The scopes of this set for which `keep` holds, in their order.
    #[must_use]
    pub fn filter(mut self, keep: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|scope| keep(scope));
        self
    }

    /// The scopes in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The scopes as the array that the claim `scopes` holds.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// How many scopes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        Self::parse(&text)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_scope_has_is_refused() {
        for text in ["a\"b", "a\\b", "é", "a\tb", "a\nb", "a\u{7f}", "a\u{a0}b"] {
            assert_eq!(Scope::parse(text), Err(ScopeError::Character), "{text:?}");
        }
        let many = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join(" ");
        assert!(Scope::parse(&many(64)).is_ok());
        assert_eq!(Scope::parse(&many(65)), Err(ScopeError::TooMany));
    }

    #[test]
    fn a_narrower_scope_is_a_subset_and_a_wider_one_is_not() {
        let granted = Scope::parse("openid email offline_access").unwrap();
        assert!(Scope::parse("email openid").unwrap().is_subset(&granted));
        assert!(Scope::default().is_subset(&granted));
        assert!(!Scope::parse("openid profile").unwrap().is_subset(&granted));
        assert!(!Scope::parse("OpenID").unwrap().is_subset(&granted));
    }

    #[test]
    fn a_scope_is_stored_as_its_text() {
        let scope = Scope::parse("openid email").unwrap();
        assert_eq!(serde_json::to_string(&scope).unwrap(), r#""openid email""#);
        assert_eq!(serde_json::from_str::<Scope>(r#""openid email""#).unwrap(), scope);
        assert!(serde_json::from_str::<Scope>(r#""open\"id""#).is_err());
        assert_eq!(serde_json::from_str::<Scope>(r#""""#).unwrap(), Scope::default());
    }
}
