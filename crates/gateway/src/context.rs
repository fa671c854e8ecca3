//! The request under way, for functions deep inside: its number, which ties a page to
//! its line in the log and to an event, and its client.

use std::sync::Arc;

use genkan_web::listener::Source;

use crate::lines::Lines;

tokio::task_local! {
    static REQUEST: Context;
}

#[derive(Debug, Clone)]
struct Context {
    id: Arc<str>,
    source: Source,
    lines: Arc<Lines>,
}

/// Runs `request` under the number `id`.
pub async fn within<F: Future>(id: Arc<str>, source: Source, lines: Arc<Lines>, request: F) -> F::Output {
    REQUEST.scope(Context { id, source, lines }, request).await
}

/// Whether a refusal of the request under way has a line of its own in the log.
pub fn has_line(reason: &str) -> bool {
    REQUEST
        .try_with(|context| context.lines.has_line(reason))
        .unwrap_or(true)
}

/// The number of the request under way; absent if there is none.
pub fn request_id() -> Option<Arc<str>> {
    REQUEST.try_with(|context| Arc::clone(&context.id)).ok()
}

/// The client of the request under way.
pub fn source() -> Option<Source> {
    REQUEST.try_with(|context| context.source).ok()
}

/// A number that no other request has.
pub fn new_id() -> Arc<str> {
    let mut bytes = [0; 8];
    // Without randomness the request is still answered, but harder to find in the log.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    format!("req_{:021}", u64::from_be_bytes(bytes)).into()
}
