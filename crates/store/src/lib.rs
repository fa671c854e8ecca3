//! The domain of Genkan with its SQL: one file per aggregate.
//!
//! Functions take `&mut Tx<'_>`, so a handler decides what one transaction contains. An event is written in
//! the transaction of the change that it reports. If a refusal changed something (a replayed code), it is
//! an `Ok` value, because it must be committed. After an [`Error`] the transaction must be rolled back.

pub mod admission;
pub mod anonymous_slice;
mod any_of;
pub mod api_token;
pub mod auth_log;
pub mod authorization_code;
pub mod back_channel_logout;
pub mod batch;
pub mod client;
pub mod connection;
pub mod connection_test;
pub mod directory;
pub mod domain;
pub mod environment;
mod error;
pub mod event;
pub mod familiar;
pub mod grant;
pub mod id;
pub mod identity;
pub mod interaction;
pub mod invitation;
pub mod janitor;
pub mod login_message;
pub mod login_trace;
pub mod mail;
pub mod member;
pub mod membership;
pub mod mistake;
pub mod node;
pub mod organization;
pub mod outbox;
pub mod page;
pub mod parked_answer;
pub mod passwordless;
pub mod permission;
pub mod portal_link;
pub mod proof;
mod provider;
pub mod refresh_token;
pub mod resource;
pub mod revoked_access_token;
pub mod role;
mod row;
pub mod saml_assertion;
pub mod seal;
pub mod search;
pub mod search_backlog;
pub mod secret;
pub mod session;
pub mod session_policy;
pub mod signing_key;
mod stamp;
pub mod subject;
pub mod upstream_request;
pub mod user;
pub mod user_attribute;
pub mod webauthn;

use genkan_db::{Db, Migration, Schema};

pub use error::{Error, conflict};
pub use genkan_protocol::Timestamp;
pub use id::{
    ApiTokenId, BackChannelLogoutId, CertificateId, ClientId, ConnectionId, ConnectionTestId, CredentialId,
    DirectoryGroupId, DirectoryId, DirectorySecretId, DirectoryUserId, DomainId, EnvironmentId, EventId,
    Generator, GrantId, InteractionId, KeyId, MailId, NodeId, OrganizationId, ParseIdError, PermissionId,
    PortalLinkId, RelinkPermissionId, ResourceId, RoleId, SecretId, SessionId, TokenId, TraceId, UserId,
};
pub use page::{MAX_LIMIT, Page};
pub use proof::Proof;
pub use provider::Provider;
pub use seal::InstanceKey;
pub use secret::{Secret, SecretHash};
pub use stamp::{Actor, Stamp};

macro_rules! migration {
    ($version:literal, $name:literal, $file:literal) => {
        Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../migrations/", $file)),
        }
    };
}

/// The schema, step by step. A released step never changes.
pub const MIGRATIONS: &[Migration] = &[
    migration!(1, "front_door", "0001_front_door.sql"),
    migration!(2, "actors", "0002_actors.sql"),
    migration!(3, "roles", "0003_roles.sql"),
    migration!(4, "users", "0004_users.sql"),
    migration!(5, "organizations", "0005_organizations.sql"),
    migration!(6, "connections", "0006_connections.sql"),
    migration!(7, "directories", "0007_directories.sql"),
    migration!(8, "clients", "0008_clients.sql"),
    migration!(9, "auth", "0009_auth.sql"),
    migration!(10, "search", "0010_search.sql"),
    migration!(11, "claims", "0011_claims.sql"),
    migration!(12, "accounts", "0012_accounts.sql"),
    migration!(13, "forced_sign_in", "0013_forced_sign_in.sql"),
    migration!(14, "anonymous_work", "0014_anonymous_work.sql"),
    migration!(15, "hints_and_guesses", "0015_hints_and_guesses.sql"),
    migration!(20, "connection_tests", "0020_connection_tests.sql"),
    migration!(22, "introspection", "0022_introspection.sql"),
    migration!(23, "proofs", "0023_proofs.sql"),
    migration!(24, "outbox", "0024_outbox.sql"),
    migration!(25, "answers", "0025_answers.sql"),
    migration!(26, "event_objects", "0026_event_objects.sql"),
    migration!(27, "had_connection", "0027_had_connection.sql"),
    migration!(28, "nodes", "0028_nodes.sql"),
    migration!(29, "bytes", "0029_bytes.sql"),
    migration!(30, "event_sweeps", "0030_event_sweeps.sql"),
    migration!(31, "session_browsers", "0031_session_browsers.sql"),
    migration!(32, "connection_keys", "0032_connection_keys.sql"),
    migration!(33, "saml_answers", "0033_saml_answers.sql"),
    migration!(34, "user_attributes", "0034_user_attributes.sql"),
    migration!(35, "connection_providers", "0035_connection_providers.sql"),
    migration!(36, "unread_indexes", "0036_unread_indexes.sql"),
    migration!(37, "token_expiry", "0037_token_expiry.sql"),
    migration!(38, "fewer_checks", "0038_fewer_checks.sql"),
];

/// Opens `sqlite:<path>` or `postgres://…`, and migrates its schema.
///
/// # Errors
///
/// [`Error::Database`] if the database cannot be reached, or if its schema is newer than this version.
pub async fn open(url: &str) -> Result<Db, Error> {
    let db = Db::connect(url).await?;
    db.migrate(MIGRATIONS).await?;
    Ok(db)
}

/// Opens a database without migrating it, and compares its schema with that of this version.
///
/// # Errors
///
/// As [`open`].
pub async fn open_unchanged(url: &str) -> Result<(Db, Schema), Error> {
    let db = Db::connect(url).await?;
    let schema = db.schema(MIGRATIONS).await?;
    Ok((db, schema))
}

/// A text is not one of the known words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of: {}", known.join(", "))]
pub struct UnknownWord {
    /// The known words.
    pub known: &'static [&'static str],
}
