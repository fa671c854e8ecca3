//! A flood of strangers leaves little, for a short time, and other people can sign in
//! meanwhile.
//!
//! The short form is part of every run. The ten minutes are for a quiet machine:
//! `cargo test --package genkan --test it --release -- --ignored --nocapture ten_minutes_of_strangers`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use genkan::budget::Policy;
use genkan_db::p;
use genkan_testkit::{Gateway, Rp};

/// The defaults of the configuration.
const DEFAULTS: Policy = Policy {
    per_minute: 6_000,
    wrong_credentials_per_minute: 600,
    failed_answers_per_minute: 60,
};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Rows that strangers can cause.
const TABLES: [(&str, &str); 8] = [
    ("interactions", "SELECT COUNT(*) FROM interactions"),
    ("upstream_requests", "SELECT COUNT(*) FROM upstream_requests"),
    ("parked_answers", "SELECT COUNT(*) FROM parked_answers"),
    ("connection_tests", "SELECT COUNT(*) FROM connection_tests"),
    ("anonymous_slices", "SELECT COUNT(*) FROM anonymous_slices"),
    ("auth_logs", "SELECT COUNT(*) FROM auth_logs"),
    ("login_traces", "SELECT COUNT(*) FROM login_traces"),
    ("events", "SELECT COUNT(*) FROM events"),
];

type Rows = Vec<(&'static str, i64)>;

async fn rows(gateway: &Gateway) -> Rows {
    let mut counts = Vec::new();
    for (table, sql) in TABLES {
        let count = gateway
            .tx(async |tx| Ok(tx.opt(sql, p![]).await?.unwrap().get(0)?))
            .await;
        counts.push((table, count));
    }
    counts
}

/// What the strangers saw.
#[derive(Debug, Default)]
struct Seen {
    stop: AtomicBool,
    answered: AtomicU64,
    refused: AtomicU64,
}

/// A stranger at an address of their own, who asks for everything in turn.
async fn stranger(base: String, paths: Arc<Vec<String>>, posts: Arc<Vec<(String, String)>>, seen: Arc<Seen>) {
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .local_address(std::net::IpAddr::from([127, 0, 0, 2]))
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    let count = |status: u16| match status {
        429 => seen.refused.fetch_add(1, Ordering::Relaxed),
        _ => seen.answered.fetch_add(1, Ordering::Relaxed),
    };
    while !seen.stop.load(Ordering::Relaxed) {
        for path in &*paths {
            let Ok(reply) = http.get(format!("{base}{path}")).send().await else {
                continue;
            };
            count(reply.status().as_u16());
            // Follows once with the cookie, as far as the provider and back again.
            let cookie = reply
                .headers()
                .get("set-cookie")
                .and_then(|cookie| Some(cookie.to_str().ok()?.split(';').next()?.to_owned()));
            let location = reply.headers().get("location").and_then(|to| to.to_str().ok());
            let (Some(cookie), Some(location)) = (cookie, location.filter(|to| to.starts_with("/login/")))
            else {
                continue;
            };
            let next = http.get(format!("{base}{location}")).header("cookie", &cookie);
            let Ok(next) = next.send().await else { continue };
            count(next.status().as_u16());
            let away = next.headers().get("location").and_then(|to| to.to_str().ok());
            let state = away.and_then(|away| away.split("state=").nth(1)?.split('&').next());
            let connection = path
                .split("connection_id=")
                .nth(1)
                .and_then(|rest| rest.split('&').next());
            if let (Some(state), Some(connection)) = (state, connection) {
                let back = format!("{base}/sso/v1/oidc/{connection}/callback?error=x&state={state}");
                if let Ok(back) = http.get(back).header("cookie", &cookie).send().await {
                    count(back.status().as_u16());
                }
            }
        }
        for (path, form) in &*posts {
            let call = http
                .post(format!("{base}{path}"))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.clone());
            if let Ok(reply) = call.send().await {
                count(reply.status().as_u16());
            }
        }
    }
}

