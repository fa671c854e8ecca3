//! Events: a record of what happened, for operators, webhooks and audits.
//!
//! An event is recorded in the transaction of the change.

mod backlog;
mod object;
mod retention;
pub(crate) mod shape;

use std::sync::LazyLock;

use genkan_db::{AppendTable, ColumnType, Many, Tx, p};
use serde_json::{Map, Value};

pub use backlog::read_facts;
pub use object::{Object, Part, VERSION};
pub use retention::Class;
pub(crate) use retention::delete_before;

use crate::page::page_rows;
use crate::row::{Columns, json, words};
use crate::{
    ClientId, ConnectionId, DirectoryId, Error, EventId, OrganizationId, Page, SessionId, Stamp, Timestamp,
    UserId,
};

words! {
    /// The kind of event. The first group are webhook types of the contract.
    pub enum Kind {
        OrganizationCreated = "organization.created",
        OrganizationUpdated = "organization.updated",
        OrganizationDeleted = "organization.deleted",
        OrganizationDomainCreated = "organization.domain_created",
        OrganizationDomainDeleted = "organization.domain_deleted",
        OrganizationDomainDnsVerificationSuccess = "organization.domain_dns_verification_success",
        OrganizationDomainDnsVerificationFailed = "organization.domain_dns_verification_failed",
        OrganizationSsoCreated = "organization.sso_created",
        OrganizationSsoUpdated = "organization.sso_updated",
        OrganizationSsoEnabled = "organization.sso_enabled",
        OrganizationSsoDisabled = "organization.sso_disabled",
        OrganizationSsoDeleted = "organization.sso_deleted",
        OrganizationDirectoryEnabled = "organization.directory_enabled",
        OrganizationDirectoryDisabled = "organization.directory_disabled",
        DirectoryUserCreated = "organization.directory.user_created",
        DirectoryUserUpdated = "organization.directory.user_updated",
        DirectoryUserDeleted = "organization.directory.user_deleted",
        DirectoryGroupCreated = "organization.directory.group_created",
        DirectoryGroupUpdated = "organization.directory.group_updated",
        DirectoryGroupDeleted = "organization.directory.group_deleted",
        UserSignup = "user.signup",
        UserLogin = "user.login",
        UserLogout = "user.logout",
        UserOrganizationInvitation = "user.organization_invitation",
        UserOrganizationMembershipCreated = "user.organization_membership_created",
        UserOrganizationMembershipUpdated = "user.organization_membership_updated",
        UserOrganizationMembershipDeleted = "user.organization_membership_deleted",
        RoleCreated = "role.created",
        RoleUpdated = "role.updated",
        RoleDeleted = "role.deleted",
        PermissionCreated = "permission.created",
        PermissionUpdated = "permission.updated",
        PermissionDeleted = "permission.deleted",

        DomainVerifiedByOperator = "domain.verified_by_operator",
        ConnectionRelinkAllowed = "connection.relink_allowed",
        ConnectionCertificatePublished = "connection.certificate_published",
        ConnectionCertificateRetired = "connection.certificate_retired",
        DirectoryCreated = "directory.created",
        DirectoryUpdated = "directory.updated",
        DirectoryDeleted = "directory.deleted",
        DirectorySecretCreated = "directory.secret_created",
        DirectorySecretDeleted = "directory.secret_deleted",
        ClientCreated = "client.created",
        ClientUpdated = "client.updated",
        ClientDeleted = "client.deleted",
        ClientSecretCreated = "client.secret_created",
        ClientSecretUpdated = "client.secret_updated",
        ClientSecretDeleted = "client.secret_deleted",
        ResourceCreated = "resource.created",
        ResourceUpdated = "resource.updated",
        ResourceDeleted = "resource.deleted",
        ApiTokenCreated = "api_token.created",
        ApiTokenUpdated = "api_token.updated",
        ApiTokenRevoked = "api_token.revoked",
        SigningKeyCreated = "signing_key.created",
        SigningKeyRotated = "signing_key.rotated",
        UserCreated = "user.created",
        UserUpdated = "user.updated",
        UserDisabled = "user.disabled",
        UserEnabled = "user.enabled",
        UserDeleted = "user.deleted",
        UserAttributeCreated = "user_attribute.created",
        UserAttributeUpdated = "user_attribute.updated",
        UserAttributeDeleted = "user_attribute.deleted",
        UserIdentityLinked = "user.identity_linked",
        UserIdentityRelinked = "user.identity_relinked",
        UserEmailChanged = "user.email_changed",
        UserPasskeyCreated = "user.passkey_created",
        UserPasskeyUpdated = "user.passkey_updated",
        UserPasskeyDeleted = "user.passkey_deleted",
        SessionRevoked = "session.revoked",
        SessionExpired = "session.expired",
        GrantCreated = "grant.created",
        GrantRevoked = "grant.revoked",
        GrantReplayed = "grant.replayed",
        TokenIssued = "token.issued",
        TokenRefreshed = "token.refreshed",
        TokenRevoked = "token.revoked",
        PortalLinkCreated = "portal_link.created",
        PortalLinkUsed = "portal_link.used",
        PortalLinkDeleted = "portal_link.deleted",
        LoginFailed = "login.failed",
        ClientRefused = "client.refused",
        BackChannelLogoutGivenUp = "back_channel_logout.given_up",
        MailGivenUp = "mail.given_up",
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: EventId,
    pub kind: Kind,
    pub organization_id: Option<OrganizationId>,
    pub user_id: Option<UserId>,
    pub client_id: Option<ClientId>,
    pub session_id: Option<SessionId>,
    /// Who did it, see [`crate::Actor::word`]. `None` if it was the user, or Genkan itself.
    pub actor: Option<String>,
    /// The facts, including the connection and the directory that it is about.
    pub data: Map<String, Value>,
    pub occurred_at: Timestamp,
}

/// An event to record.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    kind: Kind,
    organization_id: Option<&'a OrganizationId>,
    user_id: Option<&'a UserId>,
    client_id: Option<&'a ClientId>,
    session_id: Option<&'a SessionId>,
    connection_id: Option<&'a ConnectionId>,
    directory_id: Option<&'a DirectoryId>,
    data: Map<String, Value>,
    object: Option<Object>,
}

