//! Google, where everybody has one issuer: which company an account belongs to.
//!
//! Somebody who left a company can still open a consumer account with the
//! address that they had there. Only the claim `hd` tells an account of the
//! company's own Google Workspace from such a one.
//!
//! Source: "OpenID Connect" of Google Identity, claim `hd`.

use genkan_db::Tx;
use genkan_protocol::Domain as DomainName;
use genkan_protocol::oidc::issuer_of;
use serde_json::{Map, Value};

use super::{Connection, domains};
use crate::{Error, Provider, domain};

/// As Google once wrote it, and some connections still do.
const WITHOUT_SCHEME: &str = "accounts.google.com";

/// What the claim of somebody who comes from Google says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosted {
    /// `hd` as it came.
    pub received: Option<String>,
    /// It names a domain that the connection signs in.
    pub is_own: bool,
    /// The sign-in ends here. Connections that are older than the check only warn
    /// until an operator turns it on.
    pub is_refused: bool,
}

/// Whether people come to a connection from Google.
pub fn applies(connection: &Connection) -> bool {
    let Some(settings) = connection.settings.as_oidc() else {
        return false;
    };
    let issuer = issuer_of(&settings.issuer);
    connection.provider == Provider::Google
        || Provider::Google.issuer() == Some(issuer)
        || issuer == WITHOUT_SCHEME
}

/// Whether the check ends sign-ins at a connection from Google; else it only warns.
pub fn is_on(connection: &Connection) -> bool {
    let settings = connection.settings.as_oidc();
    settings.is_some_and(|settings| settings.check_hosted_domain == Some(true))
}

/// Looks at the claims of somebody; `None` where they do not come from Google.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn look(
    tx: &mut Tx<'_>,
    connection: &Connection,
    claims: &Map<String, Value>,
) -> Result<Option<Hosted>, Error> {
    if !applies(connection) {
        return Ok(None);
    }
    let received = claims.get("hd").and_then(Value::as_str).map(str::to_owned);
    let name = received.as_deref().and_then(|text| DomainName::parse(text).ok());
    let is_own = match &name {
        Some(name) => {
            let owner = domain::find_organization_for(tx, name).await?;
            owner.is_some()
                && owner == connection.organization_id
                && domains::may_vouch(tx, connection, name).await?
        }
        None => false,
    };
    Ok(Some(Hosted {
        received,
        is_own,
        is_refused: !is_own && is_on(connection),
    }))
}
