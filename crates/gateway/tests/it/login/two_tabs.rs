//! Two sign-ins that end in one browser at the same moment, neither with the cookie of the other.
//!
//! A browser that restores its tabs begins two, and a provider that knows the person answers both
//! in silence.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join;
use genkan_db::{Engine, p};
use genkan_testkit::{Arrival, Authorize, Browser, Gateway, Rp, on_each_engine};

/// Two tabs of one browser, each at the identity provider. They have the cookies of now.
async fn two_tabs(browser: &mut Browser, [one, two]: [&Authorize; 2]) -> [(Browser, Arrival); 2] {
    let (first, second) = (browser.start(one).await, browser.start(two).await);
    [(browser.clone(), first), (browser.clone(), second)]
}

/// Lets both come back at once, each as somebody.
async fn come_back(
    [(one, at_one), (two, at_two)]: [(Browser, Arrival); 2],
    people: [&str; 2],
) -> [(Browser, Arrival); 2] {
    let come = async |(mut tab, arrival): (Browser, Arrival), person: &str| {
        let arrival = tab.go_on(arrival, person).await;
        (tab, arrival)
    };
    let (one, two) = join(come((one, at_one), people[0]), come((two, at_two), people[1])).await;
    [one, two]
}

async fn lives(rp: &Rp, refresh_token: &str) -> bool {
    rp.refresh(refresh_token).await.status == 200
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_in_two_tabs_has_one_session_and_one_sign_out() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let (one, two) = (gateway.client("one").await, gateway.client("two").await);
        let [at_one, at_two] =
            [&one, &two].map(|rp| rp.authorize().with("organization_id", acme.id.as_str()));
        // With no session, and with one from before.
        for has_one in [false, true] {
            let mut browser = gateway.browser();
            let (again_one, again_two) = (
                at_one.clone().with("prompt", "login"),
                at_two.clone().with("prompt", "login"),
            );
            let mut requests = [&at_one, &at_two];
            if has_one {
                let code = browser.sign_in_with(&at_one, "ada@acme.test").await;
                let _ = one.redeem(&code).await.expect_tokens();
                requests = [&again_one, &again_two];
            }
            let tabs = two_tabs(&mut browser, requests).await;
            let [(_, first), (mut browser, second)] = come_back(tabs, ["ada@acme.test"; 2]).await;
            let first = requests[0].code(&first.callback().code());
            let second = requests[1].code(&second.callback().code());
            let first = one.redeem(&first).await.expect_tokens();
            let second = two.redeem(&second).await.expect_tokens();
            let sid = async |rp: &Rp, token: &str| rp.verify(token).await["sid"].clone();
            assert_eq!(
                sid(&one, first.id_token()).await,
                sid(&two, second.id_token()).await
            );

            let _ = browser
                .open(&two.logout_url(&[("id_token_hint", second.id_token())]))
                .await;
            assert!(!lives(&one, first.refresh_token()).await);
            assert!(!lives(&two, second.refresh_token()).await);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_people_in_two_tabs_the_second_is_asked() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let request = rp.authorize().with("organization_id", acme.id.as_str());
        for choice in ["switch", "stay"] {
            let mut browser = gateway.browser();
            let tabs = two_tabs(&mut browser, [&request, &request]).await;
            let people = ["ada@acme.test", "bob@acme.test"];
            let mut signed_in = None;
            let mut asked = None;
            for ((tab, arrival), person) in come_back(tabs, people).await.into_iter().zip(people) {
                match arrival {
                    Arrival::Application(callback) => signed_in = Some(callback),
                    Arrival::Page(page) => asked = Some((tab, page, person)),
                }
            }
            let tokens = rp
                .redeem(&request.code(&signed_in.expect("one is signed in").code()))
                .await
                .expect_tokens();
            // The other tab never got the cookie of the first; the page names both all the same.
            let (mut tab, page, arriving) = asked.expect("the other is asked");
            for person in people {
                assert!(page.html.text().contains(person), "{}", page.html.text());
            }
            let callback = tab.submit(&page, &[("choice", choice)]).await.callback();
            if choice == "stay" {
                assert_eq!(callback.error(), "access_denied");
                assert!(lives(&rp, tokens.refresh_token()).await);
                continue;
            }
            let switched = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
            assert_eq!(rp.verify(switched.id_token()).await["email"], arriving);
            assert!(
                !lives(&rp, tokens.refresh_token()).await,
                "the session of before has ended"
            );
        }
    })
    .await;
}