impl<'a> Entry<'a> {
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            organization_id: None,
            user_id: None,
            client_id: None,
            session_id: None,
            connection_id: None,
            directory_id: None,
            data: Map::new(),
            object: None,
        }
    }

    #[must_use]
    pub fn organization(mut self, id: impl Into<Option<&'a OrganizationId>>) -> Self {
        self.organization_id = id.into();
        self
    }

    #[must_use]
    pub fn user(mut self, id: impl Into<Option<&'a UserId>>) -> Self {
        self.user_id = id.into();
        self
    }

    #[must_use]
    pub fn client(mut self, id: impl Into<Option<&'a ClientId>>) -> Self {
        self.client_id = id.into();
        self
    }

    #[must_use]
    pub fn session(mut self, id: impl Into<Option<&'a SessionId>>) -> Self {
        self.session_id = id.into();
        self
    }

    /// Also shown as a fact.
    #[must_use]
    pub fn connection(mut self, id: impl Into<Option<&'a ConnectionId>>) -> Self {
        self.connection_id = id.into();
        self
    }

    /// Also shown as a fact.
    #[must_use]
    pub fn directory(mut self, id: impl Into<Option<&'a DirectoryId>>) -> Self {
        self.directory_id = id.into();
        self
    }

    /// Adds a fact. Never a secret, a token or an assertion.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }

    /// The object of the event in its present state. For kinds of webhooks, see [`Kind::parts`].
    #[must_use]
    pub(crate) fn object(mut self, object: Object) -> Self {
        self.object = Some(object);
        self
    }
}

static EVENTS: AppendTable = AppendTable::new(
    "INSERT INTO events (id, kind, organization_id, user_id, client_id, session_id, connection_id, directory_id,
        actor, data, occurred_at, object) VALUES",
    12,
);

