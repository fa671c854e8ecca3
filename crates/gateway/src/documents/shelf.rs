//! Documents of other servers, kept for a while: one caller at a time fetches each, and
//! a failure is remembered for seconds.
//!
//! Anybody may begin a sign-in, so anybody can cause these calls. If a provider does not
//! answer, a call takes ten seconds. Without a memory each visitor of a sign-in page would
//! cause such a call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::sync::Cache;
use parking_lot::Mutex;
use tracing::Instrument as _;

/// How long a failure is repeated without another call. After that, a provider that is
/// back is noticed.
const FAILURE_AGE: Duration = Duration::from_secs(3);

/// The most documents that are kept; beyond it the least used ones are dropped.
const MAX_KEPT: u64 = 5_000;

/// Documents by name.
pub(crate) struct Shelf<T, E> {
    places: Cache<String, Arc<ShelfEntry<T, E>>>,
}

#[derive(Debug)]
struct ShelfEntry<T, E> {
    known: Mutex<EntryState<T, E>>,
    /// Held during a fetch.
    flight: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct EntryState<T, E> {
    kept: Option<FetchedDocument<T>>,
    failed: Option<(Arc<E>, Instant)>,
}

/// A document that was fetched.
#[derive(Debug)]
pub(crate) struct FetchedDocument<T> {
    document: Arc<T>,
    at: Instant,
    /// It was fetched because its predecessor lacked something that a token named.
    pub(crate) is_refetch: bool,
}

impl<T> FetchedDocument<T> {
    pub(crate) fn age(&self) -> Duration {
        self.at.elapsed()
    }
}

impl<T, E> std::fmt::Debug for Shelf<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").finish_non_exhaustive()
    }
}

impl<T, E> Default for Shelf<T, E>
where
    T: Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    fn default() -> Self {
        Self {
            places: Cache::new(MAX_KEPT),
        }
    }
}

impl<T, E> Default for ShelfEntry<T, E> {
    fn default() -> Self {
        Self {
            known: Mutex::new(EntryState {
                kept: None,
                failed: None,
            }),
            flight: Arc::default(),
        }
    }
}

impl<T, E> Shelf<T, E>
where
    T: Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    /// The document called `name` if it `suffices`, else the result of `fetch`.
    ///
    /// A task of its own fetches it. So if a caller goes away, the document, or the memory
    /// of a failure, is still kept.
    ///
    /// # Errors
    ///
    /// The error of `fetch`, perhaps of a call a moment ago.
    pub(crate) async fn get<F>(
        &self,
        name: &str,
        is_refetch: bool,
        suffices: impl Fn(&FetchedDocument<T>) -> bool,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<T>, Arc<E>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let place = self.places.get_with_by_ref(name, Arc::default);
        if let Some(known) = place.look(false, &suffices) {
            return known;
        }
        let flying = Arc::clone(&place.flight).lock_owned().await;
        // The fetch before may have brought it.
        if let Some(known) = place.look(true, &suffices) {
            return known;
        }
        let fetch = fetch();
        let flight = async move {
            let brought = fetch.await.map(Arc::new).map_err(Arc::new);
            place.put(&brought, is_refetch);
            drop(flying);
            brought
        };
        match tokio::spawn(flight.in_current_span()).await {
            Ok(brought) => brought,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The process ends, and with it all who wait.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

impl<T, E> ShelfEntry<T, E> {
    /// The kept document or failure, if that is enough.
    fn look(
        &self,
        is_flying: bool,
        suffices: impl Fn(&FetchedDocument<T>) -> bool,
    ) -> Option<Result<Arc<T>, Arc<E>>> {
        let known = self.known.lock();
        if let Some(kept) = known.kept.as_ref().filter(|kept| suffices(kept)) {
            return Some(Ok(Arc::clone(&kept.document)));
        }
        match &known.failed {
            // During another fetch, the others do not wait: its result will probably be the same.
            Some((error, at))
                if at.elapsed() < FAILURE_AGE || (!is_flying && self.flight.try_lock().is_err()) =>
            {
                Some(Err(Arc::clone(error)))
            }
            _ => None,
        }
    }

    fn put(&self, brought: &Result<Arc<T>, Arc<E>>, is_refetch: bool) {
        let mut known = self.known.lock();
        let at = Instant::now();
        match brought {
            Ok(document) => {
                known.failed = None;
                known.kept = Some(FetchedDocument {
                    document: Arc::clone(document),
                    at,
                    is_refetch,
                });
            }
            Err(error) => known.failed = Some((Arc::clone(error), at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    type Numbers = Shelf<usize, &'static str>;

    #[tokio::test]
    async fn a_hundred_callers_fetch_once() {
        let (shelf, fetched) = (Arc::new(Numbers::default()), Arc::new(AtomicUsize::new(0)));
        let callers = (0..100).map(|_| {
            let (shelf, fetched) = (Arc::clone(&shelf), Arc::clone(&fetched));
            tokio::spawn(async move {
                let fetch = || async move {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Ok(fetched.fetch_add(1, Ordering::SeqCst))
                };
                shelf.get("a", false, |_| true, fetch).await
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            assert_eq!(caller.await.unwrap(), Ok(Arc::new(0)));
        }
    }

    #[tokio::test]
    async fn a_caller_who_goes_away_takes_no_failure_along() {
        let (shelf, fetched) = (Numbers::default(), Arc::new(AtomicUsize::new(0)));
        let fetch = || {
            let fetched = Arc::clone(&fetched);
            move || async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                fetched.fetch_add(1, Ordering::SeqCst);
                Err("down")
            }
        };
        let impatient = shelf.get("a", false, |_| true, fetch());
        assert!(
            tokio::time::timeout(Duration::from_millis(5), impatient)
                .await
                .is_err(),
            "it is cut off"
        );
        for _ in 0..3 {
            assert_eq!(
                shelf.get("a", false, |_| true, fetch()).await,
                Err(Arc::new("down"))
            );
        }
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn what_is_asked_for_stays_however_many_others_come_by() {
        let (shelf, fetched) = (Numbers::default(), Arc::new(AtomicUsize::new(0)));
        let get = async |name: String| {
            let fetched = Arc::clone(&fetched);
            let fetch = || async move { Ok(fetched.fetch_add(1, Ordering::SeqCst)) };
            *shelf.get(&name, false, |_| true, fetch).await.unwrap()
        };
        for _ in 0..20 {
            assert_eq!(get("customer".to_owned()).await, 0);
        }
        for stranger in 0..2 * MAX_KEPT {
            get(stranger.to_string()).await;
            get("customer".to_owned()).await;
        }
        shelf.places.run_pending_tasks();
        assert!(shelf.places.entry_count() <= MAX_KEPT);
        assert_eq!(get("customer".to_owned()).await, 0, "it was never fetched again");
    }
}
