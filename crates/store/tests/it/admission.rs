//! A person arrives from an identity provider: what must happen, and what must not happen if the provider
//! lies.

use genkan_protocol::EmailAddress;
use genkan_store::admission::{self, AdmittedPerson, Claim, Refusal, Roles};
use genkan_store::connection::{self, Connection};
use genkan_store::user;
use genkan_store::{ConnectionId, OrganizationId, Proof, UserId, domain, identity, membership, role};

use crate::support::{World, claim, email, on_each_engine, race};

async fn update(world: &World, connection: &Connection) -> Connection {
    world
        .tx(async |tx| connection::update(tx, world.start(), connection).await)
        .await;
    world
        .tx(async |tx| connection::find(tx, &connection.id).await)
        .await
        .unwrap()
}

async fn roles(world: &World, connection: &Connection, user_id: &UserId) -> Vec<String> {
    let organization_id = connection.organization_id.as_ref().unwrap();
    world
        .tx(async |tx| membership::roles_of(tx, organization_id, user_id).await)
        .await
}

// First logins

#[tokio::test]
async fn a_first_login_makes_a_user_a_membership_and_an_identity() {
    on_each_engine(async |world| {
        let (organization, connection) = world.company("acme.test").await;
        let mut first = claim(&connection, "sub-1", "Ada@Acme.Test");
        first.profile.name = Some("Ada Lovelace".to_owned());
        first.profile.email_verified = Some(true);
        first.groups = Some(vec!["engineering".to_owned()]);
        first.attributes.insert("dept".to_owned(), "R&D".into());

        let AdmittedPerson {
            user,
            connection: by,
            user_created,
            membership_created,
            session_policy,
        } = world.admit(&first).await.unwrap();
        assert!(user_created && membership_created);
        assert_eq!(session_policy, None);
        assert_eq!(by, connection);
        assert_eq!(user.email.as_str(), "ada@acme.test");
        assert!(user.email_verified);
        assert_eq!(user.name.as_deref(), Some("Ada Lovelace"));
        let member = world
            .tx(async |tx| membership::find(tx, &organization.id, &user.id).await)
            .await
            .unwrap();
        assert_eq!(
            (member.roles, member.groups),
            (vec!["admin".to_owned()], vec!["engineering".to_owned()])
        );
        let identities = world
            .tx(async |tx| identity::list_for_user(tx, &user.id).await)
            .await;
        assert_eq!(identities.len(), 1);
        assert_eq!(
            (identities[0].subject.as_str(), &identities[0].attributes),
            ("sub-1", &first.attributes)
        );

        let AdmittedPerson {
            user: again,
            user_created,
            membership_created,
            ..
        } = world.admit(&first).await.unwrap();
        assert_eq!((again, user_created, membership_created), (user, false, false));
        let colleague = world.enter(&claim(&connection, "sub-2", "bob@acme.test")).await;
        assert_eq!(roles(world, &connection, &colleague.id).await, ["member"]);
    })
    .await;
}

#[tokio::test]
async fn a_user_who_exists_is_linked_by_an_address_of_the_organization() {
    on_each_engine(async |world| {
        let (organization, connection) = world.company("acme.test").await;
        let ada = world.user("ada@acme.test").await;
        let AdmittedPerson {
            user,
            user_created,
            membership_created,
            ..
        } = world
            .admit(&claim(&connection, "sub-1", "ADA@acme.test"))
            .await
            .unwrap();
        assert_eq!(
            (&user.id, user_created, membership_created),
            (&ada.id, false, true)
        );
        assert!(user.email_verified, "the organization vouches for it");

        // A second connection of the same organization finds the same person.
        let second = world.new_connection(Some(&organization.id));
        world
            .tx(async |tx| connection::insert(tx, world.start(), &second).await)
            .await;
        assert_eq!(
            world
                .enter(&claim(&second, "other subject", "ada@acme.test"))
                .await
                .id,
            ada.id
        );
        let found = world
            .tx(async |tx| identity::find_user(tx, &second.id, "other subject").await)
            .await;
        assert_eq!(found.unwrap().id, ada.id);
    })
    .await;
}

