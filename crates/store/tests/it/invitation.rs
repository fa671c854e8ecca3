//! Invitations, and the limit of members.

use genkan_store::event::{self, Filter};
use genkan_store::invitation::{self, LIFETIME};
use genkan_store::mail::{self, Content, Letter, Mail};
use genkan_store::membership::{self, NewMember, ProvisioningMethod, Status};
use genkan_store::organization::Organization;
use genkan_store::user::User;
use genkan_store::{Error, OrganizationId, Page, conflict, domain, role, subject, user};

use crate::support::{T0, World, email, hash, on_each_engine, race, try_race};

async fn invite(world: &World, organization: &Organization, user: &User, token: &str) {
    let mut joining = NewMember::new(&organization.id, &user.id, ProvisioningMethod::Invitation);
    joining.inviter_email = Some("grace@acme.test".to_owned());
    world
        .tx(async |tx| invitation::invite(tx, world.start(), &joining, &hash(token), LIFETIME).await)
        .await;
}

async fn status(world: &World, organization: &Organization, user: &User, secs: u64) -> Status {
    world
        .tx(async |tx| membership::find(tx, &organization.id, &user.id).await)
        .await
        .unwrap()
        .status_at(world.after(secs).now)
}

async fn limit(world: &World, organization_id: &OrganizationId, most: i64) {
    world
        .tx(async |tx| {
            tx.exec(
                "UPDATE organizations SET max_allowed_users = $2 WHERE id = $1",
                genkan_db::p![organization_id, most],
            )
            .await?;
            Ok(())
        })
        .await;
}

