//! Search: finds organizations and users by the beginnings of their words.
//!
//! An index holds the words of every row, and is written in the transaction of the row. A query reads a
//! range of that index in order. For each entry it checks whether the row has the query's other words, too.
//! The work of one call is limited, so a page may hold fewer hits than it could and still be followed by
//! another. So even a query for two common words that nobody has together costs a limited amount.

mod cursor;
mod scan;
mod words;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use genkan_db::{ColumnType, Many, Tx, Value, p};

pub use cursor::{Cursor, ParseCursorError};
pub use scan::{COUNTED, count_members, count_organizations, count_users, members, organizations, users};
pub use words::Query;
pub(crate) use words::Words;

use crate::any_of::AT_ONCE;
use crate::row::Columns;
use crate::{Error, OrganizationId, UserId};

/// The longest page of hits.
pub const MAX_LIMIT: u32 = AT_ONCE as u32;

/// Which hits to read.
#[derive(Debug, Clone)]
pub struct HitPage {
    /// The most hits, from 1 to [`MAX_LIMIT`].
    pub limit: u32,
    /// Where another page ended. Without it, the first hits.
    pub cursor: Option<Cursor>,
}

/// A page of hits, in the order of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hits<I> {
    pub ids: Vec<I>,
    /// Where to continue. There may be no more hits.
    pub next: Option<Cursor>,
    /// Where to read backwards.
    pub previous: Option<Cursor>,
}

/// Writes the words of a new or changed organization.
pub(crate) async fn put_organization(
    tx: &mut Tx<'_>,
    id: &OrganizationId,
    words: Words,
) -> Result<(), Error> {
    put::<OrganizationId>(tx, id.as_str(), words).await
}

/// Writes the words of a new or changed user.
pub(crate) async fn put_user(tx: &mut Tx<'_>, id: &UserId, words: Words) -> Result<(), Error> {
    put::<UserId>(tx, id.as_str(), words).await
}

/// The same for a user who was just added.
pub(crate) async fn put_new_user(tx: &mut Tx<'_>, id: &UserId, words: Words) -> Result<(), Error> {
    let words: BTreeSet<Vec<u8>> = words.limited().into_iter().map(String::into_bytes).collect();
    add::<UserId>(tx, id.as_str(), &words.iter().collect::<Vec<_>>()).await
}

/// Writes the words of many new organizations.
pub(crate) async fn put_new_organizations(
    tx: &mut Tx<'_>,
    indexed: Vec<(&OrganizationId, Words)>,
) -> Result<(), Error> {
    static INSERT: LazyLock<Many> = LazyLock::new(|| {
        let columns = [("organization_id", ColumnType::Text), ("word", ColumnType::Bytea)];
        Many::insert("organization_words", &columns, "")
    });
    put_new(tx, &INSERT, indexed).await
}

/// Writes the words of many new users.
pub(crate) async fn put_new_users(tx: &mut Tx<'_>, indexed: Vec<(&UserId, Words)>) -> Result<(), Error> {
    static INSERT: LazyLock<Many> = LazyLock::new(|| {
        let columns = [("user_id", ColumnType::Text), ("word", ColumnType::Bytea)];
        Many::insert("user_words", &columns, "")
    });
    put_new(tx, &INSERT, indexed).await
}

async fn put_new<'i, I>(
    tx: &mut Tx<'_>,
    insert: &'static Many,
    indexed: Vec<(&'i I, Words)>,
) -> Result<(), Error>
where
    &'i I: Into<Value<'i>>,
{
    let indexed: Vec<(&I, Vec<String>)> = indexed
        .into_iter()
        .map(|(id, words)| (id, words.limited()))
        .collect();
    let mut values = Vec::new();
    for (id, words) in &indexed {
        for word in words {
            values.extend([(*id).into(), Value::from(word.as_bytes())]);
        }
    }
    tx.exec_many(insert, &values).await?;
    Ok(())
}

/// A row with words: an organization or a user.
trait Indexed {
    const WORDS: &'static str;
    const DELETE: &'static str;
    /// Adds up to eight words. The same word may come twice.
    const INSERT: &'static str;
}

macro_rules! indexed {
    ($id_type:ty, $table:literal, $id:literal) => {
        impl Indexed for $id_type {
            const WORDS: &'static str =
                concat!("SELECT word FROM ", $table, " WHERE ", $id, " = $1 ORDER BY word");
            const DELETE: &'static str = concat!("DELETE FROM ", $table, " WHERE ", $id, " = $1 AND word = $2");
            const INSERT: &'static str = concat!(
                "INSERT INTO ",
                $table,
                " (",
                $id,
                ", word) VALUES ($1, $2), ($1, $3), ($1, $4), ($1, $5), ($1, $6), ($1, $7), ($1, $8), ($1, $9)
                  ON CONFLICT DO NOTHING"
            );
        }
    };
}
indexed!(OrganizationId, "organization_words", "organization_id");
indexed!(UserId, "user_words", "user_id");

async fn put<I: Indexed>(tx: &mut Tx<'_>, id: &str, words: Words) -> Result<(), Error> {
    let rows = tx.all(I::WORDS, p![id]).await?;
    let before = rows
        .iter()
        .map(|row| Columns::of(row).bytes())
        .collect::<Result<BTreeSet<_>, _>>()?;
    let after: BTreeSet<Vec<u8>> = words.limited().into_iter().map(String::into_bytes).collect();
    for word in before.difference(&after) {
        tx.exec(I::DELETE, p![id, word]).await?;
    }
    let new: Vec<&Vec<u8>> = after.difference(&before).collect();
    add::<I>(tx, id, &new).await
}

async fn add<I: Indexed>(tx: &mut Tx<'_>, id: &str, new: &[&Vec<u8>]) -> Result<(), Error> {
    for eight in new.chunks(8) {
        let word = |index: usize| eight.get(index).unwrap_or(&eight[0]).as_slice();
        let params = p![
            id,
            word(0),
            word(1),
            word(2),
            word(3),
            word(4),
            word(5),
            word(6),
            word(7)
        ];
        tx.exec(I::INSERT, params).await?;
    }
    Ok(())
}
