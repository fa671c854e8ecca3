//! Refresh tokens, RFC 9700 §4.14: rotation, grace, reuse.

use genkan_store::grant::{self, Grant};
use genkan_store::refresh_token::{self, Redemption, Rotation};
use genkan_store::session::{self, Status};
use genkan_store::{ClientId, Error, GrantId, client};

use crate::support::{T0, World, hash, on_each_engine, race, secs};

const ALL: [Rotation; 3] = [Rotation::Family, Rotation::StrictWithGrace, Rotation::Strict];

/// One family of tokens, as a client sees it.
struct Family<'a> {
    world: &'a World,
    client_id: ClientId,
    grant: Grant,
    rotation: Rotation,
}

impl<'a> Family<'a> {
    /// A family whose first token is called `first`.
    async fn start(world: &'a World, rotation: Rotation) -> Self {
        let (client, _, grant) = world.signed_in(client::Kind::WebApp).await;
        let family = Self {
            world,
            client_id: client.id,
            grant,
            rotation,
        };
        family.issue("first", 0).await;
        family
    }

    async fn issue(&self, name: &str, after: u64) {
        let now = T0 + secs(after);
        let issue = async |tx: &mut genkan_db::Tx<'_>| {
            refresh_token::issue(tx, &hash(name), &self.grant.id, self.grant.expires_at, now).await
        };
        self.world.tx(issue).await;
    }

    async fn try_redeem(&self, name: &str, after: u64) -> Result<Redemption, Error> {
        let at = self.world.after(after);
        let redeem = async |tx: &mut genkan_db::Tx<'_>| {
            refresh_token::redeem(tx, at, &hash(name), &self.client_id, self.rotation).await
        };
        self.world.db.tx_read_committed(redeem).await
    }

    async fn redeem(&self, name: &str, after: u64) -> Redemption {
        self.try_redeem(name, after).await.unwrap()
    }

    /// Presents `old` and, if that works, gets `new`.
    async fn refresh(&self, old: &str, new: &str, after: u64) -> Redemption {
        let redemption = self.redeem(old, after).await;
        if matches!(redemption, Redemption::Fresh(_) | Redemption::Graced(_)) {
            self.issue(new, after).await;
        }
        redemption
    }

    fn fresh(&self) -> Redemption {
        Redemption::Fresh(self.grant.clone())
    }

    fn graced(&self) -> Redemption {
        Redemption::Graced(self.grant.clone())
    }

    fn reused(&self) -> Redemption {
        Redemption::Reused(self.grant.id.clone())
    }

    async fn lives(&self) -> bool {
        let find = async |tx: &mut genkan_db::Tx<'_>| grant::find_live(tx, &self.grant.id, T0).await;
        self.world.tx(find).await.is_some()
    }
}

#[tokio::test]
async fn a_confidential_client_may_present_its_first_token_for_ever() {
    on_each_engine(async |world| {
        let family = Family::start(world, Rotation::Family).await;
        for turn in 1..5 {
            assert_eq!(
                family
                    .refresh("first", &format!("token {turn}"), turn * 300)
                    .await,
                family.fresh()
            );
        }
        assert_eq!(family.redeem("token 2", 1501).await, family.fresh());
    })
    .await;
}

#[tokio::test]
async fn a_strict_token_works_once_and_reuse_ends_the_family() {
    on_each_engine(async |world| {
        let family = Family::start(world, Rotation::Strict).await;
        assert_eq!(family.refresh("first", "second", 1).await, family.fresh());
        assert_eq!(family.refresh("second", "third", 2).await, family.fresh());

        assert_eq!(family.redeem("first", 3).await, family.reused());

        assert!(!family.lives().await);
        assert_eq!(family.redeem("third", 4).await, Redemption::Unknown);
        assert_eq!(
            world
                .count("SELECT COUNT(*) FROM events WHERE kind = 'grant.replayed'")
                .await,
            1
        );
    })
    .await;
}

#[tokio::test]
async fn a_public_client_that_lost_the_answer_may_ask_again_for_half_a_minute() {
    on_each_engine(async |world| {
        let family = Family::start(world, Rotation::StrictWithGrace).await;
        assert_eq!(family.refresh("first", "lost", 0).await, family.fresh());
        assert_eq!(family.refresh("first", "second", 29).await, family.graced());
        assert_eq!(family.refresh("second", "third", 300).await, family.fresh());
        assert_eq!(family.refresh("third", "fourth", 600).await, family.fresh());
    })
    .await;
}

