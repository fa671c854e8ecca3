//! The browser and system in a `User-Agent`, for people who look at their sessions.
//!
//! The browser can claim anything there, so it decides nothing. Source: RFC 9110
//! §10.1.5, and the headers of the five large browsers.

/// A browser and its system; empty if nothing is recognised.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) os: &'static str,
    pub(super) os_version: String,
    pub(super) browser: &'static str,
    pub(super) browser_version: String,
    /// `desktop`, `mobile` or `tablet`.
    pub(super) kind: &'static str,
}

/// Product tokens and their browsers. Each browser also sends the tokens of those below, so
/// the first match counts.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    // Safari keeps its own version in `Version/`.
    ("Version/", "Safari"),
];

/// The text before the version of a system, and the system's name. An iPhone claims to be
/// like a Mac, and Android to be a Linux.
const SYSTEMS: &[(&str, &str)] = &[
    ("iPhone OS ", "iOS"),
    ("CPU OS ", "iPadOS"),
    ("Android ", "Android"),
    ("Windows NT ", "Windows"),
    ("Mac OS X ", "macOS"),
    ("CrOS ", "ChromeOS"),
    ("Linux", "Linux"),
];

impl Device {
    pub(super) fn read(user_agent: &str) -> Self {
        let find = |names: &[(&'static str, &'static str)]| {
            let found = names
                .iter()
                .find_map(|(mark, name)| Some((user_agent.split_once(mark)?.1, *name)));
            found.map_or(("", String::new()), |(rest, name)| (name, version(rest)))
        };
        let ((browser, browser_version), (os, os_version)) = (find(BROWSERS), find(SYSTEMS));
        let kind = match os {
            "" => "",
            "iPadOS" => "tablet",
            "Android" if !user_agent.contains("Mobile") => "tablet",
            "iOS" | "Android" => "mobile",
            _ => "desktop",
        };
        Self {
            os,
            os_version,
            browser,
            browser_version,
            kind,
        }
    }
}

/// The digits, dots and underscores at the beginning of a text, cut to a short length.
fn version(text: &str) -> String {
    let is_part = |c: &char| c.is_ascii_digit() || matches!(c, '.' | '_');
    let version: String = text.chars().take_while(is_part).take(24).collect();
    version.replace('_', ".").trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(user_agent: &str) -> String {
        let device = Device::read(user_agent);
        format!(
            "{} {} on {} {}, {}",
            device.browser, device.browser_version, device.os, device.os_version, device.kind
        )
    }

    #[test]
    fn the_large_browsers_are_recognised() {
        for (user_agent, expected) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                "Chrome 142.0.0.0 on Windows 10.0, desktop",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.3595.53",
                "Edge 142.0.3595.53 on Windows 10.0, desktop",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
                "Safari 26.0 on macOS 10.15.7, desktop",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
                "Safari 26.0 on iOS 18.7, mobile",
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0 Mobile/15E148 Safari/604.1",
                "Chrome 142.0 on iPadOS 18.7, tablet",
            ),
            (
                "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
                "Chrome 142.0.0.0 on Android 16, mobile",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "Firefox 145.0 on Linux , desktop",
            ),
        ] {
            assert_eq!(line(user_agent), expected);
        }
    }

    #[test]
    fn anything_else_is_nothing() {
        for user_agent in ["", "curl/8.5.0", "Test/1", "Chrome", "\u{202e}"] {
            assert_eq!(Device::read(user_agent), Device::default(), "{user_agent}");
        }
        let long = format!("Chrome/{}", "1".repeat(1000));
        assert_eq!(Device::read(&long).browser_version.len(), 24);
    }
}
