//! A moment, in microseconds since the Unix epoch.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment in UTC, in microseconds since the Unix epoch. The store keeps this number,
/// and it serializes as one. Tokens carry whole seconds ([`Timestamp::as_secs`]).
///
/// ```
/// use std::time::Duration;
/// use genkan_protocol::Timestamp;
///
/// let issued = Timestamp::from_secs(1_700_000_000);
/// let later = issued + Duration::from_millis(90_500);
/// assert_eq!(later.as_secs(), 1_700_000_090);
/// assert_eq!(later.since(issued), Duration::from_millis(90_500));
/// assert_eq!(issued.since(later), Duration::ZERO);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the Unix epoch: a `NumericDate` (RFC 7519 §2).
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down: a `NumericDate` (RFC 7519 §2).
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// As people read it (RFC 3339), in whole seconds: `2026-11-29T20:40:00Z`.
    pub fn to_rfc3339(self) -> String {
        let (days, secs) = (
            self.as_secs().div_euclid(86_400),
            self.as_secs().rem_euclid(86_400),
        );
        let (year, month, day) = date(days);
        let (hour, minute, second) = (secs / 3_600, secs / 60 % 60, secs % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// How long ago `earlier` was; zero if it is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Year, month and day of a day counted from the Unix epoch, in the Gregorian
/// calendar: 400 years have 146,097 days, and a year that begins in March ends with
/// the day that leap years add.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_people_read_it() {
        for (secs, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_795_985_041, "2026-11-29T20:44:01Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp::from_secs(secs).to_rfc3339(), text);
        }
    }

    #[test]
    fn the_ends_of_time_are_held_not_crossed() {
        let (first, last) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
        assert_eq!(last + Duration::MAX, last);
        assert_eq!(first - Duration::MAX, first);
        assert_eq!(Timestamp::from_secs(i64::MAX), last);
        assert_eq!(last.since(first), Duration::from_micros(i64::MAX as u64));
        assert_eq!(Timestamp::from_micros(-1).as_secs(), -1);
    }
}
