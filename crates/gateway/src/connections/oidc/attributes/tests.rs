use genkan_store::connection::{Protocol, Settings};
use serde_json::json;

use super::*;

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn id_token(claims: &Value) -> Documents {
    Documents {
        id_token: object(claims),
        userinfo: Userinfo::NotAsked,
    }
}

fn both(claims: &Value, userinfo: &Value) -> Documents {
    Documents {
        id_token: object(claims),
        userinfo: Userinfo::Read(object(userinfo)),
    }
}

fn settings(attributes: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::from(Protocol::Oidc(OidcSettings {
        groups_claim: Some("grp".to_owned()),
        roles_claim: Some("app_roles".to_owned()),
        ..OidcSettings::default()
    }));
    for (ours, theirs) in attributes {
        settings.map_attribute(ours, theirs);
    }
    settings
}

fn mapping(settings: &Settings) -> Mapping<'_> {
    Mapping {
        common: &settings.common,
        settings: settings.as_oidc().unwrap(),
        attributes: &[],
    }
}

fn apply(settings: &Settings, documents: &Documents) -> Result<MappedIdentity, MappingError> {
    mapping(settings).apply(documents, &mut Trace::default())
}

#[test]
fn standard_claims_need_no_mapping() {
    let claims = json!({"email": "Ada@Example.com", "email_verified": true, "given_name": "Ada", "grp": ["b", "a", "a"]});
    let mapped = apply(&settings(&[]), &id_token(&claims)).unwrap();
    assert_eq!(mapped.email.as_str(), "ada@example.com");
    assert_eq!(mapped.profile.email_verified, Some(true));
    assert_eq!(mapped.profile.given_name.as_deref(), Some("Ada"));
    assert_eq!(mapped.groups.unwrap(), ["a", "b"]);
    assert_eq!(mapped.roles, Roles::Are(Vec::new()));
}

#[test]
fn a_mapping_names_the_providers_own_claims() {
    let claims = json!({"upn": "ada@example.com", "app_roles": "admin"});
    let mapped = apply(&settings(&[("email", "upn")]), &id_token(&claims)).unwrap();
    assert_eq!(mapped.email.as_str(), "ada@example.com");
    assert_eq!(mapped.roles, Roles::Are(vec!["admin".to_owned()]));
}

#[test]
fn without_an_address_there_is_nobody() {
    let outcome = |claims: Value| apply(&settings(&[]), &id_token(&claims)).unwrap_err();
    let missing = MappingError::EmailMissing {
        claim: "email".to_owned(),
    };
    assert_eq!(outcome(json!({})), missing);
    assert_eq!(outcome(json!({"email": null})), missing);
    assert_eq!(outcome(json!({"email": 7})), missing);
    for malformed in ["ada", ""] {
        assert!(matches!(
            outcome(json!({"email": malformed})),
            MappingError::EmailMalformed { .. }
        ));
    }
    // If the ID token has a bad value, another document does not replace it.
    let userinfo = json!({"email": "ada@example.com"});
    let outcome = apply(&settings(&[]), &both(&json!({"email": 7}), &userinfo));
    assert_eq!(outcome.unwrap_err(), missing);
}

#[test]
fn only_a_true_claim_verifies_an_address() {
    let verified = |value: Value| {
        let claims = json!({"email": "a@example.com", "email_verified": value});
        let mapped = apply(&settings(&[]), &id_token(&claims)).unwrap();
        mapped.profile.email_verified
    };
    assert_eq!(
        (verified(json!(true)), verified(json!("true"))),
        (Some(true), Some(true))
    );
    for not in [json!(false), json!("false"), json!(1), json!("yes"), json!("")] {
        assert_eq!(verified(not.clone()), Some(false), "{not}");
    }
    assert_eq!(verified(json!(null)), None);
}

