//! Versions, pinned: no ranges and no build metadata.
//!
//! Source: Semantic Versioning 2.0.0 §11 for the order.

use std::cmp::Ordering;

use crate::text::{Invalid, checked_text};

/// A version such as `1.2.0` or `1.2.0-rc.1`.
///
/// The order is that of Semantic Versioning: numbers as numbers, a release
/// after its prereleases, and the identifiers of a prerelease one by one.
///
/// ```
/// use openneko_plugin::Version;
///
/// let version = |text| Version::parse(text).unwrap();
/// assert!(version("1.10.0") > version("1.9.0"));
/// assert!(version("1.0.0") > version("1.0.0-rc.10"));
/// assert!(version("1.0.0-rc.10") > version("1.0.0-rc.2"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(String);

checked_text!(Version);

impl Version {
    fn check(text: &str) -> Result<(), Invalid> {
        let invalid = |rule| Err(Invalid::new("version", text, rule));
        if text.len() > 128 {
            return invalid("128 characters at most");
        }
        let (core, prerelease) = split(text);
        let mut numbers = core.split('.');
        let digits =
            |part: Option<&str>| part.is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
        if !(digits(numbers.next())
            && digits(numbers.next())
            && digits(numbers.next())
            && numbers.next().is_none())
        {
            return invalid("three numbers with dots between, as in 1.2.3");
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        if prerelease.is_some_and(|p| p.is_empty() || !p.bytes().all(allowed)) {
            return invalid("a prerelease is made of letters, digits, - and .");
        }
        Ok(())
    }

    /// Whether this is a prerelease, as in `1.0.0-rc.1`.
    pub fn is_prerelease(&self) -> bool {
        split(&self.0).1.is_some()
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let (core, prerelease) = split(&self.0);
        let (other_core, other_prerelease) = split(&other.0);
        let cores = core
            .split('.')
            .zip(other_core.split('.'))
            .map(|(one, two)| compare_numbers(one, two))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal);
        cores
            .then_with(|| match (prerelease, other_prerelease) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(one), Some(two)) => compare_prereleases(one, two),
            })
            // `01.0.0` is the same version as `1.0.0`, but another text.
            .then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once('-') {
        Some((core, prerelease)) => (core, Some(prerelease)),
        None => (text, None),
    }
}

/// Compares digits of any length, since a stranger chooses them.
fn compare_numbers(one: &str, two: &str) -> Ordering {
    let (one, two) = (one.trim_start_matches('0'), two.trim_start_matches('0'));
    one.len().cmp(&two.len()).then_with(|| one.cmp(two))
}

fn compare_prereleases(one: &str, two: &str) -> Ordering {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (mut ones, mut twos) = (one.split('.'), two.split('.'));
    loop {
        let order = match (ones.next(), twos.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (is_number(a), is_number(b)) {
                (true, true) => compare_numbers(a, b),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => a.cmp(b),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_stand_in_the_order_of_the_standard() {
        // Semantic Versioning 2.0.0 §11.
        let ascending = [
            "0.9.9",
            "1.0.0-1",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.99999999999999999999999999",
            "1.1.0",
            "2.0.0",
            "10.0.0",
        ];
        let mut sorted: Vec<Version> = ascending
            .iter()
            .rev()
            .map(|text| Version::parse(text).unwrap())
            .collect();
        sorted.sort();
        assert_eq!(sorted.iter().map(Version::as_str).collect::<Vec<_>>(), ascending);
    }

    #[test]
    fn ranges_and_build_metadata_are_refused() {
        for text in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "v1.2.3",
            "^1.2.3",
            "1.2.x",
            "1.2.3+build",
            "1.2.3-",
            "1.2.3-a b",
            "1.2.3\n",
            "1..3",
            "１.2.3",
        ] {
            assert!(Version::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_order_is_total(
            a in "[0-2]{1,2}\\.[0-2]\\.[0-2](-[0-2a.-]{1,4})?",
            b in "[0-2]{1,2}\\.[0-2]\\.[0-2](-[0-2a.-]{1,4})?",
            c in "[0-2]{1,2}\\.[0-2]\\.[0-2](-[0-2a.-]{1,4})?",
        ) {
            let [a, b, c] = [a, b, c].map(|text| Version::parse(&text).unwrap());
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a == b, a.cmp(&b).is_eq());
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
        }
    }
}
