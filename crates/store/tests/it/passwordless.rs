//! Proofs of an address by a mailed code or link.

use std::time::Duration;

use genkan_store::client::Kind as ClientKind;
use genkan_store::passwordless::{
    self, Challenge, DAY, Kind, MAX_FAILURES, MAX_SENDS_TO_ADDRESS, MAX_TRIES, NewRequest, Request,
    SendDecision, Template, Verification, WINDOW,
};
use genkan_store::{ClientId, Secret, SecretHash, Stamp, Timestamp};

use crate::support::{T0, World, email, hash, on_each_engine, race, secs};

fn challenge(code: &str, link: &str) -> Challenge {
    Challenge {
        code: Secret::from_presented(code),
        link_token: Secret::from_presented(link),
    }
}

async fn client(world: &World) -> ClientId {
    world.client(ClientKind::WebApp).await.id
}

async fn ask(world: &World, client_id: &ClientId, name: &str, kind: Kind) -> SendDecision {
    ask_at(world, client_id, name, kind, T0).await
}

async fn ask_at(world: &World, client_id: &ClientId, name: &str, kind: Kind, now: Timestamp) -> SendDecision {
    let address = email("ada@example.com");
    let wanted = NewRequest {
        client_id,
        email: &address,
        kind,
        template: Some(Template::SignUp),
        state: Some("s-1"),
        magiclink_auth_uri: Some("https://app.test/enter"),
        lifetime: Duration::from_secs(300),
    };
    let challenge = challenge("271828", &format!("link-{name}"));
    let at = Stamp::new(&world.ids, now);
    world
        .tx(async |tx| passwordless::insert(tx, at, &world.key, &hash(name), (&wanted, &challenge)).await)
        .await
}

async fn guess(
    world: &World,
    client_id: &ClientId,
    request: &SecretHash,
    code: &str,
    now: Timestamp,
) -> Verification {
    let code = Secret::from_presented(code);
    world
        .tx(async |tx| passwordless::verify_code(tx, &world.key, (client_id, request), &code, now).await)
        .await
}

fn proven(verification: Verification) -> Request {
    match verification {
        Verification::Proven(request) => request,
        other => panic!("not proven: {other:?}"),
    }
}

#[tokio::test]
async fn a_code_proves_the_address_once_and_brings_back_what_was_said() {
    on_each_engine(async |world| {
        let client_id = client(world).await;
        ask(world, &client_id, "r", Kind::LinkOtp).await;
        let request = proven(guess(world, &client_id, &hash("r"), "271828", T0).await);
        assert_eq!(request.email, email("ada@example.com"));
        assert_eq!(request.state.as_deref(), Some("s-1"));
        assert_eq!(request.template, Some(Template::SignUp));
        assert_eq!(request.expires_at, T0 + secs(300));
        assert_eq!(
            guess(world, &client_id, &hash("r"), "271828", T0).await,
            Verification::Over
        );
        let link = Secret::from_presented("link-r");
        let again = world
            .tx(async |tx| passwordless::verify_link(tx, &client_id, None, &link, T0).await)
            .await;
        assert_eq!(again, Verification::Over, "the link was of the same proof");
    })
    .await;
}

#[tokio::test]
async fn of_a_hundred_right_codes_at_once_one_proves() {
    on_each_engine(async |world| {
        let client_id = &client(world).await;
        ask(world, client_id, "r", Kind::Otp).await;
        let outcomes = race(100, |_| {
            world.db.tx(async |tx| {
                let code = Secret::from_presented("271828");
                passwordless::verify_code(tx, &world.key, (client_id, &hash("r")), &code, T0).await
            })
        })
        .await;
        let proven = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Verification::Proven(_)))
            .count();
        let over = outcomes
            .iter()
            .filter(|outcome| **outcome == Verification::Over)
            .count();
        assert_eq!((proven, over), (1, 99));
    })
    .await;
}

#[tokio::test]
async fn of_a_hundred_guesses_at_once_five_are_looked_at() {
    on_each_engine(async |world| {
        let client_id = &client(world).await;
        ask(world, client_id, "r", Kind::Otp).await;
        let outcomes = race(100, |number| {
            world.db.tx(async move |tx| {
                let code = Secret::from_presented(format!("{number:06}"));
                passwordless::verify_code(tx, &world.key, (client_id, &hash("r")), &code, T0).await
            })
        })
        .await;
        let wrong = outcomes
            .iter()
            .filter(|outcome| **outcome == Verification::Wrong)
            .count();
        let refused = outcomes
            .iter()
            .filter(|outcome| **outcome == Verification::TooManyTries)
            .count();
        assert_eq!(i64::try_from(wrong), Ok(MAX_TRIES));
        assert_eq!(wrong + refused, 100);
        // The right one is too late as well.
        assert_eq!(
            guess(world, client_id, &hash("r"), "271828", T0).await,
            Verification::TooManyTries
        );
    })
    .await;
}

