//! Checks sign-ins that begin at the provider. They are off unless the connection allows them.

use genkan_db::Db;
use genkan_store::connection::Protocol;
use genkan_store::{Error, client};

use super::Findings;
use crate::failure::chain;

const CHECK: &str = "Begun elsewhere";

pub(super) async fn examine(db: &Db, findings: &mut Findings) {
    let read = async || -> Result<_, Error> {
        let start = db.read(async |tx| client::login_start(tx, None).await).await?;
        Ok((start, super::all_connections(db).await?))
    };
    let (start, connections) = match read().await {
        Ok(read) => read,
        Err(error) => {
            findings.fail(CHECK, chain(&error), "See the database above.");
            return;
        }
    };
    // Without an address for them, there are no such sign-ins.
    if start.is_none() {
        return;
    }
    let enabled = connections.iter().filter(|connection| connection.enabled);
    let (allowed, off): (Vec<_>, Vec<_>) =
        enabled.partition(|connection| match &connection.settings.protocol {
            Protocol::Oidc(settings) => settings.allow_idp_initiated_login,
            Protocol::Saml(settings) => settings.allow_idp_initiated_login,
        });
    findings.ok(
        CHECK,
        match (allowed.len(), off.len()) {
            (0, 0) => "no connection is enabled".to_owned(),
            (all, 0) => format!("all {all} connections let sign-ins begin at the provider"),
            (some, off) => format!(
                "{some} connections let sign-ins begin at the provider, {off} do not; \
                 `genkan connection update CONNECTION --allow-idp-initiated` lets one, and --saml-idp-initiated one \
                 that speaks SAML"
            ),
        },
    );
}
