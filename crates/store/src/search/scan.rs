//! Reads the index.
//!
//! The form of these texts determines how a database executes them. Both engines answer a sub-query for one
//! value with one index look-up for each row. PostgreSQL might turn an `EXISTS` into a join that reads the
//! whole table.

use genkan_db::{Row, Tx, Value, p};

use super::cursor::{Cursor, Direction, Lead};
use super::words::{MAX_TERMS, Query, Term};
use super::{HitPage, Hits, MAX_LIMIT};
use crate::id::Id;
use crate::row::Columns;
use crate::{Error, OrganizationId, UserId};

/// How many entries of the index are read before they are checked for hits, and how often one call does so.
const WINDOW: i64 = 500;
const WINDOWS: u32 = 32;

/// How many such windows counting reads, because the caller waits for the page.
const COUNT_WINDOWS: u32 = 1;

/// The steps at which counting stops. It is useful to find the rarest list, but not its exact length. All
/// lists beyond the last step count as long.
const COUNTS: [i64; 2] = [256, LONG];
const LONG: i64 = 4_096;

/// The most hits that are counted. With more hits, people refine their query.
pub const COUNTED: usize = 200;

/// Greater than every identifier of a user.
const LAST_USER: &str = "usr_9999999999999999999999999999";

/// Searches all organizations.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn organizations(
    tx: &mut Tx<'_>,
    query: &Query,
    page: &HitPage,
) -> Result<Hits<OrganizationId>, Error> {
    search(tx, query, page, &ORGANIZATIONS, None).await
}

/// Searches all users.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn users(tx: &mut Tx<'_>, query: &Query, page: &HitPage) -> Result<Hits<UserId>, Error> {
    search(tx, query, page, &USERS, None).await
}

/// Searches the members of an organization.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn members(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    query: &Query,
    page: &HitPage,
) -> Result<Hits<UserId>, Error> {
    search(tx, query, page, &MEMBERS, Some(organization_id)).await
}

/// Counts the organizations that a search finds. `hits` is one page of them. A small number is exact. From
/// [`COUNTED`] on, or if all words of the query are common, it is a lower bound.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count_organizations(
    tx: &mut Tx<'_>,
    query: &Query,
    hits: &Hits<OrganizationId>,
) -> Result<u32, Error> {
    count_hits(tx, query, hits, &ORGANIZATIONS, None).await
}

/// The same for users.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count_users(tx: &mut Tx<'_>, query: &Query, hits: &Hits<UserId>) -> Result<u32, Error> {
    count_hits(tx, query, hits, &USERS, None).await
}

/// The same for the members of an organization.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count_members(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    query: &Query,
    hits: &Hits<UserId>,
) -> Result<u32, Error> {
    count_hits(tx, query, hits, &MEMBERS, Some(organization_id)).await
}

/// The statements of one list, in both directions.
struct Statements {
    /// The number of words that begin with a term.
    count: &'static str,
    /// The word at a position in the list of a term.
    nth: &'static str,
    onwards: Walk,
    back: Walk,
}

struct Walk {
    /// The hits between two places.
    hits: &'static str,
    /// The place that is this many entries further on.
    window_end: &'static str,
}

/// Whether `$id` has a word from `$first` up to `$end`.
macro_rules! has_word {
    ($table:literal, $column:literal, $id:literal, $first:literal, $end:literal) => {
        concat!(
            "(SELECT e.word FROM ",
            $table,
            " e WHERE e.",
            $column,
            " = ",
            $id,
            " AND e.word >= ",
            $first,
            " ORDER BY e.word LIMIT 1) < ",
            $end
        )
    };
}

/// A walk along the words. If several words of a row begin with the term, the smallest one counts.
macro_rules! along_words {
    ($table:literal, $column:literal, $id:literal, $after:literal, $until:literal, $order:literal, $extra:expr) => {
        Walk {
            hits: concat!(
                "SELECT ",
                $id,
                ", w.word FROM ",
                $table,
                " w WHERE (w.word, ",
                $id,
                ") ",
                $after,
                " ($1, $2) AND (w.word, ",
                $id,
                ") ",
                $until,
                " ($3, $4) AND ",
                has_word!($table, $column, $id, "$7", "$8"),
                " AND ",
                has_word!($table, $column, $id, "$9", "$10"),
                " AND ",
                has_word!($table, $column, $id, "$11", "$12"),
                // Last, because it is true for nearly every row, and the others for few.
                " AND w.word = (SELECT e.word FROM ",
                $table,
                " e WHERE e.",
                $column,
                " = ",
                $id,
                " AND e.word >= $5 ORDER BY e.word LIMIT 1)",
                $extra,
                " ORDER BY w.word ",
                $order,
                ", ",
                $id,
                " ",
                $order,
                " LIMIT $6"
            ),
            window_end: concat!(
                "SELECT ",
                $id,
                ", w.word FROM ",
                $table,
                " w WHERE (w.word, ",
                $id,
                ") ",
                $after,
                " ($1, $2) AND (w.word, ",
                $id,
                ") ",
                $until,
                " ($3, $4) ORDER BY w.word ",
                $order,
                ", ",
                $id,
                " ",
                $order,
                " LIMIT 1 OFFSET $5"
            ),
        }
    };
}

