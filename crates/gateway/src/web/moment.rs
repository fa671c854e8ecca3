//! Moments, as pages write them.

use genkan_protocol::Timestamp;
use genkan_web::text;

/// A moment for people: `22 November 2026, 14:03:11 UTC`.
pub fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.as_micros())
        .map_or_else(|_| "beyond the calendar".to_owned(), |at| text::moment(&at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_for_people() {
        assert_eq!(
            moment(Timestamp::from_secs(1_795_356_191)),
            "22 November 2026, 14:03:11 UTC"
        );
        assert_eq!(moment(Timestamp::from_micros(i64::MAX)), "beyond the calendar");
    }
}
