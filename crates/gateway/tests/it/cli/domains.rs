//! Domains at the command line, and their proofs.

use serde_json::json;

use super::{Instance, ids, text};

#[tokio::test]
async fn a_domain_comes_and_goes() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let domain = instance.json(&["domain", "create", "Acme.COM", "--organization", "acme"]);
    assert_eq!(
        (text(&domain, "/domain"), text(&domain, "/kind")),
        ("acme.com", "ORGANIZATION_DOMAIN")
    );
    let allowed = instance.json(&[
        "domain",
        "create",
        "acme.net",
        "--organization",
        "acme",
        "--kind",
        "allowed-email",
    ]);
    assert_eq!(text(&allowed, "/kind"), "ALLOWED_EMAIL_DOMAIN");
    assert_eq!(
        ids(
            &instance.json(&["domain", "list", "--organization", "acme"]),
            "domains"
        )
        .len(),
        2
    );

    instance
        .run(&["domain", "create", "gmail.com", "--organization", "acme"])
        .failed(2, "belongs to no organization");
    instance
        .run(&["domain", "create", "acme", "--organization", "acme"])
        .failed(2, "invalid value 'acme'");
    instance
        .run(&["domain", "create", "b.com", "--organization", "b"])
        .failed(3, "There is no organization \"b\".");

    instance.json(&["domain", "delete", "ACME.com", "--organization", "acme", "--yes"]);
    instance.json(&[
        "domain",
        "delete",
        text(&allowed, "/id"),
        "--organization",
        "acme",
        "--yes",
    ]);
    instance
        .run(&["domain", "delete", "acme.com", "--organization", "acme", "--yes"])
        .failed(3, "Acme has no domain \"acme.com\".");
}

#[tokio::test]
async fn a_domain_on_somebodys_word_can_be_proved_by_an_operators() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let created = instance.json(&["domain", "create", "acme.com", "--organization", "acme"]);
    assert_eq!(
        (text(&created, "/status"), &created["proved_by"]),
        ("VERIFIED", &json!(null))
    );
    assert_eq!(text(&created, "/txt_record_name"), "_genkan-challenge.acme.com");
    let verify = [
        "domain",
        "verify",
        "ACME.com",
        "--organization",
        "acme",
        "--as-operator",
    ];
    for _ in 0..2 {
        let proved = instance.json(&verify);
        assert_eq!(
            (text(&proved, "/proved_by"), text(&proved, "/proved_actor")),
            ("OPERATOR", "cli")
        );
        assert!(!text(&proved, "/proved_at").is_empty());
    }
    let listing = instance.json(&["event", "list", "--kind", "domain.verified_by_operator"]);
    assert_eq!(listing["events"].as_array().unwrap().len(), 1, "{listing}");

    let allowed = [
        "domain",
        "create",
        "acme.net",
        "--organization",
        "acme",
        "--kind",
        "allowed-email",
    ];
    let allowed = instance.json(&allowed);
    instance
        .run(&[
            "domain",
            "verify",
            text(&allowed, "/id"),
            "--organization",
            "acme",
            "--as-operator",
        ])
        .failed(1, "There is nothing to prove about acme.net");
}

#[tokio::test]
async fn where_proof_is_required_the_command_line_and_imports_wait_for_it_too() {
    let instance = Instance::new().await;
    let text_of = std::fs::read_to_string(&instance.config).unwrap();
    std::fs::write(
        &instance.config,
        format!("{text_of}[domains]\nrequire_proof = true\n"),
    )
    .unwrap();
    let acme = [
        "org",
        "create",
        "--name",
        "Acme",
        "--external-id",
        "acme",
        "--domain",
        "acme.com",
    ];
    instance.json(&acme);
    let ran = instance.run(&["domain", "create", "acme.de", "--organization", "acme"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("_genkan-challenge.acme.de. TXT"), "{ran:?}");
    let file = instance.path().join("o.csv");
    std::fs::write(&file, "external_id,name,domains\nacme,Acme,acme.com;acme.fr\n").unwrap();
    for _ in 0..2 {
        instance.json(&["import", "organizations", file.to_str().unwrap()]);
    }
    let listing = instance.json(&["domain", "list", "--organization", "acme"]);
    let domains = listing["domains"].as_array().unwrap();
    assert_eq!(domains.len(), 3, "{listing}");
    for domain in domains {
        assert_eq!(text(domain, "/status"), "PENDING");
        assert!(text(domain, "/txt_record_value").starts_with("genkan-domain-verification="));
    }
}
