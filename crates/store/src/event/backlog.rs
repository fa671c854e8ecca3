//! Fills the columns for connection and directory of older events.

use genkan_db::{Bulk, Db, p};
use serde_json::{Map, Value};

use crate::row::Columns;
use crate::{ConnectionId, DirectoryId, Error};

/// Fills the columns of the events that lack them, the newest first, in small transactions with pauses.
/// Several nodes may do so at once. Until it is done, the other events are not found by their connection.
///
/// # Errors
///
/// [`Error::Database`] if the database fails. The next call goes on where this one stopped.
pub async fn read_facts(db: &Db) -> Result<(), Error> {
    db.bulk(async |tx| {
        let Some(row) = tx.opt("SELECT before_id FROM event_backlog", p![]).await? else {
            return Ok(Bulk::Done);
        };
        let before: String = Columns::of(&row).text()?;
        let rows = tx
            .all(
                "SELECT id, data FROM events WHERE id < $1 ORDER BY id DESC LIMIT $2",
                p![&before, tx.chunk()],
            )
            .await?;
        let mut last = None;
        for row in &rows {
            let mut columns = Columns::of(row);
            let id = columns.text()?;
            let facts: Map<String, Value> = columns.json("events.data")?;
            let told = |name| facts.get(name).and_then(Value::as_str);
            let connection = told("connection_id").and_then(|id| ConnectionId::parse(id).ok());
            let directory = told("directory_id").and_then(|id| DirectoryId::parse(id).ok());
            if connection.is_some() || directory.is_some() {
                tx.exec(
                    "UPDATE events SET connection_id = $2, directory_id = $3 WHERE id = $1",
                    p![&id, connection.as_ref(), directory.as_ref()],
                )
                .await?;
            }
            last = Some(id);
        }
        match last {
            Some(id) => {
                tx.exec("UPDATE event_backlog SET before_id = $1", p![&id])
                    .await?;
                Ok(Bulk::More)
            }
            None => {
                tx.exec("DELETE FROM event_backlog", p![]).await?;
                Ok(Bulk::Done)
            }
        }
    })
    .await
}
