//! An acknowledged grant survives `kill -9`, and no rotation happens in part.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use genkan_db::Db;
use genkan_db::testing::Scratch;
use genkan_store::authorization_code::{self, AuthorizationCode};
use genkan_store::client::{self, Client};
use genkan_store::grant::{self, Grant};
use genkan_store::refresh_token::{self, Redemption, Rotation};
use genkan_store::session;
use genkan_store::user::{self, User};
use genkan_store::{Error, MIGRATIONS, Page};
use tokio::task::JoinSet;

use crate::support::{LIFETIMES, T0, World, email, hash};

/// The database for the child process.
const URL: &str = "GENKAN_TEST_DURABILITY_URL";
/// The number of the child process.
const ROUND: &str = "GENKAN_TEST_DURABILITY_ROUND";

const WRITERS: usize = 16;

/// Signs a person called `family` in, up to the first refresh token `family/0`.
async fn sign_in(world: &World, client: &Client, family: &str) -> Result<Grant, Error> {
    let at = world.start();
    let user = User::new(world.id(), email(&format!("{family}@acme.test")), T0);
    let sign_in = world.sign_in(&user);
    let grant = world
        .db
        .tx(async |tx| {
            user::insert(tx, at, &user).await?;
            let session = session::start(tx, at, &sign_in, &hash(family), LIFETIMES).await?;
            let grant = world.new_grant(client, &session);
            grant::insert(tx, at, &grant).await?;
            let code = AuthorizationCode {
                grant_id: grant.id.clone(),
                client_id: client.id.clone(),
                redirect_uri: "https://app.test/callback".to_owned(),
                redirect_uri_given: true,
                code_challenge: None,
            };
            authorization_code::issue(tx, &hash(family), &code, T0).await?;
            Ok::<_, Error>(grant)
        })
        .await?;
    let first = hash(&format!("{family}/0"));
    world
        .db
        .tx(async |tx| {
            let redeemed = authorization_code::redeem(tx, at, &hash(family), &client.id).await?;
            assert!(matches!(redeemed, authorization_code::Redemption::Fresh { .. }));
            refresh_token::issue(tx, &first, &grant.id, grant.expires_at, T0).await
        })
        .await?;
    Ok(grant)
}

/// Rotates the refresh token `family/turn - 1` to `family/turn`.
async fn rotate(world: &World, grant: &Grant, family: &str, turn: u64) -> Result<(), Error> {
    let (old, new) = (
        hash(&format!("{family}/{}", turn - 1)),
        hash(&format!("{family}/{turn}")),
    );
    let at = world.start();
    world
        .db
        .tx(async |tx| {
            let redeemed = refresh_token::redeem(tx, at, &old, &grant.client_id, Rotation::Strict).await?;
            assert!(matches!(redeemed, Redemption::Fresh(_)), "{redeemed:?}");
            refresh_token::issue(tx, &new, &grant.id, grant.expires_at, at.now).await
        })
        .await
}

/// A single write, so that a line is printed whole or not at all.
fn acknowledge(family: &str, turn: u64) {
    let line = format!("kept {family}/{turn}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

/// Not a test: the process that is killed. Prints what is acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started and killed by the test of this file"]
#[expect(
    clippy::disallowed_methods,
    reason = "the parent has no other way to reach it"
)]
async fn child() {
    let (Ok(url), Ok(round)) = (std::env::var(URL), std::env::var(ROUND)) else {
        return;
    };
    let db = Db::connect(&url).await.unwrap();
    let client = db
        .read(async |tx| client::list(tx, &Page::first(1)).await)
        .await
        .unwrap()
        .remove(0);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (world, client, family) = (World::of(db.clone()), client.clone(), format!("{round}-{writer}"));
        writers.spawn(async move {
            let grant = sign_in(&world, &client, &family).await.unwrap();
            acknowledge(&family, 0);
            for turn in 1.. {
                rotate(&world, &grant, &family, turn).await.unwrap();
                acknowledge(&family, turn);
            }
        });
    }
    writers.join_all().await;
}

fn start(url: &str, round: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "durability::child", "--ignored", "--nocapture"])
        .env(URL, url)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the child as soon as it has acknowledged `count` turns, and returns the last acknowledged turn of
/// each family.
fn kill_after(mut child: Child, count: usize) -> HashMap<String, u64> {
    let mut output = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    // The test harness of the child writes to the same pipe.
    let turn = |line: String| line.split_once("kept ").map(|(_, name)| name.to_owned());
    let mut turns: Vec<String> = output.by_ref().filter_map(turn).take(count).collect();
    assert_eq!(turns.len(), count, "the child ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
    turns.extend(output.filter_map(turn));

    let mut acknowledged = HashMap::new();
    for name in &turns {
        let (family, turn) = name.rsplit_once('/').unwrap();
        let last = acknowledged.entry(family.to_owned()).or_insert(0);
        *last = turn.parse::<u64>().unwrap().max(*last);
    }
    acknowledged
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_kill() {
    for scratch in Scratch::each().await {
        let db = scratch.connect().await;
        db.migrate(MIGRATIONS).await.unwrap();
        World::of(db).client(client::Kind::WebApp).await;
        let mut acknowledged = HashMap::new();
        for (round, count) in [5, 60, 150].into_iter().enumerate() {
            acknowledged.extend(kill_after(start(scratch.url(), round), count));
        }

        let world = World::of(scratch.connect().await);
        for (family, turn) in &acknowledged {
            let find = async |turn: u64| {
                let token = hash(&format!("{family}/{turn}"));
                world
                    .tx(async |tx| refresh_token::find(tx, &token, T0).await)
                    .await
            };
            let last = find(*turn)
                .await
                .unwrap_or_else(|| panic!("{family}/{turn} is lost"));
            // The next turn may have been committed as a whole, without being acknowledged.
            assert_eq!(
                last.is_unused(),
                find(turn + 1).await.is_none(),
                "half a turn of {family}"
            );
            if *turn > 0 {
                assert!(
                    find(turn - 1).await.unwrap().used_at.is_some(),
                    "{family} was turned twice"
                );
            }
        }
        let unused = "SELECT COUNT(*) FROM refresh_tokens WHERE used_at IS NULL AND superseded_at IS NULL";
        let families = "SELECT COUNT(DISTINCT grant_id) FROM refresh_tokens";
        assert_eq!(world.count(unused).await, world.count(families).await);
        world.db.close().await;
    }
}
