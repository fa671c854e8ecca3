//! How far the word of an organization reaches that has merely claimed a domain: whom it finds, whom it
//! does not find, and that it renames nobody.

use genkan_store::admission::Refusal;
use genkan_store::connection::Connection;
use genkan_store::domain::{self, Proof};
use genkan_store::invitation::{self, LIFETIME};
use genkan_store::membership::{self, NewMember, ProvisioningMethod};
use genkan_store::user::{self, User};
use genkan_store::webauthn::{self, Credential, Flags};
use genkan_store::{OrganizationId, admission, connection};

use crate::support::{T0, World, claim, email, hash, on_each_engine};

const DOMAIN: &str = "freelance.test";

/// An existing person with an address in the claimed domain.
async fn ada(world: &World) -> User {
    world.user("ada@freelance.test").await
}

async fn prove_mailbox(world: &World, user: &User, secs: u64) {
    world
        .tx(async |tx| user::prove_email(tx, world.after(secs), &user.email).await)
        .await;
}

async fn join(world: &World, organization_id: &OrganizationId, user: &User, how: ProvisioningMethod) {
    let joining = NewMember::new(organization_id, &user.id, how);
    world
        .tx(async |tx| membership::create(tx, world.after(10), &joining).await)
        .await;
}

async fn invite(world: &World, organization_id: &OrganizationId, user: &User, link: &str) {
    let joining = NewMember::new(organization_id, &user.id, ProvisioningMethod::Invitation);
    world
        .tx(async |tx| invitation::invite(tx, world.after(10), &joining, &hash(link), LIFETIME).await)
        .await;
}

async fn prove(world: &World, organization_id: &OrganizationId) {
    world
        .tx(async |tx| {
            for domain in domain::list(tx, organization_id).await? {
                domain::prove(tx, world.start(), organization_id, &domain.id, Proof::Dns).await?;
            }
            Ok(())
        })
        .await;
}

async fn passkey(world: &World, user: &User) {
    let credential = Credential {
        id: world.id(),
        user_id: user.id.clone(),
        credential_id: b"of ada".to_vec(),
        public_key: vec![0xa5, 1, 2],
        sign_count: 0,
        attestation_type: "none".to_owned(),
        aaguid: "00000000-0000-0000-0000-000000000000".to_owned(),
        attachment: "platform".to_owned(),
        transports: Vec::new(),
        flags: Flags::default(),
        display_name: None,
        user_agent: None,
        ip: None,
        created_at: T0,
        updated_at: T0,
    };
    world
        .tx(async |tx| webauthn::insert(tx, world.start(), &credential).await)
        .await;
}

/// As if the person had signed in there before.
async fn identity(world: &World, connection: &Connection, user: &User) {
    world
        .tx(async |tx| {
            tx.exec(
                "INSERT INTO identities (connection_id, subject, user_id, attributes, created_at, last_login_at)
                 VALUES ($1, 'known', $2, '{}', $3, $3)",
                genkan_db::p![&connection.id, &user.id, T0.as_micros()],
            )
            .await?;
            Ok(())
        })
        .await;
}

/// What a person has of their own.
#[derive(Debug, Clone, Copy)]
enum Own {
    /// They were removed from an organization, and have read its mails before.
    Mailbox,
    /// The same, and an application of the claimant adds them without asking.
    MailboxAndAdded,
    /// The same, and an invitation of the claimant waits.
    MailboxAndInvited,
    Passkey,
    /// An identity at a company that removed them.
    IdentityElsewhere,
    SocialIdentity,
    InactiveElsewhere,
    InvitedElsewhere,
}

impl Own {
    const ALL: [Self; 8] = [
        Self::Mailbox,
        Self::MailboxAndAdded,
        Self::MailboxAndInvited,
        Self::Passkey,
        Self::IdentityElsewhere,
        Self::SocialIdentity,
        Self::InactiveElsewhere,
        Self::InvitedElsewhere,
    ];

    async fn give(self, world: &World, ada: &User, claimant: &OrganizationId) {
        match self {
            Self::Mailbox => prove_mailbox(world, ada, 5).await,
            Self::MailboxAndAdded => {
                prove_mailbox(world, ada, 5).await;
                join(world, claimant, ada, ProvisioningMethod::Api).await;
            }
            Self::MailboxAndInvited => {
                prove_mailbox(world, ada, 5).await;
                invite(world, claimant, ada, "of the claimant").await;
            }
            Self::Passkey => passkey(world, ada).await,
            Self::IdentityElsewhere => {
                let (_, other) = world.company("former.test").await;
                identity(world, &other, ada).await;
            }
            Self::SocialIdentity => {
                let social = world.new_connection(None);
                world
                    .tx(async |tx| connection::insert(tx, world.start(), &social).await)
                    .await;
                identity(world, &social, ada).await;
            }
            Self::InactiveElsewhere => {
                let other = world.organization().await;
                join(world, &other.id, ada, ProvisioningMethod::Api).await;
                world
                    .tx(async |tx| {
                        membership::set_active(tx, world.after(11), &other.id, &ada.id, false).await
                    })
                    .await;
            }
            Self::InvitedElsewhere => {
                let other = world.organization().await;
                invite(world, &other.id, ada, "of another").await;
            }
        }
    }
}

