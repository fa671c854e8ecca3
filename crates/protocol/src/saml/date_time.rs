//! Moments in messages: `xs:dateTime` with a time zone.
//!
//! Source: SAML 2.0 Core §1.3.3; XML Schema Part 2 §3.2.7.

use std::time::Duration;

use crate::Timestamp;

/// More digits of a second than this are not read.
const MAX_FRACTION_DIGITS: usize = 12;

/// Reads a moment. Core §1.3.3 asks for UTC; an offset is understood too, because its
/// meaning is clear. A time without a zone is refused: it could be anywhere.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let time = rest.strip_prefix('T')?;
    let (clock, rest) = (time.get(..8)?, time.get(8..)?);
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let is_in_range = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && year > 0;
    if !is_in_range {
        return None;
    }
    let (micros, zone) = fraction(rest)?;
    let secs = days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let utc = Timestamp::from_secs(secs.checked_sub(offset_secs(zone)?)?);
    Some(utc + Duration::from_micros(micros))
}

/// Whole numbers of exactly these lengths.
fn numbers<const N: usize>(text: &str, separator: char, lengths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut found = [0; N];
    for (number, length) in found.iter_mut().zip(lengths) {
        let part = parts.next()?;
        if part.len() != length || !part.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

/// The microseconds of a fraction, if there is one, and what follows.
fn fraction(text: &str) -> Option<(u64, &str)> {
    let Some(text) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 || length > MAX_FRACTION_DIGITS {
        return None;
    }
    let (digits, zone) = text.split_at(length);
    let micros: String = digits.chars().chain("000000".chars()).take(6).collect();
    Some((micros.parse().ok()?, zone))
}

/// `Z`, or up to fourteen hours to either side.
fn offset_secs(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, offset) = match zone.split_at_checked(1)? {
        ("+", offset) => (1, offset),
        ("-", offset) => (-1, offset),
        _ => return None,
    };
    let [hours, minutes] = numbers(offset, ':', [2, 2])?;
    let is_in_range = minutes < 60 && hours * 60 + minutes <= 14 * 60;
    is_in_range.then_some(sign * (hours * 3_600 + minutes * 60))
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// In the Gregorian calendar; a year that begins in March ends with the leap day.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_with_their_zone() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.5Z", 500_000),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("2026-11-29T18:39:39.054Z", 1_795_977_579_054_000),
            ("2026-11-29T18:39:39.0540000Z", 1_795_977_579_054_000),
            ("2026-11-29T18:39:39.054000999999Z", 1_795_977_579_054_000),
            ("2026-11-29T19:39:39.054+01:00", 1_795_977_579_054_000),
            ("2026-11-29T12:09:39.054-06:30", 1_795_977_579_054_000),
            ("2026-11-30T08:39:39.054+14:00", 1_795_977_579_054_000),
            (" 2026-11-29T18:39:39.054Z\n", 1_795_977_579_054_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000_000),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ] {
            assert_eq!(parse(text), Some(Timestamp::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn every_day_is_read_as_it_is_written() {
        for day in (-719_162..2_932_896).step_by(37) {
            let moment = Timestamp::from_secs(day * 86_400 + 45_296);
            assert_eq!(parse(&moment.to_rfc3339()), Some(moment));
        }
    }

    #[test]
    fn what_is_not_a_moment_with_a_zone_is_refused() {
        for text in [
            "",
            "2026-11-29",
            "2026-11-29T18:39:39",
            "2026-11-29T18:39:39.054",
            "2026-11-29 18:39:39Z",
            "2026-11-29t18:39:39z",
            "2026-11-29T18:39Z",
            "2026-11-29T18:39:39.Z",
            "2026-11-29T18:39:39,5Z",
            "2026-11-29T18:39:39.0123456789012Z",
            "2026-11-29T24:00:00Z",
            "2026-11-29T23:59:60Z",
            "2026-11-29T23:60:00Z",
            "2026-11-31T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "-0001-01-01T00:00:00Z",
            "12026-01-01T00:00:00Z",
            "+026-01-01T00:00:00Z",
            "2026-11-29T18:39:39+14:01",
            "2026-11-29T18:39:39+0100",
            "2026-11-29T18:39:39+01",
            "2026-11-29T18:39:39+01:60",
            "2026-11-29T18:39:39Z+01:00",
            "2026-11-29T18:39:39UTC",
            "２026-11-29T18:39:39Z",
            "2026-1é-29T18:39:39Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