#[test]
fn an_address_and_its_flag_come_from_one_document() {
    let verified = |id_token: Value, userinfo: Value| {
        let documents = both(&id_token, &userinfo);
        let mapped = apply(&settings(&[]), &documents).unwrap();
        let merged = documents.merged();
        assert_eq!(merged["email"].as_str(), Some(mapped.email.as_str()));
        (
            mapped.profile.email_verified,
            merged.get("email_verified").cloned(),
        )
    };
    let [a, b] = ["a@example.com", "b@example.com"];
    for (id_token, userinfo, flag, recorded) in [
        // The flag of one document, the address of the other.
        (json!({"email_verified": true}), json!({"email": b}), None, None),
        (
            json!({"email_verified": true}),
            json!({"email": b, "email_verified": false}),
            Some(false),
            Some(json!(false)),
        ),
        (
            json!({"email": null, "email_verified": true}),
            json!({"email": b}),
            None,
            None,
        ),
        (json!({"email": a}), json!({"email_verified": true}), None, None),
        (
            json!({"email": a}),
            json!({"email": a, "email_verified": true}),
            None,
            None,
        ),
        (
            json!({"email": a}),
            json!({"email": b, "email_verified": true}),
            None,
            None,
        ),
        // A complete pair stays, and a flag about another address does not count.
        (
            json!({"email": a, "email_verified": true}),
            json!({"email": b, "email_verified": false}),
            Some(true),
            Some(json!(true)),
        ),
        (
            json!({"email": a, "email_verified": false}),
            json!({"email": a, "email_verified": true}),
            Some(false),
            Some(json!(false)),
        ),
        (
            json!({"email": a}),
            json!({"email": b, "email_verified": false}),
            None,
            None,
        ),
        // "Not verified" counts, wherever it is said.
        (
            json!({"email": a}),
            json!({"email": a, "email_verified": false}),
            Some(false),
            None,
        ),
        (
            json!({"email_verified": false}),
            json!({"email": b}),
            Some(false),
            None,
        ),
        // A complete pair from userinfo counts.
        (
            json!({}),
            json!({"email": b, "email_verified": true}),
            Some(true),
            Some(json!(true)),
        ),
    ] {
        let shown = format!("{id_token} {userinfo}");
        assert_eq!(verified(id_token, userinfo), (flag, recorded), "{shown}");
    }
}

#[test]
fn the_flag_does_not_speak_of_a_mapped_claim() {
    let verified = |flag: Value| {
        let claims = json!({"upn": "a@example.com", "email": "b@example.com", "email_verified": flag});
        let mapped = apply(&settings(&[("email", "upn")]), &id_token(&claims)).unwrap();
        mapped.profile.email_verified
    };
    assert_eq!(verified(json!(true)), None);
    assert_eq!(verified(json!("true")), None);
    assert_eq!(verified(json!(null)), None);
    assert_eq!(verified(json!(false)), Some(false));
}

#[test]
fn a_phone_number_and_its_flag_are_recorded_together() {
    let id_token = json!({"email": "a@example.com", "phone_number_verified": true});
    let merged = both(&id_token, &json!({"phone_number": "+15550100"})).merged();
    assert_eq!(merged["phone_number"], "+15550100");
    assert!(!merged.contains_key("phone_number_verified"));
}

/// Absent, null, of the wrong type, and empty are four cases.
#[test]
fn each_way_of_listing_nothing_is_an_answer() {
    let mail = json!("a@example.com");
    for (value, what) in [
        (None, "none: there is no claim grp"),
        (Some(json!(null)), "none: there is no claim grp"),
        (Some(json!([])), "0 in the claim grp"),
        (Some(json!("")), "0 in the claim grp"),
        (Some(json!([7, null, {}])), "0 in the claim grp"),
        (
            Some(json!({"a": true})),
            "the claim grp is no list of names, so there are none",
        ),
        (
            Some(json!(true)),
            "the claim grp is no list of names, so there are none",
        ),
        (
            Some(json!(7)),
            "the claim grp is no list of names, so there are none",
        ),
    ] {
        let mut claims = object(&json!({"email": mail}));
        if let Some(value) = value {
            claims.insert("grp".to_owned(), value);
        }
        let mut trace = Trace::default();
        let documents = id_token(&Value::Object(claims));
        let mapped = mapping(&settings(&[])).apply(&documents, &mut trace).unwrap();
        assert_eq!(mapped.groups, Some(Vec::new()), "{what}");
        let line = trace
            .checks()
            .iter()
            .find(|check| check.name == "Groups")
            .unwrap();
        assert_eq!(line.note.as_deref(), Some(what));
    }
}

