//! Registered custom attributes come from claims and SAML attributes, in the home of a person only, and
//! become claims of ours.

use genkan_db::p;
use genkan_protocol::EmailAddress;
use genkan_protocol::saml::NameIdFormat;
use genkan_protocol::trace::CheckOutcome;
use genkan_store::user;
use genkan_store::user_attribute::{self, Datatype, DeletionOutcome};
use genkan_testkit::{Arrival, Canned, Gateway, Organization, Person, Rp, on_each_engine};
use http::StatusCode;
use serde_json::{Value, json};

use super::saml::provider::{ask_with, lead_there};

/// Signs in by OIDC: the claims of the ID token and of userinfo; or why not.
async fn sign_in(
    gateway: &Gateway,
    rp: &Rp,
    organization: &Organization,
    claims: &Value,
) -> Result<(Value, Value), String> {
    let mut browser = gateway.browser();
    let request = rp.authorize().with("organization_id", organization.id.as_str());
    let arrival = browser.start(&request).await;
    let ada = Person::new("ada@acme.test").with_claims(claims);
    match browser.go_on(arrival, ada).await {
        Arrival::Application(callback) => {
            let tokens = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
            let userinfo = rp.userinfo(&tokens.access_token).await.json();
            Ok((rp.verify(tokens.id_token()).await, userinfo))
        }
        Arrival::Page(_) => Err(gateway.login_trace().await.cause),
    }
}

async fn acme(gateway: &Gateway) -> Organization {
    gateway
        .organization("acme.test")
        .with_connection(|connection| {
            for (ours, theirs) in [
                ("custom.department", "dept"),
                ("custom.level", "job_level"),
                ("custom.teams", "teams"),
            ] {
                connection.settings.map_attribute(ours, theirs);
            }
        })
        .await
}

async fn register_three(gateway: &Gateway) {
    gateway.register_attribute("department", |_| {}).await;
    gateway
        .register_attribute("level", |attribute| attribute.datatype = Datatype::Number)
        .await;
    gateway
        .register_attribute("teams", |attribute| attribute.datatype = Datatype::Array)
        .await;
}

async fn register_required_level(gateway: &Gateway) {
    gateway
        .register_attribute("level", |attribute| {
            attribute.datatype = Datatype::Number;
            attribute.required = true;
        })
        .await;
}

fn three(claims: &Value) -> [Value; 3] {
    ["department", "level", "teams"].map(|name| claims[name].clone())
}

#[tokio::test]
async fn claims_become_registered_attributes_in_their_types() {
    on_each_engine(async |gateway: &Gateway| {
        register_three(gateway).await;
        let acme = acme(gateway).await;
        let rp = gateway.client("rp").await;
        let sent = json!({ "dept": "R&D", "job_level": "7", "teams": ["core", "web"], "unregistered": "x" });
        let (id_token, userinfo) = sign_in(gateway, &rp, &acme, &sent).await.unwrap();
        let expected = [json!("R&D"), json!(7), json!(["core", "web"])];
        assert_eq!(three(&id_token), expected);
        assert_eq!(three(&userinfo), expected);
        assert_eq!(id_token["unregistered"], Value::Null);
        // A value that the provider leaves out is taken back, because the connection names it. A value of another type
        // is none.
        let sent = json!({ "dept": "Sales", "job_level": "seven" });
        let (id_token, _) = sign_in(gateway, &rp, &acme, &sent).await.unwrap();
        assert_eq!(three(&id_token), [json!("Sales"), Value::Null, Value::Null]);
        // Half a value would be another value.
        let sent = json!({ "dept": "x".repeat(257) });
        let (id_token, _) = sign_in(gateway, &rp, &acme, &sent).await.unwrap();
        assert_eq!(three(&id_token), [Value::Null, Value::Null, Value::Null]);
    })
    .await;
}

#[tokio::test]
async fn a_claim_of_the_register_is_read_where_the_connection_names_none() {
    let gateway = Gateway::start().await;
    gateway
        .register_attribute("department", |attribute| {
            attribute.oidc_claim = Some("dept".to_owned());
        })
        .await;
    gateway
        .register_attribute("off", |attribute| {
            attribute.enabled = false;
            attribute.oidc_claim = Some("dept".to_owned());
        })
        .await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let (id_token, _) = sign_in(&gateway, &rp, &acme, &json!({ "dept": "R&D" }))
        .await
        .unwrap();
    assert_eq!(
        (&id_token["department"], &id_token["off"]),
        (&json!("R&D"), &Value::Null)
    );
    // Nobody has said that this provider sends it, so its silence takes nothing back.
    let (id_token, _) = sign_in(&gateway, &rp, &acme, &json!({})).await.unwrap();
    assert_eq!(id_token["department"], json!("R&D"));
}

