//! The settings of a connection: time limits, the schema, and whether statements have names.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::ClientWrapper;
use parking_lot::RwLock;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, SimpleQueryMessage};

use super::pooler;
use crate::statement::{Access, Isolation};

/// A statement of a request takes this long only if something is wrong. And a transaction that a lost
/// process left open must not hold its locks.
const LIMITS: [&str; 3] = [
    "statement_timeout = '10s'",
    "lock_timeout = '5s'",
    "idle_in_transaction_session_timeout = '10s'",
];

const SERIALIZABLE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";
const READ_COMMITTED: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
const READ_ONLY: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// The first question on every new connection.
const WHO: &str = "SELECT pg_backend_pid(), \
                   pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean";

/// What the connections lead to, as the URL says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pooler {
    /// Not said: the first connection finds out.
    Unknown,
    None,
    Transaction,
}

/// The settings that all connections of a pool share.
pub(crate) struct Session {
    /// Whether the next transaction may run in another server process.
    pooled: AtomicBool,
    is_settled: bool,
    /// Sent once on a new connection, if it leads to the server itself.
    set: String,
    /// Sent with each BEGIN, if it leads to a pooler.
    set_local: String,
    types: Types,
}

/// The server that a new connection leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Primary,
    /// It takes no writes.
    Standby,
}

impl Session {
    pub(crate) fn new(pooler: Pooler, schema: Option<&str>) -> Self {
        let schema = schema.map(|name| format!("search_path = \"{}\"", name.replace('"', "\"\"")));
        let settings = || LIMITS.into_iter().chain(schema.as_deref());
        Self {
            pooled: AtomicBool::new(pooler == Pooler::Transaction),
            is_settled: pooler != Pooler::Unknown,
            set: settings().map(|setting| format!("SET {setting};")).collect(),
            set_local: settings()
                .map(|setting| format!("; SET LOCAL {setting}"))
                .collect(),
            types: Types::default(),
        }
    }

    /// Prepares a new connection, and says which server it leads to.
    pub(crate) async fn open(&self, client: &ClientWrapper) -> Result<Server, Error> {
        let (process, server) = look(client).await?;
        if !self.is_settled
            && pooler::named_process(client).await.ok() != process
            && !self.pooled.swap(true, Ordering::Relaxed)
        {
            tracing::info!(
                "a pooler stands before PostgreSQL: statements have no names, and limits go with each transaction"
            );
        }
        // If another transaction would find the setting, nothing is set.
        if !self.is_pooled() {
            client.batch_execute(&self.set).await?;
        }
        Ok(server)
    }

    /// The server that a connection leads to now.
    pub(crate) async fn server(&self, client: &ClientWrapper) -> Result<Server, Error> {
        look(client).await.map(|(_, server)| server)
    }

    pub(crate) fn is_pooled(&self) -> bool {
        self.pooled.load(Ordering::Relaxed)
    }

    /// The text that begins a transaction, in one round trip.
    pub(crate) fn begin(&self, access: Access) -> std::borrow::Cow<'static, str> {
        let begin = match access {
            Access::Read => READ_ONLY,
            Access::Write {
                isolation: Isolation::Serializable,
                ..
            } => SERIALIZABLE,
            Access::Write {
                isolation: Isolation::ReadCommitted,
                ..
            } => READ_COMMITTED,
        };
        if self.is_pooled() {
            format!("{begin}{}", self.set_local).into()
        } else {
            begin.into()
        }
    }

    /// Settings for a transaction that [`Session::begin`] did not begin.
    pub(crate) fn set_local(&self) -> Option<&str> {
        let settings = self.set_local.trim_start_matches("; ");
        self.is_pooled().then_some(settings)
    }

    pub(crate) fn types(&self) -> &Types {
        &self.types
    }
}

async fn look(client: &ClientWrapper) -> Result<(Option<i32>, Server), Error> {
    let answer = client.simple_query(WHO).await?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let process = row.and_then(|row| row.get(0)?.parse().ok());
    let server = match row.and_then(|row| row.get(1)) {
        Some("t") => Server::Standby,
        _ => Server::Primary,
    };
    Ok((process, server))
}

/// The types of the parameters of statements without a name.
///
/// A server tells them when it prepares a statement, so each text is prepared once in this process.
#[derive(Default)]
pub(crate) struct Types(RwLock<HashMap<&'static str, Arc<[Type]>>>);

impl Types {
    pub(crate) fn get(&self, sql: &'static str) -> Option<Arc<[Type]>> {
        self.0.read().get(sql).cloned()
    }

    pub(crate) fn keep(&self, sql: &'static str, types: &[Type]) -> Arc<[Type]> {
        let types = Arc::from(types);
        self.0.write().insert(sql, Arc::clone(&types));
        types
    }

    /// Forgets all of them, because a migration may have changed them.
    pub(crate) fn clear(&self) {
        self.0.write().clear();
    }
}
