//! Trying a connection without signing anybody in.
//!
//! Source: `docs/decisions/connections.md`, "The client secret".

use std::time::Duration;

use genkan::simulator::Fault;
use genkan_db::p;
use genkan_protocol::EmailAddress;
use genkan_store::Provider;
use genkan_store::admission::Refusal;
use genkan_store::connection_test::{self, Status};
use genkan_store::organization::user_limit;
use genkan_store::user::{self, User};
use genkan_store::{ConnectionTestId, TraceId, UserId, membership};
use genkan_testkit::{Gateway, Organization, Page, Person};
use insta::assert_snapshot;
use serde_json::json;

async fn test(gateway: &Gateway, organization: &Organization, person: impl Into<Person>) -> Page {
    let mut browser = gateway.browser();
    let arrival = browser.begin_test(organization).await;
    let page = browser.go_on(arrival, person).await.page();
    assert!(
        browser.cookies.get("genkan_session").is_none(),
        "nobody is signed in"
    );
    page
}

#[tokio::test]
async fn a_test_shows_every_check_and_what_is_made_of_the_claims() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_claims_named().await;
    let person = Person::new("ada@acme.test")
        .with_roles("admin")
        .with_claims(&json!({ "sub": "ada-1" }));
    let page = test(&gateway, &acme, &person).await;
    assert_eq!(page.reply.status, 200);
    let text = page
        .html
        .text()
        .replace(gateway.idp().await.issuer(), "https://idp.test/simulator");
    let (checks, claims) = text.split_once("What the identity provider sent").unwrap();
    assert_snapshot!(redact(checks.trim_end()), @r#"
    Genkan Connection test
    The company’s sign-in works
    The identity provider answered and every check passed. This was a test: nobody was signed in.
    Provider
    CUSTOM
    Reference
    test_<id>
    Test again
    Checks
    ✓ State known, unused, from this browser
    ✓ Provider metadata https://idp.test/simulator
    ✓ Answering provider https://idp.test/simulator
    ✓ Authorization response a code
    ✓ Code exchange tokens received
    ✓ ID token signature RS256 by key idp-1
    ✓ Issuer https://idp.test/simulator
    ✓ Audience genkan-at-acme
    ✓ Authorized party
    ✓ Expiry 2026-06-01T12:05:00Z, in 5 minutes
    ✓ Time of issue 2026-06-01T12:00:00Z, now
    ✓ Not before
    ✓ Nonce
    ✓ Access token hash
    ✓ Time of authentication 2026-06-01T12:00:00Z, now
    ✓ Subject ada-1
    ✓ Userinfo same subject
    ✓ E-mail address ada@acme.test
    ✓ Groups none: there is no claim groups
    ✓ Roles 1 in the claim roles
    ✓ Account ada@acme.test would be signed in, and be new here
    "#);
    for claim in [
        "sub becomes the subject ada-1",
        "email becomes the e-mail ada@acme.test",
        "given_name becomes the given name Ada",
        "roles becomes the roles [\"admin\"]",
        "email_verified not used true",
    ] {
        assert!(claims.contains(claim), "{claim} in {claims}");
    }
    assert!(
        !gateway
            .events()
            .await
            .iter()
            .any(|kind| kind.starts_with("user."))
    );
}

/// Testing comes before enabling.
#[tokio::test]
async fn a_disabled_connection_can_be_tested() {
    let gateway = Gateway::start().await;
    let acme = gateway
        .organization("acme.test")
        .with_connection(|connection| connection.enabled = false)
        .await;
    let page = test(&gateway, &acme, "ada@acme.test").await;
    assert_eq!(page.heading(), "The company’s sign-in works");
    // An address of another domain would not sign in, and what came is shown all the same.
    let page = test(&gateway, &acme, "ada@elsewhere.test").await;
    let shown = page.html.text();
    assert!(shown.contains("a domain that is not your company’s"), "{shown}");
    assert!(
        shown.contains("email becomes the e-mail ada@elsewhere.test"),
        "{shown}"
    );
}

/// What both say of one person: the cause, the sentence and the remedy.
async fn verdicts(gateway: &Gateway, organization: &Organization, person: &Person) -> [[String; 3]; 2] {
    let page = test(gateway, organization, person).await;
    let shown = page.html.text();
    let tried = gateway.login_trace().await;
    let rp = gateway.client("rp").await;
    let request = rp
        .authorize()
        .with("connection_id", organization.connection_id().as_str());
    let mut browser = gateway.browser();
    let arrival = browser.start(&request).await;
    let refused = browser.go_on(arrival, person).await.page();
    let signed_in = gateway.login_trace().await;
    assert_ne!(tried.id, signed_in.id);
    let sentence = |text: &str| {
        let known = text
            .lines()
            .find(|line| refused.html.text().contains(line) && line.len() > 25);
        known.unwrap_or_default().to_owned()
    };
    assert!(shown.contains(&tried.remedy), "{} in {shown}", tried.remedy);
    [
        [tried.cause, sentence(&shown), tried.remedy],
        [signed_in.cause, sentence(&refused.html.text()), signed_in.remedy],
    ]
}