#[tokio::test]
async fn a_person_without_a_required_attribute_is_refused() {
    let gateway = Gateway::start().await;
    register_required_level(&gateway).await;
    let unmapped = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let missing = Err("mandatory_attribute_missing".to_owned());
    assert_eq!(
        sign_in(&gateway, &rp, &unmapped, &json!({ "level": 7 })).await,
        missing
    );
    let trace = gateway.login_trace().await;
    assert!(
        trace.remedy.contains("--attribute custom.level=NAME"),
        "{}",
        trace.remedy
    );
    unmapped
        .change_connection(|connection| connection.settings.map_attribute("custom.level", "job_level"))
        .await;
    assert_eq!(
        sign_in(&gateway, &rp, &unmapped, &json!({ "level": 7 })).await,
        missing
    );
    let trace = gateway.login_trace().await;
    let check = trace.trace.failure().unwrap();
    assert_eq!(check.name, "Attribute level");
    assert!(
        check.received.as_deref().unwrap().contains("email"),
        "it lists what came: {check:?}"
    );
    assert_eq!(
        sign_in(&gateway, &rp, &unmapped, &json!({ "job_level": "seven" })).await,
        Err("mandatory_attribute_malformed".to_owned())
    );
    let trace = gateway.login_trace().await;
    assert!(
        trace.remedy.contains("genkan attribute update level --type TYPE"),
        "{}",
        trace.remedy
    );
    let (id_token, _) = sign_in(&gateway, &rp, &unmapped, &json!({ "job_level": 7 }))
        .await
        .unwrap();
    assert_eq!(id_token["level"], json!(7));
}

/// An attack: a key that is reserved later, or that another version has registered, does not become a claim of ours.
#[tokio::test]
async fn no_stored_value_becomes_a_claim_of_ours_or_one_that_is_not_registered() {
    on_each_engine(async |gateway: &Gateway| {
        for key in ["sub", "roles", "Email"] {
            gateway
                .tx(async |tx| {
                    let sql = "INSERT INTO user_attributes (key, label, datatype, enabled, required, created_at, updated_at)
                         VALUES ($1, 'Forged', 'STRING', $2, $3, 1, 1)";
                    Ok(tx.exec(sql, p![key, true, false]).await?)
                })
                .await;
        }
        // The register is read anew.
        gateway.register_attribute("level", |_| {}).await;
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let (before, _) = sign_in(gateway, &rp, &acme, &json!({})).await.unwrap();
        let (at, email) = (gateway.at(), EmailAddress::parse("ada@acme.test").unwrap());
        let ada = gateway
            .tx(async |tx| {
                let mut ada = user::find_by_email(tx, &email).await?.unwrap();
                for name in ["sub", "roles", "Email", "email", "department", "level"] {
                    ada.custom_attributes
                        .insert(name.to_owned(), format!("forged {name}").into());
                }
                user::update(tx, at, &ada).await?;
                Ok(ada)
            })
            .await;
        let (id_token, userinfo) = sign_in(gateway, &rp, &acme, &json!({})).await.unwrap();
        assert_eq!(id_token["roles"], before["roles"]);
        for mut claims in [id_token, userinfo] {
            assert_eq!(claims["sub"], ada.id.as_str());
            // The one that is registered and free shows that the register was read.
            assert_eq!(claims["level"].take(), "forged level");
            assert!(!claims.to_string().contains("forged"), "{claims}");
        }
    })
    .await;
}

/// Signs in by SAML with these attributes beside the usual ones: the claims of the ID token, or why not.
async fn sign_in_by_saml(
    gateway: &Gateway,
    rp: &Rp,
    attributes: &[(&str, &[&str])],
) -> Result<Value, String> {
    let mut browser = gateway.browser();
    let request = rp.authorize().with("domain", "acme.test");
    let asked = ask_with(&mut browser, &request).await;
    let answer = asked.answer(gateway, "ada@acme.test").with(|answer| {
        answer.name_id = ("ada".to_owned(), NameIdFormat::Persistent);
        for (name, values) in attributes {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            answer.attributes.push(((*name).to_owned(), values));
        }
    });
    match answer.post(&mut browser, Some(&asked.relay_state)).await {
        Arrival::Application(callback) => {
            let tokens = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
            Ok(rp.verify(tokens.id_token()).await)
        }
        Arrival::Page(_) => Err(gateway.login_trace().await.cause),
    }
}