#[tokio::test]
async fn only_a_member_whose_address_is_beyond_a_claim_is_named_as_who_invites() {
    on_each_engine(async |world| {
        let (organization, other) = (acme(world).await, world.organization().await);
        let mut grace = world.user("grace@acme.test").await;
        let ada = world.user("ada@acme.test").await;
        invite(world, &organization, &ada, "link").await;
        let inviter = async || {
            let shown = world
                .tx(async |tx| invitation::find_by_token(tx, &hash("link")).await)
                .await;
            shown.unwrap().inviter_email
        };
        // A member of another organization is not enough, nor a member whose address is not verified.
        world
            .tx(async |tx| membership::insert(tx, world.start(), &other.id, &grace.id).await)
            .await;
        assert_eq!(inviter().await, None);
        world
            .tx(async |tx| membership::insert(tx, world.start(), &organization.id, &grace.id).await)
            .await;
        assert_eq!(inviter().await, None);
        grace.email_verified = true;
        world
            .tx(async |tx| user::update(tx, world.start(), &grace).await)
            .await;
        assert_eq!(
            inviter().await,
            None,
            "the organization alone says so, of a domain that it claimed"
        );
        world
            .tx(async |tx| user::prove_email(tx, world.start(), &grace.email).await)
            .await;
        assert_eq!(inviter().await, Some(email("grace@acme.test")));
        world
            .tx(async |tx| {
                tx.exec("UPDATE users SET email_proved_at = NULL", &[]).await?;
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
        assert_eq!(inviter().await, Some(email("grace@acme.test")));
        world
            .tx(async |tx| {
                membership::set_active(tx, world.start(), &organization.id, &grace.id, false).await
            })
            .await;
        assert_eq!(inviter().await, None);
    })
    .await;
}

async fn acme(world: &World) -> Organization {
    world.company("acme.test").await.0
}

#[tokio::test]
async fn an_invited_person_is_pending_until_they_accept() {
    on_each_engine(async |world| {
        let organization = acme(world).await;
        let ada = world.user("ada@acme.test").await;
        invite(world, &organization, &ada, "link").await;
        assert_eq!(status(world, &organization, &ada, 0).await, Status::PendingInvite);
        let as_member = world.tx(async |tx| subject::find(tx, &ada.id, Some(&organization.id), None).await);
        assert_eq!(as_member.await, None, "no token speaks for a pending member");

        let shown = world
            .tx(async |tx| invitation::find_by_token(tx, &hash("link")).await)
            .await
            .unwrap();
        assert_eq!(shown.organization_name, "Acme");
        assert_eq!(shown.inviter_email, None, "anybody's name could stand there");
        assert!(shown.invitation.is_open(T0));

        let accepted = world
            .tx(async |tx| invitation::accept(tx, world.after(60), &hash("link")).await)
            .await
            .unwrap();
        assert_eq!(accepted.accepted_at, Some(world.after(60).now));
        let membership = world
            .tx(async |tx| membership::find(tx, &organization.id, &ada.id).await)
            .await
            .unwrap();
        assert_eq!(membership.status, Status::Active);
        assert_eq!(membership.roles, ["admin"], "the first member");
        assert_eq!(
            membership.provisioning_method,
            Some(ProvisioningMethod::Invitation)
        );
        assert_eq!(membership.accepted_at, Some(world.after(60).now));
        assert_eq!(membership.expires_at, None);
        let ada = world.tx(async |tx| user::find(tx, &ada.id).await).await.unwrap();
        assert!(ada.email_verified, "they have read their mail");

        let again = world.tx(async |tx| invitation::accept(tx, world.after(61), &hash("link")).await);
        assert_eq!(again.await, None);
        let shown = world.tx(async |tx| invitation::find_by_token(tx, &hash("link")).await);
        assert!(
            shown.await.unwrap().invitation.accepted_at.is_some(),
            "a used link is told apart from a wrong one"
        );
    })
    .await;
}

#[tokio::test]
async fn of_a_hundred_who_accept_at_once_one_succeeds() {
    on_each_engine(async |world| {
        let organization = acme(world).await;
        let ada = world.user("ada@acme.test").await;
        invite(world, &organization, &ada, "link").await;
        let outcomes = race(100, async |_| {
            world
                .db
                .tx(async |tx| invitation::accept(tx, world.after(1), &hash("link")).await)
                .await
        })
        .await;
        assert_eq!(outcomes.iter().flatten().count(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_expired_invitation_lets_nobody_in_until_it_is_sent_again() {
    on_each_engine(async |world| {
        let organization = acme(world).await;
        let ada = world.user("ada@acme.test").await;
        invite(world, &organization, &ada, "first").await;
        let late = LIFETIME.as_secs();
        assert_eq!(
            status(world, &organization, &ada, late - 1).await,
            Status::PendingInvite
        );
        assert_eq!(
            status(world, &organization, &ada, late).await,
            Status::InviteExpired
        );
        let accept = async |token: &str, at: u64| {
            world
                .tx(async |tx| invitation::accept(tx, world.after(at), &hash(token)).await)
                .await
        };
        assert_eq!(accept("first", late).await, None);

        let resent = world
            .tx(async |tx| {
                let link = (&hash("second"), LIFETIME);
                invitation::resend(tx, world.after(late), &organization.id, &ada.id, link).await
            })
            .await;
        assert_eq!(resent.resent_count, 1);
        assert_eq!(resent.created_at, T0);
        assert_eq!(resent.resent_at, Some(world.after(late).now));
        assert_eq!(resent.expires_at, world.after(2 * late).now);
        assert_eq!(
            status(world, &organization, &ada, late).await,
            Status::PendingInvite
        );
        assert_eq!(accept("first", late).await, None, "the link before it is void");
        assert!(accept("second", late).await.is_some());

        let error = world
            .failed_tx(async |tx| {
                let link = (&hash("third"), LIFETIME);
                invitation::resend(tx, world.after(late), &organization.id, &ada.id, link).await
            })
            .await;
        assert!(matches!(error, Error::Stale), "accepted: {error:?}");
    })
    .await;
}

#[tokio::test]
async fn an_invitation_counts_only_while_its_address_is_the_users() {
    on_each_engine(async |world| {
        let organization = acme(world).await;
        let ada = world.user("ada@acme.test").await;
        invite(world, &organization, &ada, "link").await;
        let moved_to = crate::support::email("ada.king@acme.test");
        let renamed = User {
            email: moved_to.clone(),
            ..ada.clone()
        };
        world
            .tx(async |tx| user::update(tx, world.after(1), &renamed).await)
            .await;
        let shown = world.tx(async |tx| invitation::find_by_token(tx, &hash("link")).await);
        assert!(shown.await.unwrap().has_moved);
        let accepted = world.tx(async |tx| invitation::accept(tx, world.after(2), &hash("link")).await);
        assert_eq!(
            accepted.await,
            None,
            "whoever reads the mail of the old address is not the user"
        );
        assert_eq!(status(world, &organization, &ada, 2).await, Status::PendingInvite);
        let renamed = world.tx(async |tx| user::find(tx, &ada.id).await).await.unwrap();
        assert!(!renamed.email_verified);

        // It is also not sent to a changed address of the user.
        let moved = world
            .tx(async |tx| invitation::moved(tx, &organization.id, &ada.id).await)
            .await
            .unwrap();
        assert_eq!((moved.invited, moved.now), (ada.email.clone(), moved_to.clone()));
        let error = world
            .failed_tx(async |tx| {
                let link = (&hash("second"), LIFETIME);
                invitation::resend(tx, world.after(3), &organization.id, &ada.id, link).await
            })
            .await;
        assert!(
            matches!(error, Error::Conflict(conflict::INVITATION_ADDRESS)),
            "{error:?}"
        );
        // With the old address again it counts as before.
        let back = User {
            email: ada.email.clone(),
            ..renamed
        };
        world
            .tx(async |tx| user::update(tx, world.after(4), &back).await)
            .await;
        let accepted = world.tx(async |tx| invitation::accept(tx, world.after(5), &hash("link")).await);
        assert!(accepted.await.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_deleted_membership_takes_its_invitation_with_it() {
    on_each_engine(async |world| {
        let organization = acme(world).await;
        let ada = world.user("ada@acme.test").await;
        invite(world, &organization, &ada, "link").await;
        world
            .tx(async |tx| membership::delete(tx, world.start(), &organization.id, &ada.id).await)
            .await;
        let shown = world.tx(async |tx| invitation::find_by_token(tx, &hash("link")).await);
        assert_eq!(shown.await, None);
    })
    .await;
}

#[tokio::test]
async fn members_and_open_invitations_fill_an_organization() {
    on_each_engine(async |world| {
        let organization = acme(world).await;
        limit(world, &organization.id, 2).await;
        let people = [
            world.user("ada@acme.test").await,
            world.user("bob@acme.test").await,
            world.user("eve@acme.test").await,
        ];
        let join = async |user: &User, secs: u64| {
            let joining = NewMember::new(&organization.id, &user.id, ProvisioningMethod::Api);
            world
                .db
                .tx(async |tx| membership::create(tx, world.after(secs), &joining).await)
                .await
        };
        let [ada, bob, eve] = &people;
        invite(world, &organization, ada, "link").await;
        join(bob, 0).await.unwrap();
        let full = |error: &Error| matches!(error, Error::Conflict(conflict::ORGANIZATION_FULL));
        assert!(full(&join(eve, 0).await.unwrap_err()));
        let twice = join(bob, 0).await.unwrap_err();
        assert!(
            matches!(twice, Error::Conflict(conflict::MEMBERSHIP)),
            "{twice:?}"
        );

        // An expired invitation frees its place, and cannot take it again.
        let late = LIFETIME.as_secs();
        join(eve, late).await.unwrap();
        let error = world
            .failed_tx(async |tx| {
                let link = (&hash("again"), LIFETIME);
                invitation::resend(tx, world.after(late), &organization.id, &ada.id, link).await
            })
            .await;
        assert!(full(&error), "{error:?}");
        // Nor can an inactive member whose place was taken.
        let set = async |user: &User, active| {
            world
                .db
                .tx(async |tx| {
                    membership::set_active(tx, world.after(late), &organization.id, &user.id, active).await
                })
                .await
        };
        assert!(set(eve, false).await.unwrap());
        limit(world, &organization.id, 1).await;
        assert!(full(&set(eve, true).await.unwrap_err()));
        limit(world, &organization.id, 2).await;
        assert!(set(eve, true).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn the_limit_holds_when_many_join_at_once() {
    on_each_engine(async |world| {
        let organization = acme(world).await;
        limit(world, &organization.id, 3).await;
        let mut people = Vec::new();
        for number in 0..20 {
            people.push(world.user(&format!("u{number}@acme.test")).await);
        }
        let outcomes = try_race(people.len(), async |number| {
            let joining = NewMember::new(
                &organization.id,
                &people[number].id,
                ProvisioningMethod::Invitation,
            );
            let token = hash(&number.to_string());
            world
                .db
                .tx(async |tx| invitation::invite(tx, world.start(), &joining, &token, LIFETIME).await)
                .await
        })
        .await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
        assert_eq!(world.count("SELECT COUNT(*) FROM memberships").await, 3);
    })
    .await;
}

#[tokio::test]
async fn an_inactive_member_has_no_session_and_no_invitation_there() {
    on_each_engine(async |world| {
        let organization = acme(world).await;
        let ada = world.user("ada@acme.test").await;
        invite(world, &organization, &ada, "link").await;
        let set = async |active| {
            world
                .tx(async |tx| {
                    membership::set_active(tx, world.after(5), &organization.id, &ada.id, active).await
                })
                .await
        };
        assert!(set(false).await);
        assert!(!set(false).await, "they are already");
        let accepted = world.tx(async |tx| invitation::accept(tx, world.after(6), &hash("link")).await);
        assert_eq!(accepted.await, None, "the invitation was withdrawn");
        assert!(set(true).await);
        assert_eq!(status(world, &organization, &ada, 9).await, Status::Active);
        let kinds: Vec<_> = world
            .tx(async |tx| {
                let filter = Filter {
                    user_id: Some(ada.id.clone()),
                    ..Filter::default()
                };
                event::list(tx, &filter, &Page::first(10)).await
            })
            .await
            .iter()
            .map(|event| (event.kind.as_str(), event.data.get("status").cloned()))
            .collect();
        assert_eq!(
            kinds[..2],
            [
                ("user.organization_membership_updated", Some("ACTIVE".into())),
                ("user.organization_membership_updated", Some("INACTIVE".into())),
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_user_goes_with_their_last_membership_if_that_is_asked() {
    on_each_engine(async |world| {
        world.tx(async |tx| role::seed(tx, world.start()).await).await;
        let (one, other) = (world.organization().await, world.organization().await);
        let ada = world.user("ada@acme.test").await;
        for organization in [&one, &other] {
            world
                .tx(async |tx| membership::insert(tx, world.start(), &organization.id, &ada.id).await)
                .await;
        }
        let leave = async |organization: &Organization| {
            world
                .tx(async |tx| {
                    membership::delete_with_last(tx, world.start(), &organization.id, &ada.id).await
                })
                .await
        };
        let is_there = async || world.tx(async |tx| user::find(tx, &ada.id).await).await.is_some();
        assert!(leave(&one).await);
        assert!(is_there().await);
        assert!(!leave(&one).await, "not a member any more");
        assert!(is_there().await);
        assert!(leave(&other).await);
        assert!(!is_there().await);
    })
    .await;
}

/// The mail is queued with the change, and contains the valid link.
#[tokio::test]
async fn an_invitation_that_is_sent_waits_as_a_letter_with_its_link() {
    on_each_engine(async |world| {
        let organization = acme(world).await;
        let ada = world.user("ada@acme.test").await;
        let joining = NewMember::new(&organization.id, &ada.id, ProvisioningMethod::Invitation);
        world
            .tx(async |tx| invitation::send(tx, world.start(), &world.key, &joining).await)
            .await;
        let first = newest_letter(world).await;
        assert_eq!((&first.to, first.expires_at), (&ada.email, T0 + LIFETIME));
        let again = (&organization.id, &ada.id);
        world
            .tx(async |tx| invitation::send_again(tx, world.after(60), &world.key, again).await)
            .await;
        let second = newest_letter(world).await;
        for (letter, counts) in [(first, false), (second, true)] {
            let Letter::Invitation {
                organization,
                inviter,
                token,
            } = letter.letter
            else {
                panic!("it is an invitation");
            };
            assert_eq!((organization.as_str(), inviter), ("Acme", None));
            let found = world
                .tx(async |tx| invitation::find_by_token(tx, &hash(&token)).await)
                .await;
            assert_eq!(found.is_some(), counts);
        }
    })
    .await;
}

async fn newest_letter(world: &World) -> Mail {
    let queued = world.tx(async |tx| mail::newest(tx, 1).await).await;
    match queued[0].open(&world.key).unwrap() {
        Content::Mail(mail) => mail,
        Content::RenderedMail(_) => panic!("nobody writes letters out any more"),
    }
}
