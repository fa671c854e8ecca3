//! Three nodes behind HAProxy, while nodes and databases go away and come back.
//!
//! People sign in, applications refresh tokens and make organizations all the while, and a journal keeps
//! every answer. **No grant that was answered is lost.** Every other answer is 503, and then nothing was
//! done; or 504, and nobody can tell; or the connection is cut. `/readyz` tells the truth.

mod client;
mod clocks;
mod databases;
mod load;
mod nodes;
mod sign_in;
mod site;

use std::time::{Duration, Instant};

/// Waits until something holds. Only a hang exceeds the limit.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while !holds().await {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
