//! The identity that a sign-in plugin returns, checked before its use.

use openneko_plugin::json::Json;
use openneko_plugin::rpc;

/// Longest subject, OIDC Core §2.
const MAX_SUB: usize = 255;
/// Longest e-mail address, RFC 5321 §4.5.3.1.3 without its brackets.
const MAX_EMAIL: usize = 254;
const MAX_NAME_CHARS: usize = 200;
const MAX_GROUPS: usize = 200;
const MAX_GROUP_CHARS: usize = 200;

/// A person, as the provider names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub sub: String,
    pub email: String,
    pub name: Option<String>,
    /// The organization at the provider.
    pub org_id: Option<String>,
    pub groups: Vec<String>,
    /// What the provider says about the address, if it says anything.
    pub email_verified: Option<bool>,
}

/// Why an identity is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentity {
    #[error("the plugin's subject is empty, longer than 255 bytes, or holds control characters")]
    Sub,
    #[error("the plugin's e-mail is not an address")]
    Email,
}

impl Identity {
    /// Checks a plugin's answer.
    ///
    /// Names and groups are cut to the length of a page: a shorter one gives no
    /// more rights.
    ///
    /// # Errors
    ///
    /// If subject or address is malformed.
    pub fn check(answer: rpc::Identity) -> Result<Self, InvalidIdentity> {
        let has_control = |text: &str| text.chars().any(char::is_control);
        if answer.sub.is_empty() || answer.sub.len() > MAX_SUB || has_control(&answer.sub) {
            return Err(InvalidIdentity::Sub);
        }
        let email = answer.email.trim();
        if !is_address(email) {
            return Err(InvalidIdentity::Email);
        }
        let name = answer.name.as_deref().map(|name| clean(name, MAX_NAME_CHARS));
        let groups = answer
            .groups
            .iter()
            .filter(|group| group.chars().count() <= MAX_GROUP_CHARS);
        let email_verified = ["emailVerified", "email_verified"]
            .iter()
            .find_map(|key| answer.extra.get(key))
            .and_then(|value| match value {
                Json::Bool(is_verified) => Some(*is_verified),
                // Some providers send a string.
                Json::String(word) => word.parse().ok(),
                Json::Null | Json::Number(_) | Json::Array(_) | Json::Object(_) => None,
            });
        Ok(Self {
            email: email.to_owned(),
            name: name.filter(|name| !name.is_empty()),
            org_id: answer
                .org_id
                .filter(|org_id| !org_id.is_empty() && org_id.len() <= MAX_SUB),
            groups: groups.take(MAX_GROUPS).cloned().collect(),
            email_verified,
            sub: answer.sub,
        })
    }

    /// The comparison form of the address, equal for all its spellings.
    ///
    /// It lowers only ASCII: Unicode has letters whose lower case is an ASCII letter
    /// (the Kelvin sign), which would make two addresses equal.
    pub fn email_key(&self) -> String {
        email_key(&self.email)
    }

    /// The part after the last `@`, in lower case.
    pub fn email_domain(&self) -> String {
        let domain = self.email.rsplit_once('@').map_or("", |(_, domain)| domain);
        domain.to_ascii_lowercase()
    }
}

/// As [`Identity::email_key`].
pub(crate) fn email_key(email: &str) -> String {
    email.trim().to_ascii_lowercase()
}

/// Whether a text can be an address: text, one `@`, text, and no character that a
/// header, a page or a comparison could read in two ways.
pub fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    text.len() <= MAX_EMAIL
        && !local.is_empty()
        && !local.contains('@')
        && !domain.is_empty()
        && !text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '"'))
}

fn clean(text: &str, max_chars: usize) -> String {
    let kept = text.chars().filter(|c| !c.is_control()).take(max_chars);
    kept.collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn identity(value: serde_json::Value) -> Result<Identity, InvalidIdentity> {
        Identity::check(serde_json::from_value(value).unwrap())
    }

    #[test]
    fn subjects_and_addresses_that_cannot_be_are_refused() {
        for sub in ["".to_owned(), "a\nb".to_owned(), "x".repeat(256)] {
            let answer = json!({ "sub": sub, "email": "ada@acme.test", "groups": [] });
            assert_eq!(identity(answer), Err(InvalidIdentity::Sub), "{sub:?}");
        }
        for email in [
            "ada",
            "@acme.test",
            "ada@",
            "a da@acme.test",
            "a@b@acme.test",
            "<ada@acme.test>",
            "a,b@acme.test",
        ] {
            let answer = json!({ "sub": "s", "email": email, "groups": [] });
            assert_eq!(identity(answer), Err(InvalidIdentity::Email), "{email}");
        }
    }

    #[test]
    fn verification_is_read_as_a_boolean_or_its_word() {
        let verified = |value: serde_json::Value| {
            identity(json!({ "sub": "s", "email": "ada@acme.test", "groups": [], "emailVerified": value }))
                .unwrap()
                .email_verified
        };
        assert_eq!(verified(json!(true)), Some(true));
        assert_eq!(verified(json!("false")), Some(false));
        assert_eq!(verified(json!(1)), None);
        assert_eq!(verified(json!("yes")), None);
        assert_eq!(verified(json!(null)), None);
    }

    #[test]
    fn a_letter_that_folds_to_another_does_not_make_two_addresses_one() {
        assert_eq!(email_key(" Kim@Acme.Test "), "kim@acme.test");
        assert_ne!(email_key("\u{212a}im@acme.test"), "kim@acme.test");
    }

    #[test]
    fn a_name_of_spaces_is_none() {
        let blank = json!({ "sub": "s", "email": "ada@acme.test", "name": " \u{7} ", "groups": [] });
        assert_eq!(identity(blank).unwrap().name, None);
    }
}