/// Why somebody is not let in by a company's own connection.
fn refusals() -> [Refusal; 8] {
    [
        Refusal::EmailNotTrusted,
        Refusal::HostedDomainForeign,
        Refusal::DomainNotProved,
        Refusal::SubjectChanged { known: Vec::new() },
        Refusal::EmailNotVerified,
        Refusal::NotProvisioned,
        Refusal::Disabled,
        Refusal::OrganizationFull,
    ]
}

/// A test refuses for the same reason as a sign-in: else it would say that
/// everything works where nobody comes in.
#[tokio::test]
async fn a_test_says_of_everybody_what_a_sign_in_says() {
    let gateway = Gateway::start().await;
    let mut causes = std::collections::BTreeSet::new();
    for (number, kind) in refusals().into_iter().enumerate() {
        let domain = format!("acme-{number}.test");
        let address = format!("ada@{domain}");
        let hosted = matches!(kind, Refusal::HostedDomainForeign);
        let closed = matches!(kind, Refusal::NotProvisioned);
        let company = gateway
            .organization(&domain)
            .with_connection(move |connection| {
                connection.jit_provisioning = !closed;
                if hosted {
                    connection.provider = Provider::Google;
                    connection.settings.as_oidc_mut().unwrap().check_hosted_domain = Some(true);
                }
            })
            .await;
        let at = gateway.at();
        let mut person = Person::new(&address).with_claims(&json!({ "sub": format!("s-{number}") }));
        // Everything that stands in the way of this one; a new refusal needs a line here.
        match &kind {
            Refusal::EmailNotTrusted => {
                person = Person::new("ada@elsewhere.test").with_claims(&json!({ "sub": "s-0" }));
            }
            Refusal::HostedDomainForeign | Refusal::NotProvisioned => {}
            Refusal::EmailNotVerified => person = person.unverified(),
            Refusal::DomainNotProved => {
                let elsewhere = gateway.organization("elsewhere-too.test").await;
                let user = user(&gateway, &address).await;
                gateway
                    .tx(async |tx| membership::insert(tx, at, &elsewhere.id, &user).await)
                    .await;
            }
            Refusal::SubjectChanged { .. } => {
                let before = Person::new(&address).with_claims(&json!({ "sub": "before" }));
                let rp = gateway.client("before").await;
                gateway.browser().sign_in(&rp, &before).await;
            }
            Refusal::Disabled => {
                let user = user(&gateway, &address).await;
                gateway
                    .tx(async |tx| {
                        membership::insert(tx, at, &company.id, &user).await?;
                        membership::set_active(tx, at, &company.id, &user, false).await
                    })
                    .await;
            }
            Refusal::OrganizationFull => {
                gateway
                    .tx(async |tx| user_limit::set(tx, at, &company.id, Some(0)).await)
                    .await;
            }
            Refusal::EmailMissing
            | Refusal::ConnectionNotActive
            | Refusal::LedElsewhere { .. }
            | Refusal::NoWayIn => unreachable!("not in the list"),
        }
        let before = gateway.events().await;
        let [tried, signed_in] = verdicts(&gateway, &company, &person).await;
        assert_eq!(tried, signed_in, "{kind:?}");
        let written: Vec<_> = gateway.events().await.split_off(before.len());
        assert!(
            written
                .iter()
                .all(|kind| kind == "login.failed" || kind.starts_with("client.")),
            "{written:?}"
        );
        causes.insert(tried[0].clone());
    }
    // Google's hd and a foreign domain are one cause.
    assert_eq!(causes.len(), 7, "{causes:?}");
}

async fn user(gateway: &Gateway, address: &str) -> UserId {
    let at = gateway.at();
    let user = User::new(at.id(), EmailAddress::parse(address).unwrap(), at.now);
    gateway.tx(async |tx| user::insert(tx, at, &user).await).await;
    user.id
}

#[tokio::test]
async fn a_failed_test_says_why_and_keeps_its_result() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let page = test(
        &gateway,
        &acme,
        &Person::new("ada@acme.test").with_fault(Fault::WrongAudience),
    )
    .await;
    let text = page.html.text();
    assert!(text.contains("Enter the client ID of the application"), "{text}");
    let trace = gateway.login_trace().await;
    assert_eq!(trace.cause, "id_token_audience_mismatch");
    let reference = text.lines().find(|line| line.starts_with("err_")).unwrap();
    assert_eq!(trace.id, TraceId::parse(reference).unwrap());
    assert_eq!(gateway.events().await.last().unwrap(), "login.failed");
}

