//! The length of a list. It is exact while counting is cheap; above that, it is counted
//! once in a while.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use genkan_db::Tx;
use parking_lot::Mutex;

use crate::{Api, Error};

/// Counting this many rows takes less than a millisecond.
const CHEAP: i64 = 10_000;

/// How old the length of a longer list may be.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The most lists that are remembered; with more, the memory is cleared.
const MAX_LISTS: usize = 1_000;

#[derive(Debug, Default)]
pub(crate) struct Totals(Mutex<HashMap<String, (i64, Instant)>>);

impl Totals {
    fn get(&self, list: &str) -> Option<i64> {
        let known = self.0.lock();
        let (total, at) = known.get(list)?;
        (at.elapsed() < MAX_AGE).then_some(*total)
    }

    fn put(&self, list: &str, total: i64) {
        let mut known = self.0.lock();
        if known.len() >= MAX_LISTS {
            known.clear();
        }
        known.insert(list.to_owned(), (total, Instant::now()));
    }
}

impl Api {
    /// The length of `list`, a name with its filter (`users org_…`). `count` counts rows, up
    /// to its limit.
    pub(crate) async fn total(
        &self,
        list: &str,
        count: impl AsyncFnOnce(&mut Tx<'_>, i64) -> Result<i64, Error> + Clone,
    ) -> Result<u32, Error> {
        let bounded = count.clone();
        let mut total = self.read(async move |tx| bounded(tx, CHEAP + 1).await).await?;
        if total > CHEAP {
            total = match self.0.totals.get(list) {
                Some(known) => known,
                None => {
                    let all = self.read(async move |tx| count(tx, i64::MAX).await).await?;
                    self.0.totals.put(list, all);
                    all
                }
            };
        }
        Ok(u32::try_from(total).unwrap_or(u32::MAX))
    }
}
