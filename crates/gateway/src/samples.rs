//! One sample of every page: each area has its own. The test below writes them to
//! `target/pages/`, where `tests/browser/pages.mjs` checks them.

use std::path::Path;

use genkan_web::samples::{House, LIMIT_BYTES, Samples, page_templates};
use http::header;

use crate::web::static_files::{FAVICON, STYLESHEET};
use crate::{demo, dev, login, op, simulator, web};

/// Pages that have no sample, each with the reason.
const UNSEEN: [(&str, &str); 1] = [("form_post.html", "a browser that opens it is gone at once")];

/// Every page, by the name of its file.
async fn all() -> Samples {
    let mut samples = web::error::samples();
    samples.extend(op::samples());
    samples.extend(login::samples());
    samples.extend(simulator::tests::samples().await);
    samples.extend(demo::tests::samples().await);
    samples.extend(web::api_reference::samples());
    samples.extend(dev::samples());
    samples
}

#[tokio::test]
async fn every_page_renders_from_its_sample() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let house = House {
        directory: root.join("../../target/pages"),
        sheet: &STYLESHEET,
        mark: &FAVICON,
        // The reference is for people at work, and long by its nature.
        limit_bytes: |name| match name.starts_with("desk-reference") {
            true => 5 * LIMIT_BYTES,
            false => LIMIT_BYTES,
        },
    };
    let seen = house.visit(all().await).await;
    for (template, name) in page_templates(&root.join("templates"), &root.join("src")) {
        let is_unseen = UNSEEN.iter().any(|(unseen, _)| *unseen == template);
        assert_ne!(
            seen.contains(&name),
            is_unseen,
            "{template}, which {name} renders"
        );
    }
}

#[test]
fn a_page_without_forms_allows_none_and_a_sign_in_form_may_leave() {
    let policy = |samples: Samples, wanted: &str| {
        let (_, page) = samples.into_iter().find(|(name, _)| *name == wanted).unwrap();
        assert_eq!(page.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(page.headers()[header::REFERRER_POLICY], "same-origin");
        page.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .to_owned()
    };
    assert!(policy(op::samples(), "signed-out").contains("form-action 'none'"));
    assert!(!policy(login::samples(), "identify").contains("form-action"));
}