#[tokio::test]
async fn whoever_asked_by_api_finds_the_result() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let page = test(&gateway, &acme, "ada@acme.test").await;
    let text = page.html.text();
    let id = text
        .lines()
        .find_map(|line| ConnectionTestId::parse(line).ok())
        .expect(&text);
    let result = gateway
        .tx(async |tx| connection_test::find(tx, acme.connection_id(), &id).await)
        .await
        .unwrap();
    assert_eq!(result.status, Status::Success);
    assert_eq!(result.user_info.unwrap()["email"], "ada@acme.test");
}

/// The address that the API shows for a connection.
fn bare(gateway: &Gateway, organization: &Organization) -> String {
    format!(
        "{}/sso/v1/oidc/{}/test",
        gateway.url(),
        organization.connection_id()
    )
}

/// How often the provider was sent the connection's secret is one more than how
/// often somebody came back from there; whoever begins no test goes nowhere.
#[tokio::test]
async fn nobody_begins_a_test_without_a_word_of_this_connection() {
    let gateway = Gateway::start().await;
    let acme = gateway
        .organization("acme.test")
        .with_connection(|connection| {
            connection.enabled = false;
            connection.name = "Not for everybody".to_owned();
        })
        .await;
    let other = gateway.organization("other.test").with_oidc_connection().await;
    let foreign = other
        .test_link()
        .await
        .replace(other.connection_id().as_str(), acme.connection_id().as_str());
    let bare = bare(&gateway, &acme);
    for url in [
        bare.clone(),
        format!("{bare}?word="),
        format!("{bare}?word=guess"),
        format!("{bare}?word=a&word=b"),
        foreign,
    ] {
        let mut browser = gateway.browser();
        let page = browser.open(&url).await.page();
        assert_eq!(page.reply.status, 403, "{url}");
        assert_eq!(page.heading(), "This test needs a link of its own", "{url}");
        let text = page.html.text();
        let command = format!("genkan connection test {}", acme.connection_id());
        assert!(text.contains(&command), "{text}");
        // Neither its name nor its provider is anybody's business.
        assert!(
            !text.contains("Not for everybody") && !text.contains("idp"),
            "{text}"
        );
        assert!(page.html.forms().is_empty());

        // Nor with the form of another link.
        let asked = browser.open(&acme.test_link().await).await.page();
        let csrf = asked.form().field("csrf").unwrap().to_owned();
        let posted = browser
            .post_from(gateway.url(), &url, &[("csrf", csrf.as_str())])
            .await
            .page();
        assert_eq!(posted.reply.status, 403, "{url}");
    }
    let tests: i64 = gateway
        .tx(async |tx| {
            let row = tx.opt("SELECT COUNT(*) FROM interactions", p![]).await?;
            Ok(row.unwrap().get(0)?)
        })
        .await;
    assert_eq!(tests, 0, "no test has begun");
}

#[tokio::test]
async fn the_link_of_a_test_counts_once_and_not_by_looking_at_it() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let link = acme.test_link().await;
    let mut browser = gateway.browser();
    // Previews and scanners look.
    for _ in 0..3 {
        let looked = gateway.browser().open(&link).await.page();
        assert_eq!(looked.reply.status, 200);
    }
    let page = browser.open(&link).await.page();
    let arrival = browser.submit(&page, &[]).await;
    let result = browser.go_on(arrival, "ada@acme.test").await.page();
    assert_eq!(result.heading(), "The company’s sign-in works");

    let again = browser.submit(&page, &[]).await.page();
    assert_eq!(again.reply.status, 403);
    assert!(
        again.html.text().contains("The link was used"),
        "{}",
        again.html.text()
    );
    let looked = browser.open(&link).await.page();
    assert_eq!(looked.heading(), "This test needs a link of its own");
}

#[tokio::test]
async fn the_link_of_a_test_ends_after_ten_minutes() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let link = acme.test_link().await;
    let mut browser = gateway.browser();
    let page = browser.open(&link).await.page();
    gateway.clock().advance(Duration::from_secs(600));
    let late = browser.submit(&page, &[]).await.page();
    assert_eq!(late.reply.status, 403);
    assert_eq!(browser.open(&link).await.page().reply.status, 403);
}

#[tokio::test]
async fn a_foreign_page_begins_no_test() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let link = acme.test_link().await;
    let mut browser = gateway.browser();
    browser.open(&link).await.page();
    let refused = browser
        .post_from("https://evil.test", &link, &[("csrf", "guess")])
        .await
        .page();
    assert_eq!(refused.reply.status, 403);
    // The word is unspent.
    let page = browser.open(&link).await.page();
    assert_eq!(page.heading(), "Try The company’s sign-in");
}

fn redact(text: &str) -> String {
    let word = |word: &str| match word.rsplit_once('_') {
        Some((prefix, digits)) if digits.len() == 21 => format!("{prefix}_<id>"),
        _ => word.to_owned(),
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
