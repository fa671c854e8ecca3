//! Lists come in pages, newest first, continued after the last identifier seen.

/// Which part of a list to read.
#[derive(Debug, Clone)]
pub struct Page<I> {
    /// How many rows at most; read 1 to [`MAX_LIMIT`].
    pub limit: u32,
    /// The last identifier of the page before.
    pub after: Option<I>,
}

/// The longest page.
pub const MAX_LIMIT: u32 = 200;

impl<I> Page<I> {
    /// The newest `limit` rows.
    pub const fn first(limit: u32) -> Self {
        Self { limit, after: None }
    }

    pub const fn after(limit: u32, id: I) -> Self {
        Self {
            limit,
            after: Some(id),
        }
    }

    pub(crate) fn limit(&self) -> i64 {
        i64::from(self.limit.clamp(1, MAX_LIMIT))
    }
}
