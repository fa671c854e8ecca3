//! Decides whether a proof vouches for an address, by the table of `docs/decisions/proof.md`.
//!
//! [`vouches`] decides from its arguments and reads nothing, so that the table can be tested row by row.
//! The other functions read what it needs.

use genkan_db::{Tx, p};
use genkan_protocol::EmailAddress;

use super::known::OrganizationFacts;
use super::{Profile, Refusal};
use crate::connection::{self, Connection, EmailTrust};
use crate::domain::{self, Owner};
use crate::{ConnectionId, DirectoryId, Error, OrganizationId, directory};

/// An address that a proof vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VouchedAddress {
    pub(super) email: EmailAddress,
    /// The address was proved to be the speaker's, not only claimed.
    pub(super) is_proved: bool,
}

/// The parties that vouch for an address. Each decides how far its word reaches. A passkey is not among them: it
/// identifies a person, and no address.
#[derive(Debug, Clone, Copy)]
pub(super) enum Voucher<'a> {
    /// The connection of an organization.
    Organization {
        id: &'a OrganizationId,
        /// It signs in the domain of the address.
        signs_in: bool,
        /// Whether the address is verified, as far as the connection asks for it.
        is_verified: bool,
    },
    /// A connection of the whole environment.
    Environment {
        /// Whether it runs the mail of the address, or is told by the mail's provider, and has not only
        /// checked the address once. `None` if its rules are not written down here.
        is_authoritative: Option<bool>,
    },
    /// A mail that was read.
    Mail { to: &'a EmailAddress },
    /// The directory of an organization.
    Directory {
        organization_id: &'a OrganizationId,
        is_enabled: bool,
        /// An active person of it has the address.
        has_person: bool,
    },
}

/// The facts about an address.
#[derive(Debug, Default)]
pub(super) struct AddressFacts {
    /// The organization that owns its domain.
    owner: Option<Owner>,
    /// The connection by which that organization signs in the domain. It has precedence over other ways.
    way: Option<OwnConnection>,
}

/// A company's own connection.
#[derive(Debug, Clone)]
struct OwnConnection {
    connection_id: ConnectionId,
    is_enabled: bool,
}

impl AddressFacts {
    async fn read(tx: &mut Tx<'_>, email: &EmailAddress) -> Result<Self, Error> {
        let Some(owner) = domain::find_owner(tx, email.domain()).await? else {
            return Ok(Self::default());
        };
        let id = &owner.organization_id;
        let way = connection::domains::find_set_up_for(tx, id, email.domain()).await?;
        Ok(Self {
            way: way.map(|connection| OwnConnection {
                connection_id: connection.id,
                is_enabled: connection.enabled,
            }),
            owner: Some(owner),
        })
    }

    /// A company decides how its people sign in, once it has proved its domain. A claimed domain closes no
    /// other way. While the company's own connection is disabled, there is no way in.
    fn leads_elsewhere(&self) -> Option<Refusal> {
        let owner = self.owner.as_ref().filter(|owner| owner.is_proved)?;
        let way = self.way.as_ref()?;
        Some(if way.is_enabled {
            Refusal::LedElsewhere {
                organization_id: owner.organization_id.clone(),
                connection_id: way.connection_id.clone(),
            }
        } else {
            Refusal::ConnectionNotActive
        })
    }
}

/// Whether a voucher counts for an address.
pub(super) fn vouches(
    voucher: Voucher<'_>,
    address: &EmailAddress,
    ground: &AddressFacts,
) -> Result<VouchedAddress, Refusal> {
    let of = |id: &OrganizationId| {
        let owner = ground.owner.as_ref();
        owner.filter(|owner| owner.organization_id == *id)
    };
    let is_proved = match voucher {
        Voucher::Organization {
            id,
            signs_in,
            is_verified,
        } => match of(id).filter(|_| signs_in) {
            None => return Err(Refusal::EmailNotTrusted),
            // Otherwise an employee who can enter any address at the provider could become a colleague.
            Some(_) if !is_verified => return Err(Refusal::EmailNotVerified),
            Some(owner) => owner.is_proved,
        },
        Voucher::Environment { is_authoritative } => match (ground.leads_elsewhere(), is_authoritative) {
            // This comes first: a company's own sign-in closes every other way.
            (Some(led), _) => return Err(led),
            (None, None) => return Err(Refusal::EmailNotTrusted),
            (None, Some(false)) => return Err(Refusal::EmailNotVerified),
            (None, Some(true)) => true,
        },
        Voucher::Mail { to } if to != address => return Err(Refusal::EmailNotTrusted),
        Voucher::Mail { .. } => match ground.leads_elsewhere() {
            Some(led) => return Err(led),
            None => true,
        },
        Voucher::Directory {
            organization_id,
            is_enabled,
            has_person,
        } => match of(organization_id).filter(|_| is_enabled && has_person) {
            None => return Err(Refusal::EmailNotTrusted),
            Some(owner) => owner.is_proved,
        },
    };
    Ok(VouchedAddress {
        email: address.clone(),
        is_proved,
    })
}

