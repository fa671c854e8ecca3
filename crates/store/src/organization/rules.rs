//! The rules for values of an organization.

use url::Url;

use super::Organization;
use crate::mistake::{self, Fault, Mistake};

const MAX_NAME: usize = 200;
const MAX_SLUG: usize = 253;
const MAX_LOGO_URL: usize = 1_024;
/// As for users: a longer one does not fit into an index.
const MAX_EXTERNAL_ID: usize = 510;

/// Checks an organization before it is written. If one was stored `before`, only changed values are
/// checked.
///
/// # Errors
///
/// The first [`Mistake`].
pub fn check(organization: &Organization, before: Option<&Organization>) -> Result<(), Mistake> {
    if before.is_none_or(|before| before.display_name != organization.display_name) {
        mistake::title(&organization.display_name, MAX_NAME)
            .map_err(|fault| fault.of("organization.display_name"))?;
    }
    type Rule = fn(&str) -> Result<(), Fault>;
    type Of = fn(&Organization) -> &Option<String>;
    let rules: [(&'static str, Of, Rule); 3] = [
        (
            "organization.external_id",
            |one| &one.external_id,
            |text| mistake::text(text, MAX_EXTERNAL_ID),
        ),
        ("organization.slug", |one| &one.slug, check_slug),
        ("organization.logo_url", |one| &one.logo_url, check_logo_url),
    ];
    for (field, of, rule) in rules {
        let is_kept = before.is_some_and(|before| of(before) == of(organization));
        if let Some(text) = of(organization).as_deref().filter(|_| !is_kept) {
            rule(text).map_err(|fault| fault.of(field))?;
        }
    }
    if before.is_none_or(|before| before.metadata != organization.metadata) {
        mistake::pairs(&organization.metadata).map_err(|fault| fault.of("organization.metadata"))?;
    }
    Ok(())
}

/// A name for addresses: labels of small letters, digits and hyphens, separated by dots.
///
/// # Errors
///
/// The [`Fault`], if it has one.
pub fn check_slug(text: &str) -> Result<(), Fault> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| is_inner(byte) || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() <= MAX_SLUG && text.split('.').all(is_label) {
        Ok(())
    } else {
        Err(Fault::NotOfForm(
            "name of small letters, digits and hyphens, such as acme or acme.corp",
        ))
    }
}

/// The address of an image. It must not be a script, because pages show it.
///
/// # Errors
///
/// The [`Fault`], if it has one.
pub fn check_logo_url(text: &str) -> Result<(), Fault> {
    mistake::text(text, MAX_LOGO_URL)?;
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "https" | "http") => Ok(()),
        _ => Err(Fault::NotOfForm("address that starts with https://")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OrganizationId, Timestamp};

    fn acme() -> Organization {
        let id = OrganizationId::parse("org_1").unwrap();
        Organization::new(id, "Acme", Timestamp::from_secs(1))
    }

    fn refused(change: impl FnOnce(&mut Organization)) -> Option<String> {
        let mut organization = acme();
        change(&mut organization);
        check(&organization, None)
            .err()
            .map(|mistake| mistake.to_string())
    }

    #[test]
    fn a_name_is_there_and_people_can_read_it() {
        assert_eq!(check(&acme(), None), Ok(()));
        let named = |name: &str| refused(|organization| name.clone_into(&mut organization.display_name));
        assert_eq!(named(" ").as_deref(), Some("organization.display_name is empty"));
        assert_eq!(
            named(&"ä".repeat(201)).as_deref(),
            Some("organization.display_name has more than 200 characters")
        );
        assert_eq!(
            named("Acme\u{202e}moc.live").as_deref(),
            Some("organization.display_name holds control characters or marks that turn text around")
        );
        assert_eq!(named(&"ä".repeat(200)), None);
    }

    #[test]
    fn a_logo_is_an_image_on_the_web() {
        for text in [
            "javascript:alert(1)",
            "data:image/svg+xml,x",
            "logo.svg",
            "//acme.test/l",
        ] {
            let mistake = refused(|organization| organization.logo_url = Some(text.to_owned()));
            assert_eq!(
                mistake.as_deref(),
                Some("organization.logo_url is no address that starts with https://"),
                "{text}"
            );
        }
        assert_eq!(
            refused(|organization| organization.logo_url = Some("https://acme.test/l".to_owned())),
            None
        );
    }

    #[test]
    fn a_slug_is_a_name_for_addresses() {
        for text in ["acme", "acme-corp.eu", "0"] {
            assert_eq!(refused(|one| one.slug = Some(text.to_owned())), None, "{text}");
        }
        for text in ["", "Acme", "a_b", "-a", "a-", "a..b", "ä"] {
            assert!(
                refused(|one| one.slug = Some(text.to_owned())).is_some(),
                "{text}"
            );
        }
    }

    #[test]
    fn what_was_stored_before_there_was_a_rule_stays_until_it_is_changed() {
        let stored = Organization {
            slug: Some("Acme GmbH".to_owned()),
            ..acme()
        };
        let mut changed = stored.clone();
        changed.external_id = Some("acme-1".to_owned());
        assert_eq!(check(&changed, Some(&stored)), Ok(()));
        changed.slug = Some("Acme AG".to_owned());
        assert_eq!(
            check(&changed, Some(&stored)).unwrap_err().field,
            "organization.slug"
        );
    }
}
