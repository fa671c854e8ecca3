//! The user that an assertion becomes.
//!
//! Source: `docs/decisions/account-linking.md`, `docs/decisions/claims.md`.

use std::time::Duration;

use genkan_db::p;
use genkan_protocol::saml::NameIdFormat;
use genkan_testkit::{Arrival, Browser, Gateway, Rp, on_each_engine};
use serde_json::{Value, json};

use super::provider::{Answer, ask, ask_with, cause, lead_there, world, world_with};

/// Signs in with a changed answer; the claims of the ID token, or why not.
async fn arrive(gateway: &Gateway, rp: &Rp, change: impl FnOnce(&mut Answer)) -> Result<Value, String> {
    let mut browser = gateway.browser();
    let request = rp.authorize().with("domain", "acme.test");
    let asked = ask_with(&mut browser, &request).await;
    let answer = asked.answer(gateway, "ada@acme.test").with(change);
    match answer.post(&mut browser, Some(&asked.relay_state)).await {
        Arrival::Application(callback) => {
            let tokens = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
            Ok(rp.verify(tokens.id_token()).await)
        }
        arrival @ Arrival::Page(_) => {
            assert!(browser.cookies.get("genkan_session").is_none());
            Err(cause(gateway, arrival).await)
        }
    }
}

fn set(answer: &mut Answer, attributes: &[(&str, &[&str])]) {
    answer.attributes = attributes
        .iter()
        .map(|(name, values)| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            ((*name).to_owned(), values)
        })
        .collect();
}

#[tokio::test]
async fn a_provider_speaks_for_its_own_domains_only() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        gateway
            .organization("beta.test")
            .with_connection(|connection| lead_there(connection, |_| {}))
            .await;
        let ada = arrive(gateway, &rp, |_| {}).await.unwrap();
        for email in [
            "bob@beta.test",
            "bob@nobody.test",
            "bob@sub.acme.test",
            "bob@acme.test.evil.test",
        ] {
            let outcome = arrive(gateway, &rp, |answer| {
                set(answer, &[("email", &[email])]);
                answer.name_id = (email.to_owned(), NameIdFormat::Persistent);
            })
            .await;
            assert_eq!(outcome, Err("email_domain_not_trusted".to_owned()), "{email}");
        }
        let unverified = arrive(gateway, &rp, |answer| {
            set(
                answer,
                &[("email", &["new@acme.test"]), ("email_verified", &["false"])],
            );
            answer.name_id = ("new".to_owned(), NameIdFormat::Persistent);
        })
        .await;
        assert_eq!(unverified, Err("email_not_verified".to_owned()));
        // A known address with another NameID.
        let changed = arrive(gateway, &rp, |answer| {
            answer.name_id = ("somebody-else".to_owned(), NameIdFormat::Persistent);
        })
        .await;
        assert_eq!(changed, Err("subject_changed".to_owned()));
        let again = arrive(gateway, &rp, |_| {}).await.unwrap();
        assert_eq!(again["sub"], ada["sub"]);
    })
    .await;
}

#[tokio::test]
async fn an_address_as_name_id_is_compared_as_addresses_are() {
    let gateway = Gateway::start().await;
    let (_, rp) = world(&gateway).await;
    let mut subjects = Vec::new();
    for spelled in ["ada@acme.test", "Ada@Acme.Test", "ADA@ACME.TEST"] {
        let claims = arrive(&gateway, &rp, |answer| {
            answer.name_id = (spelled.to_owned(), NameIdFormat::Email);
            answer.attributes.clear();
        })
        .await
        .unwrap();
        assert_eq!(claims["email"], json!("ada@acme.test"));
        subjects.push(claims["sub"].clone());
    }
    assert!(subjects.iter().all(|subject| *subject == subjects[0]));
    // Any other format is an identifier, and case is part of it.
    let outcome = arrive(&gateway, &rp, |answer| {
        answer.name_id = ("ADA@ACME.TEST".to_owned(), NameIdFormat::Persistent);
    })
    .await;
    assert_eq!(outcome, Err("subject_changed".to_owned()));
}