/// The address that a connection sends, if it may vouch for it.
pub(super) async fn by_connection(
    tx: &mut Tx<'_>,
    connection: &Connection,
    profile: &Profile,
) -> Result<Result<VouchedAddress, Refusal>, Error> {
    let Some(email) = &profile.email else {
        return Ok(Err(Refusal::EmailMissing));
    };
    let Some(id) = &connection.organization_id else {
        let ground = AddressFacts::read(tx, email).await?;
        // No provider's rules are written down yet, and its flag alone could be anybody's word.
        let voucher = Voucher::Environment {
            is_authoritative: None,
        };
        return Ok(vouches(voucher, email, &ground));
    };
    by_organization(tx, connection, email, (id, is_verified(connection, profile))).await
}

/// The same for a connection whose organization was read already.
pub(super) fn by_company(
    connection: &Connection,
    profile: &Profile,
    company: &OrganizationFacts,
) -> Result<VouchedAddress, Refusal> {
    let (Some(email), Some(id)) = (&profile.email, &connection.organization_id) else {
        return Err(Refusal::EmailMissing);
    };
    let voucher = Voucher::Organization {
        id,
        signs_in: company.signs_in,
        is_verified: is_verified(connection, profile),
    };
    let ground = AddressFacts {
        owner: company.owner.clone(),
        way: None,
    };
    vouches(voucher, email, &ground)
}

/// Whether a connection may vouch for an address, and if so, whether its domain is proved. Nobody is
/// signing in with it now.
pub(super) async fn speaks_for(
    tx: &mut Tx<'_>,
    connection: &Connection,
    email: &EmailAddress,
) -> Result<Option<bool>, Error> {
    // A connection of the whole environment has no organization, so no domain vouches for it.
    let Some(id) = &connection.organization_id else {
        return Ok(None);
    };
    let vouched = by_organization(tx, connection, email, (id, true)).await?;
    Ok(vouched.ok().map(|vouched| vouched.is_proved))
}

async fn by_organization(
    tx: &mut Tx<'_>,
    connection: &Connection,
    email: &EmailAddress,
    (id, is_verified): (&OrganizationId, bool),
) -> Result<Result<VouchedAddress, Refusal>, Error> {
    let owner = domain::find_owner(tx, email.domain()).await?;
    let owner = owner.filter(|owner| owner.organization_id == *id);
    let signs_in = owner.is_some() && connection::domains::may_vouch(tx, connection, email.domain()).await?;
    let voucher = Voucher::Organization {
        id,
        signs_in,
        is_verified,
    };
    Ok(vouches(voucher, email, &AddressFacts { owner, way: None }))
}

fn is_verified(connection: &Connection, profile: &Profile) -> bool {
    match connection.settings.email_trust() {
        EmailTrust::Verified => profile.email_verified == Some(true),
        EmailTrust::NotDoubted => profile.email_verified != Some(false),
        EmailTrust::Any => true,
    }
}

/// The address of a person who has read a mail.
pub(super) async fn by_mail(
    tx: &mut Tx<'_>,
    to: &EmailAddress,
    claimed: &EmailAddress,
) -> Result<Result<VouchedAddress, Refusal>, Error> {
    let ground = AddressFacts::read(tx, claimed).await?;
    Ok(vouches(Voucher::Mail { to }, claimed, &ground))
}

/// The address that a directory claims for one of its people.
pub(super) async fn by_directory(
    tx: &mut Tx<'_>,
    id: &DirectoryId,
    profile: &Profile,
) -> Result<Result<VouchedAddress, Refusal>, Error> {
    let Some(email) = &profile.email else {
        return Ok(Err(Refusal::EmailMissing));
    };
    let Some(directory) = directory::find_by_id(tx, id).await? else {
        return Ok(Err(Refusal::EmailNotTrusted));
    };
    let person = tx
        .opt(
            "SELECT id FROM directory_users WHERE directory_id = $1 AND active AND LOWER(email) = $2 LIMIT 1",
            p![id, email.as_str()],
        )
        .await?;
    let owner = domain::find_owner(tx, email.domain()).await?;
    let voucher = Voucher::Directory {
        organization_id: &directory.organization_id,
        is_enabled: directory.enabled,
        has_person: person.is_some(),
    };
    Ok(vouches(voucher, email, &AddressFacts { owner, way: None }))
}

