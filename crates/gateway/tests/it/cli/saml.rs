//! `genkan connection` for SAML: metadata from a file and from an address, what to enter at the provider, and
//! our own certificates.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use genkan::server;
use genkan_protocol::saml::{IdpCertificate, KeyPurpose, OwnKey};
use serde_json::{Value, json};

use super::{Instance, text};

const METADATA: &str = include_str!("../../fixtures/saml_metadata.xml");

/// A provider that answers every request with `status` and `body`. It lives as long as the tests.
fn provider(status: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = [0; 4096];
            let _ = connection.read(&mut request);
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = connection.write_all(head.as_bytes());
            let _ = connection.write_all(body.as_bytes());
        }
    });
    format!("http://{address}/metadata")
}

/// A draft of a SAML connection in development, where a provider may be on this machine.
async fn draft() -> (Instance, String) {
    let instance = Instance::development().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let create = [
        "connection",
        "create",
        "--saml",
        "--organization",
        "acme",
        "--disabled",
    ];
    let id = text(&instance.json(&create), "/id").to_owned();
    (instance, id)
}

#[tokio::test]
async fn a_saml_connection_is_enabled_when_it_is_complete() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let create = ["connection", "create", "--saml", "--organization", "acme"];
    instance.run(&create).failed(2, "Missing: --saml-metadata-url");
    let created = instance.json(&[&create[..], &["--disabled", "--provider", "adfs"]].concat());
    let id = text(&created, "/id");
    assert_eq!(
        (&created["type"], &created["status"]),
        (&json!("SAML"), &json!("DRAFT"))
    );
    instance
        .run(&["connection", "enable", id])
        .failed(1, "Missing: --saml-metadata-url");
    instance
        .run(&[
            "connection",
            "update",
            id,
            "--saml-sso-url",
            "javascript:alert(1)",
        ])
        .failed(2, "--saml-sso-url must be https");
    instance
        .run(&["connection", "update", id, "--client-id", "genkan"])
        .failed(2, "speaks SAML");
    std::fs::write(instance.path().join("broken.xml"), "<a/>").unwrap();
    instance
        .run(&["connection", "update", id, "--saml-metadata-file", "broken.xml"])
        .failed(2, "describes no identity provider");
    let unreachable = "https://idp.acme.test/metadata";
    instance
        .run(&["connection", "update", id, "--saml-metadata-url", unreachable])
        .failed(1, "--saml-metadata-url cannot be read");
    std::fs::write(instance.path().join("metadata.xml"), METADATA).unwrap();
    let updated = instance.json(&["connection", "update", id, "--saml-metadata-file", "metadata.xml"]);
    assert_eq!(updated["saml"]["idp_sso_url"], json!("https://idp.acme.test/sso"));
    assert_eq!(updated["status"], json!("COMPLETED"));
    // The hash of a trace is compared with it.
    let certificate = IdpCertificate::parse_all(text(&updated, "/saml/certificates/0/pem"))
        .unwrap()
        .remove(0);
    let shown = instance.run(&["connection", "show", id]).stdout;
    let hash = format!(", SHA-256 {}", certificate.fingerprint());
    assert!(shown.contains(&hash), "{shown}");
    assert_eq!(
        instance.json(&["connection", "enable", id])["enabled"],
        json!(true)
    );
    let ended = instance.json(&["connection", "disable", id, "--end-sessions"]);
    assert_eq!(ended["enabled"], json!(false));
}

#[tokio::test]
async fn the_address_of_metadata_is_read_when_it_is_entered() {
    let (instance, id) = draft().await;
    let url = provider("200 OK", METADATA.to_owned());
    let update =
        |url: &str| instance.run(&["connection", "update", &id, "--saml-metadata-url", url, "--json"]);
    let updated = update(&url).json();
    assert_eq!(updated["saml"]["idp_metadata_url"], json!(url));
    assert_eq!(
        updated["saml"]["idp_entity_id"],
        json!("https://idp.acme.test/entity")
    );
    assert_eq!(updated["saml"]["certificates"].as_array().map(Vec::len), Some(1));
    assert_eq!(updated["status"], json!("COMPLETED"));

    for (status, body, says) in [
        ("404 Not Found", String::new(), "--saml-metadata-url answers 404"),
        ("302 Found", String::new(), "redirects, which is not followed"),
        (
            "200 OK",
            "<a/>".to_owned(),
            "--saml-metadata-url describes no identity provider",
        ),
        (
            "200 OK",
            "<a>".to_owned() + &"x".repeat(1024 * 1024),
            "larger than 1024 KiB",
        ),
        (
            "200 OK",
            METADATA.replace("entityID", "validUntil=\"2020-01-01T00:00:00Z\" entityID"),
            "was valid until 2020",
        ),
    ] {
        let ran = update(&provider(status, body));
        assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
    }
    let shown = instance.json(&["connection", "show", &id]);
    assert_eq!(shown["saml"], updated["saml"]);
}

