//! Delivery of logout tokens, OIDC Back-Channel Logout 1.0.

use genkan_store::back_channel_logout::{self, BackChannelLogout, SCHEDULE};
use genkan_store::client;
use genkan_store::outbox::{self, Claim, Kind, RetryDecision};
use genkan_store::session::{self, Status};

use crate::support::{World, on_each_engine, race, secs};

/// Ends a session of a client that is told at `count` addresses.
async fn logout(world: &World, count: usize) {
    let mut client = world.new_client(client::Kind::WebApp);
    client.back_channel_logout_uris = (0..count)
        .map(|n| format!("https://app.test/logout/{n}"))
        .collect();
    world
        .tx(async |tx| client::insert(tx, world.start(), &client).await)
        .await;
    let name = client.id.as_str();
    let user = world.user(&format!("{name}@acme.test")).await;
    let session = world.session(&user, name).await;
    world.grant(&client, &session).await;
    world
        .tx(async |tx| session::end(tx, world.start(), &session.id, Status::Logout).await)
        .await;
}

fn up_to(limit: u32) -> Claim {
    Claim {
        limit,
        lease: secs(30),
    }
}

async fn clients(world: &World, after: u64) -> Vec<String> {
    let now = world.after(after).now;
    world
        .tx(async |tx| outbox::due_receivers(tx, Kind::BackChannelLogout, now).await)
        .await
}

async fn claim_for(world: &World, client: &str, limit: u32, after: u64) -> Vec<BackChannelLogout> {
    let now = world.after(after).now;
    let claimed = world
        .tx(async |tx| outbox::claim(tx, (Kind::BackChannelLogout, client), up_to(limit), now).await)
        .await;
    claimed
        .into_iter()
        .map(|delivery| BackChannelLogout::read(delivery).unwrap())
        .collect()
}

async fn claim(world: &World, limit: u32, after: u64) -> Vec<BackChannelLogout> {
    let mut claimed = Vec::new();
    for client in clients(world, after).await {
        claimed.extend(claim_for(world, &client, limit, after).await);
    }
    claimed
}

#[tokio::test]
async fn a_delivery_belongs_to_one_node_until_its_lease_ends() {
    on_each_engine(async |world| {
        logout(world, 3).await;
        let first = claim(world, 2, 0).await;
        let second = claim(world, 9, 0).await;
        assert_eq!((first.len(), second.len()), (2, 1));
        assert!(claim(world, 9, 29).await.is_empty());
        assert_eq!(claim(world, 9, 30).await.len(), 3, "its node died");
    })
    .await;
}

#[tokio::test]
async fn one_client_s_deliveries_are_not_claimed_with_another_s() {
    on_each_engine(async |world| {
        logout(world, 3).await;
        logout(world, 2).await;
        let clients = clients(world, 0).await;
        assert_eq!(clients.len(), 2);
        for client in clients {
            let due = claim_for(world, &client, 9, 0).await;
            assert!(due.len() == 2 || due.len() == 3);
            assert!(due.iter().all(|logout| logout.client_id.as_str() == client));
        }
    })
    .await;
}

#[tokio::test]
async fn a_confirmed_logout_is_done() {
    on_each_engine(async |world| {
        logout(world, 1).await;
        let due = claim(world, 9, 0).await.remove(0);
        assert_eq!(
            (due.uri.as_str(), due.delivery.attempts),
            ("https://app.test/logout/0", 1)
        );
        world
            .tx(async |tx| outbox::delivered(tx, &due.delivery).await)
            .await;
        assert!(claim(world, 9, 1_000_000).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_failed_delivery_is_tried_six_times_with_growing_pauses() {
    on_each_engine(async |world| {
        logout(world, 1).await;
        let (mut now, mut pauses) = (0, Vec::new());
        loop {
            let due = claim(world, 9, now).await.remove(0);
            let at = world.after(now);
            match world
                .tx(async |tx| back_channel_logout::failed(tx, at, &due).await)
                .await
            {
                RetryDecision::RetryAt(later) => {
                    let pause = later.since(at.now).as_secs();
                    assert!(claim(world, 9, now + pause - 1).await.is_empty());
                    pauses.push(pause);
                    now += pause;
                }
                RetryDecision::GivenUp => {
                    assert_eq!(due.delivery.attempts as usize, SCHEDULE.attempts());
                    break;
                }
                RetryDecision::TakenOver => panic!("nobody else claims"),
            }
        }
        assert_eq!(pauses, [5, 30, 120, 300, 900]);
        assert!(claim(world, 9, 1_000_000).await.is_empty());
        let sql = "SELECT COUNT(*) FROM events WHERE kind = 'back_channel_logout.given_up'";
        assert_eq!(world.count(sql).await, 1);
    })
    .await;
}

#[tokio::test]
async fn nodes_that_claim_at_once_never_claim_the_same() {
    on_each_engine(async |world| {
        logout(world, 20).await;
        let now = world.start().now;
        let clients = clients(world, 0).await;
        let which = (Kind::BackChannelLogout, clients[0].as_str());
        let claims = race(8, |_| {
            world
                .db
                .tx(async |tx| outbox::claim(tx, which, up_to(5), now).await)
        })
        .await;
        let uris: Vec<_> = claims
            .into_iter()
            .flatten()
            .map(|delivery| BackChannelLogout::read(delivery).unwrap().uri)
            .collect();
        assert_eq!(uris.len(), 20);
        let different: std::collections::BTreeSet<_> = uris.into_iter().collect();
        assert_eq!(different.len(), 20);
    })
    .await;
}