#[tokio::test]
async fn without_provisioning_only_members_come_in() {
    on_each_engine(async |world| {
        let (organization, mut connection) = world.company("acme.test").await;
        connection.jit_provisioning = false;
        let connection = update(world, &connection).await;
        let ada = world.user("ada@acme.test").await;
        let (known, stranger) = (
            claim(&connection, "sub-1", "ada@acme.test"),
            claim(&connection, "sub-2", "bob@acme.test"),
        );

        world.assert_refused(&stranger, &Refusal::NotProvisioned).await;
        world.assert_refused(&known, &Refusal::NotProvisioned).await;
        world
            .tx(async |tx| membership::insert(tx, world.start(), &organization.id, &ada.id).await)
            .await;
        assert_eq!(world.enter(&known).await.id, ada.id);

        // A person who was removed from the organization does not come back by a known identity.
        world
            .tx(async |tx| membership::delete(tx, world.start(), &organization.id, &ada.id).await)
            .await;
        world.assert_refused(&known, &Refusal::NotProvisioned).await;
    })
    .await;
}

/// A removed person comes back only as at their first sign-in: with an address for which the organization
/// vouches.
#[tokio::test]
async fn a_known_person_rejoins_an_organization_only_with_its_own_address() {
    on_each_engine(async |world| {
        let (organization, connection) = world.company("acme.test").await;
        let own = claim(&connection, "sub-1", "ada@acme.test");
        let ada = world.enter(&own).await;
        world
            .tx(async |tx| membership::delete(tx, world.start(), &organization.id, &ada.id).await)
            .await;

        let foreign = claim(&connection, "sub-1", "ada@private.test");
        world.assert_refused(&foreign, &Refusal::NotProvisioned).await;
        assert_eq!(world.enter(&own).await.id, ada.id);
    })
    .await;
}

#[tokio::test]
async fn disabled_people_closed_connections_and_empty_hands_are_refused() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let known = claim(&connection, "sub-1", "ada@acme.test");
        let ada = world.enter(&known).await;
        let mut nameless = claim(&connection, "sub-2", "bob@acme.test");
        nameless.profile.email = None;
        world.assert_refused(&nameless, &Refusal::EmailMissing).await;

        world
            .tx(async |tx| user::set_disabled(tx, world.start(), &ada.id, true).await)
            .await;
        world.assert_refused(&known, &Refusal::Disabled).await;
        let by_address = claim(&connection, "new subject", "ada@acme.test");
        world.assert_refused(&by_address, &Refusal::Disabled).await;
        world
            .tx(async |tx| user::set_disabled(tx, world.start(), &ada.id, false).await)
            .await;
        // A known person needs no address.
        let mut silent = known.clone();
        silent.profile.email = None;
        assert_eq!(world.enter(&silent).await.id, ada.id);

        world
            .tx(async |tx| connection::disable(tx, world.start(), &connection.id).await)
            .await;
        world.assert_refused(&known, &Refusal::ConnectionNotActive).await;
        let nowhere: ConnectionId = world.id();
        let lost = Claim {
            proof: Proof::Connection {
                connection_id: nowhere,
                subject: "sub-1".to_owned(),
            },
            ..known
        };
        world.assert_refused(&lost, &Refusal::ConnectionNotActive).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_first_logins_of_one_person_make_one_user() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let first = claim(&connection, "sub-1", "ada@acme.test");
        let outcomes = race(100, |_| {
            world
                .db
                .tx_read_committed(async |tx| admission::admit(tx, world.start(), &first).await)
        })
        .await;

        let mut created = 0;
        for outcome in &outcomes {
            created += usize::from(outcome.as_ref().unwrap().user_created);
        }
        assert_eq!(created, 1);
        assert_eq!(world.footprint().await[..4], [1, 1, 1, 1]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_people_who_race_to_be_first_one_becomes_admin() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let claims: Vec<Claim> = (0..10)
            .map(|n| claim(&connection, &format!("sub-{n}"), &format!("p{n}@acme.test")))
            .collect();
        let claims = &claims;
        race(10, |n| {
            world
                .db
                .tx_read_committed(async move |tx| admission::admit(tx, world.start(), &claims[n]).await)
        })
        .await;
        let admins =
            "SELECT COUNT(*) FROM membership_roles m JOIN roles r ON r.id = m.role_id WHERE r.name = 'admin'";
        assert_eq!(world.count(admins).await, 1);
    })
    .await;
}

