//! The one place that reads the clock.

use jiff::Timestamp;

/// The time.
#[expect(clippy::disallowed_methods, reason = "everything else asks here")]
pub fn now() -> Timestamp {
    Timestamp::now()
}
