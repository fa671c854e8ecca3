//! Cookies, stored and sent as browsers do it.
//!
//! Source: RFC 6265bis §5.6 (storing), §5.8 (sending).

use std::time::Duration;

use genkan_protocol::Timestamp;
use url::Url;

/// Whether a cookie is sent with requests from other sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    Strict,
    Lax,
    None,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    pub name: String,
    pub value: String,
    /// The host that set it. Cookies do not distinguish ports.
    pub host: String,
    pub path: String,
    pub secure: bool,
    pub http_only: bool,
    pub same_site: SameSite,
    pub expires_at: Option<Timestamp>,
    /// The line as it was received.
    pub line: String,
}

/// Where a request comes from, as far as cookies matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// The same site, or the person typed the address.
    SameSite,
    /// Another site's link or redirect: the address bar changes.
    CrossSiteNavigation,
    /// Another site's frame, script or posted form.
    CrossSite,
}

#[derive(Debug, Clone, Default)]
pub struct CookieJar(Vec<Cookie>);

impl CookieJar {
    pub fn get(&self, name: &str) -> Option<&Cookie> {
        self.0.iter().find(|cookie| cookie.name == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Cookie> {
        self.0.iter()
    }

    /// Adds a cookie, as malware or a sibling domain could.
    pub fn plant(&mut self, cookie: Cookie) {
        self.remove(&cookie.name, &cookie.host, &cookie.path);
        self.0.push(cookie);
    }

    fn remove(&mut self, name: &str, host: &str, path: &str) {
        self.0.retain(|cookie| {
            (cookie.name.as_str(), cookie.host.as_str(), cookie.path.as_str()) != (name, host, path)
        });
    }

    /// RFC 6265bis §5.6: stores a `Set-Cookie` line, or refuses it.
    pub(crate) fn store(&mut self, url: &Url, line: &str, now: Timestamp) {
        let Some(cookie) = parse(url, line, now) else {
            return;
        };
        self.remove(&cookie.name, &cookie.host, &cookie.path);
        if cookie.expires_at.is_none_or(|at| now < at) {
            self.0.push(cookie);
        }
    }

    /// The `Cookie` header of a request; `None` if there is nothing to send.
    pub(crate) fn header(&self, url: &Url, from: From, now: Timestamp) -> Option<String> {
        let sent: Vec<String> = self
            .0
            .iter()
            .filter(|cookie| url.host_str() == Some(&cookie.host))
            .filter(|cookie| !cookie.secure || url.scheme() == "https")
            .filter(|cookie| is_below(url.path(), &cookie.path))
            .filter(|cookie| cookie.expires_at.is_none_or(|at| now < at))
            .filter(|cookie| match (cookie.same_site, from) {
                (_, From::SameSite) | (SameSite::None, _) => true,
                (SameSite::Lax, From::CrossSiteNavigation) => true,
                (SameSite::Lax, From::CrossSite) | (SameSite::Strict, _) => false,
            })
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        (!sent.is_empty()).then(|| sent.join("; "))
    }
}

fn parse(url: &Url, line: &str, now: Timestamp) -> Option<Cookie> {
    let mut parts = line.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let mut cookie = Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        host: url.host_str()?.to_owned(),
        path: "/".to_owned(),
        secure: false,
        http_only: false,
        // RFC 6265bis §5.6.7.1: the default of browsers.
        same_site: SameSite::Lax,
        expires_at: None,
        line: line.to_owned(),
    };
    let mut has_domain = false;
    for part in parts {
        let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
        match attribute.to_ascii_lowercase().as_str() {
            "path" => value.clone_into(&mut cookie.path),
            "domain" => has_domain = true,
            "secure" => cookie.secure = true,
            "httponly" => cookie.http_only = true,
            "max-age" => {
                let secs: i64 = value.parse().ok()?;
                cookie.expires_at = Some(match u64::try_from(secs) {
                    Ok(secs) => now + Duration::from_secs(secs),
                    Err(_) => now,
                });
            }
            "samesite" => {
                cookie.same_site = match value.to_ascii_lowercase().as_str() {
                    "strict" => SameSite::Strict,
                    "none" => SameSite::None,
                    _ => SameSite::Lax,
                };
            }
            _ => {}
        }
    }
    // Nothing of ours sets a domain, so the jar does not implement the rules for it.
    assert!(!has_domain, "a cookie with a domain: {line}");
    let may_be_secure = url.scheme() == "https";
    let keeps_prefix = match name {
        // RFC 6265bis §4.1.3.2.
        name if name.starts_with("__Host-") => cookie.secure && cookie.path == "/",
        name if name.starts_with("__Secure-") => cookie.secure,
        _ => true,
    };
    (keeps_prefix && (may_be_secure || !cookie.secure)).then_some(cookie)
}

/// RFC 6265bis §5.1.4.
fn is_below(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent)
        .is_some_and(|rest| rest.is_empty() || parent.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(url: &str, from: From, lines: &[&str]) -> Option<String> {
        let mut jar = CookieJar::default();
        let now = Timestamp::from_secs(1_000);
        for line in lines {
            jar.store(&Url::parse("https://a.test/x").unwrap(), line, now);
        }
        jar.header(&Url::parse(url).unwrap(), from, now)
    }

    #[test]
    fn a_cookie_returns_to_its_host_over_tls() {
        let line = "__Host-s=1; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(
            sent("https://a.test:8443/y", From::SameSite, &[line]).as_deref(),
            Some("__Host-s=1")
        );
        assert_eq!(sent("http://a.test/y", From::SameSite, &[line]), None);
        assert_eq!(sent("https://b.test/y", From::SameSite, &[line]), None);
    }

    #[test]
    fn a_lax_cookie_follows_links_and_no_forms() {
        let line = "s=1; Path=/; SameSite=Lax";
        assert!(sent("https://a.test/", From::CrossSiteNavigation, &[line]).is_some());
        assert!(sent("https://a.test/", From::CrossSite, &[line]).is_none());
        let strict = "s=1; Path=/; SameSite=Strict";
        assert!(sent("https://a.test/", From::CrossSiteNavigation, &[strict]).is_none());
    }

    #[test]
    fn a_host_cookie_must_be_secure_and_of_the_whole_host() {
        for line in ["__Host-s=1; Path=/", "__Host-s=1; Path=/x; Secure"] {
            assert_eq!(sent("https://a.test/x", From::SameSite, &[line]), None, "{line}");
        }
    }

    #[test]
    fn a_cookie_without_life_is_removed() {
        let lines = ["s=1; Path=/; Max-Age=60", "s=; Path=/; Max-Age=0"];
        assert_eq!(sent("https://a.test/", From::SameSite, &lines), None);
    }
}