/// A person who may choose a user name at the provider must not become a colleague by one that looks alike.
#[tokio::test]
async fn names_that_look_alike_are_two_people() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let named = async |name: &str, email: &str| {
            arrive(gateway, &rp, |answer| {
                answer.name_id = (name.to_owned(), NameIdFormat::Email);
                set(answer, &[("email", &[email])]);
            })
            .await
        };
        let kate = named("kate@acme.test", "kate@acme.test").await.unwrap();
        // The Kelvin sign, whose lower case is a k, and a letter of full width, of which IDNA makes an a.
        for (name, email) in [
            ("\u{212a}ate@acme.test", "eve@acme.test"),
            ("kate@\u{ff41}cme.test", "mallory@acme.test"),
        ] {
            let other = named(name, email).await.unwrap();
            assert_ne!(other["sub"], kate["sub"], "{name}");
        }
        for invisible in [
            "\u{200b}", "\u{ad}", "\u{2060}", "\u{feff}", "\u{202e}", "\u{fe0f}",
        ] {
            let name = format!("kate@acme.test{invisible}");
            assert_eq!(
                named(&name, "trudy@acme.test").await,
                Err("name_id_malformed".to_owned()),
                "{name:?}"
            );
        }
        let again = named("KATE@Acme.Test", "kate@acme.test").await.unwrap();
        assert_eq!(again["sub"], kate["sub"]);
        assert_eq!(again["email"], "kate@acme.test");
    })
    .await;
}

#[tokio::test]
async fn attributes_are_found_under_the_names_of_products() {
    let gateway = Gateway::start().await;
    let (_, rp) = world(&gateway).await;
    let entra = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims";
    let names: &[(&str, &str, &str, &str)] = &[
        ("okta", "email", "firstName", "lastName"),
        ("ldap", "mail", "givenName", "sn"),
        (
            "oid",
            "urn:oid:0.9.2342.19200300.100.1.3",
            "urn:oid:2.5.4.42",
            "urn:oid:2.5.4.4",
        ),
        (
            "entra",
            &format!("{entra}/emailaddress"),
            &format!("{entra}/givenname"),
            &format!("{entra}/surname"),
        ),
        ("onelogin", "User.email", "User.FirstName", "User.LastName"),
    ];
    for (product, email, given, family) in names {
        let address = format!("{product}@acme.test");
        let claims = arrive(&gateway, &rp, |answer| {
            let upn = format!("{entra}/name");
            set(
                answer,
                &[
                    (email, &[&address]),
                    (given, &["Grace"]),
                    (family, &["Hopper"]),
                    (&upn, &["grace_gmail.com#EXT#@tenant.onmicrosoft.com"]),
                ],
            );
            answer.name_id = (address.clone(), NameIdFormat::Persistent);
        })
        .await
        .unwrap();
        assert_eq!(claims["email"], json!(address), "{product}");
        assert_eq!(claims["name"], json!("Grace Hopper"), "{product}");
    }
}

#[tokio::test]
async fn attributes_are_mapped_as_the_connection_says() {
    let gateway = Gateway::start().await;
    let acme = gateway
        .organization("acme.test")
        .with_connection(|connection| {
            lead_there(connection, |_| {});
            let mapping = &mut connection.settings.common.attribute_mapping;
            for (ours, theirs) in [("email", "work"), ("groups", "memberOf"), ("name", "NameID")] {
                mapping.insert(ours.to_owned(), theirs.to_owned());
            }
        })
        .await;
    let rp = gateway.client("rp").await;
    let claims = arrive(&gateway, &rp, |answer| {
        set(
            answer,
            &[
                ("work", &["ada@acme.test"]),
                // The default names do not count beside a mapping.
                ("email", &["private@example.com"]),
                ("memberOf", &["Engineering", "Everyone", "Engineering"]),
            ],
        );
    })
    .await
    .unwrap();
    assert_eq!(claims["email"], json!("ada@acme.test"));
    assert_eq!(claims["name"], json!("id-of-ada@acme.test"));
    assert_eq!(claims["groups"], json!(["Engineering", "Everyone"]));
    drop(acme);
}

#[tokio::test]
async fn sixty_four_kib_are_stored_of_a_person() {
    on_each_engine(async |gateway: &Gateway| {
        let (acme, rp) = world(gateway).await;
        let long = "x".repeat(100_000);
        let claims = arrive(gateway, &rp, |answer| {
            answer.attributes.push(("history".to_owned(), vec![long.clone()]));
        })
        .await
        .unwrap();
        assert_eq!(claims["email"], json!("ada@acme.test"));
        let stored = stored(gateway).await;
        assert_eq!(stored["firstName"], json!("Ada"));
        assert_eq!(stored.get("history"), None);
        // The page of a test shows why.
        let mut browser = gateway.browser();
        let asked = super::provider::read(browser.begin_test(&acme).await);
        let answer = asked.answer(gateway, "ada@acme.test").with(|answer| {
            answer.attributes.push(("history".to_owned(), vec![long]));
        });
        let page = answer.post(&mut browser, None).await.page();
        let shown = page.html.text();
        assert!(
            shown.contains("64 KiB of a person’s attributes, and not history."),
            "{shown}"
        );
    })
    .await;
}

