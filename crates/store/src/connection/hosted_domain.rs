//! Google: all accounts have one issuer, so another claim must say which company an account belongs to.
//!
//! If a person leaves a company, they can still open a consumer account with their old address. Only the
//! claim `hd` distinguishes an account in the company's Google Workspace from such an account.
//!
//! Source: "OpenID Connect" of Google Identity, claim `hd`.

use genkan_db::Tx;
use genkan_protocol::Domain as DomainName;
use genkan_protocol::oidc::issuer_of;
use serde_json::{Map, Value};

use super::{Connection, domains};
use crate::{Error, Provider, domain};

/// The issuer as Google once wrote it. Some connections still have it.
const WITHOUT_SCHEME: &str = "accounts.google.com";

/// The claim `hd` of a person who comes from Google.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedDomainCheck {
    /// `hd` as it came.
    pub received: Option<String>,
    /// It is a domain that the connection signs in.
    pub is_own: bool,
    /// The sign-in is refused. A connection from before this check only warns until an operator turns the
    /// check on.
    pub is_refused: bool,
}

/// Whether a connection leads to Google.
pub fn applies(connection: &Connection) -> bool {
    let Some(settings) = connection.settings.as_oidc() else {
        return false;
    };
    let issuer = issuer_of(&settings.issuer);
    connection.provider == Provider::Google
        || Provider::Google.issuer() == Some(issuer)
        || issuer == WITHOUT_SCHEME
}

/// Whether the check refuses sign-ins at such a connection. Otherwise it only warns.
pub fn is_on(connection: &Connection) -> bool {
    let settings = connection.settings.as_oidc();
    settings.is_some_and(|settings| settings.check_hosted_domain == Some(true))
}

/// Checks a person's claims. `None` if they do not come from Google.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn look(
    tx: &mut Tx<'_>,
    connection: &Connection,
    claims: &Map<String, Value>,
) -> Result<Option<HostedDomainCheck>, Error> {
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
    Ok(Some(HostedDomainCheck {
        received,
        is_own,
        is_refused: !is_own && is_on(connection),
    }))
}
