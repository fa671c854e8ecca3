//! The store engine: one SQL text, executed on SQLite or PostgreSQL.
//!
//! Queries are written once, in the subset both engines share (`$1`
//! parameters, `ON CONFLICT … DO UPDATE`, `RETURNING`, `TEXT`, `BIGINT`,
//! `BOOLEAN`, `BYTEA`, time as `BIGINT` microseconds).

/// Which engine runs the SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A failure of the database, never a refusal of the domain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A unique key is taken; names the constraint where the engine does.
    #[error("unique constraint violated: {0}")]
    Conflict(String),
    /// A transaction awaited something that is not the database.
    #[error("a transaction awaited something that is not the database")]
    ForeignAwait,
    #[error("database failed: {0}")]
    Database(String),
}

/// A parameter of a statement.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// Builds the parameters of a statement: `p![id, now]`.
#[macro_export]
macro_rules! p {
    ($($value:expr),* $(,)?) => { &[$($crate::Value::from($value)),*] };
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}
impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}
impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Self::Bytes(value)
    }
}
impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of an answer.
#[derive(Debug)]
pub struct Row;

impl Row {
    /// Reads column `index`, counted from zero.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if the column is absent or of another type.
    pub fn get<T: FromValue>(&self, _index: usize) -> Result<T, Error> {
        unimplemented!()
    }
}

/// A Rust type that a column can be read into.
pub trait FromValue: Sized {}
impl FromValue for i64 {}
impl FromValue for bool {}
impl FromValue for String {}
impl FromValue for Vec<u8> {}
impl<T: FromValue> FromValue for Option<T> {}

/// A transaction. All statements of one closure happen, or none.
#[derive(Debug)]
pub struct Tx<'a>(std::marker::PhantomData<&'a mut ()>);

impl Tx<'_> {
    /// The first row, if there is one.
    pub async fn opt(&mut self, _sql: &'static str, _params: &[Value<'_>]) -> Result<Option<Row>, Error> {
        unimplemented!()
    }
    /// All rows.
    pub async fn all(&mut self, _sql: &'static str, _params: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        unimplemented!()
    }
    /// Runs a statement and counts the rows it changed.
    pub async fn exec(&mut self, _sql: &'static str, _params: &[Value<'_>]) -> Result<u64, Error> {
        unimplemented!()
    }
    pub fn engine(&self) -> Engine {
        unimplemented!()
    }
}

/// One step of a schema, in the PostgreSQL dialect.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    pub version: i64,
    pub name: &'static str,
    pub sql: &'static str,
}

/// Whether a bulk job has more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bulk {
    More,
    Done,
}

/// A database.
#[derive(Debug, Clone)]
pub struct Db;

impl Db {
    /// Opens `sqlite:<path>` or `postgres://…`.
    pub async fn connect(_url: &str) -> Result<Self, Error> {
        unimplemented!()
    }
    pub fn engine(&self) -> Engine {
        unimplemented!()
    }
    /// Applies what is missing of `migrations`; safe when several processes start at once.
    pub async fn migrate(&self, _migrations: &[Migration]) -> Result<(), Error> {
        unimplemented!()
    }
    /// Runs `f` in a read-write transaction; commits on `Ok`, rolls back on `Err`.
    /// `f` may run again after a serialization failure.
    pub async fn tx<T, E: From<Error>>(
        &self,
        f: impl AsyncFn(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _ = f;
        unimplemented!()
    }
    /// Runs `f` in a read-only snapshot.
    pub async fn read<T, E: From<Error>>(
        &self,
        f: impl AsyncFn(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _ = f;
        unimplemented!()
    }
    /// Repeats `step`, one short transaction each, with pauses, until it says [`Bulk::Done`].
    pub async fn bulk<E: From<Error>>(
        &self,
        step: impl AsyncFn(&mut Tx<'_>) -> Result<Bulk, E>,
    ) -> Result<(), E> {
        let _ = step;
        unimplemented!()
    }
    /// Answers a trivial query, for readiness.
    pub async fn ping(&self) -> Result<(), Error> {
        unimplemented!()
    }
    /// Waits for work under way and closes every connection.
    pub async fn close(self) {}
}
