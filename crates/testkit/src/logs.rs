//! Captures the log, to look for secrets or for a line.
//!
//! `tracing` stores for the whole process which subscribers want which line. Subscribers for single threads
//! would come and go beside those of other tests. If a thread without a subscriber reached a line first,
//! the line would stay silent for all. So there is one subscriber for the process. It is installed before
//! the first line, decides anew at each line who wants it, and stays.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::thread::{self, ThreadId};

use parking_lot::{Mutex, RwLock};
use tracing::Metadata;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{Targets, dynamic_filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

/// Collects log lines while it lives.
#[derive(Debug)]
pub struct Logs(Arc<Capture>);

#[derive(Debug)]
struct Capture {
    /// `None`: of every thread.
    thread: Option<ThreadId>,
    wanted: Targets,
    written: Mutex<Vec<u8>>,
}

static CAPTURES: RwLock<Vec<Arc<Capture>>> = RwLock::new(Vec::new());
/// The number of captures, so that nobody waits for the lock while there is none.
static COUNT: AtomicUsize = AtomicUsize::new(0);

impl Logs {
    /// Captures the lines of this thread: everything that a test and its gateway do, except for the threads
    /// of the database and other blocking work. `filter` names targets and levels: `genkan=trace,debug`.
    pub fn capture(filter: &str) -> Self {
        Self::begin(filter, Some(thread::current().id()))
    }

    /// Captures the lines of every thread, also those of other tests.
    pub fn capture_of_all_threads(filter: &str) -> Self {
        Self::begin(filter, None)
    }

    fn begin(filter: &str, thread: Option<ThreadId>) -> Self {
        listen();
        let capture = Arc::new(Capture {
            thread,
            wanted: filter.parse().unwrap(),
            written: Mutex::default(),
        });
        let mut captures = CAPTURES.write();
        captures.push(Arc::clone(&capture));
        COUNT.store(captures.len(), Ordering::SeqCst);
        Self(capture)
    }

    pub fn text(&self) -> String {
        let written = self.0.written.lock();
        String::from_utf8_lossy(&written).into_owned()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        let mut captures = CAPTURES.write();
        captures.retain(|capture| !Arc::ptr_eq(capture, &self.0));
        COUNT.store(captures.len(), Ordering::SeqCst);
    }
}

/// Installs the subscriber of the process.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(Writers)
            // A dynamic filter: `tracing` does not store its answers.
            .with_filter(dynamic_filter_fn(|metadata, _| {
                COUNT.load(Ordering::SeqCst) > 0 && !who_wants(metadata).is_empty()
            }));
        tracing::subscriber::set_global_default(Registry::default().with(layer))
            .expect("no test installs another");
        // If a line was reached during the installation, it may have found no subscriber.
        tracing::callsite::rebuild_interest_cache();
    });
}

fn who_wants(metadata: &Metadata<'_>) -> Vec<Arc<Capture>> {
    let here = thread::current().id();
    let captures = CAPTURES.read();
    captures
        .iter()
        .filter(|capture| capture.thread.is_none_or(|thread| thread == here))
        .filter(|capture| capture.wanted.would_enable(metadata.target(), metadata.level()))
        .cloned()
        .collect()
}

struct Writers;

struct Writer(Vec<Arc<Capture>>);

impl MakeWriter<'_> for Writers {
    type Writer = Writer;

    fn make_writer(&self) -> Writer {
        Writer(Vec::new())
    }

    fn make_writer_for(&self, metadata: &Metadata<'_>) -> Writer {
        Writer(who_wants(metadata))
    }
}

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for capture in &self.0 {
            let mut written = capture.written.lock();
            written.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log line that many threads reach.
    fn say(word: &str) {
        tracing::debug!(word, "said");
    }

    #[test]
    fn a_line_that_others_reached_first_is_heard_all_the_same() {
        let others: Vec<_> = (0..8)
            .map(|_| {
                thread::spawn(|| {
                    for _ in 0..200 {
                        let logs = Logs::capture("debug");
                        say("mine");
                        let text = logs.text();
                        assert!(text.contains("mine"), "{text}");
                        drop(logs);
                        say("nobody's");
                    }
                })
            })
            .collect();
        for other in others {
            other.join().unwrap();
        }
    }

    #[test]
    fn a_capture_hears_its_own_thread_or_all_of_them() {
        let (own, all) = (
            Logs::capture("debug"),
            Logs::capture_of_all_threads("genkan_testkit=debug"),
        );
        thread::spawn(|| say("elsewhere")).join().unwrap();
        say("here");
        assert!(!own.text().contains("elsewhere") && own.text().contains("here"));
        assert!(all.text().contains("elsewhere") && all.text().contains("here"));
        tracing::trace!(word = "too quiet", "said");
        assert!(!all.text().contains("too quiet"));
    }
}
