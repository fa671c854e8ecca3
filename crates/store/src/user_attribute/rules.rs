//! The rules for a registered attribute.

use genkan_protocol::oidc::CustomClaims;

use super::UserAttribute;
use crate::mistake::{self, Fault, Mistake};

/// The limit of the contract for keys of custom attributes.
const KEY_CHARACTERS: std::ops::RangeInclusive<usize> = 3..=25;
const MIN_LABEL: usize = 3;
const MAX_LABEL: usize = 250;
/// The limit of a connection's mapping for the names of providers.
const MAX_SOURCE: usize = 256;

/// Claims of ours that are neither reserved by a standard nor by the contract.
const OWN_CLAIMS: [&str; 2] = ["custom", "groups"];

/// Whether a text can be a key: 3 to 25 letters, digits, `-` and `_`, all ASCII, a letter first.
pub fn is_key(text: &str) -> bool {
    KEY_CHARACTERS.contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Whether tokens have another claim of this name. A provider must not be able to say it.
pub fn is_reserved(key: &str) -> bool {
    // Without regard to case, see `CustomClaims::is_reserved`.
    let is_own = OWN_CLAIMS.iter().any(|own| own.eq_ignore_ascii_case(key));
    is_own || CustomClaims::is_reserved(key)
}

/// Checks an attribute before it is written. If one was stored `before`, only changed values are checked.
///
/// # Errors
///
/// The first [`Mistake`].
pub fn check(attribute: &UserAttribute, before: Option<&UserAttribute>) -> Result<(), Mistake> {
    if before.is_none() {
        const FIELD: &str = "user_attribute.key";
        if !is_key(&attribute.key) {
            let form = "key: write 3 to 25 letters, digits, - and _, a letter first";
            return Err(Fault::NotOfForm(form).of(FIELD));
        }
        if is_reserved(&attribute.key) {
            let form = "name that is free: tokens have a claim of this name";
            return Err(Fault::NotOfForm(form).of(FIELD));
        }
    }
    if before.is_none_or(|before| before.label != attribute.label) {
        check_label(&attribute.label).map_err(|fault| fault.of("user_attribute.label"))?;
    }
    for (field, source, stored) in [
        (
            "user_attribute.sso_addition_info.default_oidc_mapping",
            &attribute.oidc_claim,
            before.map(|before| &before.oidc_claim),
        ),
        (
            "user_attribute.sso_addition_info.default_saml_mapping",
            &attribute.saml_attribute,
            before.map(|before| &before.saml_attribute),
        ),
    ] {
        if let Some(source) = source
            && stored.is_none_or(|stored| stored.as_ref() != Some(source))
        {
            mistake::title(source, MAX_SOURCE).map_err(|fault| fault.of(field))?;
        }
    }
    Ok(())
}

/// The contract wants at least three characters.
fn check_label(label: &str) -> Result<(), Fault> {
    mistake::title(label, MAX_LABEL)?;
    match label.chars().count() < MIN_LABEL {
        true => Err(Fault::NotOfForm("label: write at least 3 characters")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_and_of_plain_letters() {
        for key in ["cost", "costCenter", "cost-center_2", &"k".repeat(25)] {
            assert!(is_key(key), "{key}");
        }
        for key in [
            "",
            "ab",
            "1st",
            "-ab",
            "cost center",
            "kosten.stelle",
            "größe",
            &"k".repeat(26),
        ] {
            assert!(!is_key(key), "{key}");
        }
    }

    #[test]
    fn no_key_is_the_name_of_another_claim() {
        for key in [
            "sub",
            "roles",
            "permissions",
            "email",
            "groups",
            "org_id",
            "custom",
            "website",
            // A receiver may read names without regard to case.
            "Email",
            "ROLES",
            "Groups",
            "CUSTOM",
        ] {
            assert!(is_reserved(key), "{key}");
        }
        assert!(!is_reserved("department"));
    }
}
