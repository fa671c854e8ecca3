//! Parameters of an address, none of them twice.

use std::collections::BTreeMap;

use url::form_urlencoded;

/// Longest query that is read.
const MAX_BYTES: usize = 16 << 10;

/// Parameters by name.
#[derive(Debug, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads a query. `None` if it is too long or names a parameter twice: two
    /// readers could take different ones (RFC 6749 §3.1).
    pub(crate) fn parse(query: Option<&str>) -> Option<Self> {
        let query = query.unwrap_or_default();
        if query.len() > MAX_BYTES {
            return None;
        }
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if parameters.insert(name.into_owned(), value.into_owned()).is_some() {
                return None;
            }
        }
        Some(Self(parameters))
    }

    /// A parameter with a value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_comes_twice_spoils_the_query() {
        let query = Query::parse(Some("code=a&state=b%20c&empty=")).unwrap();
        assert_eq!(query.get("state"), Some("b c"));
        assert_eq!(query.get("empty"), None);
        assert!(Query::parse(Some("code=a&code=b")).is_none());
        assert!(Query::parse(Some("code=a&c%6fde=a")).is_none());
        assert!(Query::parse(Some(&"x".repeat(20_000))).is_none());
        assert!(Query::parse(None).is_some());
    }
}
