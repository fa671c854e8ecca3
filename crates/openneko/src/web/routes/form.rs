//! What a form sent.

use crate::web::query::Query;

/// Its fields; none, if they cannot be read in one way.
pub(super) struct Form(Query);

impl Form {
    pub(super) fn parse(body: &[u8]) -> Self {
        let body = std::str::from_utf8(body).ok();
        Self(body.and_then(|body| Query::parse(Some(body))).unwrap_or_default())
    }

    /// A field that says something.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }
}