#[test]
fn what_nobody_can_tell_changes_nothing() {
    let mail = "a@example.com";
    let unread = Documents {
        id_token: object(&json!({"email": mail, "app_roles": ["admin"]})),
        userinfo: Userinfo::Unread,
    };
    let mapped = apply(&settings(&[]), &unread).unwrap();
    assert_eq!(mapped.groups, None);
    assert_eq!(
        mapped.roles,
        Roles::Are(vec!["admin".to_owned()]),
        "it is in the ID token"
    );

    let distributed = json!({"email": mail, "_claim_names": {"grp": "src1"}, "_claim_sources": {"src1": {}}});
    let mapped = apply(&settings(&[]), &both(&distributed, &json!({}))).unwrap();
    assert_eq!((mapped.groups, mapped.roles), (None, Roles::Are(Vec::new())));

    let mapped = apply(
        &settings(&[]),
        &id_token(&json!({"email": mail, "hasgroups": true})),
    )
    .unwrap();
    assert_eq!((mapped.groups, mapped.roles), (None, Roles::Are(Vec::new())));

    // The values that are listed count.
    let mapped = apply(&settings(&[]), &both(&distributed, &json!({"grp": ["a"]}))).unwrap();
    assert_eq!(mapped.groups.unwrap(), ["a"]);
}

#[test]
fn claims_that_nobody_named_give_nothing() {
    let claims = json!({"email": "a@example.com", "groups": ["a"], "roles": ["admin"]});
    let mut trace = Trace::default();
    let silent = Settings::from(Protocol::Oidc(OidcSettings::default()));
    let mapped = mapping(&silent).apply(&id_token(&claims), &mut trace).unwrap();
    assert_eq!((mapped.groups, mapped.roles), (Some(Vec::new()), Roles::Silent));
    let told: Vec<&str> = trace
        .checks()
        .iter()
        .filter_map(|check| check.note.as_deref())
        .collect();
    assert_eq!(
        told[1..],
        [
            "the claim groups is not used: the connection names no claim for them",
            "the claim roles is not used: the connection names no claim for them"
        ]
    );
    // Settings from before claims had to be named: they take back and give nothing.
    let old = Settings::from(Protocol::Oidc(OidcSettings {
        unnamed_roles_claim: true,
        ..OidcSettings::default()
    }));
    let roles = |documents: &Documents| apply(&old, documents).unwrap().roles;
    assert_eq!(roles(&id_token(&claims)), Roles::AtMost(vec!["admin".to_owned()]));
    assert_eq!(
        roles(&id_token(&json!({"email": "a@example.com"}))),
        Roles::AtMost(Vec::new())
    );
    let unread = Documents {
        id_token: object(&json!({"email": "a@example.com"})),
        userinfo: Userinfo::Unread,
    };
    assert_eq!(roles(&unread), Roles::Silent);
}

#[test]
fn userinfo_is_asked_only_if_something_is_open() {
    let complete = json!({
        "email": "a@example.com", "email_verified": true, "name": "A", "grp": [], "app_roles": ["x"], "dept": "y",
    });
    let mapped = settings(&[("locale", "dept")]);
    assert!(!mapping(&mapped).is_incomplete(&object(&complete)));
    for open in ["email", "email_verified", "name", "grp", "app_roles", "dept"] {
        for gone in [None, Some(Value::Null)] {
            let mut claims = object(&complete);
            match gone {
                Some(null) => drop(claims.insert(open.to_owned(), null)),
                None => drop(claims.remove(open)),
            }
            assert!(mapping(&mapped).is_incomplete(&claims), "{open}");
        }
    }
    let mut parts = object(&complete);
    parts.remove("name");
    parts.insert("given_name".to_owned(), json!("A"));
    parts.insert("family_name".to_owned(), json!("B"));
    assert!(!mapping(&mapped).is_incomplete(&parts));
}