// Attacks by an identity provider

/// The attack that the rule prevents: eve owns an organization and its provider, which says that she is ada
/// of another company.
#[tokio::test]
async fn a_foreign_provider_cannot_take_over_an_account() {
    on_each_engine(async |world| {
        let (acme, acme_connection) = world.company("acme.test").await;
        let (evil, evil_connection) = world.company("evil.test").await;
        let ada = world
            .enter(&claim(&acme_connection, "sub-1", "ada@acme.test"))
            .await;

        let claimed = claim(&evil_connection, "sub-1", "ada@acme.test");
        world.assert_refused(&claimed, &Refusal::EmailNotTrusted).await;

        // Nor if the administrator of the other organization has "invited" the victim.
        world
            .tx(async |tx| membership::insert(tx, world.start(), &evil.id, &ada.id).await)
            .await;
        world.assert_refused(&claimed, &Refusal::EmailNotTrusted).await;
        let of_ada = world
            .tx(async |tx| identity::list_for_user(tx, &ada.id).await)
            .await;
        assert_eq!(of_ada.len(), 1);
        assert_eq!(of_ada[0].connection_id, acme_connection.id);
        assert!(acme.id != evil.id);
    })
    .await;
}

#[tokio::test]
async fn a_foreign_provider_cannot_ask_who_has_an_account() {
    on_each_engine(async |world| {
        let (_, evil) = world.company("evil.test").await;
        world.user("ada@acme.test").await;
        for address in ["ada@acme.test", "nobody@acme.test", "nobody@nowhere.test"] {
            world
                .assert_refused(&claim(&evil, "s", address), &Refusal::EmailNotTrusted)
                .await;
        }
    })
    .await;
}

#[tokio::test]
async fn addresses_that_only_look_like_the_organizations_are_foreign() {
    on_each_engine(async |world| {
        let (_, evil) = world.company("evil.test").await;
        let (_, _) = world.company("acme.test").await;
        for address in [
            "ada@evil.test.acme.test",
            "ada@mail.evil.test",
            "ada@notevil.test",
            "ada@evil.test.",
            "evil.test@acme.test",
            "ada+evil.test@acme.test",
            "ada@еvil.test",  // a Cyrillic е
            "ada@ｅvil.test", // UTS #46 makes `evil.test` of this one
            "ada@evil。test", // and of this one
        ] {
            if let Ok(address) = EmailAddress::parse(address) {
                let claimed = claim(&evil, "s", address.as_str());
                world.assert_refused(&claimed, &Refusal::EmailNotTrusted).await;
            }
        }
        // Upper and lower case are the same domain.
        let user = world.enter(&claim(&evil, "1", "a@EVIL.test")).await;
        assert_eq!(user.email.domain().as_str(), "evil.test");
    })
    .await;
}

#[tokio::test]
async fn a_colleague_cannot_be_impersonated_by_a_letter_that_looks_alike() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let kim = world.enter(&claim(&connection, "kim", "kim@acme.test")).await;
        for (subject, address) in [
            ("1", "\u{212a}im@acme.test"), // KELVIN SIGN, whose lower case is k
            ("2", "k\u{131}m@acme.test"),  // dotless i
            ("3", "k\u{130}m@acme.test"),  // I with dot, whose lower case begins with i
            ("4", "ｋim@acme.test"),       // full-width k
            ("5", "kim\u{200b}@acme.test"),
        ] {
            // Refused, or another person.
            if let Ok(address) = EmailAddress::parse(address) {
                let other = world.enter(&claim(&connection, subject, address.as_str())).await;
                assert_ne!(other.id, kim.id, "{address}");
            }
        }
        assert_eq!(
            world.enter(&claim(&connection, "kim", "KIM@ACME.TEST")).await.id,
            kim.id
        );
    })
    .await;
}

