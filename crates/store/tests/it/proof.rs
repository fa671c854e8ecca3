//! How far each proof reaches, as in `docs/decisions/proof.md`, tested with a database. So far only
//! connections let people in. The other proofs are refused by their own rule first, and then because no
//! page accepts them.

use genkan_store::admission::{Claim, Refusal};
use genkan_store::connection::{self, Connection};
use genkan_store::directory::{self, Directory};
use genkan_store::user::{self, User};
use genkan_store::webauthn::{self, Credential, Flags};
use genkan_store::{DirectoryId, OrganizationId, Proof, Provider, UserId, domain, membership};

use crate::support::{T0, World, claim, email, on_each_engine};

/// A person who has read a mail, and of whom nothing else is known.
fn by_mail(connection: &Connection, read: &str, claimed: Option<&str>) -> Claim {
    let mut claim = claim(connection, "", "nobody@nowhere.test");
    claim.proof = Proof::Email { address: email(read) };
    claim.profile.email = claimed.map(email);
    claim
}

fn by_directory(connection: &Connection, id: &DirectoryId, address: &str) -> Claim {
    let mut claim = claim(connection, "", address);
    claim.proof = Proof::Directory {
        directory_id: id.clone(),
    };
    claim
}

fn led(connection: &Connection) -> Refusal {
    Refusal::LedElsewhere {
        organization_id: connection.organization_id.clone().unwrap(),
        connection_id: connection.id.clone(),
    }
}

/// Proves the domain of an organization.
async fn prove(world: &World, organization_id: &OrganizationId) {
    let domains = world.tx(async |tx| domain::list(tx, organization_id).await).await;
    let by = domain::Proof::Dns;
    world
        .tx(async |tx| domain::prove(tx, world.start(), organization_id, &domains[0].id, by).await)
        .await;
}

async fn disable(world: &World, connection: &Connection) {
    world
        .tx(async |tx| connection::disable(tx, world.start(), &connection.id).await)
        .await;
}

async fn directory(world: &World, organization_id: &OrganizationId) -> Directory {
    let directory = Directory::new(world.start(), organization_id.clone(), Some(Provider::Okta));
    world
        .tx(async |tx| directory::insert(tx, world.start(), &directory).await)
        .await;
    directory
}

async fn push(world: &World, directory: &Directory, address: &str, active: bool) {
    let profile = directory::user::Profile {
        user_name: address.to_owned(),
        emails: vec![address.to_owned(), "second@acme.test".to_owned()],
        active,
        ..directory::user::Profile::default()
    };
    world
        .tx(async |tx| directory::user::upsert(tx, world.start(), directory, &profile).await)
        .await;
}

async fn passkey(world: &World, user: &User) -> Credential {
    let credential = Credential {
        id: world.id(),
        user_id: user.id.clone(),
        credential_id: user.id.as_str().as_bytes().to_vec(),
        public_key: vec![0xa5],
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
    credential
}

fn by_passkey(connection: &Connection, credential: &Credential, user_id: &UserId) -> Claim {
    let mut claim = claim(connection, "", "nobody@nowhere.test");
    claim.proof = Proof::Passkey {
        credential_id: credential.id.clone(),
        user_id: user_id.clone(),
    };
    claim
}

#[tokio::test]
async fn a_mail_that_was_read_takes_no_account_by_its_domain() {
    on_each_engine(async |world| {
        let (organization, connection) = world.company("acme.test").await;
        world.user("ada@acme.test").await;
        world.user("ada@private.test").await;
        let at_acme = by_mail(&connection, "ada@acme.test", None);
        // A claimed domain closes no other way.
        world.assert_refused(&at_acme, &Refusal::NoWayIn).await;
        prove(world, &organization.id).await;
        // If a company signs in its people itself, a mail leads there and lets nobody in.
        for read in ["ada@acme.test", "stranger@acme.test"] {
            world
                .assert_refused(&by_mail(&connection, read, None), &led(&connection))
                .await;
        }
        // It vouches for no other address, in any domain.
        for (read, claimed) in [
            ("eve@private.test", "ada@private.test"),
            ("ada@private.test.evil.test", "ada@private.test"),
            ("eve@acme.test", "ada@acme.test"),
            ("eve@private.test", "ada@acme.test"),
        ] {
            let stolen = by_mail(&connection, read, Some(claimed));
            world.assert_refused(&stolen, &Refusal::EmailNotTrusted).await;
        }
        // Its own address has no way in yet, with or without an account.
        for read in ["ada@private.test", "stranger@private.test"] {
            let own = by_mail(&connection, read, Some(read));
            world.assert_refused(&own, &Refusal::NoWayIn).await;
        }

        disable(world, &connection).await;
        // While a company's own connection is disabled, nobody gets in.
        world
            .assert_refused(&at_acme, &Refusal::ConnectionNotActive)
            .await;
        world
            .tx(async |tx| connection::delete(tx, world.start(), &connection.id).await)
            .await;
        world.assert_refused(&at_acme, &Refusal::NoWayIn).await;
    })
    .await;
}

#[tokio::test]
async fn a_social_account_is_led_to_the_company_that_signs_its_people_in() {
    on_each_engine(async |world| {
        let (organization, own) = world.company("acme.test").await;
        let ada = world.user("ada@acme.test").await;
        let bob = world.user("bob@private.test").await;
        let social = world.new_connection(None);
        world
            .tx(async |tx| connection::insert(tx, world.start(), &social).await)
            .await;
        let claimed = claim(&social, "s", "ada@acme.test");
        world.assert_refused(&claimed, &Refusal::EmailNotTrusted).await;
        prove(world, &organization.id).await;
        for flag in [None, Some(false), Some(true)] {
            let mut claimed = claim(&social, "s", "ada@acme.test");
            claimed.profile.email_verified = flag;
            world.assert_refused(&claimed, &led(&own)).await;
            // The flag alone is anybody's word, because no provider's rules are written down.
            claimed.profile.email = Some(email("bob@private.test"));
            world.assert_refused(&claimed, &Refusal::EmailNotTrusted).await;
        }

        // The same for a person whom it knows: their own address counts, not the one that it sends.
        for (subject, user) in [("ada", &ada), ("bob", &bob)] {
            world
                .tx(async |tx| {
                    let params = genkan_db::p![&social.id, subject, &user.id];
                    tx.exec(
                        "INSERT INTO identities (connection_id, subject, user_id, attributes, created_at,
                            last_login_at) VALUES ($1, $2, $3, '{}', 0, 0)",
                        params,
                    )
                    .await?;
                    Ok(())
                })
                .await;
        }
        let known = claim(&social, "ada", "ada@private.test");
        world.assert_refused(&known, &led(&own)).await;
        assert_eq!(
            world.enter(&claim(&social, "bob", "bob@acme.test")).await.id,
            bob.id
        );
        disable(world, &own).await;
        world.assert_refused(&known, &Refusal::ConnectionNotActive).await;
        world
            .tx(async |tx| connection::delete(tx, world.start(), &own.id).await)
            .await;
        let admitted = world.admit(&known).await.unwrap();
        assert_eq!(
            (admitted.user.id, admitted.connection.organization_id),
            (ada.id.clone(), None)
        );
        let member = world
            .tx(async |tx| membership::find(tx, &organization.id, &ada.id).await)
            .await;
        assert_eq!(member, None, "nobody comes into the company by it");
    })
    .await;
}