#[tokio::test]
async fn grace_ends_half_a_minute_after_the_first_use() {
    on_each_engine(async |world| {
        let family = Family::start(world, Rotation::StrictWithGrace).await;
        assert_eq!(family.refresh("first", "a", 0).await, family.fresh());
        assert_eq!(family.refresh("first", "b", 20).await, family.graced());
        assert_eq!(
            family.refresh("first", "c", 30).await,
            family.reused(),
            "the second use does not prolong it"
        );
        assert!(!family.lives().await);
    })
    .await;
}

/// The attack on the grace period: the thief presents the stolen token just after its owner and gets a
/// token as well. The next refresh reveals it.
#[tokio::test]
async fn a_thief_and_an_owner_cannot_both_live_on_grace() {
    on_each_engine(async |world| {
        let family = Family::start(world, Rotation::StrictWithGrace).await;
        assert_eq!(family.refresh("first", "owner's", 0).await, family.fresh());
        assert_eq!(family.refresh("first", "thief's", 5).await, family.graced());

        assert_eq!(
            family.refresh("thief's", "thief's next", 100).await,
            family.fresh()
        );
        assert_eq!(family.redeem("owner's", 130).await, family.reused());
        assert!(!family.lives().await);
        assert_eq!(family.redeem("thief's next", 131).await, Redemption::Unknown);
    })
    .await;
}

