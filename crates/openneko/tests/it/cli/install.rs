//! Installing, listing and removing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use aws_lc_rs::digest;
use serde_json::json;

use crate::support::{Answer, Machine, NAME, Package, catalog, integrity, plugin};

const INSTALLED: &str = "installed @acme/plugin-sso@1.0.0 (marketplace=acme) — network: *.acme.com\n";

#[test]
fn a_plugin_is_unpacked_and_recorded() {
    let mut machine = Machine::with_marketplace();
    let mut package = Package::new("1.0.0");
    package.json["scripts"] = json!({ "build": "tsc", "test": "node --test" });
    machine.offer(&package);
    let ran = machine.run(&["install", NAME]);
    ran.printed(INSTALLED);
    assert_eq!(ran.stderr, "");

    let hash = digest::digest(&digest::SHA512, &package.tarball());
    let short: String = hash.as_ref()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let folder = format!("acme+plugin-sso/1.0.0-{short}");
    assert_eq!(
        machine.installed(),
        [format!("{folder}/dist/run.js"), format!("{folder}/package.json")]
    );
    let file = machine.path("work/plugins").join(&folder).join("dist/run.js");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);

    let [entry] = machine.entries().try_into().unwrap();
    let installed_at = entry["installedAt"].as_str().unwrap().to_owned();
    assert!(
        installed_at.ends_with('Z') && installed_at.len() == 24,
        "{installed_at}"
    );
    assert_eq!(
        entry,
        json!({
            "name": NAME,
            "version": "1.0.0",
            "integrity": integrity(&package.tarball()),
            "permissions": { "network": ["*.acme.com"], "env": [] },
            "capabilities": { "auth": { "providerLabel": "Acme" } },
            "marketplace": "acme",
            "installSource": "marketplace",
            "installedAt": installed_at,
            "policySnapshot": {
                "allowUnverified": false,
                "allowGitUrlInstalls": false,
                "allowedMarketplaces": [openneko::marketplace::OFFICIAL_URL, machine.server.url("/marketplace.json")],
                "allowSandboxedSkillEscape": false,
            },
            "runner": { "path": "dist/run.js", "integrity": integrity(b"// 1.0.0\n") },
        })
    );
    machine
        .run(&["list"])
        .printed("@acme/plugin-sso@1.0.0  [*.acme.com]  [SSO provider]  from=acme\n");
    let listed = machine.run(&["list", "-o", "json"]);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&listed.stdout).unwrap(),
        json!([entry])
    );
    assert!(
        listed.stdout.starts_with("[\n  {\n    \"name\": "),
        "{}",
        listed.stdout
    );
}

#[test]
fn the_host_finds_what_to_run_and_notices_when_it_was_changed() {
    let mut machine = Machine::with_marketplace();
    machine.offer(&Package::new("1.0.0"));
    machine.run(&["install", NAME]).printed(INSTALLED);
    let environment = [(
        "XDG_CONFIG_HOME",
        machine.path("home/config").to_str().unwrap().to_owned(),
    )];
    let paths = openneko::paths::Paths::new(environment.into_iter().collect(), &machine.path("work"));
    let read = || {
        let (manifest, _) = openneko::manifest::read(&paths).unwrap().unwrap();
        openneko::manifest::runner(&paths, manifest.get(NAME).unwrap())
    };
    let runner = read().unwrap();
    assert_eq!(fs::read(&runner.path).unwrap(), b"// 1.0.0\n");
    let hash = digest::digest(&digest::SHA512, b"// 1.0.0\n");
    assert_eq!(runner.sha512.as_slice(), hash.as_ref());

    let text = fs::read_to_string(machine.manifest()).unwrap();
    for path in ["../../../evil.js", "/etc/passwd"] {
        fs::write(machine.manifest(), text.replace("dist/run.js", path)).unwrap();
        assert!(read().is_err(), "{path}");
    }
}

