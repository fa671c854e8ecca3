//! Checks domains and Google accounts, about which older versions were less strict.

use genkan_db::Db;
use genkan_store::connection::{Connection, hosted_domain};
use genkan_store::domain;

use super::Findings;
use crate::failure::chain;

const DOMAINS: &str = "Domains";
const CONNECTIONS: &str = "Connections";
const GOOGLE: &str = "Google accounts";

pub(super) async fn examine(db: &Db, findings: &mut Findings) {
    match db.read(async |tx| domain::count_unproved(tx).await).await {
        Ok(0) => findings.ok(DOMAINS, "all that are active are proved"),
        Ok(count) => findings.warn(
            DOMAINS,
            format!(
                "{count} are active on somebody's word alone: nobody who belongs to another organization too is \
                 linked by an address in them"
            ),
            "`genkan domain verify DOMAIN --organization ORG` proves one; domains.require_proof asks for proof of \
             every new one.",
        ),
        Err(error) => findings.fail(DOMAINS, chain(&error), "See the database above."),
    }
    match db.read(async |tx| domain::public_mail_in_force(tx).await).await {
        Ok(names) if names.is_empty() => {}
        Ok(names) => findings.warn(
            DOMAINS,
            format!(
                "anybody can get an address in {}: the connection of the organization that has it speaks for all of \
                 them",
                names.join(", ")
            ),
            "`genkan domain delete DOMAIN --organization ORG` takes it away, unless the list is wrong about it.",
        ),
        Err(error) => findings.fail(DOMAINS, chain(&error), "See the database above."),
    }
    match super::all_connections(db).await {
        Ok(connections) => {
            for connection in connections.iter().filter(|connection| connection.enabled) {
                look_at(connection, findings);
            }
        }
        Err(error) => findings.fail(GOOGLE, chain(&error), "See the database above."),
    }
}

fn look_at(connection: &Connection, findings: &mut Findings) {
    if let Err(mistakes) = connection.check(true) {
        let reasons = mistakes
            .iter()
            .map(|mistake| format!("{} {}", mistake.field, mistake.reason));
        findings.warn(
            CONNECTIONS,
            format!(
                "{} ({}) signs nobody in: {}",
                connection.id,
                connection.name,
                reasons.collect::<Vec<_>>().join("; ")
            ),
            "Create a connection with the issuer of the company, and delete this one.",
        );
    }
    if hosted_domain::applies(connection) && !hosted_domain::is_on(connection) {
        findings.warn(
            GOOGLE,
            format!(
                "{} ({}) takes people without a Google account of the company: who left may still have one of their \
                 own with the old address",
                connection.id, connection.name
            ),
            format!(
                "genkan connection update {} --check-hosted-domain on",
                connection.id
            ),
        );
    }
}