/// A walk along the members of an organization.
macro_rules! along_members {
    ($after:literal, $until:literal, $order:literal) => {
        Walk {
            hits: concat!(
                "SELECT m.user_id FROM memberships m WHERE m.organization_id = $1 AND m.user_id ",
                $after,
                " $2 AND m.user_id ",
                $until,
                " $3 AND ",
                has_word!("user_words", "user_id", "m.user_id", "$5", "$6"),
                " AND ",
                has_word!("user_words", "user_id", "m.user_id", "$7", "$8"),
                " AND ",
                has_word!("user_words", "user_id", "m.user_id", "$9", "$10"),
                " AND ",
                has_word!("user_words", "user_id", "m.user_id", "$11", "$12"),
                " ORDER BY m.user_id ",
                $order,
                " LIMIT $4"
            ),
            window_end: concat!(
                "SELECT m.user_id FROM memberships m WHERE m.organization_id = $1 AND m.user_id ",
                $after,
                " $2 AND m.user_id ",
                $until,
                " $3 ORDER BY m.user_id ",
                $order,
                " LIMIT 1 OFFSET $4"
            ),
        }
    };
}

macro_rules! statements {
    ($table:literal, $column:literal, $id:literal, $extra:expr) => {
        Statements {
            count: concat!(
                "SELECT COUNT(*) FROM (SELECT 1 FROM ",
                $table,
                " w WHERE w.word >= $1 AND w.word < $2 LIMIT $3) AS counted"
            ),
            nth: concat!(
                "SELECT w.word FROM ",
                $table,
                " w WHERE w.word >= $1 AND w.word < $2 ORDER BY w.word LIMIT 1 OFFSET $3"
            ),
            onwards: along_words!($table, $column, $id, ">", "<=", "ASC", $extra),
            back: along_words!($table, $column, $id, "<", ">=", "DESC", $extra),
        }
    };
}

const ORGANIZATIONS: Statements =
    statements!("organization_words", "organization_id", "w.organization_id", "");
const USERS: Statements = statements!("user_words", "user_id", "w.user_id", "");
const MEMBERS: Statements = statements!(
    "user_words",
    "user_id",
    "w.user_id",
    " AND (SELECT COUNT(*) FROM memberships m WHERE m.organization_id = $13 AND m.user_id = w.user_id) > 0"
);
const MEMBER_COUNT: &str =
    "SELECT COUNT(*) FROM (SELECT 1 FROM memberships WHERE organization_id = $1 LIMIT $2) AS counted";
// The newest members first.
const MEMBERS_ONWARDS: Walk = along_members!("<", ">=", "DESC");
const MEMBERS_BACK: Walk = along_members!(">", "<=", "ASC");

/// A place in the index.
#[derive(Debug, Clone)]
struct IndexPosition {
    word: Vec<u8>,
    id: String,
}

impl IndexPosition {
    fn read(row: &Row, lead: Lead) -> Result<Self, Error> {
        let mut columns = Columns::of(row);
        let id = columns.text()?;
        let word = match lead {
            Lead::Term(_) => columns.bytes()?,
            Lead::Members => Vec::new(),
        };
        Ok(Self { word, id })
    }

    fn cursor(&self, lead: Lead, direction: Direction) -> Cursor {
        Cursor {
            lead,
            direction,
            word: self.word.clone(),
            id: self.id.clone(),
        }
    }
}

async fn search<I: Id>(
    tx: &mut Tx<'_>,
    query: &Query,
    page: &HitPage,
    statements: &Statements,
    organization_id: Option<&OrganizationId>,
) -> Result<Hits<I>, Error> {
    let nothing = Hits {
        ids: Vec::new(),
        next: None,
        previous: None,
    };
    if query.terms.is_empty() {
        return Ok(nothing);
    }
    let lead = match &page.cursor {
        // A cursor of another query is of no use.
        Some(cursor) => match cursor.lead {
            Lead::Term(index) if index >= query.terms.len() => return Ok(nothing),
            Lead::Members if organization_id.is_none() => return Ok(nothing),
            lead => lead,
        },
        None => rarest(tx, query, statements, organization_id).await?,
    };
    let search = Search {
        query,
        statements,
        organization_id,
        lead,
        direction: page
            .cursor
            .as_ref()
            .map_or(Direction::Onwards, |cursor| cursor.direction),
    };
    let limit = usize::try_from(page.limit.clamp(1, MAX_LIMIT)).unwrap_or(1);
    search.page(tx, page.cursor.as_ref(), limit).await
}

