//! Three nodes behind HAProxy, while nodes and databases go away and come back.
//!
//! People sign in, tokens are refreshed and organizations are made all the while, and a journal is
//! kept of what was answered. **Nothing that was granted is lost**; what is not granted is 503 and
//! was not done, or 504 and nobody can tell, or the connection is cut; and `/readyz` tells the truth.

mod client;
mod clocks;
mod databases;
mod load;
mod nodes;
mod sign_in;
mod site;

use std::time::{Duration, Instant};

/// Waits for what happens soon. Only a hang exceeds the limit.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while !holds().await {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