/// A browser that left before the answer came never got the cookie of its session.
#[tokio::test]
async fn a_session_whose_cookie_was_lost_goes_on_with_the_next_sign_in_and_ends_by_a_sign_out() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let request = rp.authorize().with("organization_id", acme.id.as_str());
        let mut browser = gateway.browser();
        let [lost, kept] = two_tabs(&mut browser, [&request, &request]).await;
        let mut tokens = Vec::new();
        for (mut tab, arrival) in [lost, kept] {
            let callback = tab.go_on(arrival, "ada@acme.test").await.callback();
            tokens.push(rp.redeem(&request.code(&callback.code())).await.expect_tokens());
        }
        // Without a cookie and without a hint the person is asked, as with a cookie.
        let page = browser.open(&rp.logout_url(&[])).await.page();
        assert!(page.html.text().contains("ada@acme.test"), "{}", page.html.text());
        let _ = browser.submit(&page, &[("choice", "sign_out")]).await;
        for tokens in tokens {
            assert!(!lives(&rp, tokens.refresh_token()).await);
        }
    })
    .await;
}

/// The end of all sessions of a person locks the person first, and then each session. So a sign-in that ends
/// a superfluous session of its browser must not hold that session while it waits for the person.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_locks_the_person_before_a_session_that_it_ends() {
    on_each_engine(async |gateway: &Gateway| {
        // On SQLite one transaction writes at a time.
        if gateway.engine() == Engine::Sqlite {
            return;
        }
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let request = rp.authorize().with("organization_id", acme.id.as_str());
        let (mut adas, mut bobs) = (gateway.browser(), gateway.browser());
        let _ = adas.sign_in_with(&request, "ada@acme.test").await;
        let _ = bobs.sign_in_with(&request, "bob@acme.test").await;
        // The browser of Bob's session, with the cookie of Ada's.
        bobs.cookies
            .plant(adas.cookies.get("genkan_session").unwrap().clone());
        let arrival = bobs.start(&request.clone().with("prompt", "login")).await;
        let page = bobs.go_on(arrival, "bob@acme.test").await.page();

        let holds = AtomicBool::new(false);
        let of_bob = "SELECT id FROM users WHERE email = 'bob@acme.test' FOR NO KEY UPDATE";
        let waiting = "SELECT COUNT(*) FROM pg_locks
             WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))";
        let ending = gateway.tx(async |tx| {
            let user_id: String = tx.opt(of_bob, p![]).await?.unwrap().get(0)?;
            holds.store(true, Ordering::SeqCst);
            let begun = Instant::now();
            while tx.opt(waiting, p![]).await?.unwrap().get::<i64>(0)? == 0 {
                assert!(begun.elapsed() < Duration::from_secs(20), "nobody waits for Bob");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tx.exec("SET LOCAL lock_timeout = '500ms'", p![]).await?;
            tx.exec(
                "UPDATE sessions SET ip = ip WHERE user_id = $1 AND status = 'active'",
                p![&user_id],
            )
            .await?;
            Ok(())
        });
        let switching = async {
            while !holds.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            bobs.submit(&page, &[("choice", "switch")]).await
        };
        let ((), arrival) = join(ending, switching).await;
        let tokens = rp
            .redeem(&request.code(&arrival.callback().code()))
            .await
            .expect_tokens();
        assert_eq!(rp.verify(tokens.id_token()).await["email"], "bob@acme.test");
        let active = gateway
            .tx(async |tx| {
                let row = tx
                    .opt("SELECT COUNT(*) FROM sessions WHERE status = 'active'", p![])
                    .await?;
                Ok(row.unwrap().get::<i64>(0)?)
            })
            .await;
        assert_eq!(active, 1);
    })
    .await;
}
