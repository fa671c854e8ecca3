//! The keys of cookies and form tokens: one secret gives one key for each purpose.

use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use genkan_web::form::FormTokens;
use jiff::Timestamp;
use zeroize::Zeroizing;

/// The label under which the session secret is derived.
pub const SESSION_LABEL: &str = "session-cookie:v1";

/// Shortest secret that an operator may set.
const MIN_SECRET_CHARS: usize = 32;

/// Longest cookie value that is read.
const MAX_COOKIE_BYTES: usize = 4096;

/// `OPENNEKO_SESSION_SECRET` is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("OPENNEKO_SESSION_SECRET must have at least 32 characters")]
pub struct ShortSecret;

/// Makes and checks the cookies and form tokens.
pub struct Keys {
    session: hmac::Key,
    state: hmac::Key,
    forms: FormTokens,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// From the operator's own secret.
    ///
    /// # Errors
    ///
    /// If it has fewer than 32 characters.
    pub fn from_secret(secret: &str) -> Result<Self, ShortSecret> {
        if secret.chars().count() < MIN_SECRET_CHARS {
            return Err(ShortSecret);
        }
        // The session key is the unchanged secret: that is the documented format.
        // The other keys must not be able to make a session.
        let session = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let derived = |label: &[u8]| {
            let mut key = [0; 32];
            key.copy_from_slice(hmac::sign(&session, label).as_ref());
            key
        };
        Ok(Self {
            state: hmac::Key::new(hmac::HMAC_SHA256, &derived(b"sso-state:v1")),
            forms: FormTokens::new(&derived(b"form-token:v1"), "token"),
            session,
        })
    }

    /// From the key of this installation, derived under [`SESSION_LABEL`]: the
    /// secret is its base64 text.
    pub fn from_derived(derived: &[u8; 32]) -> Self {
        let text = Zeroizing::new(STANDARD.encode(derived));
        Self::from_secret(&text).expect("44 characters are enough")
    }

    /// The cookie of a session: `<userId>.<exp>.<mac>`.
    pub fn session_cookie(&self, user_id: &str, expires_at_secs: i64) -> String {
        let claim = format!("{user_id}.{expires_at_secs}");
        let mac = URL_SAFE_NO_PAD.encode(hmac::sign(&self.session, claim.as_bytes()));
        format!("{claim}.{mac}")
    }

    /// The hash under which the store knows a session cookie, if we made it and it
    /// has not expired.
    pub fn verify_session(&self, cookie: &str, now: Timestamp) -> Option<[u8; 32]> {
        if cookie.len() > MAX_COOKIE_BYTES {
            return None;
        }
        let (claim, mac) = cookie.rsplit_once('.')?;
        let (user_id, exp) = claim.split_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        hmac::verify(&self.session, claim.as_bytes(), &mac).ok()?;
        let exp: i64 = exp.parse().ok()?;
        let is_ours = !user_id.is_empty() && exp > now.as_second();
        is_ours.then(|| sha256(cookie.as_bytes()))
    }

    /// The cookie that binds a sign-in to its browser:
    /// `<state>|<base64url(returnPath)>.<mac>`.
    pub fn state_cookie(&self, state: &str, return_path: &str) -> String {
        let claim = format!("{state}|{}", URL_SAFE_NO_PAD.encode(return_path));
        let mac = URL_SAFE_NO_PAD.encode(hmac::sign(&self.state, claim.as_bytes()));
        format!("{claim}.{mac}")
    }

    /// The state in a cookie that we made.
    pub fn verify_state(&self, cookie: &str) -> Option<String> {
        if cookie.len() > MAX_COOKIE_BYTES {
            return None;
        }
        let (claim, mac) = cookie.rsplit_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        hmac::verify(&self.state, claim.as_bytes(), &mac).ok()?;
        Some(claim.split_once('|')?.0.to_owned())
    }

    /// The tokens of forms, which are bound to a value of the browser.
    pub(crate) fn forms(&self) -> &FormTokens {
        &self.forms
    }
}

/// SHA-256, under which the store knows states and cookies.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

/// Compares secrets in constant time.
pub(crate) fn is_equal(a: &str, b: &str) -> bool {
    constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_session_cookie_has_the_documented_format() {
        // HMAC-SHA256(SECRET, "usr_1.1800000000"), made with OpenSSL.
        let keys = Keys::from_secret(SECRET).unwrap();
        let cookie = keys.session_cookie("usr_1", 1_800_000_000);
        assert_eq!(
            cookie,
            "usr_1.1800000000.wELroc6_GZOaJqDL5FykTMoYqxvfXbFtdhXgWfb13MY"
        );
    }

    #[test]
    fn a_cookie_that_we_did_not_make_opens_nothing() {
        let keys = Keys::from_secret(SECRET).unwrap();
        let cookie = keys.session_cookie("usr_1", 1_800_000_000);
        assert_eq!(
            keys.verify_session(&cookie, at(1_799_999_999)),
            Some(sha256(cookie.as_bytes()))
        );
        assert_eq!(keys.verify_session(&cookie, at(1_800_000_000)), None);

        let mac = cookie.rsplit_once('.').unwrap().1;
        let other = Keys::from_secret(&SECRET.to_uppercase()).unwrap();
        for forged in [
            String::new(),
            "..".to_owned(),
            "usr_1.1800000000".to_owned(),
            "usr_1.1800000000.".to_owned(),
            format!("usr_2.1800000000.{mac}"),
            format!("usr_1.1900000000.{mac}"),
            format!("usr_1.1800000000.{mac}="),
            format!("{cookie}.{mac}"),
            other.session_cookie("usr_1", 1_900_000_000),
            keys.session_cookie("", 1_900_000_000),
            // A cookie for one purpose is invalid for another.
            keys.state_cookie("usr_1.1900000000", "/"),
            "x".repeat(5000),
        ] {
            assert_eq!(keys.verify_session(&forged, at(1_700_000_000)), None, "{forged}");
        }
    }

    #[test]
    fn a_state_cookie_gives_its_state_back_and_no_other_kind_does() {
        let keys = Keys::from_secret(SECRET).unwrap();
        let cookie = keys.state_cookie("abc", "/next?x=1");
        assert!(cookie.starts_with("abc|L25leHQ_eD0x."), "{cookie}");
        assert_eq!(keys.verify_state(&cookie).as_deref(), Some("abc"));
        assert_eq!(keys.verify_state(&cookie.replace("abc", "abd")), None);
        assert_eq!(keys.verify_state(&keys.session_cookie("abc|x", 1)), None);
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert_eq!(Keys::from_secret("short").unwrap_err(), ShortSecret);
    }
}