/// The sentence is the only place where an operator hears of it.
#[tokio::test]
async fn what_is_not_taken_over_from_metadata_is_told_and_when_they_end() {
    let (instance, id) = draft().await;
    let import = |document: &str| {
        std::fs::write(instance.path().join("metadata.xml"), document).unwrap();
        instance.run(&[
            "connection",
            "update",
            &id,
            "--saml-metadata-file",
            "metadata.xml",
        ])
    };
    let now = server::now();
    let until = |days: u64| {
        let end = now + Duration::from_secs(days * 24 * 60 * 60);
        METADATA.replace(
            "entityID",
            &format!("validUntil=\"{}\" entityID", end.to_rfc3339()),
        )
    };
    let plain = import(METADATA);
    assert!(!plain.stderr.contains("metadata"), "{}", plain.stderr);
    let far = import(&until(31));
    assert!(!far.stderr.contains("The metadata end"), "{}", far.stderr);
    let soon = import(&until(29));
    assert!(soon.stderr.contains("The metadata end at 20"), "{}", soon.stderr);

    let key = OwnKey::generate("idp.acme.test", KeyPurpose::Signing, now).unwrap();
    let leaf = STANDARD.encode(&key.certificate);
    let beside = METADATA.replace(
        "</ds:X509Data>",
        &format!("<ds:X509Certificate>{leaf}</ds:X509Certificate></ds:X509Data>"),
    );
    let chain = import(&beside);
    let told = "Not taken over: CN=idp.acme.test.";
    assert!(chain.stderr.contains(told), "{}", chain.stderr);
    let shown = instance.json(&["connection", "show", &id]);
    let certificates = shown["saml"]["certificates"].as_array().unwrap();
    let [certificate] = certificates.as_slice() else {
        panic!("{shown}")
    };
    // The certificate that may issue others is the one of the fixture.
    let read = IdpCertificate::parse_all(text(certificate, "/pem")).unwrap();
    assert_eq!(read[0].der(), key.certificate);
}

#[tokio::test]
async fn what_to_enter_at_the_provider_is_printed_and_an_entered_name_takes_its_place() {
    let (instance, id) = draft().await;
    let shown = instance.json(&["connection", "show", &id]);
    let base = format!("https://auth.example.com/sso/v1/saml/{id}");
    assert_eq!(
        shown["service_provider"],
        json!({ "entity_id": base, "acs_url": format!("{base}/callback"), "metadata_url": base })
    );
    let entered = instance.json(&[
        "connection",
        "update",
        &id,
        "--saml-sp-entity-id",
        "urn:before",
        "--saml-sp-assertion-url",
        "https://before.example.com/acs",
    ]);
    assert_eq!(
        entered["service_provider"],
        json!({
            "entity_id": "urn:before",
            "acs_url": "https://before.example.com/acs",
            "metadata_url": base,
        })
    );
    let printed = instance.run(&["connection", "show", &id]).stdout;
    for text in ["urn:before", "https://before.example.com/acs", base.as_str()] {
        assert!(printed.contains(text), "{printed}");
    }
}

#[tokio::test]
async fn every_saml_option_is_kept() {
    let (instance, id) = draft().await;
    let redirect = "https://app.acme.test/callback";
    let create = ["app", "create", "--name", "Acme", "--redirect-uri", redirect];
    let app = text(&instance.json(&create), "/id").to_owned();
    let register = [
        "app",
        "update",
        &app,
        "--initiate-login-uri",
        "https://app.acme.test/login",
    ];
    instance.json(&register);
    let updated = instance.json(&[
        "connection",
        "update",
        &id,
        "--saml-sso-binding",
        "post",
        "--saml-name-id-format",
        "email",
        "--saml-signed",
        "both",
        "--saml-sign-requests",
        "--saml-encrypted",
        "on",
        "--saml-force-authn",
        "--saml-requested-context",
        "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
        "--saml-idp-initiated",
        "--saml-default-redirect-uri",
        "https://app.acme.test/login",
        "--saml-allow-sha1",
        "--saml-allow-cbc",
    ]);
    for (name, value) in [
        ("idp_sso_request_binding", json!("HTTP_POST")),
        ("name_id_format", json!("EMAIL")),
        ("signing", json!("SAML_RESPONSE_ASSERTION_SIGNING")),
        ("want_request_signed", json!(true)),
        ("assertion_encrypted", json!(true)),
        ("force_authn", json!(true)),
        (
            "requested_context",
            json!("urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"),
        ),
        ("allow_idp_initiated_login", json!(true)),
        ("default_redirect_uri", json!("https://app.acme.test/login")),
        ("allow_sha1", json!(true)),
        ("allow_cbc", json!(true)),
    ] {
        assert_eq!(updated["saml"][name], value, "{name}");
    }
    let shown = instance.run(&["connection", "show", &id]).stdout;
    assert!(shown.contains("SHA-1: turn it off"), "{shown}");
    let off = instance.json(&["connection", "update", &id, "--saml-allow-sha1", "off"]);
    assert_eq!(off["saml"]["allow_sha1"], json!(false));
}