#[tokio::test]
async fn a_claim_reaches_nobody_who_has_something_of_their_own() {
    for own in Own::ALL {
        on_each_engine(async |world| {
            let (evil, connection) = world.company(DOMAIN).await;
            let ada = ada(world).await;
            own.give(world, &ada, &evil.id).await;
            let claimed = claim(&connection, "x", ada.email.as_str());
            world.assert_refused(&claimed, &Refusal::DomainNotProved).await;
            // Not later either: an expired invitation was also meant for her.
            let late = LIFETIME.as_secs() + 11;
            let later = world
                .tx(async |tx| admission::admit(tx, world.after(late), &claimed).await)
                .await;
            assert_eq!(later, Err(Refusal::DomainNotProved), "{own:?}");

            prove(world, &evil.id).await;
            assert_eq!(world.enter(&claimed).await.id, ada.id, "{own:?}");
        })
        .await;
    }
}

/// How an ordinary company gets its people before the first sign-in.
#[derive(Debug, Clone, Copy)]
enum Ours {
    /// The application made the user, and nothing is proved.
    Entered,
    /// The same, and made a member later.
    EnteredThenAdded,
    /// Made as a member, who has proved the mailbox to the application since.
    EnteredAsMember,
    /// Invited, and accepted.
    Invited,
    /// A person with a proved mailbox, invited and accepted.
    InvitedWithMailbox,
    /// `email_verified` in the operator's file.
    Imported,
    /// Imported twice.
    ImportedLater,
    /// Known by another connection of the same company.
    KnownThere,
}

impl Ours {
    const ALL: [Self; 8] = [
        Self::Entered,
        Self::EnteredThenAdded,
        Self::EnteredAsMember,
        Self::Invited,
        Self::InvitedWithMailbox,
        Self::Imported,
        Self::ImportedLater,
        Self::KnownThere,
    ];

    async fn give(self, world: &World, ada: &User, acme: &OrganizationId) {
        match self {
            Self::Entered => {}
            Self::EnteredThenAdded => join(world, acme, ada, ProvisioningMethod::Api).await,
            Self::EnteredAsMember => {
                world
                    .tx(async |tx| membership::insert(tx, world.start(), acme, &ada.id).await)
                    .await;
                prove_mailbox(world, ada, 20).await;
            }
            Self::Invited | Self::InvitedWithMailbox => {
                if matches!(self, Self::InvitedWithMailbox) {
                    prove_mailbox(world, ada, 5).await;
                }
                invite(world, acme, ada, "link").await;
                let pressed = world
                    .tx(async |tx| invitation::accept(tx, world.after(20), &hash("link")).await)
                    .await;
                assert!(pressed.is_some());
            }
            Self::Imported => {
                prove_mailbox(world, ada, 0).await;
                join(world, acme, ada, ProvisioningMethod::Cli).await;
            }
            Self::ImportedLater => {
                join(world, acme, ada, ProvisioningMethod::Cli).await;
                prove_mailbox(world, ada, 20).await;
            }
            Self::KnownThere => {
                let first = world.new_connection(Some(acme));
                world
                    .tx(async |tx| connection::insert(tx, world.start(), &first).await)
                    .await;
                world
                    .enter(&claim(&first, "known there", ada.email.as_str()))
                    .await;
                prove_mailbox(world, ada, 20).await;
                passkey(world, ada).await;
            }
        }
    }
}

#[tokio::test]
async fn an_ordinary_company_finds_its_people_in_a_domain_that_it_has_not_proved() {
    for ours in Ours::ALL {
        on_each_engine(async |world| {
            let (acme, connection) = world.company(DOMAIN).await;
            let ada = ada(world).await;
            ours.give(world, &ada, &acme.id).await;
            let arriving = claim(&connection, "ada", ada.email.as_str());
            let admitted = world.admit(&arriving).await;
            assert_eq!(admitted.map(|admitted| admitted.user.id), Ok(ada.id), "{ours:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn agreeing_at_another_address_is_no_agreement() {
    on_each_engine(async |world| {
        let (evil, connection) = world.company(DOMAIN).await;
        let ada = world.user("ada@elsewhere.test").await;
        invite(world, &evil.id, &ada, "link").await;
        world
            .tx(async |tx| invitation::accept(tx, world.after(20), &hash("link")).await)
            .await;
        let mut moved = world.tx(async |tx| user::find(tx, &ada.id).await).await.unwrap();
        moved.email = email("ada@freelance.test");
        world
            .tx(async |tx| user::update(tx, world.after(30), &moved).await)
            .await;
        prove_mailbox(world, &moved, 40).await;
        let claimed = claim(&connection, "x", "ada@freelance.test");
        world.assert_refused(&claimed, &Refusal::DomainNotProved).await;
    })
    .await;
}

/// Evil has a proved domain of its own, and claims another one. It must not move people from the claimed
/// domain to its own.
#[tokio::test]
async fn an_address_follows_only_from_one_proved_domain_to_another() {
    on_each_engine(async |world| {
        let (evil, connection) = world.company(DOMAIN).await;
        let ada = world.enter(&claim(&connection, "x", "ada@freelance.test")).await;
        let own = world.new_domain(&evil.id, "evil.test");
        world
            .tx(async |tx| {
                domain::insert(tx, world.start(), &own).await?;
                domain::prove(tx, world.start(), &evil.id, &own.id, Proof::Dns).await
            })
            .await;
        let moved = claim(&connection, "x", "mallory@evil.test");
        let within = claim(&connection, "x", "mallory@freelance.test");
        for claimed in [&moved, &within] {
            let user = world.enter(claimed).await;
            assert_eq!((&user.id, &user.email), (&ada.id, &ada.email));
        }
        // Nor in the other direction.
        let bob = world.enter(&claim(&connection, "y", "bob@evil.test")).await;
        let user = world.enter(&claim(&connection, "y", "bob@freelance.test")).await;
        assert_eq!((&user.id, &user.email), (&bob.id, &bob.email));

        prove(world, &evil.id).await;
        assert_eq!(world.enter(&moved).await.email.as_str(), "mallory@evil.test");
    })
    .await;
}
