//! Documents that others publish, kept for a while: each is fetched by one caller
//! at a time, and a failure is remembered for seconds.
//!
//! Anybody may begin a sign-in, so whatever a sign-in fetches is fetched for
//! anybody. A provider that does not answer costs its callers ten seconds; without
//! a memory each visitor of a sign-in page would cost a call of that length.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a failure is told again without another call. A provider that is back
/// is noticed after that at the latest.
const FAILURE_AGE: Duration = Duration::from_secs(3);

/// More documents than this are not kept.
const MAX_KEPT: usize = 5_000;

/// Documents by name.
#[derive(Debug)]
pub(crate) struct Shelf<T, E> {
    places: Mutex<HashMap<String, Place<T, E>>>,
}

#[derive(Debug)]
struct Place<T, E> {
    kept: Option<Kept<T>>,
    failed: Option<(Arc<E>, Instant)>,
    /// Held by whoever fetches.
    flight: Arc<tokio::sync::Mutex<()>>,
}

/// A document that was fetched.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    document: Arc<T>,
    at: Instant,
    /// It was fetched since its predecessor did not have what a token named.
    pub(crate) is_refetch: bool,
}

impl<T> Kept<T> {
    pub(crate) fn age(&self) -> Duration {
        self.at.elapsed()
    }
}

/// What is known of a document.
enum Known<T, E> {
    Is(Arc<T>),
    Failed(Arc<E>),
    /// Nothing that suffices: whoever gets hold of the flight fetches it.
    Nothing(Arc<tokio::sync::Mutex<()>>),
}

impl<T, E> Default for Shelf<T, E> {
    fn default() -> Self {
        Self {
            places: Mutex::default(),
        }
    }
}

impl<T, E> Shelf<T, E> {
    /// The document called `name` if it `suffices`, else what `fetch` brings.
    ///
    /// # Errors
    ///
    /// That of `fetch`, perhaps of one a moment ago.
    pub(crate) async fn get(
        &self,
        name: &str,
        is_refetch: bool,
        suffices: impl Fn(&Kept<T>) -> bool,
        fetch: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, Arc<E>> {
        let flight = match self.look(name, false, &suffices) {
            Known::Is(document) => return Ok(document),
            Known::Failed(error) => return Err(error),
            Known::Nothing(flight) => flight,
        };
        let _flying = flight.lock().await;
        // Whoever flew before us may have brought it.
        match self.look(name, true, &suffices) {
            Known::Is(document) => return Ok(document),
            Known::Failed(error) => return Err(error),
            Known::Nothing(_) => {}
        }
        let brought = fetch.await.map(Arc::new).map_err(Arc::new);
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get_mut(name) {
            let at = Instant::now();
            match &brought {
                Ok(document) => {
                    place.failed = None;
                    place.kept = Some(Kept {
                        document: Arc::clone(document),
                        at,
                        is_refetch,
                    });
                }
                Err(error) => place.failed = Some((Arc::clone(error), at)),
            }
        }
        brought
    }

    fn look(&self, name: &str, is_flying: bool, suffices: impl Fn(&Kept<T>) -> bool) -> Known<T, E> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MAX_KEPT && !places.contains_key(name) {
            places.clear();
        }
        let place = places.entry(name.to_owned()).or_insert_with(|| Place {
            kept: None,
            failed: None,
            flight: Arc::default(),
        });
        if let Some(kept) = place.kept.as_ref().filter(|kept| suffices(kept)) {
            return Known::Is(Arc::clone(&kept.document));
        }
        match &place.failed {
            // While somebody asks again, nobody else waits for what will probably be the same.
            Some((error, at))
                if at.elapsed() < FAILURE_AGE || (!is_flying && place.flight.try_lock().is_err()) =>
            {
                Known::Failed(Arc::clone(error))
            }
            _ => Known::Nothing(Arc::clone(&place.flight)),
        }
    }
}