async fn sign_in(gateway: &Gateway, rp: &Rp, n: usize) -> Duration {
    let started = Instant::now();
    let person = format!("ada{}@acme.test", n % 20);
    let code = gateway.browser().sign_in(rp, person.as_str()).await;
    rp.redeem(&code).await.expect_tokens();
    started.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[expect(clippy::print_stdout, reason = "the figures are for people: bench/README.md")]
async fn flood(lasting: Duration) {
    let gateway = Gateway::setup().anonymous(DEFAULTS).start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut idle = Vec::new();
    for n in 0..20 {
        idle.push(sign_in(&gateway, &rp, n).await);
    }
    let idle = median(idle);
    let before = rows(&gateway).await;

    let port = gateway.url().rsplit(':').next().unwrap();
    let base = format!("http://127.0.0.1:{port}");
    let connection = acme.connection_id();
    let path = |url: String| url.strip_prefix(gateway.url()).unwrap().to_owned();
    let big = rp.authorize().with("state", "x".repeat(2_000));
    let paths = Arc::new(vec![
        path(big.url()),
        path(rp.authorize().with("connection_id", connection.as_str()).url()),
        path(rp.authorize().with("redirect_uri", "https://evil.test/").url()),
        path(rp.authorize().with("client_id", "skc_1").url()),
        format!("/sso/v1/oidc/{connection}/test"),
        format!("/sso/v1/oidc/{connection}/init?iss=x"),
        "/invitations/nobodys".to_owned(),
        "/magicLink/nobodys".to_owned(),
        "/oidc/logout".to_owned(),
    ]);
    let wrong = format!(
        "grant_type=client_credentials&client_id={}&client_secret=wrong",
        rp.id
    );
    let posts = Arc::new(vec![
        ("/oauth/token".to_owned(), wrong.clone()),
        ("/oauth/introspect".to_owned(), wrong),
        ("/login/lri_1".to_owned(), "email=ceo%40acme.test".to_owned()),
    ]);
    let seen = Arc::new(Seen::default());
    let strangers: Vec<_> = (0..4)
        .map(|_| tokio::spawn(stranger(base.clone(), paths.clone(), posts.clone(), seen.clone())))
        .collect();

    let (started, mut beside) = (Instant::now(), Vec::new());
    while started.elapsed() < lasting {
        beside.push(sign_in(&gateway, &rp, beside.len()).await);
        // Ordinary people: they stay within what one address may.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    seen.stop.store(true, Ordering::Relaxed);
    for stranger in strangers {
        stranger.await.unwrap();
    }
    let (answered, refused) = (
        seen.answered.load(Ordering::Relaxed),
        seen.refused.load(Ordering::Relaxed),
    );
    let (people, beside) = (beside.len(), median(beside));
    let during = rows(&gateway).await;
    genkan::jobs::write_tally(gateway.app()).await;
    gateway.clock().advance(HOUR + Duration::from_secs(1));
    gateway.sweep().await;
    let after = rows(&gateway).await;
    println!(
        "strangers: {answered} answered, {refused} refused in {:?}",
        started.elapsed()
    );
    println!("sign-ins beside them: {people}, median {beside:?}, without them {idle:?}");
    println!("rows before {before:?}\nafter the flood {during:?}\nan hour later {after:?}");

    assert!(refused > 0, "it was no flood");
    // No test of the machine: only that nobody is kept waiting for the flood to end.
    assert!(
        beside < idle * 20 + Duration::from_secs(2),
        "{beside:?}, {idle:?} without a flood"
    );
    hold_bounds(before, after, people, answered);
}

/// What may be there an hour later, after so many sign-ins and so many answers to strangers.
fn hold_bounds(before: Rows, after: Rows, people: usize, answered: u64) {
    let people = i64::try_from(people).unwrap();
    for ((table, after), (_, before)) in after.into_iter().zip(before) {
        let more = after - before;
        let most = match table {
            "interactions" | "upstream_requests" | "parked_answers" | "connection_tests"
            | "anonymous_slices" => 0,
            // Each sign-in has one, and one in a hundred of those that came back with nothing.
            "auth_logs" => people + 10 + i64::try_from(answered / 100).unwrap(),
            "login_traces" => 10 + i64::try_from(answered / 100).unwrap(),
            // A sign-in has a few; the strangers one for what they tried, and one with a count.
            "events" => people * 10 + 20,
            _ => unreachable!("{table}"),
        };
        assert!(more <= most, "{table}: {more} more rows, at most {most}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_seconds_of_strangers() {
    flood(Duration::from_secs(20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "for a quiet machine, by hand: figures for bench/README.md"]
async fn ten_minutes_of_strangers() {
    flood(Duration::from_secs(600)).await;
}
