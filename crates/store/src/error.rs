//! Errors of the store. Absence is not an error, but an `Option`.

use crate::mistake::Mistake;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name is taken, or a limit is reached: one of the constants in [`conflict`].
    #[error("conflict: {0}")]
    Conflict(&'static str),
    /// A value breaks a rule of the domain.
    #[error(transparent)]
    Invalid(#[from] Mistake),
    /// The row is gone, or was changed meanwhile. Read it again and decide again.
    #[error("the row changed meanwhile")]
    Stale,
    /// A column holds a value that this version cannot read. Names the column, never the value.
    #[error("column {0} holds what this version cannot read")]
    Corrupt(&'static str),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] genkan_db::Error),
}

/// The names in [`Error::Conflict`].
pub mod conflict {
    /// The environment exists already: an instance has one.
    pub const ENVIRONMENT: &str = "environment";
    /// A confidential client has its maximum of secrets already.
    pub const CLIENT_SECRETS: &str = "client_secrets";
    /// A client that acts for itself needs at least one secret.
    pub const LAST_CLIENT_SECRET: &str = "client_secrets.last";
    /// The environment's first client cannot be deleted.
    pub const DEFAULT_CLIENT: &str = "clients.default";
    /// A public client cannot keep a secret (RFC 6749 §2.1).
    pub const PUBLIC_CLIENT: &str = "public_client";
    /// Another organization has this external id.
    pub const ORGANIZATION_EXTERNAL_ID: &str = "organizations.external_id";
    /// Another organization has this slug.
    pub const ORGANIZATION_SLUG: &str = "organizations.slug";
    /// A value of a connection is invalid.
    pub const CONNECTION_INVALID: &str = "connections.settings";
    /// An enabled connection would lack a value that a sign-in needs.
    pub const CONNECTION_INCOMPLETE: &str = "connections.enabled";
    /// A connection maps a custom attribute that is not registered.
    pub const CONNECTION_ATTRIBUTE: &str = "connections.attribute_mapping";
    /// A connection names a key of ours that it does not have, or that has left its metadata.
    pub const CONNECTION_CERTIFICATE: &str = "connections.certificate_id";
    /// A connection sends people on to an address that no application has registered for that.
    pub const CONNECTION_REDIRECT: &str = "connections.default_redirect_uri";
    /// A connection calls us as another connection does.
    pub const CONNECTION_ENTITY_ID: &str = "connections.sp_entity_id";
    /// A connection has answers posted where another connection does.
    pub const CONNECTION_ASSERTION_URL: &str = "connections.sp_assertion_url";
    /// An enabled directory must be disabled before it is deleted.
    pub const DIRECTORY_ENABLED: &str = "directories.enabled";
    /// Another person of the directory has this user name.
    pub const DIRECTORY_USER_NAME: &str = "directory_users.user_name";
    /// A directory has two active secrets already.
    pub const DIRECTORY_SECRETS: &str = "directory_secrets";
    /// An organization routes this domain already.
    pub const DOMAIN: &str = "domains.domain";
    /// Another user has this e-mail address.
    pub const USER_EMAIL: &str = "users.email";
    /// Another user has this external id.
    pub const USER_EXTERNAL_ID: &str = "users.external_id";
    /// A custom attribute of this key is registered already.
    pub const USER_ATTRIBUTE: &str = "user_attributes.key";
    /// There are [`crate::user_attribute::MAX_ATTRIBUTES`] custom attributes already.
    pub const USER_ATTRIBUTES: &str = "user_attributes";
    /// The user is a member of this organization already.
    pub const MEMBERSHIP: &str = "memberships";
    /// The invited user has another address now than the invitation.
    pub const INVITATION_ADDRESS: &str = "invitations.email";
    /// A role of this name exists already, of the organization or of the environment.
    pub const ROLE_NAME: &str = "roles.name";
    /// The role would extend itself, through other roles.
    pub const ROLE_CYCLE: &str = "roles.extends_id";
    /// The chain of roles that extend each other would be longer than [`crate::role::MAX_DEPTH`].
    pub const ROLE_DEPTH: &str = "roles.depth";
    /// A role can extend only roles of its own organization and of the environment.
    pub const ROLE_BASE: &str = "roles.base";
    /// Members have the role, and no replacement was named.
    pub const ROLE_ASSIGNED: &str = "membership_roles.role_id";
    /// Other roles extend the role.
    pub const ROLE_EXTENDED: &str = "roles.dependents";
    /// Groups of a directory give the role, and no replacement was named.
    pub const ROLE_OF_GROUP: &str = "directory_group_roles.role_id";
    /// New members get the role, and no replacement was named.
    pub const ROLE_DEFAULT: &str = "roles.default";
    /// There are [`crate::role::MAX_ROLES`] roles already.
    pub const ROLES: &str = "roles";
    /// A permission of this name exists.
    pub const PERMISSION_NAME: &str = "permissions.name";
    /// There are [`crate::permission::MAX_PERMISSIONS`] permissions already.
    pub const PERMISSIONS: &str = "permissions";
    /// The browser has an active session already.
    pub const SESSION_OF_BROWSER: &str = "sessions.browser_hash";
    /// The organization has its maximum of members and open invitations already.
    pub const ORGANIZATION_FULL: &str = "organizations.max_allowed_users";
    /// The authenticator is registered already.
    pub const CREDENTIAL: &str = "webauthn_credentials.credential_id";
}
