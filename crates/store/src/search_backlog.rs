//! Writes the words of rows that are older than the search index.

use genkan_db::{Bulk, Db, p};

use crate::row::Columns;
use crate::{Error, OrganizationId, UserId, organization, user};

/// Writes the missing words, in small transactions with pauses. Several nodes may do so at once. Until it
/// is done, the other rows are not found.
///
/// # Errors
///
/// [`Error::Database`] if the database fails. The next call goes on where this one stopped.
pub async fn write_missing(db: &Db) -> Result<(), Error> {
    db.bulk(async |tx| {
        let rows = tx
            .all(
                "SELECT id FROM search_backlog ORDER BY id LIMIT $1",
                p![tx.chunk()],
            )
            .await?;
        let ids = rows
            .iter()
            .map(|row| Columns::of(row).text())
            .collect::<Result<Vec<_>, _>>()?;
        for id in &ids {
            // If the row was deleted meanwhile, it needs no words.
            if let Ok(id) = OrganizationId::parse(id) {
                if let Some(organization) = organization::find(tx, &id).await? {
                    organization::index(tx, &organization).await?;
                }
            } else if let Ok(id) = UserId::parse(id)
                && let Some(user) = user::find(tx, &id).await?
            {
                user::index(tx, &user).await?;
            }
            tx.exec("DELETE FROM search_backlog WHERE id = $1", p![id])
                .await?;
        }
        Ok(if ids.is_empty() { Bulk::Done } else { Bulk::More })
    })
    .await
}
