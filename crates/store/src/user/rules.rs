//! The rules for values of a user.

use super::User;
use crate::mistake::{self, Fault, Mistake};

const MAX_TEXT: usize = 512;
/// Some browsers and servers do not take longer addresses.
const MAX_ADDRESS: usize = 2_048;
/// The limit of the requests that name a user by it.
const MAX_EXTERNAL_ID: usize = 510;

/// A text, by its name in the contract, and its maximum of characters.
#[derive(Clone, Copy)]
struct Text<'a> {
    field: &'static str,
    most: usize,
    text: Option<&'a str>,
}

impl Text<'_> {
    fn check(self) -> Result<(), Fault> {
        mistake::text(self.text.unwrap_or_default(), self.most)
    }
}

fn texts(user: &User) -> [Text<'_>; 9] {
    [
        ("user.user_profile.name", MAX_TEXT, &user.name),
        ("user.user_profile.given_name", MAX_TEXT, &user.given_name),
        ("user.user_profile.family_name", MAX_TEXT, &user.family_name),
        ("user.user_profile.locale", MAX_TEXT, &user.locale),
        ("user.user_profile.phone_number", MAX_TEXT, &user.phone_number),
        (
            "user.user_profile.preferred_username",
            MAX_TEXT,
            &user.preferred_username,
        ),
        ("user.user_profile.gender", MAX_TEXT, &user.gender),
        ("user.user_profile.picture", MAX_ADDRESS, &user.picture),
        ("user.external_id", MAX_EXTERNAL_ID, &user.external_id),
    ]
    .map(|(field, most, text)| Text {
        field,
        most,
        text: text.as_deref(),
    })
}

/// Checks a user before they are written. If one was stored `before`, only changed values are checked.
///
/// # Errors
///
/// The first [`Mistake`].
pub fn check(user: &User, before: Option<&User>) -> Result<(), Mistake> {
    let stored = before.map(texts);
    for (index, text) in texts(user).into_iter().enumerate() {
        let is_kept = stored.is_some_and(|stored| stored[index].text == text.text);
        if !is_kept {
            text.check().map_err(|fault| fault.of(text.field))?;
        }
    }
    for (field, map, stored) in [
        (
            "user.metadata",
            &user.metadata,
            before.map(|before| &before.metadata),
        ),
        (
            "user.user_profile.metadata",
            &user.profile_metadata,
            before.map(|before| &before.profile_metadata),
        ),
        (
            "user.user_profile.custom_attributes",
            &user.custom_attributes,
            before.map(|before| &before.custom_attributes),
        ),
    ] {
        if stored != Some(map) {
            mistake::pairs(map).map_err(|fault| fault.of(field))?;
        }
    }
    Ok(())
}

/// Whether a text from an identity provider can be stored.
pub(crate) fn is_fit(text: &str) -> bool {
    mistake::text(text, MAX_TEXT).is_ok()
}

/// Sets a custom attribute from an identity provider, or removes it. A value that cannot be stored is
/// skipped, so that the sign-in goes on.
pub(crate) fn set_attribute(user: &mut User, key: &str, value: Option<&str>) {
    let Some(value) = value else {
        user.custom_attributes.remove(key);
        return;
    };
    let mut changed = user.custom_attributes.clone();
    changed.insert(key.to_owned(), value.into());
    if mistake::pairs(&changed).is_ok() {
        user.custom_attributes = changed;
    }
}

/// Whether an address from an identity provider can be stored.
pub(crate) fn is_fit_address(text: &str) -> bool {
    mistake::text(text, MAX_ADDRESS).is_ok()
}

#[cfg(test)]
mod tests {
    use genkan_protocol::{EmailAddress, Timestamp};

    use super::*;
    use crate::UserId;

    fn ada() -> User {
        let email = EmailAddress::parse("ada@acme.test").unwrap();
        User::new(UserId::parse("usr_1").unwrap(), email, Timestamp::from_secs(1))
    }

    fn refused(change: impl FnOnce(&mut User)) -> Option<String> {
        let mut user = ada();
        change(&mut user);
        check(&user, None).err().map(|mistake| mistake.to_string())
    }

    #[test]
    fn texts_are_short_and_hold_no_commands() {
        assert_eq!(check(&ada(), None), Ok(()));
        let long = |most: usize| Some("ä".repeat(most + 1));
        for (mistake, field) in [
            (
                refused(|user| user.gender = long(512)),
                "user.user_profile.gender has more than 512 characters",
            ),
            (
                refused(|user| user.picture = long(2048)),
                "user.user_profile.picture has more than 2048 characters",
            ),
            (
                refused(|user| user.external_id = long(510)),
                "user.external_id has more than 510 characters",
            ),
            (
                refused(|user| user.name = Some("Ada\u{202e}".to_owned())),
                "user.user_profile.name holds control characters or marks that turn text around",
            ),
            (
                refused(|user| drop(user.metadata.insert("k".repeat(129), "v".into()))),
                "user.metadata has a name of more than 128 characters or a value of more than 2048",
            ),
        ] {
            assert_eq!(mistake.as_deref(), Some(field));
        }
        assert_eq!(refused(|user| user.gender = Some("ä".repeat(512))), None);
    }

    #[test]
    fn what_was_stored_before_there_was_a_rule_stays_until_it_is_changed() {
        let stored = User {
            name: Some("Ada\u{1b}".to_owned()),
            ..ada()
        };
        let mut changed = stored.clone();
        changed.gender = Some("female".to_owned());
        assert_eq!(check(&changed, Some(&stored)), Ok(()));
        changed.name = Some("Ada\u{1b}!".to_owned());
        assert_eq!(check(&changed, Some(&stored)).unwrap_err().fault, Fault::NotPlain);
    }
}
