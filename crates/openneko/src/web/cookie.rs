//! Reading and writing cookies.
//!
//! Source: RFC 6265bis.

use http::{HeaderMap, HeaderValue, header};

/// The sign-in.
pub(crate) const SESSION: &str = "openneko_session";

/// Binds a sign-in under way to its browser. Each has a cookie of its own,
/// whose name ends in the beginning of its state, so that two tabs do not take
/// it from each other.
pub(crate) const STATE_PREFIX: &str = "openneko_sso_state_";

/// How much of the state is in the name.
const STATE_NAME_CHARS: usize = 8;

/// Sign-ins under way that a browser may have. Older ones are forgotten, or
/// each abandoned one would make every request longer.
pub(crate) const MAX_STATES: usize = 6;

/// The path that state cookies are sent to.
const STATE_PATH: &str = "/api/auth";

/// The name of the cookie of a sign-in; `None` if the state is none of ours.
pub(crate) fn state_name(state: &str) -> Option<String> {
    let is_ours = state.len() == 32
        && state
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    is_ours.then(|| format!("{STATE_PREFIX}{}", &state[..STATE_NAME_CHARS]))
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

/// Reads a cookie; absent too if it came twice with different values, for
/// somebody else set one of them.
pub(crate) fn read<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = pairs(headers)
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let first = values.next()?;
    values.all(|other| other == first).then_some(first)
}

/// The names of all state cookies that a browser sent.
pub(crate) fn state_names(headers: &HeaderMap) -> Vec<&str> {
    pairs(headers)
        .map(|(name, _)| name)
        .filter(|name| {
            name.strip_prefix(STATE_PREFIX).is_some_and(|rest| {
                rest.len() == STATE_NAME_CHARS && rest.bytes().all(|b| b.is_ascii_graphic())
            })
        })
        .collect()
}

/// How cookies are set, decided once from the public URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Jar {
    pub(crate) secure: bool,
}

impl Jar {
    pub(crate) fn set_session(self, value: &str, max_age_secs: i64) -> HeaderValue {
        self.line(SESSION, value, "/", max_age_secs)
    }

    pub(crate) fn clear_session(self) -> HeaderValue {
        self.line(SESSION, "", "/", 0)
    }

    pub(crate) fn set_state(self, name: &str, value: &str, max_age_secs: i64) -> HeaderValue {
        self.line(name, value, STATE_PATH, max_age_secs)
    }

    pub(crate) fn clear_state(self, name: &str) -> HeaderValue {
        self.line(name, "", STATE_PATH, 0)
    }

    /// `SameSite=Lax`: the provider's redirect is a top-level navigation, which
    /// carries it; a foreign page's form does not.
    fn line(self, name: &str, value: &str, path: &str, max_age_secs: i64) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let line =
            format!("{name}={value}; Path={path}; Max-Age={max_age_secs}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::try_from(line).expect("names and values are printable ASCII")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        lines
            .iter()
            .map(|line| (header::COOKIE, HeaderValue::from_static(line)))
            .collect()
    }

    #[test]
    fn a_cookie_that_came_twice_counts_if_it_is_the_same() {
        let sent = headers(&["a=1; openneko_session=x", "openneko_session=x"]);
        assert_eq!(read(&sent, SESSION), Some("x"));
        let planted = headers(&["openneko_session=x; openneko_session=y"]);
        assert_eq!(read(&planted, SESSION), None);
        assert_eq!(read(&headers(&["openneko_sessionx=x"]), SESSION), None);
    }

    #[test]
    fn a_state_of_another_form_has_no_cookie() {
        let state = "abcdefgh-_0123456789ABCDEFGHIJKL";
        assert_eq!(state_name(state).as_deref(), Some("openneko_sso_state_abcdefgh"));
        for bad in [
            "",
            "short",
            &state[1..],
            "abcdefgh;_0123456789ABCDEFGHIJKL",
            "äbcdefgh-0123456789ABCDEFGHIJKL",
        ] {
            assert_eq!(state_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_flags_are_those_of_the_contract() {
        let jar = Jar { secure: true };
        assert_eq!(
            jar.set_session("v", 43200),
            "openneko_session=v; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax; Secure"
        );
        let plain = Jar { secure: false };
        assert_eq!(
            plain.clear_session(),
            "openneko_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        );
    }
}
