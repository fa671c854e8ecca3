//! `openneko marketplace` and `openneko policy`.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Answer, Machine, catalog};

const OFFICIAL: &str = "https://open-neko.github.io/plugins/marketplace.json";

#[test]
fn a_new_machine_trusts_the_official_marketplace() {
    let machine = Machine::new();
    machine
        .run(&["marketplace", "list"])
        .printed(&format!("official  {OFFICIAL}  [official]\n"));
    let text = fs::read_to_string(machine.config("marketplaces.json")).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!({ "marketplaces": [{ "name": "official", "url": OFFICIAL, "addedAt": "1970-01-01", "official": true }] })
    );
    machine.run(&["marketplace", "remove", "official"]).failed(
        1,
        "error: marketplace \"official\" is the official OpenNeko marketplace — refusing to remove",
    );
}

#[test]
fn a_marketplace_is_trusted_once_and_removed_by_slug_or_address() {
    let machine = Machine::new();
    let url = machine.server.url("/m.json");
    machine
        .server
        .set("/m.json", Answer::json(&catalog("Acme Tools!", &json!([]))));
    let trusted = "trusted Acme Tools! as \"acme-tools\" — 0 plugin(s) listed\n";
    machine.run(&["marketplace", "add", &url]).printed(trusted);
    machine.run(&["marketplace", "list"]).printed(&format!(
        "official  {OFFICIAL}  [official]\nacme-tools  {url}  [not allowed by policy]\n"
    ));
    machine
        .run(&["marketplace", "add", &url])
        .failed(1, &format!("error: {url} is already trusted as \"acme-tools\""));
    let other = machine.server.url("/other.json");
    machine
        .server
        .set("/other.json", Answer::json(&catalog("acme tools", &json!([]))));
    machine
        .run(&["marketplace", "add", &other])
        .failed(1, "error: marketplace \"acme-tools\" is already trusted");
    machine
        .run(&["marketplace", "remove", "nobody"])
        .printed("no trusted marketplace matched nobody\n");
    machine
        .run(&["marketplace", "remove", &url])
        .printed("removed marketplace acme-tools\n");
    machine.run(&["marketplace", "add", &url]).printed(trusted);
    machine
        .run(&["marketplace", "remove", "acme-tools"])
        .printed("removed marketplace acme-tools\n");
}

#[test]
fn a_file_is_a_marketplace_for_development() {
    let machine = Machine::new();
    let file = machine.path("work/marketplace.json");
    fs::write(&file, catalog("Local", &json!([])).to_string()).unwrap();
    machine
        .run(&["marketplace", "add", "./marketplace.json"])
        .printed("trusted Local as \"local\" — 0 plugin(s) listed\n");
    let url = format!("file://{}", fs::canonicalize(&file).unwrap().display());
    machine
        .run(&["marketplace", "remove", &url])
        .printed("removed marketplace local\n");
    machine
        .run(&["marketplace", "add", &url])
        .printed("trusted Local as \"local\" — 0 plugin(s) listed\n");
}

#[test]
fn an_address_without_tls_is_refused() {
    let machine = Machine::new();
    for (url, reason) in [
        (
            "http://acme.com/m.json",
            "http://acme.com/m.json is not https: plain http is for localhost alone",
        ),
        (
            "ftp://acme.com/m.json",
            "ftp://acme.com/m.json is not https: plain http is for localhost alone",
        ),
        (
            "https://ada:pw@acme.com/",
            "https://acme.com/ holds a user name or password",
        ),
        ("missing.json", "\"missing.json\" is not a URL"),
    ] {
        machine
            .run(&["marketplace", "add", url])
            .failed(2, &format!("error: marketplace: {reason}"));
    }
}

#[test]
fn a_redirect_may_not_lead_from_tls_or_to_another_scheme() {
    let machine = Machine::new();
    let url = machine.server.url("/m.json");
    machine
        .server
        .set("/m.json", Answer::redirect("http://acme.example/m.json"));
    machine.run(&["marketplace", "add", &url]).failed(
        1,
        &format!(
            "error: failed to fetch marketplace {url}: a redirect to http://acme.example/m.json is refused"
        ),
    );
    machine.server.set("/m.json", Answer::redirect("/m.json"));
    machine.run(&["marketplace", "add", &url]).failed(
        1,
        &format!("error: failed to fetch marketplace {url}: too many redirects"),
    );
    machine.server.set("/m.json", Answer::redirect("/n.json"));
    machine
        .server
        .set("/n.json", Answer::json(&catalog("Moved", &json!([]))));
    machine
        .run(&["marketplace", "add", &url])
        .printed("trusted Moved as \"moved\" — 0 plugin(s) listed\n");
}

#[test]
fn an_answer_that_is_too_large_is_cut_off() {
    let machine = Machine::new();
    let url = machine.server.url("/m.json");
    machine
        .server
        .set("/m.json", Answer::ok(&vec![b' '; (8 << 20) + 1]));
    machine.run(&["marketplace", "add", &url]).failed(
        1,
        &format!("error: failed to fetch marketplace {url}: the answer is larger than 8192 KiB"),
    );
}

#[test]
fn a_name_in_a_catalog_cannot_command_the_terminal() {
    let machine = Machine::new();
    let url = machine.server.url("/m.json");
    machine
        .server
        .set("/m.json", Answer::json(&catalog("A\u{1b}[2J\r\nB", &json!([]))));
    machine
        .run(&["marketplace", "add", &url])
        .printed("trusted A\u{fffd}[2J\u{fffd}\u{fffd}B as \"a-2j-b\" — 0 plugin(s) listed\n");
}

#[test]
fn the_policy_is_shown_and_set() {
    let machine = Machine::new();
    machine.run(&["policy"]).printed(&format!(
        "allow-unverified: no\nallow-git-url-installs: no\nallow-sandboxed-skill-escape: no\nallowed marketplaces:\n  {OFFICIAL}\n"
    ));
    let allowed = machine.run(&["policy", "allow", "https://acme.com/m.json"]);
    assert!(
        allowed.stdout.ends_with("  https://acme.com/m.json\n"),
        "{allowed:#?}"
    );
    let shown = machine.run(&["policy", "-o", "json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&shown.stdout).unwrap(),
        json!({
            "allowUnverified": false,
            "allowGitUrlInstalls": false,
            "allowedMarketplaces": [OFFICIAL, "https://acme.com/m.json"],
            "allowSandboxedSkillEscape": false,
        })
    );
    assert!(
        !machine
            .run(&["policy", "deny", "https://acme.com/m.json"])
            .stdout
            .contains("acme")
    );
    machine
        .run(&["policy", "deny", "official"])
        .failed(1, "error: the official marketplace is always allowed");
    machine.run(&["policy", "allow", "nobody"]).failed(
        2,
        "error: policy: \"nobody\" is neither an address nor a trusted marketplace (official)",
    );
    fs::write(
        machine.config("config.json"),
        r#"{"installPolicy":{"allowUnverified":1}}"#,
    )
    .unwrap();
    let ran = machine.run(&["install", "abc", "--unverified"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    ran.noted("config.json is malformed: ");
}