#[test]
fn the_newest_release_is_chosen_whatever_the_order() {
    let mut machine = Machine::with_marketplace();
    for version in ["1.10.0", "1.9.0", "2.0.0-rc.1", "1.2.0"] {
        machine.offer(&Package::new(version));
    }
    let version = |args: &[&str]| {
        let ran = machine.run(&[&["install"], args].concat());
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        machine.entries()[0]["version"].as_str().unwrap().to_owned()
    };
    assert_eq!(version(&[NAME]), "1.10.0");
    assert_eq!(version(&[NAME, "--pre"]), "2.0.0-rc.1");
    assert_eq!(version(&[NAME, "--version", "1.9.0"]), "1.9.0");
    assert_eq!(version(&["@acme/plugin-sso@1.2.0"]), "1.2.0");
    assert_eq!(version(&["@acme/plugin-sso@acme"]), "1.10.0");
    assert_eq!(machine.installed().len(), 2, "other versions are removed");
}

#[test]
fn what_cannot_be_installed_is_said_in_the_known_words() {
    let mut machine = Machine::with_marketplace();
    machine.offer(&Package::new("1.0.0"));
    for (args, code, error) in [
        (
            &["@acme/nothing"][..],
            1,
            "install: @acme/nothing not found in any trusted marketplace (acme)\n  not asked, since the policy does not allow it: official",
        ),
        (
            &["@acme/plugin-sso@nobody"],
            1,
            "install: marketplace \"nobody\" not trusted — add it first with: openneko marketplace add <url>",
        ),
        (
            &["@acme/plugin-sso@official"],
            2,
            "install: marketplace \"official\" is not allowed by deployment policy. To allow it on this host: openneko policy allow official",
        ),
        (
            &[NAME, "--version", "3.0.0"],
            1,
            "marketplace: @acme/plugin-sso has no published non-yanked version 3.0.0",
        ),
        (&[""], 2, "install: package name required"),
        (
            &["https://github.com/acme/skill"],
            2,
            "install: Git-URL skill installs are disabled by deployment policy. openneko installs plugins by their package name",
        ),
        (
            &[NAME, "--unverified"],
            2,
            "install: --unverified is disabled by deployment policy. To allow it on this host: openneko policy set allow-unverified true",
        ),
    ] {
        machine
            .run(&[&["install"], args].concat())
            .failed(code, &format!("error: {error}"));
    }
    assert_eq!(machine.installed(), Vec::<String>::new());
}

#[test]
fn a_plugin_in_two_marketplaces_must_be_picked() {
    let mut machine = Machine::with_marketplace();
    let package = Package::new("1.0.0");
    machine.offer(&package);
    let version = json!({
        "version": "1.0.0", "integrity": integrity(&package.tarball()), "permissions": {},
        "capabilities": { "auth": {} }, "publishedAt": "2026-06-02"
    });
    let other = catalog("Other Shop", &json!([plugin(NAME, &[version])]));
    machine.server.set("/other.json", Answer::json(&other));
    let url = machine.server.url("/other.json");
    machine
        .run(&["marketplace", "add", &url])
        .printed("trusted Other Shop as \"other-shop\" — 1 plugin(s) listed\n")
        .noted("openneko policy allow other-shop");
    // A marketplace that is not allowed is not asked, and its entry does not count.
    machine.run(&["install", NAME]).printed(INSTALLED);
    assert_eq!(machine.run(&["policy", "allow", "other-shop"]).code, Some(0));
    machine.run(&["install", NAME]).failed(
        1,
        "error: install: @acme/plugin-sso is listed in multiple trusted marketplaces. Pick one:\n  \
         @acme/plugin-sso@acme\n  @acme/plugin-sso@other-shop",
    );
    machine
        .run(&["install", "@acme/plugin-sso@acme"])
        .printed(INSTALLED);
}

#[test]
fn one_marketplace_that_fails_does_not_hide_the_others() {
    let mut machine = Machine::with_marketplace();
    machine.offer(&Package::new("1.0.0"));
    machine
        .server
        .set("/down.json", Answer::json(&catalog("Down", &json!([]))));
    let url = machine.server.url("/down.json");
    assert_eq!(machine.run(&["marketplace", "add", &url]).code, Some(0));
    assert_eq!(machine.run(&["policy", "allow", "down"]).code, Some(0));
    machine
        .server
        .set("/down.json", Answer::status("503 Service Unavailable"));
    machine.run(&["install", NAME]).printed(INSTALLED).noted(&format!(
        "warning: failed to fetch marketplace down ({url}): HTTP 503 Service Unavailable"
    ));
    machine.run(&["install", "@acme/plugin-sso@down"]).failed(
        1,
        &format!("error: failed to fetch marketplace down ({url}): HTTP 503 Service Unavailable"),
    );
}