#[tokio::test]
async fn saml_attributes_become_registered_attributes() {
    on_each_engine(async |gateway: &Gateway| {
        register_three(gateway).await;
        gateway
            .organization("acme.test")
            .with_connection(|connection| {
                lead_there(connection, |_| {});
                connection.settings.map_attribute("custom.department", "urn:dept");
                connection.settings.map_attribute("custom.level", "level");
                connection.settings.map_attribute("custom.teams", "team");
            })
            .await;
        let rp = gateway.client("rp").await;
        let sent: [(&str, &[&str]); 3] = [
            ("urn:dept", &["R&amp;D"]),
            ("level", &["7"]),
            ("team", &["core", "web"]),
        ];
        let id_token = sign_in_by_saml(gateway, &rp, &sent).await.unwrap();
        assert_eq!(three(&id_token), [json!("R&D"), json!(7), json!(["core", "web"])]);
        // One value of several cannot be chosen; one team is a list of one.
        let sent: [(&str, &[&str]); 3] = [
            ("urn:dept", &["Research", "Sales"]),
            ("level", &["7th"]),
            ("team", &["core"]),
        ];
        let id_token = sign_in_by_saml(gateway, &rp, &sent).await.unwrap();
        assert_eq!(three(&id_token), [Value::Null, Value::Null, json!(["core"])]);
    })
    .await;
}

#[tokio::test]
async fn a_person_without_a_required_saml_attribute_is_refused() {
    on_each_engine(async |gateway: &Gateway| {
        register_required_level(gateway).await;
        let acme = gateway
            .organization("acme.test")
            .with_connection(|connection| lead_there(connection, |_| {}))
            .await;
        let rp = gateway.client("rp").await;
        let missing = Err("mandatory_attribute_missing".to_owned());
        let unmapped = sign_in_by_saml(gateway, &rp, &[("level", &["7"])]).await;
        assert_eq!(unmapped, missing);
        let remedy = gateway.login_trace().await.remedy;
        let command = format!("{} --attribute custom.level=NAME", acme.connection_id());
        assert!(remedy.contains(&command), "{remedy}");
        acme.change_connection(|connection| connection.settings.map_attribute("custom.level", "jobLevel"))
            .await;
        let absent = sign_in_by_saml(gateway, &rp, &[("level", &["7"])]).await;
        assert_eq!(absent, missing);
        let trace = gateway.login_trace().await;
        let check = trace.trace.failure().unwrap();
        assert_eq!(check.name, "Attribute level");
        let received = check.received.as_deref().unwrap();
        assert!(
            received.contains("firstName") && received.contains("level"),
            "it lists what came: {received}"
        );
        let malformed = sign_in_by_saml(gateway, &rp, &[("jobLevel", &["seventh"])]).await;
        assert_eq!(malformed, Err("mandatory_attribute_malformed".to_owned()));
        let remedy = gateway.login_trace().await.remedy;
        assert!(
            remedy.contains("genkan attribute update level --type TYPE"),
            "{remedy}"
        );
        let id_token = sign_in_by_saml(gateway, &rp, &[("jobLevel", &["7"])])
            .await
            .unwrap();
        assert_eq!(id_token["level"], json!(7));
    })
    .await;
}