#[tokio::test]
async fn subjects_are_compared_exactly() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let ada = world.enter(&claim(&connection, "Sub", "ada@acme.test")).await;
        for subject in ["sub", "Sub ", "SUB", "S\u{fc}b", "Sub\u{0301}", "Sub%", "S_b"] {
            let found = world
                .tx(async |tx| identity::find_user(tx, &connection.id, subject).await)
                .await;
            assert_eq!(found, None, "{subject:?}");
        }
        let found = world
            .tx(async |tx| identity::find_user(tx, &connection.id, "Sub").await)
            .await;
        assert_eq!(found.unwrap().id, ada.id);
    })
    .await;
}

#[tokio::test]
async fn an_address_that_the_provider_doubts_is_not_believed_unless_told_to() {
    on_each_engine(async |world| {
        let (_, mut connection) = world.company("acme.test").await;
        world.user("ceo@acme.test").await;
        let mut registered = claim(&connection, "eve", "ceo@acme.test");
        registered.profile.email_verified = Some(false);
        world
            .assert_refused(&registered, &Refusal::EmailNotVerified)
            .await;

        let settings = connection.settings.as_oidc_mut().unwrap();
        settings.trust_unverified_email = true;
        update(world, &connection).await;
        assert_eq!(world.enter(&registered).await.email.as_str(), "ceo@acme.test");
    })
    .await;
}

#[tokio::test]
async fn a_connection_may_ask_for_addresses_that_were_verified() {
    on_each_engine(async |world| {
        let (_, mut connection) = world.company("acme.test").await;
        world.user("ceo@acme.test").await;
        let settings = connection.settings.as_oidc_mut().unwrap();
        settings.set_email_trust(connection::EmailTrust::Verified);
        update(world, &connection).await;
        let mut claimed = claim(&connection, "eve", "ceo@acme.test");
        for not in [None, Some(false)] {
            claimed.profile.email_verified = not;
            world.assert_refused(&claimed, &Refusal::EmailNotVerified).await;
        }
        claimed.profile.email_verified = Some(true);
        assert_eq!(world.enter(&claimed).await.email.as_str(), "ceo@acme.test");
    })
    .await;
}

#[tokio::test]
async fn a_known_person_stays_who_they_are_whatever_address_comes() {
    on_each_engine(async |world| {
        let (organization, acme) = world.company("acme.test").await;
        let (_, other) = world.company("other.test").await;
        let ada = world.enter(&claim(&acme, "sub-1", "ada@acme.test")).await;
        let bob = world.enter(&claim(&acme, "sub-2", "bob@acme.test")).await;
        let carl = world.enter(&claim(&other, "sub-1", "carl@other.test")).await;

        for (stolen, victim) in [
            ("bob@acme.test", &bob),
            ("carl@other.test", &carl),
            ("free@other.test", &ada),
        ] {
            let claimed = claim(&acme, "sub-1", stolen);
            let user = world.enter(&claimed).await;
            assert_eq!(
                (&user.id, user.email.as_str()),
                (&ada.id, "ada@acme.test"),
                "{stolen}"
            );
            let untouched = world
                .tx(async |tx| user::find(tx, &victim.id).await)
                .await
                .unwrap();
            assert_eq!(untouched.email, victim.email);
        }
        world
            .tx(async |tx| {
                let domain = domain::list(tx, &organization.id).await?.remove(0);
                domain::prove(
                    tx,
                    world.start(),
                    &organization.id,
                    &domain.id,
                    domain::Proof::Dns,
                )
                .await
            })
            .await;
        let married = world.enter(&claim(&acme, "sub-1", "ada.king@acme.test")).await;
        assert_eq!(
            (married.id, married.email.as_str()),
            (ada.id, "ada.king@acme.test")
        );
    })
    .await;
}

/// A guest of the organization, who has an address of another company, keeps it.
#[tokio::test]
async fn a_provider_cannot_change_the_address_of_somebody_elses_employee() {
    on_each_engine(async |world| {
        let (acme, connection) = world.company("acme.test").await;
        let ada = world.enter(&claim(&connection, "sub-1", "ada@acme.test")).await;
        // The domain moves to another organization; the identity stays linked.
        let domains = world.tx(async |tx| domain::list(tx, &acme.id).await).await;
        let buyer = world.organization().await;
        let bought = world.new_domain(&buyer.id, "acme.test");
        let own = world.new_domain(&acme.id, "evil.test");
        world
            .tx(async |tx| {
                domain::delete(tx, world.start(), &acme.id, &domains[0].id).await?;
                domain::insert(tx, world.start(), &bought).await?;
                domain::insert(tx, world.start(), &own).await
            })
            .await;
        let user = world.enter(&claim(&connection, "sub-1", "ada@evil.test")).await;
        assert_eq!((user.id, user.email.as_str()), (ada.id, "ada@acme.test"));
    })
    .await;
}