/// Records an event that happened at `at`. No transaction reads its own events, so they are written
/// together before the commit.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn record(tx: &mut Tx<'_>, at: Stamp<'_>, entry: Entry<'_>) -> Result<(), Error> {
    let parts = entry.kind.parts();
    debug_assert!(
        entry
            .object
            .as_ref()
            .map_or(parts.is_empty(), |object| !parts.is_empty() && object.has(parts)),
        "{} has the object of its kind",
        entry.kind
    );
    let (id, data): (EventId, String) = (at.id(), json(&entry.data));
    tx.append(
        &EVENTS,
        p![
            &id,
            entry.kind.as_str(),
            entry.organization_id,
            entry.user_id,
            entry.client_id,
            entry.session_id,
            entry.connection_id,
            entry.directory_id,
            at.actor.word().as_deref(),
            &data,
            at.now.as_micros(),
            entry.object.as_ref().map(Object::text).as_deref(),
        ],
    )?;
    Ok(())
}

/// Records several events that happened at `at`, in their order.
pub(crate) async fn record_all(tx: &mut Tx<'_>, at: Stamp<'_>, entries: &[Entry<'_>]) -> Result<(), Error> {
    static INSERT: LazyLock<Many> = LazyLock::new(|| {
        use ColumnType::{BigInt, Text};
        let columns = [
            ("id", Text),
            ("kind", Text),
            ("organization_id", Text),
            ("user_id", Text),
            ("actor", Text),
            ("data", Text),
            ("occurred_at", BigInt),
            ("object", Text),
        ];
        Many::insert("events", &columns, "")
    });
    let texts: Vec<(EventId, String, Option<String>)> = entries
        .iter()
        .map(|entry| {
            (
                at.id(),
                json(&entry.data),
                entry.object.as_ref().map(Object::text),
            )
        })
        .collect();
    let actor = at.actor.word();
    let mut values = Vec::with_capacity(entries.len() * 8);
    for (entry, (id, data, object)) in entries.iter().zip(&texts) {
        debug_assert!(
            entry.client_id.is_none()
                && entry.session_id.is_none()
                && entry.connection_id.is_none()
                && entry.directory_id.is_none(),
            "what an import records is about organizations and users alone"
        );
        values.extend_from_slice(p![
            id,
            entry.kind.as_str(),
            entry.organization_id,
            entry.user_id,
            actor.as_deref(),
            data,
            at.now.as_micros(),
            object.as_deref(),
        ]);
    }
    tx.exec_many(&INSERT, &values).await?;
    Ok(())
}

/// The object of an event, as it was then. `None` if its kind is not for webhooks, if it is older than
/// objects, or if there is no such event.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_object(tx: &mut Tx<'_>, id: &EventId) -> Result<Option<Object>, Error> {
    tx.flush().await?;
    let row = tx.opt("SELECT object FROM events WHERE id = $1", p![id]).await?;
    let members = row.map(|row| Columns::of(&row).optional_json("events.object"));
    Ok(members.transpose()?.flatten().map(Object::stored))
}

/// Which events to read. `None` or empty means any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub kind: Option<Kind>,
    /// Any of these.
    pub kinds: Vec<Kind>,
    pub organization_id: Option<OrganizationId>,
    pub user_id: Option<UserId>,
    pub client_id: Option<ClientId>,
    /// The connection that it is about.
    pub connection_id: Option<ConnectionId>,
    /// The directory that it is about.
    pub directory_id: Option<DirectoryId>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// The kinds as one text that a statement can search.
    fn kinds(&self) -> Option<String> {
        let words: Vec<_> = self.kinds.iter().map(|kind| kind.as_str()).collect();
        (!words.is_empty()).then(|| format!(",{},", words.join(",")))
    }
}

/// If a connection or a directory is given, the events are read from its index. A condition with `OR` would
/// not allow this.
macro_rules! conditions {
    (of a connection) => {
        concat!(conditions!(), " AND connection_id = CAST($8 AS TEXT)")
    };
    (of a directory) => {
        concat!(conditions!(), " AND directory_id = CAST($9 AS TEXT)")
    };
    (of any time) => {
        // The sign keeps SQLite from the index by time, which would read and sort all events for one page.
        concat!(conditions!(but time), " AND +occurred_at >= $10 AND +occurred_at < $11")
    };
    (but time) => {
        " FROM events
          WHERE (CAST($3 AS TEXT) IS NULL OR kind = $3)
            AND (CAST($4 AS TEXT) IS NULL OR organization_id = $4)
            AND (CAST($5 AS TEXT) IS NULL OR user_id = $5)
            AND (CAST($6 AS TEXT) IS NULL OR client_id = $6)
            AND (CAST($7 AS TEXT) IS NULL OR CAST($7 AS TEXT) LIKE '%,' || kind || ',%')
            AND (CAST($8 AS TEXT) IS NULL OR connection_id = $8)
            AND (CAST($9 AS TEXT) IS NULL OR directory_id = $9)"
    };
    () => {
        concat!(conditions!(but time), " AND occurred_at >= $10 AND occurred_at < $11")
    };
}