async fn count_hits<I>(
    tx: &mut Tx<'_>,
    query: &Query,
    hits: &Hits<I>,
    statements: &Statements,
    organization_id: Option<&OrganizationId>,
) -> Result<u32, Error> {
    if query.terms.is_empty() {
        return Ok(0);
    }
    let cursor = hits.next.as_ref().or(hits.previous.as_ref());
    let search = Search {
        query,
        statements,
        organization_id,
        lead: match cursor {
            Some(cursor) => cursor.lead,
            None => rarest(tx, query, statements, organization_id).await?,
        },
        direction: Direction::Onwards,
    };
    let (start, end) = search.bounds(None);
    let walked = search.walk(tx, (start, &end), COUNTED, COUNT_WINDOWS).await?;
    Ok(u32::try_from(walked.hits.len()).unwrap_or(u32::MAX))
}

/// The shortest list, which is the fastest to read along.
async fn rarest(
    tx: &mut Tx<'_>,
    query: &Query,
    statements: &Statements,
    organization_id: Option<&OrganizationId>,
) -> Result<Lead, Error> {
    if query.terms.len() == 1 && organization_id.is_none() {
        return Ok(Lead::Term(0));
    }
    for limit in COUNTS {
        let mut best: Option<(i64, Lead)> = None;
        let mut consider = |count: i64, lead| {
            if count < limit && best.is_none_or(|(least, _)| count < least) {
                best = Some((count, lead));
            }
        };
        if let Some(id) = organization_id {
            consider(count(tx, MEMBER_COUNT, p![id, limit]).await?, Lead::Members);
        }
        for (index, term) in query.terms.iter().enumerate() {
            let params = p![&term.first, &term.end, limit];
            consider(count(tx, statements.count, params).await?, Lead::Term(index));
        }
        if let Some((_, lead)) = best {
            return Ok(lead);
        }
    }
    if organization_id.is_some() {
        return Ok(Lead::Members);
    }
    // All are common. The entries of a single word lie in the order of their rows, so hits come evenly.
    // Words such as `anna.` with different ends lie in the order of names, so all people of one family may
    // come last.
    for (index, term) in query.terms.iter().enumerate() {
        let row = tx
            .opt(statements.nth, p![&term.first, &term.end, LONG - 1])
            .await?;
        let word = row.map(|row| Columns::of(&row).bytes()).transpose()?;
        if word.is_some_and(|word| word == term.first) {
            return Ok(Lead::Term(index));
        }
    }
    let longest = query
        .terms
        .iter()
        .enumerate()
        .max_by_key(|(_, term)| term.first.len());
    Ok(Lead::Term(longest.map_or(0, |(index, _)| index)))
}

async fn count(tx: &mut Tx<'_>, sql: &'static str, params: &[Value<'_>]) -> Result<i64, Error> {
    match tx.opt(sql, params).await? {
        Some(row) => Columns::of(&row).int(),
        None => Ok(0),
    }
}

struct Search<'a> {
    query: &'a Query,
    statements: &'a Statements,
    organization_id: Option<&'a OrganizationId>,
    lead: Lead,
    direction: Direction,
}

/// The hits of a walk, and where it stopped before the end.
struct WalkResult {
    hits: Vec<IndexPosition>,
    stopped: Option<IndexPosition>,
}