#[tokio::test]
async fn a_connection_of_the_whole_environment_vouches_for_nobody() {
    on_each_engine(async |world| {
        let (_, _) = world.company("acme.test").await;
        world.user("ada@acme.test").await;
        let social = world.new_connection(None);
        world
            .tx(async |tx| connection::insert(tx, world.start(), &social).await)
            .await;
        for address in ["ada@acme.test", "bob@acme.test", "carl@nowhere.test"] {
            world
                .assert_refused(&claim(&social, "s", address), &Refusal::EmailNotTrusted)
                .await;
        }
    })
    .await;
}

// What follows the provider at every login

#[tokio::test]
async fn the_profile_follows_the_provider_where_the_connection_says_so() {
    on_each_engine(async |world| {
        let (_, mut connection) = world.company("acme.test").await;
        let mut person = claim(&connection, "sub-1", "ada@acme.test");
        person.profile.name = Some("Ada".to_owned());
        person.profile.picture = Some("https://acme.test/ada.png".to_owned());
        world.enter(&person).await;
        person.profile.name = Some("Ada King".to_owned());
        person.profile.picture = None;
        let user = world.enter(&person).await;
        assert_eq!(user.name.as_deref(), Some("Ada King"));
        assert_eq!(
            user.picture.as_deref(),
            Some("https://acme.test/ada.png"),
            "what is left out stays"
        );

        connection.sync_profile = false;
        update(world, &connection).await;
        person.profile.name = Some("Somebody".to_owned());
        person.profile.email = Some(email("ada.king@acme.test"));
        let user = world.enter(&person).await;
        assert_eq!(
            (user.name.as_deref(), user.email.as_str()),
            (Some("Ada King"), "ada@acme.test")
        );
    })
    .await;
}

#[tokio::test]
async fn roles_of_the_provider_come_and_go_with_it_and_those_of_people_stay() {
    on_each_engine(async |world| {
        let (organization, connection) = world.company("acme.test").await;
        world.enter(&claim(&connection, "first", "first@acme.test")).await;
        assignable(world, &["admin", "member"]).await;
        let with = |roles: Option<&[&str]>| Claim {
            roles: roles.map_or(Roles::Silent, |roles| Roles::Are(owned(roles))),
            ..claim(&connection, "sub-1", "ada@acme.test")
        };
        let ada = world.enter(&with(None)).await;
        assert_eq!(roles(world, &connection, &ada.id).await, ["member"]);

        world
            .enter(&with(Some(&[
                "admin",
                "Admin",
                "root",
                "'; DROP TABLE roles; --",
            ])))
            .await;
        assert_eq!(roles(world, &connection, &ada.id).await, ["admin", "member"]);
        world.enter(&with(None)).await;
        assert_eq!(
            roles(world, &connection, &ada.id).await,
            ["admin", "member"],
            "nothing said, nothing changed"
        );
        world.enter(&with(Some(&["member"]))).await;
        assert_eq!(roles(world, &connection, &ada.id).await, ["member"]);
        world.enter(&with(Some(&[]))).await;
        assert_eq!(
            roles(world, &connection, &ada.id).await,
            ["member"],
            "people gave it"
        );

        // People cannot take away a role that the provider gives.
        world.enter(&with(Some(&["admin"]))).await;
        set_roles(world, &organization.id, &ada.id, &[]).await;
        assert_eq!(roles(world, &connection, &ada.id).await, ["admin"]);
    })
    .await;
}

