//! Locks and constraints hold the rules of transactions that are not serializable, on PostgreSQL. In each test a second transaction
//! comes after the first has done its work and before it commits. `docs/decisions/isolation.md` names each
//! test.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use genkan_db::Tx;
use genkan_db::testing::{Scratch, on_each};
use genkan_store::admission::{self, AdmittedPerson, Claim, Refusal};
use genkan_store::client::Kind;
use genkan_store::connection::{self, Connection};
use genkan_store::identity::relink;
use genkan_store::organization::{self, user_limit};
use genkan_store::refresh_token::{self, Redemption, Rotation};
use genkan_store::session::{self, Session, SignIn, Status};
use genkan_store::session_policy::{self, SessionPolicy, Span, Unit};
use genkan_store::user::{self, User};
use genkan_store::{Error, MIGRATIONS, OrganizationId, grant, membership};

use crate::support::{LIFETIMES, World, claim, hash, secs, touch};

/// Runs `test` on PostgreSQL. On SQLite no other transaction can come in between.
pub(crate) async fn on_postgres(test: impl AsyncFn(&World)) {
    let each = Scratch::postgres_with(MIGRATIONS).await.into_iter().collect();
    on_each(each, async |scratch| {
        let db = scratch.connect().await;
        test(&World::of(db.clone())).await;
        db.close().await;
    })
    .await;
}

/// The isolation of a transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Level {
    Serializable,
    ReadCommitted,
}
use Level::{ReadCommitted, Serializable};

pub(crate) async fn run<T>(
    world: &World,
    level: Level,
    f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, Error> + Clone,
) -> Result<T, Error> {
    match level {
        Serializable => world.db.tx(f).await,
        ReadCommitted => world.db.tx_read_committed(f).await,
    }
}

