//! The two addresses in the configuration: the public URL of this instance, and its database.

use std::fmt;

use url::{Host, Url};

use super::setting::{HIDDEN, Setting, single};

/// The public URL of this instance, which is its issuer.
///
/// A scheme, a host and optionally a port, in the one form that every client derives from it. Applications
/// compare `iss` with it character by character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(Url);

impl PublicUrl {
    /// Parses `text`, which must already have this one form.
    ///
    /// # Errors
    ///
    /// A sentence that says what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        const EXAMPLE: &str = "Write the address that people see, such as \"https://auth.example.com\".";
        let url = Url::parse(text).map_err(|_| EXAMPLE.to_owned())?;
        if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
            return Err(EXAMPLE.to_owned());
        }
        let origin = url.origin().ascii_serialization();
        if url.scheme() == "http" && !is_loopback(&url) {
            return Err(format!(
                "Write \"https{}\": cookies and tokens would cross the network in the clear. \
                 Plain http is accepted for this machine only (localhost, 127.0.0.1, [::1]).",
                origin.trim_start_matches("http")
            ));
        }
        if origin != text {
            return Err(format!(
                "Write \"{origin}\": lower case, no path, no trailing slash, no user, no default port."
            ));
        }
        Ok(Self(url))
    }

    /// Without a trailing slash.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// A name, or an address without brackets.
    pub fn host(&self) -> &str {
        self.0
            .host_str()
            .unwrap_or_default()
            .trim_start_matches('[')
            .trim_end_matches(']')
    }

    /// The port, by default the scheme's own.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// The whole address of `path`, which starts with a slash.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.as_str())
    }

    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl Setting for PublicUrl {
    const EXPECTED: &'static str = "an address without a path";

    fn parse(items: &[String]) -> Result<Self, String> {
        Self::parse(single(items))
    }
}

/// `sqlite:<path>` or `postgres://…`. Its password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(pub(super) String);

impl DatabaseUrl {
    /// The whole URL, with its password.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Adds a parameter for the engine, unless the URL has it.
    pub(super) fn with(&self, parameter: &str, value: &str) -> Self {
        let query = self.0.split_once('?').map_or("", |(_, query)| query);
        let is_there = query
            .split('&')
            .any(|pair| pair.split('=').next() == Some(parameter));
        if self.sqlite_path().is_some() || is_there {
            return self.clone();
        }
        let separator = if self.0.contains('?') { '&' } else { '?' };
        let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        // In a form a plus means a space, in a URL it does not.
        Self(format!(
            "{}{separator}{parameter}={}",
            self.0,
            value.replace('+', "%20")
        ))
    }

    /// The file of an SQLite database.
    pub fn sqlite_path(&self) -> Option<&str> {
        self.0.strip_prefix("sqlite:")
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.0))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Percent-decodes a text. In a form three more characters have a meaning, so they are escaped first.
pub(super) fn unescaped(text: &str) -> String {
    let text = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(text.as_bytes())
        .next()
        .map(|(name, _)| name.into_owned())
        .unwrap_or_default()
}

/// `url` with its password hidden, both before the host and in the query.
///
/// A password may contain any character, also `@`, `/` and `?` that were not escaped. So this hides too
/// much rather than too little.
pub(super) fn without_password(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let rest = match rest.rsplit_once('@') {
        Some((credentials, host)) => {
            let user = credentials.split([':', '/', '?']).next().unwrap_or_default();
            format!("{user}:{HIDDEN}@{host}")
        }
        None => without_misplaced_password(rest),
    };
    let Some((address, query)) = rest.split_once('?') else {
        return format!("{scheme}{rest}");
    };
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if name.eq_ignore_ascii_case("password") => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    };
    let query: Vec<_> = query.split('&').map(hide).collect();
    format!("{scheme}{address}?{}", query.join("&"))
}

/// Without an `@`, the text after the first colon is a port, or a password whose end is missing.
fn without_misplaced_password(rest: &str) -> String {
    if rest.starts_with('[') {
        return rest.to_owned();
    }
    match rest.split_once(':') {
        Some((name, port)) if !is_port(port) && !name.contains(['/', '?']) => format!("{name}:{HIDDEN}"),
        _ => rest.to_owned(),
    }
}

fn is_port(text: &str) -> bool {
    let port = text.split(['/', '?', ',']).next().unwrap_or_default();
    port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn upper_first(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

impl Setting for DatabaseUrl {
    const EXPECTED: &'static str = "the address of a database";

    fn parse(items: &[String]) -> Result<Self, String> {
        let text = single(items);
        let is_known = ["sqlite:", "postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
        if !is_known || text.starts_with("sqlite://") {
            return Err("Write \"sqlite:/var/lib/genkan/genkan.db\" or \
                        \"postgres://user:password@host/database\"."
                .to_owned());
        }
        // A URL that `serve` would refuse is reported here, with its line.
        genkan_db::Db::check_url(text).map_err(|error| format!("{}.", upper_first(&error.to_string())))?;
        Ok(Self(text.to_owned()))
    }

    fn redact(item: &str) -> String {
        without_password(item)
    }
}
