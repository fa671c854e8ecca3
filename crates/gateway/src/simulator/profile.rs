//! The person that a developer chooses to be.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan_protocol::EmailAddress;
use genkan_protocol::oauth::Parameters;
use serde_json::{Map, Value, json};

use super::field;

/// A person, as typed into the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) email: String,
    pub(super) email_verified: bool,
    pub(super) given_name: String,
    pub(super) family_name: String,
    pub(super) groups: Vec<String>,
    pub(super) roles: Vec<String>,
    /// Further claims, which also replace those above.
    pub(super) more: Map<String, Value>,
}

/// A mistake in the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProfileError {
    #[error("Enter an e-mail address, such as ada@example.com.")]
    Email,
    #[error("Enter a JSON object, such as {{\"department\": \"Engines\"}}.")]
    More,
}

impl Profile {
    /// A suggested person, guessed from a `login_hint`.
    pub(super) fn suggest(login_hint: Option<&str>) -> Self {
        let email = login_hint.unwrap_or("ada@example.com");
        let local = email.split('@').next().unwrap_or_default();
        let mut names = local.split(['.', '_', '-', '+']).map(capitalized);
        let given_name = names.next().unwrap_or_default();
        let family_name = match given_name.as_str() {
            "Ada" => "Lovelace".to_owned(),
            _ => names.next().unwrap_or_default(),
        };
        Self {
            email: email.to_owned(),
            email_verified: true,
            given_name,
            family_name,
            groups: vec!["Engineering".to_owned(), "Everyone".to_owned()],
            roles: Vec::new(),
            more: Map::new(),
        }
    }

    /// Reads the typed form, right or wrong.
    pub(super) fn typed(form: &Parameters) -> Self {
        let text = |name| field(form, name).unwrap_or_default().to_owned();
        Self {
            email: text("email"),
            email_verified: field(form, "email_verified").is_some(),
            given_name: text("given_name"),
            family_name: text("family_name"),
            groups: list(field(form, "groups")),
            roles: list(field(form, "roles")),
            more: Map::new(),
        }
    }

    /// Reads the form.
    ///
    /// # Errors
    ///
    /// A [`ProfileError`] to be shown beside its field.
    pub(super) fn parse(form: &Parameters) -> Result<Self, ProfileError> {
        let mut profile = Self::typed(form);
        EmailAddress::parse(&profile.email).map_err(|_| ProfileError::Email)?;
        if let Some(more) = field(form, "more") {
            profile.more = genkan_protocol::json::read(more.as_bytes()).map_err(|_| ProfileError::More)?;
        }
        Ok(profile)
    }

    /// The subject: the same for the same address, without revealing it.
    pub(super) fn subject(&self) -> String {
        let hash = digest::digest(&digest::SHA256, self.email.to_lowercase().as_bytes());
        format!("sim_{}", &URL_SAFE_NO_PAD.encode(hash)[..22])
    }

    /// The claims of the person (OIDC Core §5.1), with `groups` and `roles`, the usual names
    /// of identity providers.
    pub(super) fn claims(&self) -> Map<String, Value> {
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), self.subject().into());
        claims.insert("email".to_owned(), self.email.as_str().into());
        claims.insert("email_verified".to_owned(), self.email_verified.into());
        let name = format!("{} {}", self.given_name, self.family_name);
        for (claim, value) in [
            ("name", name.trim()),
            ("given_name", &self.given_name),
            ("family_name", &self.family_name),
        ] {
            if !value.is_empty() {
                claims.insert(claim.to_owned(), value.into());
            }
        }
        for (claim, values) in [("groups", &self.groups), ("roles", &self.roles)] {
            if !values.is_empty() {
                claims.insert(claim.to_owned(), json!(values));
            }
        }
        claims.extend(self.more.clone());
        claims
    }
}

/// A list as people type it: separated by commas.
fn list(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(form: &str) -> Result<Profile, ProfileError> {
        Profile::parse(&Parameters::parse(form.as_bytes()).unwrap())
    }

    #[test]
    fn a_person_keeps_the_subject_whatever_else_changes() {
        let ada = parse("email=ada%40example.com&given_name=Ada").unwrap();
        let same = parse("email=Ada%40Example.com&given_name=Augusta").unwrap();
        let other = parse("email=bob%40example.com").unwrap();
        assert_eq!(ada.subject(), same.subject());
        assert_ne!(ada.subject(), other.subject());
    }

    #[test]
    fn claims_follow_the_form_and_further_ones_win() {
        let form = "email=ada%40example.com&family_name=Lovelace&groups=a,%20b,,&more={\"email\":null,\"dept\":\"x\"}";
        let claims = parse(form).unwrap().claims();
        assert_eq!(claims["name"], "Lovelace");
        assert_eq!(claims["groups"], json!(["a", "b"]));
        assert_eq!(claims["email_verified"], false);
        assert_eq!((&claims["email"], &claims["dept"]), (&Value::Null, &json!("x")));
        assert!(!claims.contains_key("roles") && !claims.contains_key("given_name"));
    }

    #[test]
    fn a_form_with_a_mistake_says_which() {
        assert_eq!(parse("email=ada"), Err(ProfileError::Email));
        assert_eq!(parse("given_name=Ada"), Err(ProfileError::Email));
        assert_eq!(parse("email=ada%40example.com&more=[1]"), Err(ProfileError::More));
    }

    #[test]
    fn a_login_hint_suggests_a_name() {
        let suggest = |hint| {
            let profile = Profile::suggest(hint);
            (profile.given_name, profile.family_name)
        };
        assert_eq!(suggest(None), ("Ada".to_owned(), "Lovelace".to_owned()));
        assert_eq!(
            suggest(Some("grace.hopper@example.org")),
            ("Grace".to_owned(), "Hopper".to_owned())
        );
        assert_eq!(
            suggest(Some("bob@example.org")),
            ("Bob".to_owned(), String::new())
        );
    }
}