#[tokio::test]
async fn a_deleted_attribute_leaves_tokens_at_once() {
    let gateway = Gateway::start().await;
    gateway
        .register_attribute("department", |attribute| {
            attribute.oidc_claim = Some("dept".to_owned());
        })
        .await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let sent = json!({ "dept": "R&D" });
    let (id_token, _) = sign_in(&gateway, &rp, &acme, &sent).await.unwrap();
    assert_eq!(id_token["department"], json!("R&D"));
    let at = gateway.at();
    let outcome = gateway
        .tx(async |tx| user_attribute::delete(tx, at, "department").await)
        .await;
    assert_eq!(outcome, DeletionOutcome::Deleted);
    let (id_token, userinfo) = sign_in(&gateway, &rp, &acme, &sent).await.unwrap();
    assert_eq!(
        (&id_token["department"], &userinfo["department"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn a_value_that_is_left_out_is_told() {
    let gateway = Gateway::start().await;
    register_three(&gateway).await;
    let acme = acme(&gateway).await;
    let rp = gateway.client("rp").await;
    sign_in(&gateway, &rp, &acme, &json!({})).await.unwrap();
    let (at, email) = (gateway.at(), EmailAddress::parse("ada@acme.test").unwrap());
    gateway
        .tx(async |tx| {
            let ada = user::find_by_email(tx, &email).await?.unwrap();
            user::set_disabled(tx, at, &ada.id, true).await
        })
        .await;
    let sent = json!({ "dept": ["R&D", "Sales"] });
    let refused = sign_in(&gateway, &rp, &acme, &sent).await;
    assert_eq!(refused, Err("user_not_active".to_owned()));
    let trace = gateway.login_trace().await;
    let check = |name: &str| {
        let found = trace.trace.checks().iter().find(|check| check.name == name);
        found.unwrap_or_else(|| panic!("{name} in {trace:?}"))
    };
    assert_eq!(check("Attribute department").outcome, CheckOutcome::PassedOver);
    let note = check("Attribute department").note.as_deref().unwrap();
    assert_eq!(
        note,
        "the claim dept is not of the type STRING, so it is left out"
    );
}

/// Another type of the attribute would help neither.
#[tokio::test]
async fn a_text_that_cannot_be_kept_is_to_be_changed_at_the_provider() {
    let gateway = Gateway::start().await;
    gateway
        .register_attribute("department", |attribute| {
            attribute.required = true;
            attribute.oidc_claim = Some("dept".to_owned());
        })
        .await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    for (value, what) in [
        (
            "x".repeat(257),
            "Shorten the value of dept to 256 characters at the provider",
        ),
        (
            "R\u{202e}D".to_owned(),
            "Remove the control characters from the value of dept at the provider",
        ),
    ] {
        let refused = sign_in(&gateway, &rp, &acme, &json!({ "dept": value })).await;
        assert_eq!(refused, Err("mandatory_attribute_malformed".to_owned()));
        let remedy = gateway.login_trace().await.remedy;
        assert!(
            remedy.contains(what) && remedy.contains("--attribute custom.department=NAME"),
            "{remedy}"
        );
        // Not the command for the e-mail address, which has the same cause.
        assert!(!remedy.contains("email="), "{remedy}");
    }
}

#[tokio::test]
async fn a_value_that_nobody_could_read_stays_unless_it_is_required() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.register_attribute("department", |_| {}).await;
        let acme = gateway
            .organization("acme.test")
            .with_connection(|connection| connection.settings.map_attribute("custom.department", "dept"))
            .await;
        let rp = gateway.client("rp").await;
        sign_in(gateway, &rp, &acme, &json!({ "dept": "R&D" }))
            .await
            .unwrap();
        gateway
            .idp()
            .await
            .answer("/userinfo", Canned::status(StatusCode::FORBIDDEN));
        let (id_token, _) = sign_in(gateway, &rp, &acme, &json!({})).await.unwrap();
        assert_eq!(id_token["department"], json!("R&D"));
        let at = gateway.at();
        gateway
            .tx(async |tx| {
                let mut department = user_attribute::find(tx, "department").await?.unwrap();
                department.required = true;
                user_attribute::update(tx, at, &department).await
            })
            .await;
        gateway
            .eventually(async || {
                let known = gateway.app().user_attributes().await.unwrap();
                known.iter().any(|attribute| attribute.required)
            })
            .await;
        let refused = sign_in(gateway, &rp, &acme, &json!({})).await;
        assert_eq!(refused, Err("user_info_retrieve_failed".to_owned()));
        let trace = gateway.login_trace().await;
        let check = trace.trace.failure().unwrap();
        assert_eq!(check.name, "Attribute department");
        let received = check.received.as_deref().unwrap();
        assert!(received.starts_with("userinfo could not be read"), "{received}");
        assert!(trace.remedy.contains("into the ID token"), "{}", trace.remedy);
    })
    .await;
}

#[tokio::test]
async fn without_synchronization_only_a_new_user_gets_the_values() {
    let gateway = Gateway::start().await;
    gateway.register_attribute("department", |_| {}).await;
    let acme = gateway
        .organization("acme.test")
        .with_connection(|connection| {
            connection.settings.map_attribute("custom.department", "dept");
            connection.sync_profile = false;
        })
        .await;
    let rp = gateway.client("rp").await;
    for sent in [json!({ "dept": "R&D" }), json!({ "dept": "Sales" }), json!({})] {
        let (id_token, _) = sign_in(&gateway, &rp, &acme, &sent).await.unwrap();
        assert_eq!(id_token["department"], json!("R&D"), "{sent}");
    }
}

/// A claim of the register, which no mapping of the connection names.
#[tokio::test]
async fn the_test_of_a_connection_tells_which_claims_become_attributes() {
    let gateway = Gateway::start().await;
    for (key, enabled) in [("department", true), ("floor", false)] {
        gateway
            .register_attribute(key, |attribute| {
                attribute.enabled = enabled;
                attribute.oidc_claim = Some(format!("their_{key}"));
            })
            .await;
    }
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let mut browser = gateway.browser();
    let arrival = browser.begin_test(&acme).await;
    let ada = Person::new("ada@acme.test")
        .with_claims(&json!({ "their_department": "Engines", "their_floor": "3" }));
    let shown = browser.go_on(arrival, ada).await.page().html.text();
    for line in [
        "their_department becomes a custom attribute Engines",
        "their_floor not used 3",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
}
