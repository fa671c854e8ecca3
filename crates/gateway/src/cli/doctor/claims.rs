//! Checks whether an operator must still decide about groups and roles after an upgrade.

use genkan_db::Db;
use genkan_store::connection::claims::{self, UpgradeDecisions};

use super::Findings;
use crate::failure::chain;

const CHECK: &str = "Claims";

pub(super) async fn examine(db: &Db, findings: &mut Findings) {
    let undecided = match db.read(async |tx| claims::undecided(tx).await).await {
        Ok(undecided) => undecided,
        Err(error) => {
            findings.fail(CHECK, chain(&error), "See the database above.");
            return;
        }
    };
    let UpgradeDecisions {
        groups_by_upgrade,
        unnamed_roles,
        given,
    } = undecided;
    if groups_by_upgrade > 0 {
        findings.warn(
            CHECK,
            format!(
                "{groups_by_upgrade} connections named no claim for groups, so an upgrade named `groups`, which was read before"
            ),
            "`genkan connection update CONNECTION --groups-claim groups` confirms it, --no-groups-claim ends it.",
        );
    }
    if unnamed_roles > 0 {
        let given: Vec<String> = given
            .iter()
            .map(|given| {
                format!(
                    "{} to {} people at {}",
                    given.role, given.members, given.connection_id
                )
            })
            .collect();
        let gave = if given.is_empty() {
            "nobody has a role from a provider there".to_owned()
        } else {
            format!(
                "providers gave {}, which goes as these people sign in",
                given.join(", ")
            )
        };
        findings.warn(
            CHECK,
            format!("{unnamed_roles} connections name no claim for roles, so their providers give none any more: {gave}"),
            "`genkan connection update CONNECTION --roles-claim roles` lets it give those of the environment's roles that \
             `genkan role update ROLE --assignable-by-providers` marks; --no-roles-claim keeps what people have.",
        );
    }
}