#[tokio::test]
async fn guesses_are_allowed_again_in_the_next_window() {
    on_each_engine(async |world| {
        let client_id = client(world).await;
        let address = email("ada@example.com");
        let wanted = NewRequest {
            client_id: &client_id,
            email: &address,
            kind: Kind::Otp,
            template: None,
            state: None,
            magiclink_auth_uri: None,
            lifetime: Duration::from_secs(3600),
        };
        let challenge = challenge("271828", "l");
        world
            .tx(async |tx| {
                passwordless::insert(tx, world.start(), &world.key, &hash("r"), (&wanted, &challenge)).await
            })
            .await;
        for _ in 0..MAX_TRIES {
            assert_eq!(
                guess(world, &client_id, &hash("r"), "1", T0).await,
                Verification::Wrong
            );
        }
        let almost = T0 + WINDOW - secs(1);
        let refused = guess(world, &client_id, &hash("r"), "271828", almost).await;
        assert_eq!(refused, Verification::TooManyTries);
        proven(guess(world, &client_id, &hash("r"), "271828", T0 + WINDOW).await);
    })
    .await;
}

#[tokio::test]
async fn a_code_expires_and_is_of_its_client_and_its_request() {
    on_each_engine(async |world| {
        let (client_id, other) = (client(world).await, client(world).await);
        ask(world, &client_id, "r", Kind::Otp).await;
        ask(world, &client_id, "q", Kind::Link).await;
        for (client_id, request, code, now, outcome) in [
            (&other, "r", "271828", T0, Verification::Unknown),
            (&client_id, "x", "271828", T0, Verification::Unknown),
            (&client_id, "q", "271828", T0, Verification::Wrong),
            (&client_id, "r", "271828", T0 + secs(300), Verification::Over),
        ] {
            assert_eq!(guess(world, client_id, &hash(request), code, now).await, outcome);
        }
        proven(guess(world, &client_id, &hash("r"), "271828", T0 + secs(299)).await);
    })
    .await;
}

#[tokio::test]
async fn a_link_proves_once_where_a_link_was_sent() {
    on_each_engine(async |world| {
        let (client_id, other) = (client(world).await, client(world).await);
        ask(world, &client_id, "r", Kind::LinkOtp).await;
        ask(world, &client_id, "o", Kind::Otp).await;
        let present = async |client_id: &ClientId, request: Option<SecretHash>, link: &str| {
            let link = Secret::from_presented(link);
            world
                .tx(async |tx| passwordless::verify_link(tx, client_id, request.as_ref(), &link, T0).await)
                .await
        };
        for (client_id, request, link) in [
            (&other, None, "link-r"),
            (&client_id, Some(hash("o")), "link-r"),
            (&client_id, None, "link-x"),
            // Its mail contained only a code.
            (&client_id, None, "link-o"),
        ] {
            assert_eq!(present(client_id, request, link).await, Verification::Unknown);
        }
        proven(present(&client_id, Some(hash("r")), "link-r").await);
        assert_eq!(present(&client_id, None, "link-r").await, Verification::Over);
    })
    .await;
}

#[tokio::test]
async fn another_mail_replaces_the_code_and_keeps_the_count_of_guesses() {
    on_each_engine(async |world| {
        let (client_id, other) = (client(world).await, client(world).await);
        ask(world, &client_id, "r", Kind::LinkOtp).await;
        for _ in 0..MAX_TRIES - 1 {
            guess(world, &client_id, &hash("r"), "000000", T0).await;
        }
        let renew = async |client_id: &ClientId, code: &str, seconds: u64| {
            let (challenge, request) = (challenge(code, code), hash("r"));
            let at = world.after(seconds);
            world
                .tx(async |tx| {
                    passwordless::renew(tx, at, &world.key, (client_id, &request), &challenge).await
                })
                .await
        };
        assert_eq!(renew(&other, "314159", 10).await, SendDecision::Unknown);
        let SendDecision::Allowed(renewed) = renew(&client_id, "314159", 10).await else {
            panic!("it is renewed");
        };
        assert_eq!(renewed.expires_at, T0 + secs(310));
        assert_eq!(
            renewed.magiclink_auth_uri.as_deref(),
            Some("https://app.test/enter")
        );
        let old = guess(world, &client_id, &hash("r"), "271828", T0 + secs(11)).await;
        assert_eq!(old, Verification::Wrong, "the first code is gone");
        let new = guess(world, &client_id, &hash("r"), "314159", T0 + secs(11)).await;
        assert_eq!(new, Verification::TooManyTries, "a new mail buys no new guesses");
        assert_eq!(renew(&client_id, "1", 400).await, SendDecision::Over);
    })
    .await;
}

