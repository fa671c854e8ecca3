//! The cookies of openneko: their names, paths and lifetimes.

use genkan_web::cookie::{self, SetCookie};
use http::{HeaderMap, HeaderValue};

/// The sign-in.
pub(crate) const SESSION: &str = "openneko_session";

/// Binds forms to the browser before anybody is signed in.
pub(crate) const FORM: &str = "openneko_form";

/// A finished sign-in that waits until the person confirms it.
pub(crate) const SWITCH: &str = "openneko_switch";

/// Binds a sign-in under way to its browser. Each has a cookie of its own, whose
/// name ends in the beginning of its state, so two tabs do not disturb each other.
pub(crate) const STATE_PREFIX: &str = "openneko_sso_state_";

/// How much of the state is in the name.
const STATE_NAME_CHARS: usize = 8;

/// Sign-ins under way that a browser may have. Older ones are forgotten: otherwise
/// each abandoned one would make every request longer.
pub(crate) const MAX_STATES: usize = 6;

/// The path that state cookies are sent to.
const STATE_PATH: &str = "/api/auth";

/// The path that the cookie of a waiting sign-in is sent to.
const SWITCH_PATH: &str = "/signin/switch";

/// The name of the cookie of a sign-in; `None` if the state is not ours.
pub(crate) fn state_name(state: &str) -> Option<String> {
    let is_ours = state.len() == 32
        && state
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    is_ours.then(|| format!("{STATE_PREFIX}{}", &state[..STATE_NAME_CHARS]))
}

/// The names of all state cookies that a browser sent.
pub(crate) fn state_names(headers: &HeaderMap) -> Vec<&str> {
    cookie::pairs(headers)
        .filter_map(|(name, _)| std::str::from_utf8(name).ok())
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

    pub(crate) fn set_form(self, value: &str, max_age_secs: i64) -> HeaderValue {
        self.line(FORM, value, "/", max_age_secs)
    }

    pub(crate) fn set_switch(self, value: &str, max_age_secs: i64) -> HeaderValue {
        self.line(SWITCH, value, SWITCH_PATH, max_age_secs)
    }

    pub(crate) fn clear_switch(self) -> HeaderValue {
        self.line(SWITCH, "", SWITCH_PATH, 0)
    }

    pub(crate) fn set_state(self, name: &str, value: &str, max_age_secs: i64) -> HeaderValue {
        self.line(name, value, STATE_PATH, max_age_secs)
    }

    pub(crate) fn clear_state(self, name: &str) -> HeaderValue {
        self.line(name, "", STATE_PATH, 0)
    }

    fn line(self, name: &str, value: &str, path: &str, max_age_secs: i64) -> HeaderValue {
        let cookie = SetCookie {
            name,
            value,
            path,
            // An expired cookie is removed.
            max_age_secs: Some(u64::try_from(max_age_secs).unwrap_or_default()),
            secure: self.secure,
        };
        cookie.line()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