#[test]
fn installing_again_keeps_what_the_operator_set_and_what_is_not_known() {
    let mut machine = Machine::with_marketplace();
    machine.offer(&Package::new("1.0.0"));
    machine.offer(&Package::named("@acme/other", "1.0.0"));
    for name in [NAME, "@acme/other"] {
        assert_eq!(machine.run(&["install", name]).code, Some(0));
    }
    let text = fs::read_to_string(machine.manifest()).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    manifest["later"] = json!({ "kept": true });
    manifest["plugins"][0]["env"] = json!({ "REGION": "eu" });
    manifest["plugins"][0]["later"] = json!([1]);
    manifest["plugins"][1]["capabilities"]["auth"]["later"] = json!("<&>");
    fs::write(machine.manifest(), manifest.to_string()).unwrap();
    let kept = machine.entries()[1].clone();
    assert_eq!(machine.run(&["grant", NAME, "auth.acme.com"]).code, Some(0));

    machine.offer(&Package::new("1.1.0"));
    assert_eq!(machine.run(&["install", NAME]).code, Some(0));
    let entries = machine.entries();
    assert_eq!(entries[0]["version"], "1.1.0");
    assert_eq!(entries[0]["env"], json!({ "REGION": "eu" }));
    assert_eq!(entries[0]["later"], json!([1]));
    assert_eq!(entries[0]["grants"][0]["host"], "auth.acme.com");
    assert_eq!(entries[1], kept);
    assert!(
        fs::read_to_string(machine.manifest())
            .unwrap()
            .contains("\"kept\": true")
    );
}

#[test]
fn more_hosts_than_before_must_be_agreed_to() {
    let mut machine = Machine::with_marketplace();
    machine.offer(&Package::new("1.0.0"));
    machine.run(&["install", NAME]).printed(INSTALLED);
    let mut wider = Package::new("1.1.0");
    wider.json["openneko"]["permissions"]["network"] = json!(["*.acme.com", "acme.io"]);
    machine.offer(&wider);
    let error = "error: @acme/plugin-sso would be allowed to reach more hosts than 1.0.0 was: acme.io\n\
                 There is nobody to ask: add --yes to go on.";
    machine.run(&["install", NAME]).failed(2, error);
    machine.run(&["update"]).failed(2, error);
    machine
        .run(&["install", NAME, "--yes"])
        .printed("installed @acme/plugin-sso@1.1.0 (marketplace=acme) — network: *.acme.com, acme.io\n");
}

#[test]
fn required_values_that_nobody_can_be_asked_for_are_named() {
    let mut machine = Machine::with_marketplace();
    let mut package = Package::new("1.0.0");
    package.json["openneko"]["permissions"]["env"] = json!([
        { "key": "ACME_URL", "description": "Your address", "secret": false },
        { "key": "ACME_SECRET", "description": "The secret" },
        { "key": "ACME_HINT", "description": "Optional", "required": false },
    ]);
    machine.offer(&package);
    let before = machine.files();
    machine.run(&["install", NAME]).failed(
        1,
        "error: install: required env \"ACME_URL\" for @acme/plugin-sso is not set and stdin is not a TTY.\n\
         Run: openneko secrets set @acme/plugin-sso ACME_URL <value>\n\
         Run: openneko secrets set @acme/plugin-sso ACME_SECRET <value>",
    );
    assert!(machine.files() == before, "nothing was written");
    assert!(
        machine
            .server
            .asked()
            .iter()
            .all(|asked| !asked.path.contains("tarball"))
    );
    // An empty value is a value.
    machine
        .run(&["secrets", "set", NAME, "ACME_URL", ""])
        .printed("set @acme/plugin-sso/ACME_URL\n");
    machine
        .run(&["secrets", "set", NAME, "ACME_SECRET", "s"])
        .printed("set @acme/plugin-sso/ACME_SECRET\n");
    machine
        .run(&["install", NAME])
        .printed(&format!("{INSTALLED}  env already set: ACME_URL, ACME_SECRET\n"));
}