#[tokio::test]
async fn a_provider_gives_roles_of_its_own_organization_and_of_the_environment() {
    on_each_engine(async |world| {
        let (organization, connection) = world.company("acme.test").await;
        let (other, _) = world.company("other.test").await;
        crate::role::add(world, Some(&organization.id), "clerk", None).await;
        crate::role::add(world, Some(&other.id), "spy", None).await;
        world.enter(&claim(&connection, "first", "first@acme.test")).await;
        let with_roles = Claim {
            roles: Roles::Are(owned(&["clerk", "spy", "admin"])),
            ..claim(&connection, "sub-1", "ada@acme.test")
        };
        let ada = world.enter(&with_roles).await;
        assert_eq!(
            roles(world, &connection, &ada.id).await,
            ["clerk", "member"],
            "a role of the environment is nobody's to give unless somebody says so"
        );
        assignable(world, &["admin"]).await;
        world.enter(&with_roles).await;
        assert_eq!(
            roles(world, &connection, &ada.id).await,
            ["admin", "clerk", "member"]
        );
        // If it may no longer give a role, the role is taken back.
        set_assignable(world, "admin", false).await;
        world.enter(&with_roles).await;
        assert_eq!(roles(world, &connection, &ada.id).await, ["clerk", "member"]);
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_nobody_named_takes_back_and_gives_nothing() {
    on_each_engine(async |world| {
        let (organization, connection) = world.company("acme.test").await;
        assignable(world, &["admin", "member"]).await;
        crate::role::add(world, Some(&organization.id), "clerk", None).await;
        world.enter(&claim(&connection, "first", "first@acme.test")).await;
        let with = |roles| Claim {
            roles,
            ..claim(&connection, "sub-1", "ada@acme.test")
        };
        let ada = world.enter(&with(Roles::Are(owned(&["admin", "clerk"])))).await;
        let known = ["admin", "clerk", "member"];
        assert_eq!(roles(world, &connection, &ada.id).await, known);

        world
            .enter(&with(Roles::AtMost(owned(&["admin", "clerk", "member"]))))
            .await;
        assert_eq!(roles(world, &connection, &ada.id).await, known);
        world.enter(&with(Roles::AtMost(owned(&["clerk"])))).await;
        assert_eq!(roles(world, &connection, &ada.id).await, ["clerk", "member"]);
        world
            .enter(&with(Roles::AtMost(owned(&["admin", "clerk"]))))
            .await;
        assert_eq!(
            roles(world, &connection, &ada.id).await,
            ["clerk", "member"],
            "it gives nothing"
        );
        world.enter(&with(Roles::AtMost(Vec::new()))).await;
        assert_eq!(
            roles(world, &connection, &ada.id).await,
            ["member"],
            "people gave it"
        );
    })
    .await;
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Roles of the environment that identity providers may give.
async fn assignable(world: &World, names: &[&str]) {
    for name in names {
        set_assignable(world, name, true).await;
    }
}

async fn set_assignable(world: &World, name: &str, assignable: bool) {
    let mark = async |tx: &mut genkan_db::Tx<'_>| {
        let mut role = role::find(tx, None, name).await?.unwrap();
        role.assignable_by_providers = assignable;
        role::update(tx, world.start(), &role, None).await
    };
    world.tx(mark).await;
}

async fn set_roles(world: &World, organization_id: &OrganizationId, user_id: &UserId, names: &[String]) {
    let set = async |tx: &mut genkan_db::Tx<'_>| {
        membership::set_roles(tx, world.start(), organization_id, user_id, names).await
    };
    world.tx(set).await;
}

#[tokio::test]
async fn groups_are_those_of_the_last_login() {
    on_each_engine(async |world| {
        let (organization, connection) = world.company("acme.test").await;
        let with = |groups: Option<&[&str]>| Claim {
            groups: groups.map(|groups| groups.iter().map(|group| (*group).to_owned()).collect()),
            ..claim(&connection, "sub-1", "ada@acme.test")
        };
        let ada = world.enter(&with(Some(&["a", "b"]))).await;
        let groups = async || {
            let find = world.tx(async |tx| membership::find(tx, &organization.id, &ada.id).await);
            find.await.unwrap().groups
        };
        assert_eq!(groups().await, ["a", "b"]);
        world.enter(&with(None)).await;
        assert_eq!(groups().await, ["a", "b"]);
        world.enter(&with(Some(&[]))).await;
        assert_eq!(groups().await, [""; 0]);
    })
    .await;
}