impl Search<'_> {
    async fn page<I: Id>(
        &self,
        tx: &mut Tx<'_>,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Hits<I>, Error> {
        let (start, end) = self.bounds(cursor);
        let WalkResult { mut hits, stopped } = self.walk(tx, (start.clone(), &end), limit, WINDOWS).await?;
        let here = |place: Option<&IndexPosition>, direction| {
            // A page without hits has a place as well.
            cursor.map(|_| place.unwrap_or(&start).cursor(self.lead, direction))
        };
        let (next, previous) = match self.direction {
            Direction::Onwards => (
                stopped.map(|place| place.cursor(self.lead, Direction::Onwards)),
                here(hits.first(), Direction::Back),
            ),
            Direction::Back => {
                hits.reverse();
                (
                    here(hits.last(), Direction::Onwards),
                    stopped.map(|place| place.cursor(self.lead, Direction::Back)),
                )
            }
        };
        let ids = hits
            .iter()
            .map(|hit| I::parse(&hit.id).map_err(|_| Error::Corrupt(I::PREFIXES[0])))
            .collect::<Result<_, _>>()?;
        Ok(Hits { ids, next, previous })
    }

    /// Where to start, exclusive, and where the list ends in that direction.
    fn bounds(&self, cursor: Option<&Cursor>) -> (IndexPosition, IndexPosition) {
        let at = |word: &[u8], id: &str| IndexPosition {
            word: word.to_vec(),
            id: id.to_owned(),
        };
        // No identifier is empty, so this place comes before all entries of its word.
        let (first, last) = match self.lead {
            Lead::Term(index) => {
                let Term { first, end } = &self.query.terms[index];
                (at(first, ""), at(end, ""))
            }
            Lead::Members => (at(b"", LAST_USER), at(b"", "")),
        };
        let (start, end) = match self.direction {
            Direction::Onwards => (first, last),
            Direction::Back => (last, first),
        };
        let start = cursor.map_or(start, |cursor| at(&cursor.word, &cursor.id));
        (start, end)
    }

    /// Reads up to `limit` hits, window by window.
    async fn walk(
        &self,
        tx: &mut Tx<'_>,
        (start, end): (IndexPosition, &IndexPosition),
        limit: usize,
        windows: u32,
    ) -> Result<WalkResult, Error> {
        let mut hits: Vec<IndexPosition> = Vec::new();
        let mut from = start;
        // If nearly every entry is a hit, the page ends by itself.
        let is_dense = self.query.terms.len() == 1 && self.organization_id.is_none();
        for _ in 0..windows {
            let window_end = if is_dense {
                None
            } else {
                self.window_end(tx, &from, end).await?
            };
            // One more than requested shows whether more follow.
            let wanted = limit + 1 - hits.len();
            hits.extend(
                self.hits(tx, &from, window_end.as_ref().unwrap_or(end), wanted)
                    .await?,
            );
            if hits.len() > limit {
                hits.truncate(limit);
                let stopped = hits.last().cloned();
                return Ok(WalkResult { hits, stopped });
            }
            match window_end {
                Some(place) => from = place,
                None => return Ok(WalkResult { hits, stopped: None }),
            }
        }
        let stopped = Some(from);
        Ok(WalkResult { hits, stopped })
    }

    fn statement(&self) -> &Walk {
        match (self.lead, self.direction) {
            (Lead::Term(_), Direction::Onwards) => &self.statements.onwards,
            (Lead::Term(_), Direction::Back) => &self.statements.back,
            (Lead::Members, Direction::Onwards) => &MEMBERS_ONWARDS,
            (Lead::Members, Direction::Back) => &MEMBERS_BACK,
        }
    }

    async fn window_end(
        &self,
        tx: &mut Tx<'_>,
        from: &IndexPosition,
        to: &IndexPosition,
    ) -> Result<Option<IndexPosition>, Error> {
        let sql = self.statement().window_end;
        let row = match self.lead {
            Lead::Term(_) => {
                tx.opt(sql, p![&from.word, &from.id, &to.word, &to.id, WINDOW])
                    .await?
            }
            Lead::Members => {
                tx.opt(sql, p![self.organization_id, &from.id, &to.id, WINDOW])
                    .await?
            }
        };
        row.map(|row| IndexPosition::read(&row, self.lead)).transpose()
    }

    async fn hits(
        &self,
        tx: &mut Tx<'_>,
        from: &IndexPosition,
        to: &IndexPosition,
        limit: usize,
    ) -> Result<Vec<IndexPosition>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let terms = &self.query.terms;
        let mut params: Vec<Value<'_>> = Vec::with_capacity(13);
        let others: Vec<&Term> = match self.lead {
            Lead::Term(index) => {
                params.extend_from_slice(p![
                    &from.word,
                    &from.id,
                    &to.word,
                    &to.id,
                    &terms[index].first,
                    limit
                ]);
                let others = terms.iter().enumerate().filter(|(other, _)| *other != index);
                // If there are fewer terms, the lead fills the places, because it matches anyway.
                let others = others
                    .map(|(_, term)| term)
                    .chain(std::iter::repeat(&terms[index]));
                others.take(MAX_TERMS - 1).collect()
            }
            Lead::Members => {
                params.extend_from_slice(p![self.organization_id, &from.id, &to.id, limit]);
                terms
                    .iter()
                    .chain(std::iter::repeat(&terms[0]))
                    .take(MAX_TERMS)
                    .collect()
            }
        };
        for term in others {
            params.extend_from_slice(p![&term.first, &term.end]);
        }
        if let (Lead::Term(_), Some(id)) = (self.lead, self.organization_id) {
            params.push(id.into());
        }
        let rows = tx.all(self.statement().hits, &params).await?;
        rows.iter()
            .map(|row| IndexPosition::read(row, self.lead))
            .collect()
    }
}