#[tokio::test]
async fn an_address_gets_so_many_mails_in_a_window_and_no_more() {
    on_each_engine(async |world| {
        let (client_id, other) = (client(world).await, client(world).await);
        for number in 0..MAX_SENDS_TO_ADDRESS {
            let sent = ask(world, &client_id, &format!("r{number}"), Kind::Otp).await;
            assert!(matches!(sent, SendDecision::Allowed(_)));
        }
        assert_eq!(
            ask(world, &other, "one more", Kind::Otp).await,
            SendDecision::AddressLimit
        );
        let (challenge, request) = (challenge("1", "1"), hash("r0"));
        let renewed = world
            .tx(async |tx| {
                passwordless::renew(tx, world.start(), &world.key, (&client_id, &request), &challenge).await
            })
            .await;
        assert_eq!(renewed, SendDecision::AddressLimit);
        let later = ask_at(world, &client_id, "later", Kind::Otp, T0 + WINDOW).await;
        assert!(matches!(later, SendDecision::Allowed(_)));
    })
    .await;
}

#[tokio::test]
async fn a_copy_of_the_database_tells_no_code() {
    on_each_engine(async |world| {
        let client_id = client(world).await;
        ask(world, &client_id, "r", Kind::Otp).await;
        let row = world
            .tx(async |tx| {
                Ok(tx
                    .opt("SELECT code_mac, request_hash FROM passwordless_requests", &[])
                    .await?)
            })
            .await
            .unwrap();
        let (mac, request): (Vec<u8>, Vec<u8>) = (row.get(0).unwrap(), row.get(1).unwrap());
        for guess in [b"271828".to_vec(), [request, b"271828".to_vec()].concat()] {
            assert_ne!(mac, SecretHash::of(&guess).as_bytes());
        }
    })
    .await;
}

/// Presents a wrong code of a new request, one window after the last.
async fn fail_over_a_day(world: &World, client_id: &ClientId, failures: i64) -> Timestamp {
    let mut now = T0;
    for number in 0..failures {
        now = T0 + WINDOW * u32::try_from(number).unwrap();
        let name = format!("day-{number}");
        ask_at(world, client_id, &name, Kind::LinkOtp, now).await;
        let outcome = guess(world, client_id, &hash(&name), "000000", now).await;
        assert_eq!(outcome, Verification::Wrong, "{number}");
    }
    now
}

/// NIST SP 800-63B §3.2.2: a limit for each request alone would be no limit over time.
#[tokio::test]
async fn guesses_over_a_day_and_many_requests_end_and_the_link_stays() {
    on_each_engine(async |world| {
        let client_id = client(world).await;
        let now = fail_over_a_day(world, &client_id, MAX_FAILURES).await;
        // Neither the right code of a request that is open already,
        let right = guess(world, &client_id, &hash("day-19"), "271828", now).await;
        assert_eq!(right, Verification::TooManyFailures);
        // nor a new one: the mail contains only the link, or is not sent.
        let sending = ask_at(world, &client_id, "link", Kind::LinkOtp, now).await;
        let SendDecision::Allowed(request) = sending else {
            panic!("{sending:?}")
        };
        assert_eq!(request.kind, Kind::Link);
        let sending = ask_at(world, &client_id, "code", Kind::Otp, now).await;
        assert_eq!(sending, SendDecision::NoMoreCodes);
        let token = Secret::from_presented("link-link");
        let by_link = world
            .tx(async |tx| passwordless::verify_link(tx, &client_id, None, &token, now).await)
            .await;
        proven(by_link);

        // Another application's codes work as before.
        let other = world.client(ClientKind::WebApp).await.id;
        ask_at(world, &other, "other", Kind::Otp, now).await;
        proven(guess(world, &other, &hash("other"), "271828", now).await);

        // The day began with the first wrong code, and refused ones do not prolong it.
        let tomorrow = T0 + DAY;
        ask_at(world, &client_id, "tomorrow", Kind::Otp, tomorrow).await;
        proven(guess(world, &client_id, &hash("tomorrow"), "271828", tomorrow).await);
    })
    .await;
}

#[tokio::test]
async fn of_many_guesses_at_once_no_more_than_those_left_of_the_day_are_looked_at() {
    on_each_engine(async |world| {
        let client_id = &client(world).await;
        let now = fail_over_a_day(world, client_id, MAX_FAILURES - 2).await + WINDOW;
        for number in 0..4 {
            ask_at(world, client_id, &format!("race-{number}"), Kind::Otp, now).await;
        }
        let outcomes = race(40, |number| {
            world.db.tx(async move |tx| {
                let (code, request) = (
                    Secret::from_presented(format!("{number:06}")),
                    hash(&format!("race-{}", number % 4)),
                );
                passwordless::verify_code(tx, &world.key, (client_id, &request), &code, now).await
            })
        })
        .await;
        let wrong = outcomes.iter().filter(|outcome| **outcome == Verification::Wrong);
        assert_eq!(wrong.count(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_right_code_is_no_failure() {
    on_each_engine(async |world| {
        let client_id = client(world).await;
        for number in 0..u32::try_from(MAX_FAILURES).unwrap() + 2 {
            let (name, now) = (format!("r-{number}"), T0 + WINDOW * number);
            ask_at(world, &client_id, &name, Kind::Otp, now).await;
            proven(guess(world, &client_id, &hash(&name), "271828", now).await);
        }
    })
    .await;
}
