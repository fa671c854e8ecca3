//! Who is let in, and as whom: the one function that every proof comes to.
//!
//! The danger is a provider that speaks for people who are not its own. An
//! organization's administrator controls what its provider says, so a provider
//! is believed about an e-mail address only if the address lies in a domain of
//! the same organization. See `docs/decisions/proof.md` and
//! `docs/decisions/account-linking.md`.

mod decide;
mod enter;
mod home;
mod known;
mod settle;
mod vouch;

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
use decide::{Admission, Door, decide};
use settle::settle;

pub use enter::{Barrier, Entry, hold_to_policy, may_enter};
pub use home::has_own;

/// Somebody who has proved something, and what is said of them beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claim {
    #[serde(flatten)]
    pub proof: Proof,
    pub profile: Profile,
    /// `None` if the provider could not be asked: then nothing changes.
    pub groups: Option<Vec<String>>,
    pub roles: Roles,
    /// What the provider said, for people who look at the identity.
    pub attributes: Map<String, Value>,
}

/// What the provider says about a person's roles. Names that are none, or that
/// it may not give, are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Roles {
    /// Nothing, or it could not be asked: nothing changes.
    Silent,
    /// These are all that it gives.
    Are(Vec<String>),
    /// It gives nothing; what it gave before and does not name here is taken back.
    AtMost(Vec<String>),
}

/// Who the provider says they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub email: Option<EmailAddress>,
    /// `Some(false)`: the provider itself says that nobody has checked it.
    pub email_verified: Option<bool>,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub picture: Option<String>,
    pub locale: Option<String>,
    /// What they are called there in short. Nobody's alone, and no proof of anything
    /// (OIDC Core §5.7). Absent in what an older version kept.
    #[serde(default)]
    pub preferred_username: Option<String>,
}

/// Somebody who is let in.
#[derive(Debug, Clone, PartialEq)]
pub struct Admitted {
    pub user: User,
    /// By which they came in; its organization is where they are.
    pub connection: Connection,
    pub user_created: bool,
    pub membership_created: bool,
    /// The organization's own limits for the session that begins.
    pub session_policy: Option<SessionPolicy>,
}

/// Why nobody is let in. It changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The person comes from Google with an account of another company, or of none;
    /// see [`crate::connection::hosted_domain`].
    HostedDomainForeign,
    /// The user with this address has something of their own, as a membership elsewhere
    /// or a mailbox that they proved, and nobody has proved that the address's domain is
    /// this organization's.
    DomainNotProved,
    /// The connection knows the user with this address by these subjects, and the
    /// person came with another; see [`crate::identity::relink`].
    SubjectChanged { known: Vec<String> },
    /// The connection was switched off or deleted meanwhile; or the company that the
    /// address leads to has switched its own off.
    ConnectionNotActive,
    /// The user may not sign in, or not to this organization.
    Disabled,
    /// A first login, and the provider sent no e-mail address.
    EmailMissing,
    /// A first login, and the provider itself doubts the address; see
    /// [`crate::connection::OidcSettings::email_trust`].
    EmailNotVerified,
    /// A first login, and the address lies outside the organization's domains.
    /// Whether a user has it is not told: a provider could ask for any address.
    EmailNotTrusted,
    /// The person has no account, or does not belong to the organization, and
    /// the connection makes neither.
    NotProvisioned,
    /// The organization has as many members as it may.
    OrganizationFull,
    /// A company signs in the people of this address by itself: there it goes on, and
    /// nothing else lets them in.
    LedElsewhere {
        organization_id: OrganizationId,
        connection_id: ConnectionId,
    },
    /// Nothing speaks against it, and nobody comes in by such a proof yet.
    NoWayIn,
}

/// Finds, links or creates the user of a claim.
///
/// 1. Connection and subject find their user, whatever the address.
/// 2. Otherwise the user with that address is linked, and
/// 3. otherwise a user is created if the connection does so (JIT provisioning);
///    both only if the address lies in a domain of the connection's organization,
///    and who has something of their own only if that domain is proved.
///
/// Membership in that organization is created likewise, and an invited member
/// becomes an active one: nobody knows better than the organization's own
/// provider that they are who was invited. Two first logins of one
/// person at the same time make one user.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn admit(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    claim: &Claim,
) -> Result<Result<Admitted, Refusal>, Error> {
    match decide(tx, claim, Door::Open, at.now).await? {
        Ok(admission) => settle(tx, at, claim, admission).await,
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// Whom a claim would let in.
#[derive(Debug, Clone, PartialEq)]
pub struct Recognized {
    /// `None`: a user would be created.
    pub user: Option<User>,
    pub organization_id: Option<OrganizationId>,
}

/// Says whom [`admit`] would let in now, or why nobody. Writes nothing.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn recognize(
    tx: &mut Tx<'_>,
    claim: &Claim,
    now: Timestamp,
) -> Result<Result<Recognized, Refusal>, Error> {
    let decided = decide(tx, claim, Door::Open, now).await?;
    Ok(decided.map(Admission::recognized))
}

/// As [`recognize`], also at a connection that is switched off: what a sign-in
/// would come to if it were on.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn rehearse(
    tx: &mut Tx<'_>,
    claim: &Claim,
    now: Timestamp,
) -> Result<Result<Recognized, Refusal>, Error> {
    let decided = decide(tx, claim, Door::Rehearsal, now).await?;
    Ok(decided.map(Admission::recognized))
}

/// Whether nothing newer than `since` speaks of a claim: its connection is as it
/// was, and its person has not come back with other words.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn still_stands(tx: &mut Tx<'_>, claim: &Claim, since: Timestamp) -> Result<bool, Error> {
    let (Some(connection_id), Some(subject)) = (claim.proof.connection_id(), claim.proof.subject()) else {
        // Nobody comes in by another proof yet.
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
