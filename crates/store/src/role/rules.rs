//! The rules for a role's name and texts.

use super::Role;
use crate::mistake::{self, Fault, Mistake};

const MAX_DISPLAY_NAME: usize = 100;
const MAX_DESCRIPTION: usize = 2_000;

/// Whether a text can be the name of a role: 1 to 64 letters, digits and
/// underscores, all ASCII.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Checks a role's display name.
///
/// # Errors
///
/// The [`Fault`], if it has one.
pub fn check_display_name(text: &str) -> Result<(), Fault> {
    mistake::title(text, MAX_DISPLAY_NAME)
}

/// The texts of a role that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Texts<'a> {
    pub name: &'a str,
    pub display_name: &'a str,
    pub description: &'a str,
}

impl<'a> From<&'a Role> for Texts<'a> {
    fn from(role: &'a Role) -> Self {
        Self {
            name: &role.name,
            display_name: &role.display_name,
            description: &role.description,
        }
    }
}

/// Checks a role before it is written. If one was stored `before`, only changed values are checked.
///
/// # Errors
///
/// The first [`Mistake`].
pub fn check(role: Texts<'_>, before: Option<Texts<'_>>) -> Result<(), Mistake> {
    if before.is_none() && !is_name(role.name) {
        let form = "name of at most 64 letters, digits and underscores";
        return Err(Fault::NotOfForm(form).of("role.name"));
    }
    if before.is_none_or(|before| before.display_name != role.display_name) {
        check_display_name(role.display_name).map_err(|fault| fault.of("role.display_name"))?;
    }
    if before.is_none_or(|before| before.description != role.description)
        && role.description.chars().count() > MAX_DESCRIPTION
    {
        let fault = Fault::TooLong {
            most: MAX_DESCRIPTION,
        };
        return Err(fault.of("role.description"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_and_underscores() {
        for name in ["a", "admin", "Team_Lead_2", &"x".repeat(64)] {
            assert!(is_name(name), "{name:?}");
        }
        for name in [
            "",
            "team lead",
            "team-lead",
            "team\nlead",
            "équipe",
            &"x".repeat(65),
        ] {
            assert!(!is_name(name), "{name:?}");
        }
    }

    #[test]
    fn a_role_has_a_name_and_texts_that_people_can_read() {
        let role = Texts {
            name: "admin",
            display_name: "Administrator",
            description: "",
        };
        assert_eq!(check(role, None), Ok(()));
        let fault = |role: Texts<'_>| check(role, None).unwrap_err().to_string();
        assert_eq!(
            fault(Texts {
                name: "team lead",
                ..role
            }),
            "role.name is no name of at most 64 letters, digits and underscores"
        );
        assert_eq!(
            fault(Texts {
                display_name: " ",
                ..role
            }),
            "role.display_name is empty"
        );
        let long = "ä".repeat(2_001);
        assert_eq!(
            fault(Texts {
                description: &long,
                ..role
            }),
            "role.description has more than 2000 characters"
        );
        let stored = Texts {
            display_name: "a\u{1b}b",
            ..role
        };
        let changed = Texts {
            description: "They run it",
            ..stored
        };
        assert_eq!(
            check(changed, Some(stored)),
            Ok(()),
            "what is kept is not looked at"
        );
    }
}
