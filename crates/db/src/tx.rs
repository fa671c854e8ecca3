//! A transaction, for functions that hold SQL.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::append::{self, AppendTable, AppendedRow};
use crate::statement::{Access, Fate, postgres, sqlite};
use crate::work::Work;
use crate::{Engine, Error, Many, Row, Value};

/// Polls the future of a transaction's closure.
///
/// It is never inlined. Otherwise the code of each closure would exist once for each engine and kind of
/// access, which was a quarter of the program.
#[inline(never)]
pub(crate) fn poll<F: Future>(future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
    future.poll(context)
}

/// The number of rows of the first step of a bulk job, before its pace is known.
pub(crate) const FIRST_CHUNK: i64 = 100;

/// A transaction. All statements of one closure happen, or none.
///
/// On both engines a failed statement dooms the transaction, as it does in PostgreSQL. Later statements
/// fail with [`Error::Aborted`], and so does the commit. To go on after a conflict, write `ON CONFLICT … DO
/// NOTHING RETURNING` and look for the row.
pub struct Tx<'a> {
    connection: Connection<'a>,
    fate: Fate,
    /// Why it must run again on another connection.
    why: Option<Error>,
    access: Access,
    /// The rows that are written before the commit.
    waiting: Vec<AppendedRow>,
    is_told: bool,
    work: &'a Work,
}

/// The state of a transaction when a part of it began.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    is_told: bool,
}

enum Connection<'a> {
    Sqlite(&'a mut rusqlite::Connection),
    Postgres(&'a mut postgres::Transaction),
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx")
            .field("engine", &self.engine())
            .field("fate", &self.fate)
            .finish_non_exhaustive()
    }
}

impl<'a> Tx<'a> {
    pub(crate) fn sqlite(connection: &'a mut rusqlite::Connection, access: Access, work: &'a Work) -> Self {
        Self::new(Connection::Sqlite(connection), access, work)
    }

    pub(crate) fn postgres(
        transaction: &'a mut postgres::Transaction,
        access: Access,
        work: &'a Work,
    ) -> Self {
        Self::new(Connection::Postgres(transaction), access, work)
    }

    fn new(connection: Connection<'a>, access: Access, work: &'a Work) -> Self {
        Self {
            connection,
            fate: Fate::Open,
            why: None,
            access,
            waiting: Vec::new(),
            is_told: false,
            work,
        }
    }

    pub(crate) fn fate(&self) -> Fate {
        self.fate
    }

    pub(crate) fn is_told(&self) -> bool {
        self.is_told
    }

    /// Its fate, why its connection is unusable if that is so, and the rows that the commit must write.
    pub(crate) fn ends(self) -> (Fate, String, Vec<AppendedRow>) {
        let why = self.why.as_ref().map(Error::to_string).unwrap_or_default();
        (self.fate, why, self.waiting)
    }
}

