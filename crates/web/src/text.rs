//! Text on pages: moments, prose, links.

use std::fmt;

use jiff::Timestamp;

/// A moment for people: `22 November 2026, 14:03:11 UTC`.
pub fn moment(at: &Timestamp) -> String {
    at.strftime("%-d %B %Y, %H:%M:%S UTC").to_string()
}

/// A text for people, in which no line ends between the `e-` and the `mail` of an e-mail.
#[derive(Debug, Clone, Copy)]
pub struct Prose<'a>(pub &'a str);

impl fmt::Display for Prose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find("e-mail") {
            let (before, from) = rest.split_at(at);
            let end = from
                .find(|c: char| !(c.is_alphanumeric() || c == '-'))
                .unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            escape(f, before)?;
            f.write_str("<span class=\"word\">")?;
            escape(f, word)?;
            f.write_str("</span>")?;
            rest = after;
        }
        escape(f, rest)
    }
}

fn escape(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let Ok(escaped) = askama::filters::escape(text, askama::filters::Html);
    write!(f, "{escaped}")
}

/// `Display` escapes the text.
impl askama::filters::HtmlSafe for Prose<'_> {}

/// A link to a web page: `http`, `https`, or a path of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub label: String,
    href: String,
}

impl Link {
    /// Absent if `href` is anything that a click should not open, such as
    /// `javascript:` or the scheme-relative `//host`.
    pub fn parse(label: impl Into<String>, href: &str) -> Option<Self> {
        // Browsers take `/\` for `//` and drop tabs and newlines inside an address.
        let is_path = href.starts_with('/') && !href.starts_with("//") && !href.contains('\\');
        let is_web = || {
            url::Url::parse(href)
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.username().is_empty())
        };
        let is_clean = !href.contains(|c: char| c.is_control() || c.is_whitespace());
        (is_clean && (is_path || is_web())).then(|| Self {
            label: label.into(),
            href: href.to_owned(),
        })
    }

    pub fn href(&self) -> &str {
        &self.href
    }
}

/// A hidden form field: name and value.
pub type Hidden<'a> = (&'a str, &'a str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_e_mail_stays_on_one_line_and_everything_is_escaped() {
        let text = Prose("No <e-mail-address> & no e-mail.").to_string();
        assert_eq!(
            text,
            "No &#60;<span class=\"word\">e-mail-address</span>&#62; &#38; no <span class=\"word\">e-mail</span>."
        );
    }

    #[test]
    fn a_moment_is_written_for_people() {
        let at = Timestamp::from_second(1_795_356_191).unwrap();
        assert_eq!(moment(&at), "22 November 2026, 14:03:11 UTC");
    }

    #[test]
    fn a_link_leads_to_the_web_only() {
        for good in [
            "https://acme.test/a?b=c#d",
            "http://localhost:4321/",
            "/login/lri_1",
            "/",
        ] {
            assert_eq!(
                Link::parse("x", good).map(|link| link.href),
                Some(good.to_owned())
            );
        }
        for bad in [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "java\nscript:alert(1)",
            " javascript:alert(1)",
            "data:text/html,x",
            "//evil.test",
            "/\\evil.test",
            "/\t/evil.test",
            "https://acme.test@evil.test/",
            "relative",
            "",
        ] {
            assert_eq!(Link::parse("x", bad), None, "{bad:?}");
        }
    }
}
