//! Timestamps and durations as JSON writes them.
//!
//! Source: RFC 3339 §5.6; Protocol Buffers, "ProtoJSON Format".

use jiff::SignedDuration;
use jiff::civil::DateTime;

/// `0001-01-01T00:00:00Z` and `9999-12-31T23:59:59Z`, in seconds of the Unix epoch.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Ten thousand years, in seconds: the longest duration.
const LONGEST_DURATION_SECS: i64 = 315_576_000_000;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Seconds and nanoseconds of `2026-11-22T14:03:11.5+02:00`.
pub(crate) fn parse_timestamp(text: &str) -> Option<(i64, i32)> {
    // Parsed by hand: jiff reads more than RFC 3339 (spaces, zone names, dates alone), and
    // its own timestamps end a day before protobuf's.
    let (local, rest) = text.split_at_checked(19)?;
    if !local.is_ascii() || !local.as_bytes()[10].eq_ignore_ascii_case(&b'T') {
        return None;
    }
    let local: DateTime = local.parse().ok()?;
    let zone = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let nanos = match &rest[..rest.len() - zone.len()] {
        "" => 0,
        fraction => nanos_of(fraction.strip_prefix('.')?)?,
    };
    let seconds = local.duration_since(EPOCH).as_secs() - offset_secs(zone)?;
    SECONDS.contains(&seconds).then_some((seconds, nanos))
}

/// `Z` or `+02:00`.
fn offset_secs(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.as_bytes().first()? {
        b'Z' | b'z' => return (zone.len() == 1).then_some(0),
        b'+' => (1, &zone[1..]),
        b'-' => (-1, &zone[1..]),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two = |text: &str, most: i64| {
        let is_pair = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>()
            .ok()
            .filter(|number| is_pair && *number <= most)
    };
    Some(sign * (two(hours, 23)? * 3600 + two(minutes, 59)? * 60))
}

/// Up to nine digits behind the point.
fn nanos_of(digits: &str) -> Option<i32> {
    let is_fraction = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    format!("{digits:0<9}").parse().ok().filter(|_| is_fraction)
}

/// `2026-11-22T12:03:11.500Z`: the fraction has 0, 3, 6 or 9 digits.
pub(crate) fn render_timestamp(seconds: i64, nanos: i32) -> Option<String> {
    if !SECONDS.contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
        return None;
    }
    let at = EPOCH.checked_add(SignedDuration::from_secs(seconds)).ok()?;
    Some(format!(
        "{}{}Z",
        at.strftime("%Y-%m-%dT%H:%M:%S"),
        fraction(nanos)
    ))
}

/// Seconds and nanoseconds, of one sign, of `-3.5s`.
pub(crate) fn parse_duration(text: &str) -> Option<(i64, i32)> {
    let number = text.strip_suffix('s')?;
    let (sign, number) = match number.strip_prefix('-') {
        Some(number) => (-1, number),
        None => (1, number),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = whole
        .parse()
        .ok()
        .filter(|seconds| *seconds <= LONGEST_DURATION_SECS)?;
    let nanos = nanos_of(fraction)?;
    Some((sign * seconds, if sign < 0 { -nanos } else { nanos }))
}

pub(crate) fn render_duration(seconds: i64, nanos: i32) -> Option<String> {
    let is_whole = nanos.unsigned_abs() < 1_000_000_000 && seconds.signum() * i64::from(nanos.signum()) >= 0;
    if !is_whole || seconds.unsigned_abs() > LONGEST_DURATION_SECS.unsigned_abs() {
        return None;
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    Some(format!(
        "{sign}{}{}s",
        seconds.unsigned_abs(),
        fraction(nanos.abs())
    ))
}

fn fraction(nanos: i32) -> String {
    match nanos {
        0 => String::new(),
        milli if milli % 1_000_000 == 0 => format!(".{:03}", milli / 1_000_000),
        micro if micro % 1_000 == 0 => format!(".{:06}", micro / 1_000),
        nano => format!(".{nano:09}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_same_in_every_zone() {
        let expected = Some((1_795_348_991, 500_000_000));
        for same in [
            "2026-11-22T12:03:11.5Z",
            "2026-11-22T14:03:11.500+02:00",
            "2026-11-22t12:03:11.5z",
        ] {
            assert_eq!(parse_timestamp(same), expected, "{same}");
        }
        assert_eq!(
            parse_timestamp("1969-12-31T23:59:59.25Z"),
            Some((-1, 250_000_000))
        );
    }

    #[test]
    fn only_rfc_3339_is_a_timestamp() {
        for bad in [
            "",
            "2026-11-22",
            "2026-11-22T12:03Z",
            "2026-11-22 12:03:11Z",
            "2026-11-22T12:03:11",
            "now",
            "2026-13-22T12:03:11Z",
            "2026-02-30T12:03:11Z",
            "2026-11-22T25:03:11Z",
            "2026-11-22T12:03:11+02",
            "2026-11-22T12:03:11+02:00[Europe/Vienna]",
            "0000-12-31T23:59:59Z",
            "+10000-01-01T00:00:00Z",
            "2026-11-22T12:03:11.Z",
            "2026-11-22T12:03:11.1.2Z",
            "2026-11-22T12:03:115Z",
            "2026-11-22T12:03:11+24:00",
            "2026-11-22T12:03:11.0000000001Z",
            "2026-11-22T12:03:11Zz",
            "0001-01-01T00:00:00+00:01",
            "１９70-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_timestamp(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_fraction_has_three_six_or_nine_digits() {
        for text in [
            "1970-01-01T00:00:00Z",
            "1970-01-01T00:00:00.500Z",
            "1970-01-01T00:00:00.000001Z",
            "1969-12-31T23:59:59.999999999Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999999Z",
        ] {
            let (seconds, nanos) = parse_timestamp(text).unwrap();
            assert_eq!(render_timestamp(seconds, nanos).as_deref(), Some(text));
        }
        assert_eq!(render_timestamp(i64::MAX, 0), None);
        assert_eq!(render_timestamp(0, -1), None);
    }

    #[test]
    fn durations_are_seconds() {
        for text in ["0s", "3s", "3.500s", "-3.500s", "-0.000001s", "315576000000s"] {
            let (seconds, nanos) = parse_duration(text).unwrap();
            assert_eq!(render_duration(seconds, nanos).as_deref(), Some(text));
        }
        for bad in [
            "",
            "s",
            "3",
            "3m",
            "3.s",
            ".5s",
            "--3s",
            "+3s",
            "3.0000000001s",
            "315576000001s",
            "1e3s",
        ] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
        assert_eq!(render_duration(1, -1), None);
    }
}