macro_rules! columns {
    () => {
        "SELECT id, kind, organization_id, user_id, client_id, session_id, connection_id, directory_id, actor, data,
            occurred_at"
    };
}

/// Reads events, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, filter: &Filter, page: &Page<EventId>) -> Result<Vec<Event>, Error> {
    tx.flush().await?;
    let kinds = filter.kinds();
    macro_rules! rows {
        ($select:expr) => {
            page_rows!(
                tx,
                page,
                $select,
                [
                    filter.kind.map(Kind::as_str),
                    filter.organization_id.as_ref(),
                    filter.user_id.as_ref(),
                    filter.client_id.as_ref(),
                    kinds.as_deref(),
                    filter.connection_id.as_ref(),
                    filter.directory_id.as_ref(),
                    filter.since.map_or(i64::MIN, Timestamp::as_micros),
                    filter.until.map_or(i64::MAX, Timestamp::as_micros),
                ]
            )
        };
    }
    let rows = if filter.connection_id.is_some() {
        rows!(concat!(columns!(), conditions!(of a connection)))
    } else if filter.directory_id.is_some() {
        rows!(concat!(columns!(), conditions!(of a directory)))
    } else if filter.since.is_none() && filter.until.is_none() {
        rows!(concat!(columns!(), conditions!(of any time)))
    } else {
        rows!(concat!(columns!(), conditions!()))
    };
    rows.iter().map(|row| read(&mut Columns::of(row))).collect()
}

macro_rules! counted {
    ($conditions:expr) => {
        concat!(
            "SELECT COUNT(*) FROM (SELECT id",
            $conditions,
            " AND CAST($1 AS TEXT) IS NULL LIMIT $2) counted"
        )
    };
}

/// The number of events, counted up to `limit`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count(tx: &mut Tx<'_>, filter: &Filter, limit: i64) -> Result<i64, Error> {
    tx.flush().await?;
    let kinds = filter.kinds();
    let sql = if filter.connection_id.is_some() {
        counted!(conditions!(of a connection))
    } else if filter.directory_id.is_some() {
        counted!(conditions!(of a directory))
    } else {
        counted!(conditions!())
    };
    let row = tx
        .opt(
            sql,
            p![
                None::<&str>,
                limit,
                filter.kind.map(Kind::as_str),
                filter.organization_id.as_ref(),
                filter.user_id.as_ref(),
                filter.client_id.as_ref(),
                kinds.as_deref(),
                filter.connection_id.as_ref(),
                filter.directory_id.as_ref(),
                filter.since.map_or(i64::MIN, Timestamp::as_micros),
                filter.until.map_or(i64::MAX, Timestamp::as_micros),
            ],
        )
        .await?;
    row.map_or(Ok(0), |row| Columns::of(&row).int())
}

fn read(columns: &mut Columns<'_>) -> Result<Event, Error> {
    let (id, kind) = (columns.id()?, columns.parsed("events.kind", str::parse)?);
    let (organization_id, user_id) = (columns.optional_id()?, columns.optional_id()?);
    let (client_id, session_id) = (columns.optional_id()?, columns.optional_id()?);
    let (connection_id, directory_id) = (columns.optional_text()?, columns.optional_text()?);
    let actor = columns.optional_text()?;
    let mut data: Map<String, Value> = columns.json("events.data")?;
    for (name, id) in [("connection_id", connection_id), ("directory_id", directory_id)] {
        if let Some(id) = id {
            data.entry(name).or_insert(Value::String(id));
        }
    }
    Ok(Event {
        id,
        kind,
        organization_id,
        user_id,
        client_id,
        session_id,
        actor,
        data,
        occurred_at: columns.time()?,
    })
}
