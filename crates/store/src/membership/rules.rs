//! The rules for values of a membership.

use genkan_protocol::EmailAddress;
use serde_json::{Map, Value};

use crate::mistake::{self, Fault, Mistake};

/// Checks the metadata that an application stores with a membership.
///
/// # Errors
///
/// The first [`Mistake`].
pub(super) fn check_metadata(metadata: &Map<String, Value>) -> Result<(), Mistake> {
    mistake::pairs(metadata).map_err(|fault| fault.of("membership.metadata"))
}

/// Checks a membership before it is written.
///
/// # Errors
///
/// The first [`Mistake`].
pub fn check(metadata: &Map<String, Value>, inviter_email: Option<&str>) -> Result<(), Mistake> {
    check_metadata(metadata)?;
    match inviter_email {
        Some(text) if EmailAddress::parse(text).is_err() => {
            Err(Fault::NotOfForm("e-mail address").of("membership.inviter_email"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_invites_has_an_address_and_facts_are_few() {
        let none = Map::new();
        assert_eq!(check(&none, Some("ada@acme.test")), Ok(()));
        let mistake = check(&none, Some("ada")).unwrap_err();
        assert_eq!(
            mistake.to_string(),
            "membership.inviter_email is no e-mail address"
        );
        let many: Map<String, Value> = (0..101).map(|number| (number.to_string(), "v".into())).collect();
        assert_eq!(check(&many, None).unwrap_err().field, "membership.metadata");
    }
}