/// The provider's statement about the one person.
async fn stored(gateway: &Gateway) -> Value {
    let text: String = gateway
        .tx(async |tx| {
            let row = tx.opt("SELECT attributes FROM identities", p![]).await?.unwrap();
            Ok(row.get(0)?)
        })
        .await;
    serde_json::from_str(&text).unwrap()
}

/// In many directories people choose the values of attributes themselves.
#[tokio::test]
async fn the_word_of_the_subject_names_no_attribute() {
    on_each_engine(async |gateway: &Gateway| {
        gateway
            .organization("acme.test")
            .with_connection(|connection| {
                lead_there(connection, |_| {});
                let mapping = &mut connection.settings.common.attribute_mapping;
                mapping.insert("email".to_owned(), "NameID".to_owned());
            })
            .await;
        let rp = gateway.client("rp").await;
        let claims = arrive(gateway, &rp, |answer| {
            answer.name_id = ("zoe@acme.test".to_owned(), NameIdFormat::Persistent);
            set(answer, &[("NameID", &["zed@acme.test"])]);
        })
        .await
        .unwrap();
        assert_eq!(claims["email"], json!("zoe@acme.test"));
        assert_eq!(stored(gateway).await, json!({"NameID": "zoe@acme.test"}));
    })
    .await;
}