impl Tx<'_> {
    /// The first row, if there is one.
    pub async fn opt(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<Option<Row>, Error> {
        self.start(sql)?;
        let result = match &mut self.connection {
            Connection::Sqlite(connection) => sqlite::opt(connection, sql, params).map_err(sqlite::failed),
            Connection::Postgres(transaction) => postgres::opt(transaction, sql, params).await,
        };
        self.settle(result)
    }

    /// All rows.
    pub async fn all(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        self.start(sql)?;
        let result = match &mut self.connection {
            Connection::Sqlite(connection) => sqlite::all(connection, sql, params).map_err(sqlite::failed),
            Connection::Postgres(transaction) => postgres::all(transaction, sql, params).await,
        };
        self.settle(result)
    }

    /// Runs a statement and counts the rows it changed.
    pub async fn exec(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<u64, Error> {
        self.start(sql)?;
        let result = match &mut self.connection {
            Connection::Sqlite(connection) => sqlite::exec(connection, sql, params).map_err(sqlite::failed),
            Connection::Postgres(transaction) => postgres::exec(transaction, sql, params).await,
        };
        self.settle(result)
    }

    /// All rows of a statement, and the first row of another one that runs right after it and does not need
    /// them. PostgreSQL gets both in one round trip.
    pub async fn all_and_opt(
        &mut self,
        (sql, params): (&'static str, &[Value<'_>]),
        (next_sql, next_params): (&'static str, &[Value<'_>]),
    ) -> Result<(Vec<Row>, Option<Row>), Error> {
        self.start(sql)?;
        self.work.statement(next_sql);
        let result = match &mut self.connection {
            Connection::Sqlite(connection) => sqlite::all(connection, sql, params)
                .and_then(|rows| Ok((rows, sqlite::opt(connection, next_sql, next_params)?)))
                .map_err(sqlite::failed),
            Connection::Postgres(transaction) => {
                postgres::all_and_opt(transaction, (sql, params), (next_sql, next_params)).await
            }
        };
        self.settle(result)
    }

    /// All rows that have one of the keys, in no order. `values` holds one key after the other.
    pub async fn all_many(&mut self, many: &'static Many, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        self.start(self.text(many))?;
        let result = match &mut self.connection {
            Connection::Sqlite(connection) => {
                sqlite::all_many(connection, many, values).map_err(sqlite::failed)
            }
            Connection::Postgres(transaction) => {
                postgres::all(transaction, many.all(), &postgres::arrays(many, values)).await
            }
        };
        self.settle(result)
    }

    /// Runs `many` for all rows and counts the changed rows. `values` holds one row after the other.
    pub async fn exec_many(&mut self, many: &'static Many, values: &[Value<'_>]) -> Result<u64, Error> {
        if values.is_empty() {
            return Ok(0);
        }
        self.start(self.text(many))?;
        let result = match &mut self.connection {
            Connection::Sqlite(connection) => {
                sqlite::exec_many(connection, many, values).map_err(sqlite::failed)
            }
            Connection::Postgres(transaction) => {
                postgres::exec(transaction, many.all(), &postgres::arrays(many, values)).await
            }
        };
        self.settle(result)
    }

    /// Begins a part of the transaction that [`Tx::undo_part`] can undo. Parts do not nest.
    ///
    /// The closure itself must decide to undo a part. A failed statement dooms the whole transaction here
    /// as well.
    ///
    /// The rows that were appended before are written first. A [`Tx::flush`] within the part would write them
    /// there, and the part would take them along when it is undone.
    pub async fn begin_part(&mut self) -> Result<Part, Error> {
        self.flush().await?;
        self.exec("SAVEPOINT part", &[]).await?;
        Ok(Part {
            is_told: self.is_told,
        })
    }

    /// Keeps what the part did.
    pub async fn keep_part(&mut self) -> Result<(), Error> {
        self.exec("RELEASE SAVEPOINT part", &[]).await.map(drop)
    }

    /// Undoes the part, including the rows that it appended.
    pub async fn undo_part(&mut self, part: Part) -> Result<(), Error> {
        self.exec("ROLLBACK TO SAVEPOINT part", &[]).await?;
        // Those that wait were appended by the part: it began with none.
        self.waiting.clear();
        self.is_told = part.is_told;
        self.keep_part().await
    }

    fn text(&self, many: &'static Many) -> &'static str {
        match self.engine() {
            Engine::Sqlite => many.one(),
            Engine::Postgres => many.all(),
        }
    }

    /// Which engine runs the SQL, for the few texts that differ.
    pub fn engine(&self) -> Engine {
        match self.connection {
            Connection::Sqlite(_) => Engine::Sqlite,
            Connection::Postgres(_) => Engine::Postgres,
        }
    }

    /// How many rows this step of [`Db::bulk`](crate::Db::bulk) should touch.
    ///
    /// Bind it to `LIMIT $n`. It grows and shrinks so that a step holds the writer for about five
    /// milliseconds.
    pub fn chunk(&self) -> i64 {
        match self.access {
            Access::Read => FIRST_CHUNK,
            Access::Write { chunk, .. } => chunk,
        }
    }

    /// Whether a row can be locked until the commit, with `FOR UPDATE` or a similar clause.
    ///
    /// It can in a writing transaction on PostgreSQL. SQLite has one writer at a time and needs no such
    /// lock.
    pub fn locks(&self) -> bool {
        self.engine() == Engine::Postgres && self.access != Access::Read
    }

    /// Says that another transaction changed what this one depends on. The closure must return this error,
    /// and runs again.
    ///
    /// On SQLite nothing can change meanwhile, so there the error is final.
    #[must_use = "the closure must end"]
    pub fn begin_anew(&mut self) -> Error {
        if self.locks() {
            self.fate = Fate::Rerun;
        }
        Error::Busy("another transaction changed what this one rests on".to_owned())
    }

    /// Tells caches that the data which they hold has changed, see
    /// [`Db::change_marker`](crate::Db::change_marker).
    pub fn tell(&mut self) {
        self.is_told = true;
    }

    /// Inserts a row that this transaction does not read. Such rows are written together, before the
    /// commit. PostgreSQL gets them in one round trip with the COMMIT.
    ///
    /// Tables are written in the order in which they were first named, so name a table after those that its
    /// foreign keys name.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if the number of columns is not the table's.
    pub fn append(&mut self, table: &'static AppendTable, row: &[Value<'_>]) -> Result<(), Error> {
        self.waiting.push(AppendedRow::new(table, row)?);
        Ok(())
    }

    /// Writes the rows of [`Tx::append`] now, if the transaction must read them after all.
    ///
    /// # Errors
    ///
    /// As every statement.
    pub async fn flush(&mut self) -> Result<(), Error> {
        let waiting = std::mem::take(&mut self.waiting);
        for (sql, values) in append::statements(&waiting) {
            self.exec(sql, &values).await?;
        }
        Ok(())
    }

    /// Begins a statement: the transaction is doomed until [`Tx::settle`] says otherwise.
    ///
    /// So it stays doomed if the closure drops the statement half-way. The server may then have refused the
    /// statement. It would answer the COMMIT of such a transaction with a rollback that looks like success.
    fn start(&mut self, sql: &'static str) -> Result<(), Error> {
        match self.fate {
            Fate::Open => {
                self.fate = Fate::Doomed;
                self.work.statement(sql);
                Ok(())
            }
            Fate::Doomed | Fate::Rerun | Fate::Elsewhere => Err(Error::Aborted),
        }
    }

    fn settle<T>(&mut self, result: Result<T, (Fate, Error)>) -> Result<T, Error> {
        match result {
            Ok(value) => {
                self.fate = Fate::Open;
                Ok(value)
            }
            Err((fate, error)) => {
                self.fate = fate;
                if fate == Fate::Elsewhere {
                    self.why = Some(error.clone());
                }
                Err(error)
            }
        }
    }
}
