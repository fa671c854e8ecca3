//! A sample of every page, for the tests: rendered here, and checked in a browser by
//! `tests/browser/pages.mjs`. Each page has its own sample; their common data is here.

use std::path::Path;
use std::sync::Arc;

use genkan_web::samples::{House, LIMIT_BYTES, LONG, page_templates};
use jiff::Timestamp;
use serde_json::json;

use crate::host::{Provider, Reading};
use crate::web::rules::Role;
use crate::web::static_files::{FAVICON, STYLESHEET};
use crate::web::store::user::User;
use crate::web::{error, routes};

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

pub(crate) fn provider(pending: &[&str]) -> Provider {
    let entry = json!({
        "name": "@open-neko/plugin-scalekit",
        "version": "1.0.0",
        "integrity": format!("sha512-{}==", "A".repeat(86)),
        "capabilities": { "auth": {} },
    });
    Provider {
        plugin_name: "@open-neko/plugin-scalekit".to_owned(),
        provider_label: "Scalekit".to_owned(),
        pending: pending.iter().map(|key| (*key).to_owned()).collect(),
        reading: Arc::new(Reading::new(serde_json::from_value(entry).unwrap(), [])),
    }
}

pub(crate) fn user(id: &str, email: &str, name: Option<&str>) -> User {
    User {
        id: id.to_owned(),
        provider: Some("@open-neko/plugin-scalekit".to_owned()),
        sub: Some("s1".to_owned()),
        email: email.to_owned(),
        name: name.map(str::to_owned),
        role: Role::Admin,
        provider_org_id: Some("org_102000000000001".to_owned()),
        groups: vec!["Engineering".to_owned(), "Owners".to_owned(), LONG.to_owned()],
        created_at: at(0),
        last_login_at: Some(at(60)),
        disabled_at: None,
    }
}

#[tokio::test]
async fn every_page_renders_from_its_sample() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let house = House {
        directory: root.join("../../target/pages-openneko"),
        sheet: &STYLESHEET,
        mark: &FAVICON,
        limit_bytes: |_| LIMIT_BYTES,
    };
    let samples = error::samples().into_iter().chain(routes::samples());
    let seen = house.visit(samples.collect()).await;
    for (template, name) in page_templates(&root.join("templates"), &root.join("src")) {
        assert!(seen.contains(&name), "{template}, which {name} renders");
    }
}