#[tokio::test]
async fn an_assertion_without_one_address_says_what_came() {
    let gateway = Gateway::start().await;
    let (_, rp) = world(&gateway).await;
    let missing = arrive(&gateway, &rp, |answer| {
        set(answer, &[("department", &["R&amp;D"]), ("phone", &["1"])]);
    })
    .await;
    assert_eq!(missing, Err("mandatory_attribute_missing".to_owned()));
    let trace = gateway.login_trace().await;
    let failed = trace.trace.failure().unwrap();
    assert_eq!(
        failed.received.as_deref(),
        Some("not there; attributes: department, phone")
    );
    for (attributes, expected) in [
        (&[("email", &["no address"][..])][..], "email_malformed"),
        (
            &[("email", &["ada@acme.test", "boss@acme.test"][..])][..],
            "attribute_ambiguous",
        ),
        (
            &[
                ("email", &["ada@acme.test"][..]),
                ("mail", &["boss@acme.test"][..]),
            ][..],
            "attribute_ambiguous",
        ),
    ] {
        let outcome = arrive(&gateway, &rp, |answer| set(answer, attributes)).await;
        assert_eq!(outcome, Err(expected.to_owned()), "{attributes:?}");
    }
    // One address, however often and in whatever case.
    arrive(&gateway, &rp, |answer| {
        set(
            answer,
            &[
                ("email", &["ada@acme.test", "Ada@ACME.test"]),
                ("mail", &["ada@acme.test"]),
            ],
        );
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_earlier_of_authentication_and_arrival_counts() {
    let gateway = Gateway::start().await;
    let (_, rp) = world(&gateway).await;
    let now = gateway.now();
    let earlier = arrive(&gateway, &rp, |answer| {
        answer.authn_instant = now - Duration::from_hours(3);
    })
    .await
    .unwrap();
    assert_eq!(
        earlier["auth_time"],
        json!((now - Duration::from_hours(3)).as_secs())
    );
    // A clock that is ahead makes nothing newer.
    let ahead = arrive(&gateway, &rp, |answer| {
        answer.authn_instant = now + Duration::from_mins(1);
    })
    .await
    .unwrap();
    assert_eq!(ahead["auth_time"], json!(now.as_secs()));
}

#[tokio::test]
async fn a_fresh_sign_in_must_be_one() {
    let gateway = Gateway::start().await;
    let (_, rp) = world_with(&gateway, |settings| settings.force_authn = true).await;
    let now = gateway.now();
    let stale = arrive(&gateway, &rp, |answer| {
        answer.authn_instant = now - Duration::from_hours(1);
    })
    .await;
    assert_eq!(stale, Err("authentication_too_old".to_owned()));
    arrive(&gateway, &rp, |_| {}).await.unwrap();
}

/// An administrator expects the switch to count at once, as the removal of a certificate does.
#[tokio::test]
async fn what_a_connection_demands_since_the_person_left_counts() {
    on_each_engine(async |gateway: &Gateway| {
        let (acme, rp) = world(gateway).await;
        let earlier = gateway.now() - Duration::from_hours(1);
        let mut browser = gateway.browser();
        let asked = ask(&mut browser, &rp).await;
        let answer = asked
            .answer(gateway, "ada@acme.test")
            .with(|answer| answer.authn_instant = earlier);
        acme.change_connection(|connection| lead_there(connection, |saml| saml.force_authn = true))
            .await;
        let arrival = answer.post(&mut browser, None).await;
        assert_eq!(cause(gateway, arrival).await, "authentication_too_old");
        // The answer says that the person signed in by password.
        acme.change_connection(|connection| {
            lead_there(connection, |saml| {
                saml.requested_context = Some("urn:oasis:names:tc:SAML:2.0:ac:classes:X509".to_owned());
            });
        })
        .await;
        let arrival = answer.post(&mut browser, None).await;
        assert_eq!(cause(gateway, arrival).await, "no_authn_context");
        acme.change_connection(|connection| lead_there(connection, |_| {}))
            .await;
        assert_ne!(answer.post(&mut browser, None).await.callback().code(), "");
    })
    .await;
}

#[tokio::test]
async fn an_application_that_wants_a_fresh_sign_in_gets_one() {
    let gateway = Gateway::start().await;
    let (_, rp) = world(&gateway).await;
    for (name, value) in [("prompt", "login"), ("max_age", "60")] {
        let mut browser: Browser = gateway.browser();
        let request = rp.authorize().with("domain", "acme.test").with(name, value);
        let asked = ask_with(&mut browser, &request).await;
        assert!(asked.request.force_authn, "{name}");
        let stale = asked
            .answer(&gateway, "ada@acme.test")
            .with(|answer| answer.authn_instant = gateway.now() - Duration::from_hours(1));
        let arrival = stale.post(&mut browser, None).await;
        assert_eq!(cause(&gateway, arrival).await, "authentication_too_old", "{name}");
    }
    let mut browser = gateway.browser();
    assert!(!ask(&mut browser, &rp).await.request.force_authn);
}

#[tokio::test]
async fn a_test_of_a_connection_shows_the_attributes_and_signs_nobody_in() {
    on_each_engine(async |gateway: &Gateway| {
        let (acme, _) = world(gateway).await;
        acme.set_enabled(false).await;
        let mut browser = gateway.browser();
        let asked = super::provider::read(browser.begin_test(&acme).await);
        // The provider may ignore that a fresh sign-in was asked for: it works all the same.
        let answer = asked
            .answer(gateway, "ada@acme.test")
            .with(|answer| answer.authn_instant = gateway.now() - Duration::from_hours(1));
        let page = answer.post(&mut browser, Some(&asked.relay_state)).await.page();
        let text = page.html.text();
        assert_eq!(page.reply.status, 200, "{text}");
        for shown in ["firstName", "the given name", "ada@acme.test would be signed in"] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        assert!(browser.cookies.get("genkan_session").is_none());
        assert!(!gateway.events().await.contains(&"user.created".to_owned()));

        // A failure shows its checks where the provider posts it.
        let mut browser = gateway.browser();
        let asked = super::provider::read(browser.begin_test(&acme).await);
        let wrong = asked
            .answer(gateway, "ada@acme.test")
            .with(|answer| answer.audience = "https://wrong.test".to_owned());
        let page = wrong.post(&mut browser, None).await.page();
        // The check that failed stands above the list, and the answer is laid out: it comes as one long line.
        let shown = page.html.text();
        let (head, _) = shown.split_once("\nChecks\n").unwrap();
        assert!(head.contains("https://wrong.test"), "{shown}");
        assert!(page.reply.text().contains("\n  &"), "{}", page.reply.text());
        assert_eq!(gateway.login_trace().await.cause, "audience_mismatch");
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_with_that_of_the_provider() {
    on_each_engine(async |gateway: &Gateway| {
        let (_, rp) = world(gateway).await;
        let mut browser = gateway.browser();
        let request = rp.authorize().with("domain", "acme.test");
        let asked = ask_with(&mut browser, &request).await;
        let ends = gateway.now() + Duration::from_mins(20);
        let answer = asked
            .answer(gateway, "ada@acme.test")
            .with(|answer| answer.session_ends_at = Some(ends));
        let callback = answer.post(&mut browser, None).await.callback();
        let tokens = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
        let silent = rp.authorize().with("prompt", "none");
        gateway.clock().advance(Duration::from_mins(19));
        assert_eq!(browser.start(&silent).await.callback().error(), "");
        let tokens = rp.refresh(tokens.refresh_token()).await.expect_tokens();
        // With the tolerated difference between the clocks.
        gateway.clock().advance(Duration::from_mins(5));
        assert_eq!(browser.start(&silent).await.callback().error(), "login_required");
        assert_eq!(rp.refresh(tokens.refresh_token()).await.status, 400);
    })
    .await;
}