/// Until now the mistake was told to the first person who came from the provider.
#[tokio::test]
async fn an_address_that_no_application_has_registered_is_refused_when_it_is_entered() {
    let (instance, id) = draft().await;
    let enter = |url: &str| instance.run(&["connection", "update", &id, "--saml-default-redirect-uri", url]);
    let unknown = enter("https://evil.test/");
    unknown.failed(2, "is the initiate-login address of no application");
    assert!(
        unknown
            .stderr
            .contains("genkan app update APP --initiate-login-uri"),
        "{}",
        unknown.stderr
    );
    let shown = instance.json(&["connection", "show", &id]);
    assert_eq!(shown["saml"]["default_redirect_uri"], Value::Null);
    let create = [
        "connection",
        "create",
        "--saml",
        "--organization",
        "acme",
        "--disabled",
    ];
    instance
        .run(
            &[
                &create[..],
                &["--saml-default-redirect-uri", "https://evil.test/"],
            ]
            .concat(),
        )
        .failed(2, "is the initiate-login address of no application");
    let other = text(&instance.json(&create), "/id").to_owned();
    let of_other = format!("https://auth.example.com/sso/v1/saml/{other}");
    instance
        .run(&["connection", "update", &id, "--saml-sp-entity-id", &of_other])
        .failed(2, "--saml-sp-entity-id is that of another connection");
}

/// Purpose and state of each certificate.
fn states(listing: &Value) -> Vec<(&str, &str)> {
    let certificates = listing["certificates"].as_array().unwrap();
    certificates
        .iter()
        .map(|view| (view["purpose"].as_str().unwrap(), view["state"].as_str().unwrap()))
        .collect()
}

/// For each certificate its use, and `true` if our metadata have it.
fn usages(listing: &Value) -> Vec<(&str, bool)> {
    let certificates = listing["certificates"].as_array().unwrap();
    certificates
        .iter()
        .map(|view| {
            (
                view["usage"].as_str().unwrap(),
                view["in_metadata"].as_bool().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_certificate_is_published_then_signs_and_then_the_one_before_is_retired() {
    let (instance, id) = draft().await;
    let list = ["connection", "certificates", "list", &id];
    let rotate = ["connection", "certificates", "rotate", &id];
    let first = instance.json(&list);
    assert_eq!(states(&first), [("DECRYPTION", "ACTIVE"), ("SIGNING", "ACTIVE")]);
    assert_eq!(instance.json(&list), first, "they are made once");
    let step = |step: &'static str| [&rotate[..], &[step]].concat();
    instance
        .run(&step("--switch"))
        .failed(1, "No next key is published");
    instance.run(&step("--retire")).failed(1, "No key from before");

    let published = instance.json(&rotate);
    assert_eq!(
        states(&published)[1..],
        [("SIGNING", "ACTIVE"), ("SIGNING", "PUBLISHED")]
    );
    instance
        .run(&rotate)
        .failed(1, "Two signing keys are in our metadata");
    let switched = instance.json(&step("--switch"));
    assert_eq!(
        states(&switched)[1..],
        [("SIGNING", "PUBLISHED"), ("SIGNING", "ACTIVE")]
    );
    // Both states were PUBLISHED: the next one, and the one before.
    assert_eq!(usages(&published)[1..], [("signs", true), ("signs next", true)]);
    assert_eq!(usages(&switched)[1..], [("signed before", true), ("signs", true)]);
    let shown = instance.json(&["connection", "show", &id]);
    assert_eq!(shown["saml"]["certificate_id"], switched["certificates"][2]["id"]);
    let retired = instance.json(&step("--retire"));
    assert_eq!(
        states(&retired)[1..],
        [("SIGNING", "RETIRED"), ("SIGNING", "ACTIVE")]
    );

    assert_eq!(usages(&retired)[1..], [("signed before", false), ("signs", true)]);

    let encryption = instance.json(&step("--encryption"));
    assert_eq!(
        states(&encryption)[..2],
        [("DECRYPTION", "RETIRED"), ("DECRYPTION", "ACTIVE")]
    );
    assert_eq!(
        usages(&encryption)[..2],
        [("opens older answers", false), ("encrypted to", true)]
    );
    let printed = instance.run(&list).stdout;
    assert!(
        printed.contains("USE") && printed.contains("IN METADATA"),
        "{printed}"
    );
    assert!(!printed.contains("PUBLISHED"), "{printed}");
    let pem = instance.run(&[&list[..], &["--pem"]].concat()).stdout;
    assert_eq!(IdpCertificate::parse_all(&pem).unwrap().len(), 2, "{pem}");
    assert!(!pem.contains("PRIVATE"));
}

#[tokio::test]
async fn a_connection_by_openid_connect_has_no_certificates() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let created = instance
        .run_with(
            "s3cret",
            &[
                "connection",
                "create",
                "--oidc",
                "--organization",
                "acme",
                "--issuer",
                "https://login.acme.test",
                "--client-id",
                "genkan",
                "--client-secret-stdin",
                "--json",
            ],
        )
        .json();
    instance
        .run(&["connection", "certificates", "list", text(&created, "/id")])
        .failed(2, "needs no certificate of ours");
}