/// A duplicated tab has a copy of the token, and refreshes at the same time as the first tab.
#[tokio::test]
async fn two_tabs_that_refresh_together_go_on_together() {
    on_each_engine(async |world| {
        let family = Family::start(world, Rotation::StrictWithGrace).await;
        assert_eq!(family.refresh("first", "one 0", 0).await, family.fresh());
        assert_eq!(family.refresh("first", "two 0", 1).await, family.graced());
        for turn in 1..6 {
            let (before, at) = (turn - 1, turn * 300);
            let (one, two) = (format!("one {before}"), format!("two {before}"));
            assert_eq!(
                family.refresh(&one, &format!("one {turn}"), at).await,
                family.fresh(),
                "{turn}"
            );
            assert_eq!(
                family.refresh(&two, &format!("two {turn}"), at + 29).await,
                family.graced(),
                "{turn}"
            );
        }
        // It cannot be prolonged, because the grace period counts from the supersession.
        assert_eq!(family.refresh("one 5", "one 6", 1800).await, family.fresh());
        assert_eq!(family.refresh("two 5", "two 6", 1829).await, family.graced());
        assert_eq!(family.redeem("two 5", 1830).await, family.reused());
        assert!(!family.lives().await);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_becomes_strict_is_strict_about_its_old_tokens_too() {
    on_each_engine(async |world| {
        let mut family = Family::start(world, Rotation::Family).await;
        family.refresh("first", "second", 1).await;
        family.refresh("first", "third", 2).await;
        family.rotation = Rotation::Strict;
        assert_eq!(family.refresh("third", "fourth", 3).await, family.fresh());
        assert_eq!(family.redeem("second", 4).await, family.reused());
    })
    .await;
}

#[tokio::test]
async fn a_token_is_nothing_in_the_hands_of_another_client() {
    on_each_engine(async |world| {
        for rotation in ALL {
            let client = world.client(client::Kind::WebApp).await;
            let user = world.user(&format!("{rotation:?}@acme.test")).await;
            let session = world.session(&user, &format!("{rotation:?}")).await;
            let grant = world.grant(&client, &session).await;
            let family = Family {
                world,
                client_id: client.id,
                grant,
                rotation,
            };
            let name = format!("{rotation:?}");
            family.issue(&name, 0).await;
            let thief = Family {
                client_id: world.client(client::Kind::Spa).await.id,
                grant: family.grant.clone(),
                ..family
            };

            assert_eq!(thief.redeem(&name, 1).await, Redemption::Unknown);
            assert_eq!(family.redeem(&name, 1).await, family.fresh());
            assert_eq!(thief.redeem(&name, 100).await, Redemption::Unknown);
            assert!(family.lives().await, "nor can it be used to sign the person out");
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_dies_with_its_family_its_session_and_its_age() {
    on_each_engine(async |world| {
        for rotation in ALL {
            let client = world.client(client::Kind::WebApp).await;
            let user = world.user(&format!("{rotation:?}@acme.test")).await;
            let name = format!("{rotation:?}");
            let session = world.session(&user, &name).await;
            let short = Grant {
                expires_at: T0 + secs(60),
                ..world.new_grant(&client, &session)
            };
            let (revoked, long) = (
                world.grant(&client, &session).await,
                world.grant(&client, &session).await,
            );
            world
                .tx(async |tx| grant::insert(tx, world.start(), &short).await)
                .await;
            world
                .tx(async |tx| grant::revoke(tx, world.start(), &revoked.id).await)
                .await;
            let family = |grant| Family {
                world,
                client_id: client.id.clone(),
                grant,
                rotation,
            };
            let (short, revoked, long) = (family(short), family(revoked), family(long));
            short.issue(&format!("{name} short"), 0).await;
            revoked.issue(&format!("{name} revoked"), 0).await;
            long.issue(&format!("{name} long"), 0).await;

            assert_eq!(
                short.redeem(&format!("{name} short"), 60).await,
                Redemption::Unknown
            );
            assert_eq!(
                revoked.redeem(&format!("{name} revoked"), 0).await,
                Redemption::Unknown
            );
            assert_eq!(
                long.redeem(&format!("{name} long"), 3600).await,
                Redemption::Unknown,
                "idle"
            );
            world
                .tx(async |tx| session::end(tx, world.start(), &session.id, Status::Logout).await)
                .await;
            assert_eq!(long.redeem(&format!("{name} long"), 0).await, Redemption::Unknown);
            assert_eq!(long.redeem("never issued", 0).await, Redemption::Unknown);
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_may_die_before_its_family() {
    on_each_engine(async |world| {
        let family = Family::start(world, Rotation::Strict).await;
        let issue = async |tx: &mut genkan_db::Tx<'_>| {
            refresh_token::issue(tx, &hash("short"), &family.grant.id, T0 + secs(60), T0).await
        };
        world.tx(issue).await;
        let find = async |after: u64| {
            world
                .tx(async |tx| refresh_token::find(tx, &hash("short"), T0 + secs(after)).await)
                .await
        };
        assert!(find(59).await.is_some());
        assert_eq!(find(60).await, None);
        assert_eq!(family.redeem("short", 60).await, Redemption::Unknown);
        assert!(family.lives().await);
    })
    .await;
}

#[test]
fn the_answer_of_a_family_is_the_same_token_in_another_text() {
    let first = genkan_store::Secret::generate();
    let second = refresh_token::again(first.expose());
    let third = refresh_token::again(second.expose());
    assert!(first.expose() != second.expose() && second.expose() != third.expose());
    assert_eq!(second.expose().len(), third.expose().len(), "it does not grow");
    for text in [&second, &third] {
        assert_eq!(refresh_token::hash(text.expose()), first.sha256());
    }
    assert_ne!(refresh_token::hash("other"), first.sha256());
}

#[tokio::test]
async fn a_token_is_found_for_introspection_while_its_family_lives() {
    on_each_engine(async |world| {
        let family = Family::start(world, Rotation::Strict).await;
        let find = async |name: &str, after: u64| {
            world
                .tx(async |tx| refresh_token::find(tx, &hash(name), T0 + secs(after)).await)
                .await
        };
        let unused = find("first", 0).await.unwrap();
        assert!(unused.is_unused());
        assert_eq!(unused.grant, family.grant);
        family.refresh("first", "second", 10).await;
        let used = find("first", 10).await.unwrap();
        assert_eq!((used.is_unused(), used.used_at), (false, Some(T0 + secs(10))));
        assert_eq!(
            find("second", 3600).await,
            None,
            "the session is idle for too long"
        );
        world
            .tx(async |tx| grant::revoke(tx, world.start(), &family.grant.id).await)
            .await;
        assert_eq!(find("second", 10).await, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_concurrent_strict_redemptions_one_is_fresh() {
    on_each_engine(async |world| {
        let family = Family::start(world, Rotation::Strict).await;
        let outcomes = race(100, |_| family.try_redeem("first", 1)).await;
        let fresh = outcomes
            .iter()
            .filter(|outcome| **outcome == family.fresh())
            .count();
        // After the first reuse, the family has ended.
        let is_refused =
            |outcome: &Redemption| matches!(outcome, Redemption::Reused(_) | Redemption::Unknown);
        let refused = outcomes.iter().filter(|outcome| is_refused(outcome)).count();
        assert_eq!((fresh, refused), (1, 99), "{outcomes:?}");
        assert!(!family.lives().await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_concurrent_redemptions_with_grace_one_is_fresh_and_one_line_lives_on() {
    on_each_engine(async |world| {
        let family = Family::start(world, Rotation::StrictWithGrace).await;
        let names: Vec<String> = (0..100).map(|n| format!("token {n}")).collect();
        let family = &family;
        let outcomes = race(100, |n| {
            let (at, new) = (family.world.after(1), hash(&names[n]));
            family.world.db.tx_read_committed(async move |tx| {
                let (id, expires_at) = (&family.grant.id, family.grant.expires_at);
                let redemption =
                    refresh_token::redeem(tx, at, &hash("first"), &family.client_id, family.rotation).await?;
                refresh_token::issue(tx, &new, id, expires_at, at.now).await?;
                Ok::<_, Error>((n, redemption))
            })
        })
        .await;
        let fresh = outcomes
            .iter()
            .filter(|(_, outcome)| *outcome == family.fresh())
            .count();
        let graced: Vec<_> = outcomes
            .iter()
            .filter(|(_, outcome)| *outcome == family.graced())
            .collect();
        assert_eq!((fresh, graced.len()), (1, 99));

        let (one, other) = (&names[graced[0].0], &names[graced[1].0]);
        assert_eq!(family.refresh(one, "next", 300).await, family.fresh());
        let sql = "SELECT COUNT(*) FROM refresh_tokens WHERE used_at IS NULL AND superseded_at IS NULL";
        assert_eq!(world.count(sql).await, 1);
        assert_eq!(family.redeem(other, 330).await, family.reused());
    })
    .await;
}

/// A logout and a refresh at the same time: in any order, no token works afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ends_during_a_refresh_leaves_no_living_token() {
    on_each_engine(async |world| {
        for rotation in ALL {
            for round in 0..10 {
                let user = world.user(&format!("{rotation:?}{round}@acme.test")).await;
                let client = world.client(client::Kind::WebApp).await;
                let session = world.session(&user, &format!("{rotation:?} {round}")).await;
                let grant = world.grant(&client, &session).await;
                let family = Family {
                    world,
                    client_id: client.id,
                    grant,
                    rotation,
                };
                let (old, new) = (
                    format!("{rotation:?} {round} old"),
                    format!("{rotation:?} {round} new"),
                );
                family.issue(&old, 0).await;

                let at = world.after(1);
                let refresh = world.db.tx_read_committed(async |tx| {
                    let redeemed =
                        refresh_token::redeem(tx, at, &hash(&old), &family.client_id, rotation).await?;
                    if redeemed == family.fresh() {
                        let expires_at = family.grant.expires_at;
                        refresh_token::issue(tx, &hash(&new), &family.grant.id, expires_at, at.now).await?;
                    }
                    Ok::<_, genkan_store::Error>(redeemed)
                });
                let logout = world
                    .db
                    .tx_read_committed(async |tx| session::end(tx, at, &session.id, Status::Logout).await);
                let (redeemed, ended) = tokio::join!(refresh, logout);

                assert!(ended.unwrap());
                assert!(matches!(
                    redeemed.unwrap(),
                    Redemption::Fresh(_) | Redemption::Unknown
                ));
                for name in [&old, &new] {
                    assert_eq!(
                        family.redeem(name, 2).await,
                        Redemption::Unknown,
                        "{rotation:?} {name}"
                    );
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn revoking_an_unknown_grant_changes_nothing() {
    on_each_engine(async |world| {
        let unknown: GrantId = world.id();
        assert!(
            !world
                .tx(async |tx| grant::revoke(tx, world.start(), &unknown).await)
                .await
        );
    })
    .await;
}
