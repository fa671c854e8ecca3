//! The groups that make admins: the key `adminGroups`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::web::mistake::{Mistake, lower, mistake, non_empty};

/// The groups that make admins.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "adminGroups is an object that names organizations, such as {\"org_…\": [\"admins\"]}"
)]
pub enum AdminGroups {
    ByOrganization(BTreeMap<String, Vec<String>>),
    /// Of the one organization that may enter.
    List(Vec<String>),
}

impl Default for AdminGroups {
    fn default() -> Self {
        Self::ByOrganization(BTreeMap::new())
    }
}

/// The groups of admins by organization. A list names no organization: with one allowed
/// organization it means that one. With more, any company's "admins" would be ours.
///
/// # Errors
///
/// The unusable value, and the lines to write in its place.
pub(super) fn by_organization(
    written: AdminGroups,
    allowed: &BTreeSet<String>,
) -> Result<BTreeMap<String, BTreeSet<String>>, Mistake> {
    const NAME: &str = "web.adminGroups";
    let written = match written {
        AdminGroups::List(groups) if groups.is_empty() => BTreeMap::new(),
        AdminGroups::List(groups) => match allowed.first() {
            Some(only) if allowed.len() == 1 => BTreeMap::from([(only.clone(), groups)]),
            _ => return Err(mistake(NAME, whose_groups(&groups, allowed))),
        },
        AdminGroups::ByOrganization(written) => written,
    };
    let mut rules = BTreeMap::new();
    for (organization, groups) in written {
        if organization.trim().is_empty() {
            return Err(mistake(NAME, "an organization has no name"));
        }
        if !allowed.is_empty() && !allowed.contains(&organization) {
            let why =
                format!("{organization} is not in web.allowedOrganizations, so nobody of it can sign in");
            return Err(mistake(NAME, why));
        }
        rules.insert(organization, lower(&non_empty(NAME, groups)?));
    }
    Ok(rules)
}

/// Why a list is not enough, and the lines to write in its place.
fn whose_groups(groups: &[String], allowed: &BTreeSet<String>) -> String {
    let who_enters = match allowed.len() {
        0 => "every organization of the provider may sign in".to_owned(),
        count => format!("{count} organizations may sign in"),
    };
    let shown = serde_json::to_string(groups).expect("strings are JSON");
    let lines: Vec<String> = match allowed.is_empty() {
        true => vec![format!("    \"org_…\": {shown}")],
        false => allowed
            .iter()
            .map(|organization| format!("    {}: {shown}", serde_json::json!(organization)))
            .collect(),
    };
    let lines = lines.join(",\n");
    let find = "`openneko users list -o json` shows the organization of everybody who was here";
    format!(
        "a list does not say whose groups they are, and {who_enters}: anybody’s group of that name would make \
         an admin. Name the organization, in the key `web` of config.json:\n\n  \"adminGroups\": {{\n{lines}\n  }}\n\n{find}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::settings::{File, Flags, Settings};

    fn groups(file: &str) -> Result<BTreeMap<String, BTreeSet<String>>, Mistake> {
        let file = serde_json::from_str(file).unwrap();
        let settings = Settings::new(&Flags::default(), |_| None, file)?;
        Ok(settings.rules.admin_groups)
    }

    #[test]
    fn groups_make_admins_where_their_organization_is_named() {
        assert!(groups("{}").unwrap().is_empty());
        assert!(groups(r#"{"adminGroups":[]}"#).unwrap().is_empty());
        let staff = BTreeMap::from([("org_1".to_owned(), BTreeSet::from(["staff".to_owned()]))]);
        for file in [
            r#"{"adminGroups":{"org_1":["Staff"]}}"#,
            r#"{"adminGroups":{"org_1":["staff"]},"allowedOrganizations":["org_1","org_2"]}"#,
            r#"{"adminGroups":["Staff"],"allowedOrganizations":["org_1"]}"#,
        ] {
            assert_eq!(groups(file).unwrap(), staff, "{file}");
        }
    }

    #[test]
    fn a_list_of_groups_whose_organization_is_not_clear_is_refused_with_the_lines_to_write() {
        let refused = |file: &str| groups(file).unwrap_err().to_string();
        let open = refused(r#"{"adminGroups":["Staff"]}"#);
        assert!(
            open.starts_with("web.adminGroups cannot be used: a list does not say whose groups they are")
                && open.contains("every organization")
                && open.contains("  \"adminGroups\": {\n    \"org_…\": [\"Staff\"]\n  }\n"),
            "{open}"
        );
        let two = refused(r#"{"adminGroups":["Staff"],"allowedOrganizations":["org_1","org_2"]}"#);
        assert!(
            two.contains("2 organizations may sign in")
                && two.contains("    \"org_1\": [\"Staff\"],\n    \"org_2\": [\"Staff\"]\n"),
            "{two}"
        );
        for (file, word) in [
            (
                r#"{"adminGroups":{"org_3":["x"]},"allowedOrganizations":["org_1"]}"#,
                "org_3",
            ),
            (r#"{"adminGroups":{" ":["x"]}}"#, "no name"),
            (r#"{"adminGroups":{"org_1":[""]}}"#, "an entry is empty"),
        ] {
            assert!(refused(file).contains(word), "{file}");
        }
        let wrong = serde_json::from_str::<File>(r#"{"adminGroups":"Staff"}"#).unwrap_err();
        assert!(wrong.to_string().contains("names organizations"), "{wrong}");
    }
}