#[tokio::test]
async fn a_directory_takes_its_own_people_and_nobody_else() {
    on_each_engine(async |world| {
        let (organization, connection) = world.company("acme.test").await;
        let (_, other) = world.company("bank.test").await;
        let directory_of_acme = directory(world, &organization.id).await;
        let id = &directory_of_acme.id;
        push(world, &directory_of_acme, "Ada@Acme.test", true).await;
        push(world, &directory_of_acme, "left@acme.test", false).await;
        push(world, &directory_of_acme, "cfo@bank.test", true).await;
        push(world, &directory_of_acme, "eve@private.test", true).await;
        world.user("cfo@bank.test").await;

        let own = by_directory(&connection, id, "ada@acme.test");
        world.assert_refused(&own, &Refusal::NoWayIn).await;
        for stranger in [
            // It has not sent them, or they have left.
            "bob@acme.test",
            "left@acme.test",
            // A second address of a person is not their address here.
            "second@acme.test",
            // Its organization does not own the domain.
            "cfo@bank.test",
            "eve@private.test",
        ] {
            let claimed = by_directory(&connection, id, stranger);
            world.assert_refused(&claimed, &Refusal::EmailNotTrusted).await;
        }
        // Nor does another company's directory, or one that is deleted or disabled.
        let foreign = directory(world, other.organization_id.as_ref().unwrap()).await;
        push(world, &foreign, "ada@acme.test", true).await;
        for id in [&foreign.id, &world.id()] {
            let claimed = by_directory(&connection, id, "ada@acme.test");
            world.assert_refused(&claimed, &Refusal::EmailNotTrusted).await;
        }
        world
            .tx(async |tx| directory::set_enabled(tx, world.start(), &organization.id, id, false).await)
            .await;
        world.assert_refused(&own, &Refusal::EmailNotTrusted).await;

        let mut nameless = by_directory(&connection, id, "ada@acme.test");
        nameless.profile.email = None;
        world.assert_refused(&nameless, &Refusal::EmailMissing).await;
    })
    .await;
}

#[tokio::test]
async fn a_passkey_finds_its_own_user_who_is_led_as_everybody_is() {
    on_each_engine(async |world| {
        let (organization, connection) = world.company("acme.test").await;
        prove(world, &organization.id).await;
        let ada = world.user("ada@acme.test").await;
        let bob = world.user("bob@private.test").await;
        let (of_ada, of_bob) = (passkey(world, &ada).await, passkey(world, &bob).await);
        let of = |credential, user: &User| by_passkey(&connection, credential, &user.id);
        world.assert_refused(&of(&of_bob, &bob), &Refusal::NoWayIn).await;
        world.assert_refused(&of(&of_ada, &ada), &led(&connection)).await;
        // A passkey of one person is not another's, and a deleted one is nobody's.
        world
            .assert_refused(&of(&of_bob, &ada), &Refusal::NotProvisioned)
            .await;
        world
            .tx(async |tx| webauthn::delete(tx, world.start(), &of_ada.id).await)
            .await;
        world
            .assert_refused(&of(&of_ada, &ada), &Refusal::NotProvisioned)
            .await;
        world
            .tx(async |tx| user::set_disabled(tx, world.start(), &bob.id, true).await)
            .await;
        world.assert_refused(&of(&of_bob, &bob), &Refusal::Disabled).await;
    })
    .await;
}
