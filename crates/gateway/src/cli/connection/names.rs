//! The names of our attributes that `--attribute` gives a source.

use genkan_store::connection::Connection;
use genkan_store::user_attribute::{self, OWN, PREFIX, UserAttribute, is_key, is_reserved, name_in_mapping};

use super::settings::SettingsArgs;
use crate::cli::Failure;
use crate::cli::instance::Instance;
use crate::config::nearest;

/// Refuses a name that no sign-in would read, with the one that was probably meant.
///
/// The store refuses it, too, and cannot say which one it is.
pub(super) async fn check(
    args: &SettingsArgs,
    before: &Connection,
    instance: &Instance,
) -> Result<(), Failure> {
    let mapping = &before.settings.common.attribute_mapping;
    let of_others: Vec<&str> = args
        .mapped()
        .filter(|name| !OWN.contains(name) && !mapping.contains_key(*name))
        .collect();
    if of_others.is_empty() {
        return Ok(());
    }
    let registered = instance.read(async |tx| user_attribute::list(tx).await).await?;
    let is_registered = |name: &str| registered.iter().any(|attribute| attribute.key == key_of(name));
    match of_others.into_iter().find(|name| !is_registered(name)) {
        Some(name) => Err(unknown(name, &registered)),
        None => Ok(()),
    }
}

/// The name without the prefix of registered attributes.
fn key_of(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

fn unknown(name: &str, registered: &[UserAttribute]) -> Failure {
    let key = key_of(name);
    let keys = registered.iter().map(|attribute| attribute.key.as_str());
    let meant = nearest(key, OWN.into_iter().chain(keys)).map(|meant| match OWN.contains(&meant) {
        true => meant.to_owned(),
        false => name_in_mapping(meant),
    });
    let mut remedy = match meant {
        Some(meant) => format!("Did you mean {meant}?"),
        None => format!("Genkan's own are {}.", OWN.join(", ")),
    };
    remedy += &match is_key(key) && !is_reserved(key) {
        true => format!(
            " `genkan attribute create {key}` registers a custom attribute: then write {}.",
            name_in_mapping(key)
        ),
        false => " `genkan attribute list` shows the registered ones.".to_owned(),
    };
    Failure::usage(format!(
        "--attribute names \"{name}\", which is neither one of Genkan's attributes nor a registered one."
    ))
    .remedy(remedy)
}

#[cfg(test)]
mod tests {
    use genkan_store::Timestamp;
    use genkan_store::user_attribute::Datatype;

    use super::*;

    #[test]
    fn a_misspelt_name_leads_to_the_one_that_was_meant() {
        let department = UserAttribute {
            key: "department".to_owned(),
            label: "Department".to_owned(),
            datatype: Datatype::String,
            enabled: true,
            required: false,
            oidc_claim: None,
            saml_attribute: None,
            created_at: Timestamp::from_secs(1),
            updated_at: Timestamp::from_secs(1),
        };
        for (name, says) in [
            ("emial", "Did you mean email? `genkan attribute create emial`"),
            ("Email", "Did you mean email? `genkan attribute list`"),
            ("custom.email", "Did you mean email? `genkan attribute list`"),
            ("custom.deparment", "Did you mean custom.department?"),
            ("departmnt", "Did you mean custom.department?"),
            ("shoe_size", "Genkan's own are email, email_verified, name"),
            ("x y", "`genkan attribute list` shows the registered ones."),
        ] {
            let failure = unknown(name, std::slice::from_ref(&department)).to_string();
            assert!(
                failure.contains(&format!("names \"{name}\", which is neither")),
                "{failure}"
            );
            assert!(failure.contains(says), "{name}: {failure}");
        }
    }
}
