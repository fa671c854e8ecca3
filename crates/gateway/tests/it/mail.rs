//! Mail goes out once, waits for a server that is away, and stays in the inbox in
//! development.
//!
//! Source: RFC 5321 §4.2.1 (what an answer means for the next try).

use std::time::Duration;

use genkan_db::p;
use genkan_protocol::EmailAddress;
use genkan_store::mail::{self, Letter, Mail};
use genkan_testkit::{Gateway, MailServer, on_each_engine_of};
use serde_json::Value;

/// Queues a mail as a service does, and wakes the delivery.
async fn write(gateway: &Gateway, application: &str) {
    let (at, key) = (gateway.at(), gateway.app().instance_key());
    let mail = Mail {
        to: EmailAddress::parse("ada@example.com").unwrap(),
        letter: Letter::SignInCode {
            application: application.to_owned(),
            is_sign_up: false,
            code: Some("271828".to_owned()),
            link: Some("https://notes.acme.test/?link_token=x".to_owned()),
            lifetime_secs: 300,
        },
        expires_at: at.now + Duration::from_mins(5),
    };
    gateway
        .tx(async |tx| mail::enqueue(tx, at, key, &mail).await)
        .await;
    gateway.app().wake_jobs();
}

/// The delivery works beside the test.
async fn until(holds: impl AsyncFn() -> bool) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never holds");
}

async fn count(gateway: &Gateway, sql: &'static str) -> i64 {
    let now = gateway.now().as_micros();
    let row = gateway.tx(async |tx| Ok(tx.opt(sql, p![now]).await?)).await;
    row.unwrap().get(0).unwrap()
}

async fn has_none_left(gateway: &Gateway) {
    until(async || count(gateway, "SELECT COUNT(*) FROM deliveries WHERE created_at <= $1").await == 0).await;
}

/// The server has refused it, and it rests.
async fn rests(gateway: &Gateway) {
    let sql = "SELECT COUNT(*) FROM deliveries WHERE attempts = 1 AND next_at = $1 + 5000000";
    until(async || count(gateway, sql).await == 1).await;
}

#[tokio::test]
async fn a_mail_goes_out_and_nothing_of_it_stays() {
    let server = MailServer::start().await;
    on_each_engine_of(
        || Gateway::setup().mailer(server.mailer()),
        async |gateway| {
            write(gateway, "Notes\r\nBcc: eve@evil.example").await;
            let mail = server.next().await;
            assert_eq!(mail.recipients, ["<ada@example.com>"]);
            for line in [
                "To: ada@example.com",
                "From: \"Acme Login\" <login@acme.test>",
                "Subject: 271828 is your code for Notes Bcc: eve evil example",
                "Auto-Submitted: auto-generated",
            ] {
                assert!(
                    mail.text.lines().any(|found| found == line),
                    "{line} in\n{}",
                    mail.text
                );
            }
            has_none_left(gateway).await;
            assert!(!server.has_next().await);
        },
    )
    .await;
}

#[tokio::test]
async fn many_mails_go_out_once_each_however_many_nodes_there_are() {
    let server = MailServer::start().await;
    on_each_engine_of(
        || Gateway::setup().mailer(server.mailer()),
        async |gateway| {
            gateway.add_node().await;
            gateway.add_node().await;
            for number in 0..25 {
                write(gateway, &format!("Notes {number}")).await;
            }
            let mut subjects = Vec::new();
            for _ in 0..25 {
                let mail = server.next().await;
                let subject = mail.text.lines().find(|line| line.starts_with("Subject:"));
                subjects.push(subject.unwrap().to_owned());
            }
            has_none_left(gateway).await;
            subjects.sort_unstable();
            subjects.dedup();
            assert_eq!(subjects.len(), 25);
            assert!(!server.has_next().await);
        },
    )
    .await;
}

#[tokio::test]
async fn a_mail_that_is_refused_for_now_goes_out_later() {
    let server = MailServer::start().await;
    let gateway = Gateway::setup().mailer(server.mailer()).start().await;
    for answer in ["451 4.3.0 later", "535 5.7.8 who are you"] {
        server.refuse_next(answer);
        write(&gateway, "Notes").await;
        rests(&gateway).await;
        assert!(!server.has_next().await, "{answer}");
        gateway.clock().advance(Duration::from_secs(6));
        gateway.app().wake_jobs();
        assert!(server.next().await.text.contains("271828"));
        has_none_left(&gateway).await;
    }
    let events = gateway.events().await;
    assert!(!events.iter().any(|event| event.contains("mail.")), "{events:?}");
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_given_up_and_the_event_names_nobody() {
    let server = MailServer::start().await;
    let gateway = Gateway::setup().mailer(server.mailer()).start().await;
    server.refuse_next("550 5.1.1 ada@example.com is unknown");
    write(&gateway, "Notes").await;
    has_none_left(&gateway).await;
    let events = gateway
        .tx(async |tx| {
            let filter = genkan_store::event::Filter::default();
            genkan_store::event::list(tx, &filter, &genkan_store::Page::first(9)).await
        })
        .await;
    let given_up: Vec<_> = events
        .iter()
        .filter(|event| event.kind.as_str() == "mail.given_up")
        .collect();
    assert_eq!(given_up.len(), 1);
    assert_eq!(given_up[0].data["reason"], "the mail server answered 550");
    assert!(!format!("{:?}", given_up[0].data).contains("ada@"));
}

#[tokio::test]
async fn a_mail_that_would_come_too_late_is_not_sent() {
    let server = MailServer::start().await;
    let gateway = Gateway::setup().mailer(server.mailer()).start().await;
    server.refuse_next("451 4.3.0 later");
    write(&gateway, "Notes").await;
    rests(&gateway).await;
    gateway.clock().advance(Duration::from_mins(6));
    gateway.app().wake_jobs();
    has_none_left(&gateway).await;
    assert!(!server.has_next().await);
}

#[tokio::test]
async fn a_development_instance_keeps_its_mail_in_an_inbox() {
    let gateway = Gateway::start().await;
    write(&gateway, "<code>").await;
    let mut browser = gateway.browser();

    let page = browser.open(&format!("{}/dev/mail", gateway.url())).await.page();
    assert!(
        page.html.text().contains("271828 is your code for <code>"),
        "{page:?}"
    );
    let mails: Value = gateway.get("/dev/mail").send().await.json();
    let mail = &mails["mails"][0];
    assert_eq!(mail["to"], "ada@example.com");
    assert_eq!(mail["kind"], "sign_in");

    let path = format!("/dev/mail/{}", mail["id"].as_str().unwrap());
    let page = browser.open(&format!("{}{path}", gateway.url())).await.page();
    assert!(page.html.text().contains("https://notes.acme.test/?link_token=x"));
    let html = gateway.get(&format!("{path}/html")).send().await;
    let written = html.text();
    assert!(
        written.contains(">271828</p>") && !written.contains("<code>"),
        "{written}"
    );
    let policy = html.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert_eq!(gateway.get("/dev/mail/mail_1").send().await.status, 404);
}

#[tokio::test]
async fn a_production_instance_has_no_inbox() {
    let gateway = Gateway::setup().production().https().start().await;
    assert_eq!(gateway.get("/dev/mail").send().await.status, 404);
}