/// The company's own sign-in that an address leads to.
pub(super) async fn leads_elsewhere(tx: &mut Tx<'_>, email: &EmailAddress) -> Result<Option<Refusal>, Error> {
    Ok(AddressFacts::read(tx, email).await?.leads_elsewhere())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "org_000000000000000000001";
    const THEIRS: &str = "org_000000000000000000002";
    const WAY: &str = "conn_000000000000000000001";

    fn organization(id: &str) -> OrganizationId {
        OrganizationId::parse(id).unwrap()
    }

    fn ground(Situation { owner, way }: Situation) -> AddressFacts {
        AddressFacts {
            owner: owner.map(|(id, is_proved)| Owner {
                organization_id: organization(id),
                is_proved,
            }),
            way: way.map(|is_enabled| OwnConnection {
                connection_id: ConnectionId::parse(WAY).unwrap(),
                is_enabled,
            }),
        }
    }

    /// The owner of the domain, whether that is proved, whether a connection of the owner signs it in, and
    /// whether that is enabled.
    #[derive(Debug, Clone, Copy)]
    struct Situation {
        owner: Option<(&'static str, bool)>,
        way: Option<bool>,
    }

    /// All combinations.
    fn all_situations() -> impl Iterator<Item = Situation> {
        let owners = [
            None,
            Some((OURS, false)),
            Some((OURS, true)),
            Some((THEIRS, false)),
            Some((THEIRS, true)),
        ];
        let ways = [None, Some(false), Some(true)];
        owners
            .into_iter()
            .flat_map(move |owner| ways.into_iter().map(move |way| Situation { owner, way }))
    }

    fn ada() -> EmailAddress {
        EmailAddress::parse("ada@acme.test").unwrap()
    }

    fn asked(voucher: Voucher<'_>, situation: Situation) -> Result<bool, Refusal> {
        let vouched = vouches(voucher, &ada(), &ground(situation))?;
        assert_eq!(vouched.email, ada());
        Ok(vouched.is_proved)
    }

    /// The result if the domain is proved and its company has a connection for it.
    fn led(situation: Situation) -> Option<Result<bool, Refusal>> {
        match (situation.owner, situation.way) {
            (Some((owner, true)), Some(true)) => Some(Err(Refusal::LedElsewhere {
                organization_id: organization(owner),
                connection_id: ConnectionId::parse(WAY).unwrap(),
            })),
            (Some((_, true)), Some(false)) => Some(Err(Refusal::ConnectionNotActive)),
            _ => None,
        }
    }

    #[test]
    fn a_connection_speaks_for_the_domains_of_its_own_organization() {
        let id = organization(OURS);
        for situation in all_situations() {
            for (signs_in, is_verified) in [(false, false), (false, true), (true, false), (true, true)] {
                let voucher = Voucher::Organization {
                    id: &id,
                    signs_in,
                    is_verified,
                };
                let expected = match situation.owner {
                    Some((OURS, is_proved)) if signs_in && is_verified => Ok(is_proved),
                    Some((OURS, _)) if signs_in => Err(Refusal::EmailNotVerified),
                    _ => Err(Refusal::EmailNotTrusted),
                };
                assert_eq!(asked(voucher, situation), expected, "{voucher:?} {situation:?}");
            }
        }
    }

    #[test]
    fn a_social_provider_speaks_for_what_is_its_own_where_no_company_signs_people_in() {
        for situation in all_situations() {
            for is_authoritative in [None, Some(false), Some(true)] {
                let expected = led(situation).unwrap_or(match is_authoritative {
                    None => Err(Refusal::EmailNotTrusted),
                    Some(false) => Err(Refusal::EmailNotVerified),
                    Some(true) => Ok(true),
                });
                let voucher = Voucher::Environment { is_authoritative };
                assert_eq!(asked(voucher, situation), expected, "{voucher:?} {situation:?}");
            }
        }
    }

    #[test]
    fn a_mail_speaks_for_its_one_address_where_no_company_signs_people_in() {
        let neighbours = ["bob@acme.test", "ada@sub.acme.test", "ada+1@acme.test"];
        for situation in all_situations() {
            let expected = led(situation).unwrap_or(Ok(true));
            assert_eq!(
                asked(Voucher::Mail { to: &ada() }, situation),
                expected,
                "{situation:?}"
            );
            for neighbour in neighbours {
                let to = EmailAddress::parse(neighbour).unwrap();
                let told = asked(Voucher::Mail { to: &to }, situation);
                assert_eq!(told, Err(Refusal::EmailNotTrusted), "{neighbour} {situation:?}");
            }
        }
    }

    #[test]
    fn a_directory_speaks_for_its_own_people_in_its_organizations_domains() {
        let organization_id = organization(OURS);
        for situation in all_situations() {
            for (is_enabled, has_person) in [(false, false), (false, true), (true, false), (true, true)] {
                let voucher = Voucher::Directory {
                    organization_id: &organization_id,
                    is_enabled,
                    has_person,
                };
                let expected = match situation.owner {
                    Some((OURS, is_proved)) if is_enabled && has_person => Ok(is_proved),
                    _ => Err(Refusal::EmailNotTrusted),
                };
                assert_eq!(asked(voucher, situation), expected, "{voucher:?} {situation:?}");
            }
        }
    }
}
