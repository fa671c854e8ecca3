//! Decides who is let in and as which user. Every proof ends in this one function.
//!
//! The danger is a provider that speaks for people who are not its own. An organization's administrator
//! controls what its provider says. So a provider is believed about an e-mail address only if the address
//! is in a domain of the same organization. See `docs/decisions/proof.md` and
//! `docs/decisions/account-linking.md`.

mod decide;
mod enter;
mod home;
mod known;
mod settle;
mod vouch;

use std::collections::BTreeMap;

use genkan_db::{Tx, p};
use genkan_protocol::EmailAddress;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::connection::Connection;
use crate::proof::Proof;
use crate::row::{Columns, held};
use crate::session_policy::SessionPolicy;
use crate::user::User;
use crate::{ConnectionId, Error, OrganizationId, Stamp, Timestamp};
use decide::{Admission, Mode, decide};
use settle::settle;

pub use enter::{Barrier, Entry, hold_to_policy, may_enter};
pub use home::has_own;

/// A person who has proved something, and what the provider said about them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claim {
    #[serde(flatten)]
    pub proof: Proof,
    pub profile: Profile,
    /// `None` if the provider could not be asked. Then the groups stay.
    pub groups: Option<Vec<String>>,
    pub roles: Roles,
    /// All that the provider said, for people who look at the identity.
    pub attributes: Map<String, Value>,
}

/// What the provider says about a person's roles. Names of no role, and roles that it may not give, are
/// left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Roles {
    /// Nothing was said, or the provider could not be asked. The roles stay.
    Silent,
    /// It gives exactly these roles.
    Are(Vec<String>),
    /// It gives no roles. A role that it gave before and does not name here is taken back.
    AtMost(Vec<String>),
}

/// Who the provider says they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub email: Option<EmailAddress>,
    /// `Some(false)`: the provider itself says that the address is not verified.
    pub email_verified: Option<bool>,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub picture: Option<String>,
    pub locale: Option<String>,
    /// Their short name at the provider. It is not unique and proves nothing (OIDC Core §5.7). Data of
    /// older versions lack it.
    #[serde(default)]
    pub preferred_username: Option<String>,
    /// The registered custom attributes of which the provider says something, by key. `None`: it says that
    /// there is no value. Data of older versions lack it.
    #[serde(default)]
    pub custom_attributes: BTreeMap<String, Option<String>>,
}

/// A person who is let in.
#[derive(Debug, Clone, PartialEq)]
pub struct AdmittedPerson {
    pub user: User,
    /// The connection that they came through. They are in its organization now.
    pub connection: Connection,
    pub user_created: bool,
    pub membership_created: bool,
    /// The organization's own limits for the session that begins.
    pub session_policy: Option<SessionPolicy>,
}

/// Why nobody is let in. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The person comes from Google with an account of another company, or of none, see
    /// [`crate::connection::hosted_domain`].
    HostedDomainForeign,
    /// The user with this address has something of their own, such as a membership elsewhere or a proved
    /// mailbox, and the domain of the address was not proved to be this organization's.
    DomainNotProved,
    /// The connection knows the user with this address by these subjects, but the person came with another
    /// one, see [`crate::identity::relink`].
    SubjectChanged { known: Vec<String> },
    /// The connection was disabled or deleted meanwhile. Or the address belongs to a company that has
    /// disabled its own connection.
    ConnectionNotActive,
    /// The user may not sign in, or not to this organization.
    Disabled,
    /// A first login, and the provider sent no e-mail address.
    EmailMissing,
    /// A first login, and the provider itself marks the address as unverified, see
    /// [`crate::connection::OidcSettings::email_trust`].
    EmailNotVerified,
    /// A first login, and the address is outside the organization's domains. Whether a user has it is not
    /// told, because a provider could ask about any address.
    EmailNotTrusted,
    /// The person has no account, or does not belong to the organization, and
    /// the connection makes neither.
    NotProvisioned,
    /// The organization has reached its limit of members.
    OrganizationFull,
    /// A company signs in the people of this address itself. They must go there, and no other proof lets
    /// them in.
    LedElsewhere {
        organization_id: OrganizationId,
        connection_id: ConnectionId,
    },
    /// Nothing forbids it, but no page accepts such a proof yet.
    NoWayIn,
}

/// Finds, links or creates the user of a claim.
///
/// 1. The user whom the connection knows by this subject, whatever the address.
/// 2. Otherwise the user with the address is linked.
/// 3. Otherwise a user is created, if the connection does so (JIT provisioning).
///
/// For 2 and 3 the address must be in a domain of the connection's organization. If the user has something
/// of their own, the domain must be proved.
///
/// The membership in that organization is created likewise. An invited member becomes active, because the
/// organization's own provider knows best whom it invited. If a person signs in twice for the first time at
/// the same moment, one user is made.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn admit(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    claim: &Claim,
) -> Result<Result<AdmittedPerson, Refusal>, Error> {
    match decide(tx, claim, Mode::SignIn, at.now).await? {
        Ok(admission) => settle(tx, at, claim, admission).await,
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// The user whom a claim would let in.
#[derive(Debug, Clone, PartialEq)]
pub struct Recognition {
    /// `None`: a user would be created.
    pub user: Option<User>,
    pub organization_id: Option<OrganizationId>,
}

/// Says whom [`admit`] would let in now, or why it would refuse. Writes nothing.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn recognize(
    tx: &mut Tx<'_>,
    claim: &Claim,
    now: Timestamp,
) -> Result<Result<Recognition, Refusal>, Error> {
    let decided = decide(tx, claim, Mode::SignIn, now).await?;
    Ok(decided.map(Admission::recognition))
}

/// As [`recognize`], but also for a disabled connection: what a sign-in would lead to if it were enabled.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn rehearse(
    tx: &mut Tx<'_>,
    claim: &Claim,
    now: Timestamp,
) -> Result<Result<Recognition, Refusal>, Error> {
    let decided = decide(tx, claim, Mode::Rehearsal, now).await?;
    Ok(decided.map(Admission::recognition))
}

/// Whether a claim is still the latest word: its connection was not changed since `since`, and its person
/// has not come back with other data.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn still_stands(tx: &mut Tx<'_>, claim: &Claim, since: Timestamp) -> Result<bool, Error> {
    let (Some(connection_id), Some(subject)) = (claim.proof.connection_id(), claim.proof.subject()) else {
        // No page accepts other proofs yet.
        return Ok(false);
    };
    let sql = held!(
        tx,
        "FOR KEY SHARE OF c",
        "SELECT c.updated_at, (SELECT last_login_at FROM identities i
                                WHERE i.connection_id = c.id AND i.subject = $2)
           FROM connections c WHERE c.id = $1"
    );
    let row = tx.opt(sql, p![connection_id, subject]).await?;
    let Some(row) = row else { return Ok(false) };
    let mut columns = Columns::of(&row);
    let (changed_at, seen_at) = (columns.time()?, columns.optional_time()?);
    Ok(changed_at <= since && seen_at.is_none_or(|seen_at| seen_at <= since))
}
