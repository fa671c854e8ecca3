//! How a store function fails. Absence is not a failure: it is an `Option`.

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name is taken, or a limit is reached: one of the constants in [`conflict`].
    #[error("conflict: {0}")]
    Conflict(&'static str),
    /// What should be changed is gone, or was changed meanwhile: read again and decide again.
    #[error("the row changed meanwhile")]
    Stale,
    /// A column holds what this version cannot read; names the column, never the value.
    #[error("column {0} holds what this version cannot read")]
    Corrupt(&'static str),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] genkan_db::Error),
}

/// What [`Error::Conflict`] can name.
pub mod conflict {
    /// The environment exists already: an instance has one.
    pub const ENVIRONMENT: &str = "environment";
    /// A confidential client has two active secrets already.
    pub const CLIENT_SECRETS: &str = "client_secrets";
    /// A public client cannot keep a secret (RFC 6749 §2.1).
    pub const PUBLIC_CLIENT: &str = "public_client";
    /// Another organization has this external id.
    pub const ORGANIZATION_EXTERNAL_ID: &str = "organizations.external_id";
    /// An organization routes this domain already.
    pub const DOMAIN: &str = "domains.domain";
    /// Another user has this e-mail address.
    pub const USER_EMAIL: &str = "users.email";
    /// Another user has this external id.
    pub const USER_EXTERNAL_ID: &str = "users.external_id";
    /// The user is a member of this organization already.
    pub const MEMBERSHIP: &str = "memberships";
}
