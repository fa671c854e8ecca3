//! Pages of lists: newest first, continued from the identifier at an edge.
//!
//! A page is found by identifiers and not by counting. So a row that is added or removed meanwhile neither
//! repeats a row nor skips one.

/// Which part of a list to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<I> {
    /// The most rows, from 1 to [`MAX_LIMIT`].
    pub limit: u32,
    pub from: PageStart<I>,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageStart<I> {
    /// At the newest row.
    Newest,
    /// With the rows that are older than this identifier.
    After(I),
    /// With the rows just newer than this identifier, at the end of the page.
    Before(I),
}

/// The longest page.
pub const MAX_LIMIT: u32 = 200;

impl<I> Page<I> {
    /// The newest `limit` rows.
    pub const fn first(limit: u32) -> Self {
        Self {
            limit,
            from: PageStart::Newest,
        }
    }

    pub const fn after(limit: u32, id: I) -> Self {
        Self {
            limit,
            from: PageStart::After(id),
        }
    }

    pub const fn before(limit: u32, id: I) -> Self {
        Self {
            limit,
            from: PageStart::Before(id),
        }
    }

    /// One row more than the page holds shows whether another page follows.
    #[must_use]
    pub fn and_one_more(mut self) -> Self {
        self.limit = self.limit.clamp(1, MAX_LIMIT) + 1;
        self
    }

    /// The limit of the statement.
    pub(crate) fn limit(&self) -> i64 {
        i64::from(self.limit.clamp(1, MAX_LIMIT + 1))
    }

    /// Whether the statement reads from the oldest row upwards.
    pub(crate) const fn is_upwards(&self) -> bool {
        matches!(self.from, PageStart::Before(_))
    }

    /// The identifier at the edge.
    pub(crate) const fn edge(&self) -> Option<&I> {
        match &self.from {
            PageStart::Newest => None,
            PageStart::After(id) | PageStart::Before(id) => Some(id),
        }
    }
}

/// Reads one page, newest first: `page_rows!(tx, page, "SELECT … WHERE …", [p3, p4])`.
///
/// The text ends in a condition (`WHERE TRUE` if there is none) and has the column `id`, or the column that
/// is named after the list. Its parameters begin with `$3`, because the page uses `$1` and `$2`. Both
/// engines read it from the index.
macro_rules! page_rows {
    ($tx:expr, $page:expr, $select:expr, [$($param:expr),* $(,)?]) => {
        page_rows!($tx, $page, $select, [$($param),*], "id")
    };
    ($tx:expr, $page:expr, $select:expr, [$($param:expr),* $(,)?], $id:literal) => {{
        let page = $page;
        let params = genkan_db::p![page.edge(), page.limit() $(, $param)*];
        if page.is_upwards() {
            let sql = concat!(
                $select, " AND ", $id, " > COALESCE(CAST($1 AS TEXT), '') ORDER BY ", $id, " ASC LIMIT $2"
            );
            let mut rows = $tx.all(sql, params).await?;
            rows.reverse();
            rows
        } else {
            // Later than every identifier in every collation.
            let sql = concat!(
                $select, " AND ", $id, " < COALESCE(CAST($1 AS TEXT), 'zzzz') ORDER BY ", $id, " DESC LIMIT $2"
            );
            $tx.all(sql, params).await?
        }
    }};
}
pub(crate) use page_rows;