#[test]
fn an_unverified_package_takes_its_hosts_from_itself() {
    let mut machine = Machine::with_marketplace();
    let mut package = Package::new("1.0.0");
    package.json["openneko"]["permissions"]["env"] =
        json!([{ "key": "ACME_SECRET", "description": "The secret" }]);
    let tarball = package.tarball();
    machine.publish(&package, &tarball, &integrity(&tarball));
    let ran = machine.run(&["policy", "set", "allow-unverified", "true"]);
    assert!(ran.stdout.starts_with("allow-unverified: yes\n"), "{ran:#?}");
    machine
        .run(&["install", NAME, "--unverified"])
        .printed("installed @acme/plugin-sso@1.0.0 (unverified npm) — network: *.acme.com\n")
        .noted("warning: --unverified: no marketplace vouches for this package")
        .noted(
            "warning: @acme/plugin-sso needs ACME_SECRET: openneko secrets set @acme/plugin-sso ACME_SECRET",
        );
    let [entry] = machine.entries().try_into().unwrap();
    assert_eq!(entry["installSource"], "unverified");
    assert_eq!(entry.get("marketplace"), None);
    assert_eq!(
        machine.run(&["policy", "set", "allow-unverified", "false"]).code,
        Some(0)
    );
    machine
        .run(&["list"])
        .printed("@acme/plugin-sso@1.0.0  [*.acme.com]  [SSO provider]  [not allowed by policy]\n");
    assert_eq!(
        machine.run(&["policy", "set", "allow-unverified", "true"]).code,
        Some(0)
    );

    let mut bare = Package::new("1.1.0");
    bare.json["openneko"]
        .as_object_mut()
        .unwrap()
        .remove("capabilities");
    machine.publish(&bare, &bare.tarball(), &integrity(&bare.tarball()));
    let ran = machine.run(&["install", "@acme/plugin-sso@1.1.0", "--unverified"]);
    ran.noted(
        "error: --unverified install: @acme/plugin-sso package.json must declare openneko.capabilities",
    );
    assert_eq!(machine.entries(), [entry]);
}

#[test]
fn a_removed_plugin_leaves_its_secrets_and_nothing_else() {
    let mut machine = Machine::with_marketplace();
    machine
        .run(&["remove", NAME])
        .printed("@acme/plugin-sso was not in the manifest\n");
    machine.offer(&Package::new("1.0.0"));
    machine.run(&["install", NAME]).printed(INSTALLED);
    machine.run(&["secrets", "set", NAME, "KEY", "v"]);
    machine
        .run(&["remove", NAME])
        .printed("removed @acme/plugin-sso\n")
        .noted("Its secrets stay (KEY). To delete one: openneko secrets unset @acme/plugin-sso KEY");
    assert_eq!(machine.installed(), Vec::<String>::new());
    machine.run(&["list"]).printed("no plugins installed\n");
    machine
        .run(&["remove", NAME])
        .printed("@acme/plugin-sso was not in the manifest\n");
    machine
        .run(&["secrets", "list"])
        .printed("@acme/plugin-sso\n  KEY\n");
}

#[test]
fn a_manifest_that_is_none_stops_everything_before_it_begins() {
    let mut machine = Machine::with_marketplace();
    machine.offer(&Package::new("1.0.0"));
    for text in [
        "",
        "{}",
        r#"{"schema":"https://evil.example","plugins":[]}"#,
        "\u{0}",
    ] {
        fs::write(machine.manifest(), text).unwrap();
        let before = machine.files();
        for args in [
            &["install", NAME][..],
            &["remove", NAME],
            &["list"],
            &["update"],
            &["grant", NAME, "a.com"],
        ] {
            let ran = machine.run(args);
            assert_eq!(ran.code, Some(1), "{ran:#?}");
            ran.noted("manifest is malformed: ");
        }
        assert!(machine.files() == before);
    }
}

#[test]
fn a_manifest_that_cannot_be_written_leaves_no_package_behind() {
    let mut machine = Machine::with_marketplace();
    machine.offer(&Package::new("1.0.0"));
    let lock = machine.path("work/.openneko.plugins.json.lock");
    fs::create_dir(&lock).unwrap();
    let ran = machine.run(&["install", NAME]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    ran.noted("error: cannot write ");
    assert_eq!(machine.installed(), Vec::<String>::new());
    // But a package that an older manifest names is not removed.
    fs::remove_dir(&lock).unwrap();
    machine.run(&["install", NAME]).printed(INSTALLED);
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    assert_eq!(machine.run(&["install", NAME]).code, Some(1));
    assert_eq!(machine.installed().len(), 2);
}