/// Begins `second` when `first` has done its work. `first` commits when `second` can go no further.
pub(crate) async fn meanwhile<A, B>(
    world: &World,
    level: Level,
    first: impl AsyncFnOnce(&mut Tx<'_>) -> Result<A, Error> + Clone,
    second: impl Future<Output = B>,
) -> (Result<A, Error>, B) {
    let (has_worked, may_commit) = (AtomicBool::new(false), AtomicBool::new(false));
    let wait_for = async |flag: &AtomicBool| {
        while !flag.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let first = run(world, level, async |tx: &mut Tx<'_>| {
        let done = first.clone()(tx).await?;
        has_worked.store(true, Ordering::SeqCst);
        wait_for(&may_commit).await;
        Ok(done)
    });
    let second = async {
        wait_for(&has_worked).await;
        let mut second = std::pin::pin!(second);
        let early = tokio::time::timeout(Duration::from_millis(150), &mut second).await;
        may_commit.store(true, Ordering::SeqCst);
        match early {
            Ok(outcome) => outcome,
            Err(_) => second.await,
        }
    };
    tokio::join!(first, second)
}

/// The transaction of a sign-in, with this cookie.
async fn sign_in(
    world: &World,
    tx: &mut Tx<'_>,
    claim: &Claim,
    cookie: &str,
) -> Result<Result<(AdmittedPerson, Session), Refusal>, Error> {
    let at = world.start();
    let admitted = match admission::admit(tx, at, claim).await? {
        Ok(admitted) => admitted,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let sign_in = SignIn {
        organization_id: admitted.connection.organization_id.clone(),
        connection_id: Some(admitted.connection.id.clone()),
        ..world.sign_in(&admitted.user)
    };
    let lifetimes = LIFETIMES.shortened_by(admitted.session_policy.as_ref());
    let session = session::start_under(tx, at, &sign_in, &hash(cookie), lifetimes).await?;
    Ok(Ok((admitted, session)))
}

async fn status(world: &World, session: &Session) -> Status {
    let found = world.tx(async |tx| session::find(tx, &session.id).await).await;
    found.unwrap().status
}

/// A company, and a person whom its connection knows.
async fn known(world: &World) -> (OrganizationId, Connection, Claim, User) {
    let (organization, connection) = world.company("acme.test").await;
    let claim = claim(&connection, "sub-1", "ada@acme.test");
    let ada = world.enter(&claim).await;
    (organization.id, connection, claim, ada)
}

// What ends sessions

#[tokio::test]
async fn a_sign_in_under_way_does_not_survive_the_end_of_its_connection() {
    on_postgres(async |world| {
        let (_, connection, ada, _) = known(world).await;
        let end = run(world, ReadCommitted, async |tx| {
            connection::disable(tx, world.start(), &connection.id).await?;
            session::end_all_for_connection(tx, world.start(), &connection.id).await
        });
        let first = async |tx: &mut Tx<'_>| sign_in(world, tx, &ada, "one").await;
        let (signed_in, ended) = meanwhile(world, ReadCommitted, first, end).await;
        let (_, session) = signed_in.unwrap().unwrap();
        assert_eq!(ended.unwrap(), 1);
        assert_eq!(status(world, &session).await, Status::Revoked);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_waits_for_the_end_of_its_connection_and_is_refused() {
    on_postgres(async |world| {
        let (_, connection, ada, _) = known(world).await;
        let end = async |tx: &mut Tx<'_>| {
            connection::disable(tx, world.start(), &connection.id).await?;
            session::end_all_for_connection(tx, world.start(), &connection.id).await
        };
        let second = run(world, ReadCommitted, async |tx| {
            sign_in(world, tx, &ada, "one").await
        });
        let (_, signed_in) = meanwhile(world, ReadCommitted, end, second).await;
        assert_eq!(signed_in.unwrap().unwrap_err(), Refusal::ConnectionNotActive);
    })
    .await;
}

#[tokio::test]
async fn a_first_sign_in_waits_for_the_end_of_its_connection_and_is_refused() {
    on_postgres(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let ada = claim(&connection, "sub-1", "ada@acme.test");
        let end = async |tx: &mut Tx<'_>| connection::disable(tx, world.start(), &connection.id).await;
        let second = run(world, ReadCommitted, async |tx| {
            sign_in(world, tx, &ada, "one").await
        });
        let (_, signed_in) = meanwhile(world, Serializable, end, second).await;
        assert_eq!(signed_in.unwrap().unwrap_err(), Refusal::ConnectionNotActive);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_under_way_does_not_survive_its_organization() {
    on_postgres(async |world| {
        let (organization_id, _, ada, _) = known(world).await;
        let delete = run(world, ReadCommitted, async |tx| {
            organization::delete(tx, world.start(), &organization_id).await
        });
        let first = async |tx: &mut Tx<'_>| sign_in(world, tx, &ada, "one").await;
        let (signed_in, deleted) = meanwhile(world, ReadCommitted, first, delete).await;
        assert!(signed_in.unwrap().is_ok() && deleted.unwrap());
        let revoked = "SELECT COUNT(*) FROM events WHERE kind = 'session.revoked'";
        assert_eq!(world.count(revoked).await, 1, "its clients are told");
        assert_eq!(world.count("SELECT COUNT(*) FROM sessions").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_under_way_does_not_survive_its_person() {
    on_postgres(async |world| {
        for level in [Serializable, ReadCommitted] {
            let (ada, user) = {
                let (_, _, ada, user) = known_as(world, &format!("{level:?}").to_lowercase()).await;
                (ada, user)
            };
            let disable = run(world, level, async |tx| {
                user::set_disabled(tx, world.start(), &user.id, true).await
            });
            let first = async |tx: &mut Tx<'_>| sign_in(world, tx, &ada, &format!("{level:?}")).await;
            let (signed_in, disabled) = meanwhile(world, ReadCommitted, first, disable).await;
            let (_, session) = signed_in.unwrap().unwrap();
            assert!(disabled.unwrap());
            assert_eq!(status(world, &session).await, Status::Revoked, "{level:?}");
        }
    })
    .await;
}

/// As [`known`], for another company.
async fn known_as(world: &World, name: &str) -> (OrganizationId, Connection, Claim, User) {
    let domain = format!("{name}.test");
    let (organization, connection) = world.company(&domain).await;
    let claim = claim(&connection, "sub-1", &format!("ada@{domain}"));
    let ada = world.enter(&claim).await;
    (organization.id, connection, claim, ada)
}

#[tokio::test]
async fn a_sign_in_waits_for_those_who_disable_its_person_and_is_refused() {
    on_postgres(async |world| {
        let (_, _, ada, user) = known(world).await;
        let disable = async |tx: &mut Tx<'_>| user::set_disabled(tx, world.start(), &user.id, true).await;
        let second = run(world, ReadCommitted, async |tx| {
            sign_in(world, tx, &ada, "one").await
        });
        let (_, signed_in) = meanwhile(world, Serializable, disable, second).await;
        assert_eq!(signed_in.unwrap().unwrap_err(), Refusal::Disabled);
    })
    .await;
}

/// The same for a person whom the connection finds by the address.
#[tokio::test]
async fn a_first_sign_in_waits_for_those_who_disable_its_person_and_is_refused() {
    on_postgres(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let user = world.user("ada@acme.test").await;
        let ada = claim(&connection, "sub-1", "ada@acme.test");
        let disable = async |tx: &mut Tx<'_>| user::set_disabled(tx, world.start(), &user.id, true).await;
        let second = run(world, ReadCommitted, async |tx| {
            sign_in(world, tx, &ada, "one").await
        });
        let (_, signed_in) = meanwhile(world, Serializable, disable, second).await;
        assert_eq!(signed_in.unwrap().unwrap_err(), Refusal::Disabled);
    })
    .await;
}

#[tokio::test]
async fn all_sessions_of_a_person_end_also_one_that_begins_just_then() {
    on_postgres(async |world| {
        let (_, _, ada, user) = known(world).await;
        let end = run(world, Serializable, async |tx| {
            session::end_all_for_user(tx, world.start(), &user.id).await
        });
        let first = async |tx: &mut Tx<'_>| sign_in(world, tx, &ada, "one").await;
        let (signed_in, ended) = meanwhile(world, ReadCommitted, first, end).await;
        let (_, session) = signed_in.unwrap().unwrap();
        assert_eq!(ended.unwrap(), 1);
        assert_eq!(status(world, &session).await, Status::Revoked);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_under_way_does_not_survive_the_membership() {
    on_postgres(async |world| {
        let (organization_id, _, ada, user) = known(world).await;
        let leave = run(world, Serializable, async |tx| {
            membership::set_active(tx, world.start(), &organization_id, &user.id, false).await
        });
        let first = async |tx: &mut Tx<'_>| sign_in(world, tx, &ada, "one").await;
        let (signed_in, left) = meanwhile(world, ReadCommitted, first, leave).await;
        let (_, session) = signed_in.unwrap().unwrap();
        assert!(left.unwrap());
        assert_eq!(status(world, &session).await, Status::Revoked);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_waits_for_those_who_end_the_membership_and_is_refused() {
    on_postgres(async |world| {
        let (organization_id, _, ada, user) = known(world).await;
        let leave = async |tx: &mut Tx<'_>| {
            membership::set_active(tx, world.start(), &organization_id, &user.id, false).await
        };
        let second = run(world, ReadCommitted, async |tx| {
            sign_in(world, tx, &ada, "one").await
        });
        let (_, signed_in) = meanwhile(world, Serializable, leave, second).await;
        assert_eq!(signed_in.unwrap().unwrap_err(), Refusal::Disabled);
    })
    .await;
}

// Who somebody is

/// The attack: an address was given to another person, and the operator allowed them to have the account.
/// The former owner comes at the same moment.
#[tokio::test]
async fn a_subject_that_is_being_forgotten_signs_nobody_in() {
    on_postgres(async |world| {
        let (_, connection, before, user) = known(world).await;
        world
            .tx(async |tx| relink::allow(tx, world.start(), &connection.id, Some(&user.id)).await)
            .await;
        let heir = claim(&connection, "sub-2", "ada@acme.test");
        let relink = async |tx: &mut Tx<'_>| sign_in(world, tx, &heir, "heir").await;
        let second = run(world, ReadCommitted, async |tx| {
            sign_in(world, tx, &before, "before").await
        });
        let (relinked, refused) = meanwhile(world, ReadCommitted, relink, second).await;
        assert_eq!(relinked.unwrap().unwrap().0.user.id, user.id);
        let known = vec!["sub-2".to_owned()];
        assert_eq!(refused.unwrap().unwrap_err(), Refusal::SubjectChanged { known });
    })
    .await;
}

#[tokio::test]
async fn two_first_sign_ins_of_one_person_make_one_user() {
    on_postgres(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let ada = claim(&connection, "sub-1", "ada@acme.test");
        let first = async |tx: &mut Tx<'_>| sign_in(world, tx, &ada, "one").await;
        let second = run(world, ReadCommitted, async |tx| {
            sign_in(world, tx, &ada, "two").await
        });
        let (one, two) = meanwhile(world, ReadCommitted, first, second).await;
        let (one, two) = (one.unwrap().unwrap(), two.unwrap().unwrap());
        assert!(one.0.user_created && !two.0.user_created);
        assert_eq!(one.0.user.id, two.0.user.id);
        assert_eq!(world.footprint().await[..4], [1, 1, 1, 1]);
    })
    .await;
}

#[tokio::test]
async fn an_identity_is_forgotten_with_the_provider_that_vouched_for_it() {
    on_postgres(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let ada = claim(&connection, "sub-1", "ada@acme.test");
        let first = async |tx: &mut Tx<'_>| sign_in(world, tx, &ada, "one").await;
        let mut moved = connection.clone();
        moved.settings.as_oidc_mut().unwrap().issuer = "https://other.test".to_owned();
        moved.enabled = false;
        let update = run(world, ReadCommitted, async |tx| {
            connection::update(tx, world.start(), &moved).await
        });
        let (signed_in, updated) = meanwhile(world, ReadCommitted, first, update).await;
        assert!(signed_in.unwrap().is_ok());
        updated.unwrap();
        assert_eq!(world.count("SELECT COUNT(*) FROM identities").await, 0);
    })
    .await;
}

// What counts

/// Two people come at once, and there is one place.
async fn two_for_one_place(world: &World, level: Level) -> [bool; 2] {
    let (organization, connection) = world.company("acme.test").await;
    world
        .tx(async |tx| user_limit::set(tx, world.start(), &organization.id, Some(1)).await)
        .await;
    let bob = world.user("bob@other.test").await;
    let ada = claim(&connection, "sub-1", "ada@acme.test");
    let first = async |tx: &mut Tx<'_>| sign_in(world, tx, &ada, "one").await;
    match level {
        ReadCommitted => {
            let eve = claim(&connection, "sub-2", "eve@acme.test");
            let second = run(world, level, async |tx| sign_in(world, tx, &eve, "two").await);
            let (one, two) = meanwhile(world, ReadCommitted, first, second).await;
            [one.unwrap().is_ok(), two.unwrap().is_ok()]
        }
        Serializable => {
            let second = run(world, level, async |tx| {
                membership::insert(tx, world.start(), &organization.id, &bob.id).await
            });
            let (one, two) = meanwhile(world, ReadCommitted, first, second).await;
            [one.unwrap().is_ok(), two.is_ok()]
        }
    }
}

#[tokio::test]
async fn of_two_who_sign_in_at_once_one_takes_the_last_place() {
    on_postgres(async |world| {
        assert_eq!(two_for_one_place(world, ReadCommitted).await, [true, false]);
    })
    .await;
}

#[tokio::test]
async fn one_who_signs_in_and_one_who_is_added_do_not_both_take_the_last_place() {
    on_postgres(async |world| {
        assert_eq!(two_for_one_place(world, Serializable).await, [true, false]);
    })
    .await;
}

#[tokio::test]
async fn of_two_first_members_at_once_one_becomes_admin() {
    on_postgres(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let ada = claim(&connection, "sub-1", "ada@acme.test");
        let bob = claim(&connection, "sub-2", "bob@acme.test");
        let first = async |tx: &mut Tx<'_>| sign_in(world, tx, &ada, "one").await;
        let second = run(world, ReadCommitted, async |tx| {
            sign_in(world, tx, &bob, "two").await
        });
        let (one, two) = meanwhile(world, ReadCommitted, first, second).await;
        assert!(one.unwrap().is_ok() && two.unwrap().is_ok());
        let admins =
            "SELECT COUNT(*) FROM membership_roles m JOIN roles r ON r.id = m.role_id WHERE r.name = 'admin'";
        assert_eq!(world.count(admins).await, 1);
    })
    .await;
}

// How long a session lasts

fn ten_minutes() -> SessionPolicy {
    let span = Span {
        count: 10,
        unit: Unit::Minutes,
    };
    SessionPolicy {
        absolute: Some(span),
        idle: Some(span),
        idle_enabled: true,
    }
}

#[tokio::test]
async fn a_session_that_begins_while_the_policy_becomes_shorter_is_short() {
    on_postgres(async |world| {
        let (organization_id, _, ada, _) = known(world).await;
        let set = async |tx: &mut Tx<'_>| {
            session_policy::set(tx, world.start(), &organization_id, Some(&ten_minutes())).await
        };
        let second = run(world, ReadCommitted, async |tx| {
            sign_in(world, tx, &ada, "two").await
        });
        let (_, signed_in) = meanwhile(world, ReadCommitted, set, second).await;
        let (_, session) = signed_in.unwrap().unwrap();
        assert_eq!(session.expires_at, session.created_at + secs(600));
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_used_while_the_policy_becomes_shorter_is_short() {
    on_postgres(async |world| {
        let (organization_id, _, ada, _) = known(world).await;
        let session = run(world, ReadCommitted, async |tx| {
            sign_in(world, tx, &ada, "one").await
        })
        .await
        .unwrap()
        .unwrap()
        .1;
        let set = async |tx: &mut Tx<'_>| {
            session_policy::set(tx, world.after(120), &organization_id, Some(&ten_minutes())).await
        };
        let now = world.after(120).now;
        let second = run(world, ReadCommitted, async |tx| {
            touch(tx, &session.id, LIFETIMES.idle, now).await
        });
        let (_, touched) = meanwhile(world, ReadCommitted, set, second).await;
        touched.unwrap();
        let after = world
            .tx(async |tx| session::find(tx, &session.id).await)
            .await
            .unwrap();
        assert!(after.idle_expires_at <= now + secs(600), "{after:?}");
    })
    .await;
}

#[tokio::test]
async fn a_code_that_is_issued_while_its_session_ends_ends_with_it() {
    on_postgres(async |world| {
        let (client, session, _) = world.signed_in(Kind::WebApp).await;
        let given = world.new_grant(&client, &session);
        let issue = async |tx: &mut Tx<'_>| {
            assert!(
                session::find_still(tx, &session, world.start().now)
                    .await?
                    .is_some()
            );
            grant::insert(tx, world.start(), &given).await
        };
        let logout = run(world, ReadCommitted, async |tx| {
            session::end(tx, world.start(), &session.id, Status::Logout).await
        });
        let (issued, ended) = meanwhile(world, ReadCommitted, issue, logout).await;
        issued.unwrap();
        assert!(ended.unwrap());
        let alive = "SELECT COUNT(*) FROM grants WHERE revoked_at IS NULL";
        assert_eq!(world.count(alive).await, 0);
    })
    .await;
}

#[tokio::test]
async fn of_two_tabs_that_refresh_at_the_same_moment_the_second_has_its_grace() {
    on_postgres(async |world| {
        let (client, _, grant) = world.signed_in(Kind::Spa).await;
        let (id, expires_at) = (&grant.id, grant.expires_at);
        let (token, rotation) = (hash("token"), Rotation::StrictWithGrace);
        world
            .tx(async |tx| refresh_token::issue(tx, &token, id, expires_at, world.start().now).await)
            .await;
        let first = async |tx: &mut Tx<'_>| {
            refresh_token::redeem(tx, world.start(), &token, &client.id, rotation).await
        };
        let second = run(world, ReadCommitted, async |tx| {
            refresh_token::redeem(tx, world.start(), &token, &client.id, rotation).await
        });
        let (one, two) = meanwhile(world, ReadCommitted, first, second).await;
        assert_eq!(one.unwrap(), Redemption::Fresh(grant.clone()));
        assert_eq!(two.unwrap(), Redemption::Graced(grant.clone()));
    })
    .await;
}
