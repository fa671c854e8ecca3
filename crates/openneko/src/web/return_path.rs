//! Where a person goes after signing in: always a path of ours.
//!
//! Browsers read an address by the WHATWG's rules: `\` is `/`, tabs and line ends
//! vanish, `/.//host` becomes `//host`. So the path is parsed by the same rules, and
//! the browser gets the parsed form.

use url::Url;

/// Longest path that is kept.
const MAX_BYTES: usize = 2048;

/// The default return path.
pub(crate) const HOME: &str = "/";

/// Reads a return path; anything but a path of ours is [`HOME`].
pub fn parse(text: &str) -> String {
    try_parse(text).unwrap_or_else(|| HOME.to_owned())
}

fn try_parse(text: &str) -> Option<String> {
    let is_plain = text.len() <= MAX_BYTES
        && text.starts_with('/')
        && !text.contains(|c: char| c == '\\' || c.is_control() || c.is_whitespace());
    if !is_plain {
        return None;
    }
    let base = Url::parse("http://openneko.invalid").expect("a constant");
    let url = base.join(text).ok()?;
    if url.origin() != base.origin() || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let path = url.path();
    // The sign-in page and its routes would lead back to themselves.
    let is_page =
        !path.starts_with("//") && path != "/signin" && path != "/api" && !path.starts_with("/api/");
    is_page.then(|| match url.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_ours_is_kept() {
        for (text, path) in [
            ("/", "/"),
            ("/reports?from=2026&to=%2F", "/reports?from=2026&to=%2F"),
            ("/a/../b", "/b"),
            ("/%5Cevil.test", "/%5Cevil.test"),
            ("/%2F%2Fevil.test", "/%2F%2Fevil.test"),
            ("/x?next=//evil.test", "/x?next=//evil.test"),
            ("/x#//evil.test", "/x"),
            ("/@evil.test", "/@evil.test"),
            ("/signinx", "/signinx"),
        ] {
            assert_eq!(parse(text), path, "{text}");
        }
    }

    #[test]
    fn nothing_leads_away() {
        for attack in [
            "",
            "evil.test",
            "//evil.test",
            "///evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "/\t/evil.test",
            "/\n/evil.test",
            "/\r/evil.test",
            "\t//evil.test",
            " //evil.test",
            "/ /evil.test",
            "/.//evil.test",
            "/..//evil.test",
            "/x/..//evil.test",
            "/%2e//evil.test",
            "/%2E%2e//evil.test",
            "/./\\evil.test",
            "https://evil.test",
            "https:/evil.test",
            "https:evil.test",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://openneko.invalid@evil.test/",
            "//openneko.invalid",
            "/\u{0}",
            "/\u{2028}//evil.test",
            "/api/auth/begin",
            "/signin?returnTo=/",
        ] {
            assert_eq!(parse(attack), HOME, "{attack:?}");
        }
        assert_eq!(parse(&format!("/{}", "x".repeat(3000))), HOME);
    }

    #[test]
    fn what_comes_out_is_read_the_same_way_again() {
        for text in ["/a/./b?c#d", "/a b", "/ä/../ö?ü", "/?", "/%"] {
            let once = parse(text);
            assert_eq!(parse(&once), once, "{text}");
        }
    }
}
