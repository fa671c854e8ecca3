//! The output of the smaller commands, wrong usage, and text that is not sent to a terminal.

use std::fs;

use crate::support::{Machine, Ran};

#[test]
fn init_creates_the_manifest_once() {
    let machine = Machine::new();
    let path = machine.manifest().display().to_string();
    machine
        .run(&["list"])
        .printed("no openneko.plugins.json — run `openneko init` to create one\n");
    machine.run(&["list", "-o", "json"]).printed("[]\n");
    machine.run(&["init"]).printed(&format!("created {path}\n"));
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "{\n  \"schema\": \"https://open-neko.github.io/plugins/manifest.schema.json\",\n  \"plugins\": []\n}\n"
    );
    fs::write(&path, "mine").unwrap();
    machine
        .run(&["init"])
        .printed(&format!("{path} already exists\n"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn the_manifest_and_the_packages_lie_where_the_environment_says() {
    let machine = Machine::new();
    let path = machine.path("etc/openneko/plugins.json");
    let output = machine
        .command()
        .arg("init")
        .env("OPENNEKO_PLUGINS_MANIFEST_PATH", &path)
        .output();
    Ran::of(output.unwrap()).printed(&format!("created {}\n", path.display()));
    assert!(path.exists() && !machine.manifest().exists());
}

#[test]
fn the_version_stands_alone_on_its_line() {
    let machine = Machine::new();
    let version = format!("{}\n", env!("CARGO_PKG_VERSION"));
    machine.run(&["--version"]).printed(&version);
    machine.run(&["version"]).printed(&version);
    machine.run(&["--local", "version"]).printed(&version);
    machine.run(&["version", "--local"]).printed(&version);
}

#[test]
fn wrong_usage_exits_with_2() {
    let machine = Machine::new();
    for args in [
        &[][..],
        &["nothing"],
        &["--nothing"],
        &["init", "extra"],
        &["install"],
        &["install", "a", "b"],
        &["install", "abc", "--nothing"],
        &["remove"],
        &["list", "-o", "yaml"],
        &["secrets"],
        &["secrets", "set", "abc"],
        &["secrets", "set", "abc", "KEY", "value", "more"],
        &["secrets", "set", "abc", "KEY", "value", "--stdin"],
        &["marketplace", "add"],
        &["policy", "set", "allow-unverified", "maybe"],
        &["grant", "abc"],
    ] {
        let ran = machine.run(args);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(2), ""),
            "{args:?}: {ran:#?}"
        );
        assert!(!ran.stderr.is_empty());
    }
}

#[test]
fn every_command_teaches_with_an_example() {
    let machine = Machine::new();
    for command in [
        "init",
        "install",
        "remove",
        "list",
        "update",
        "secrets",
        "marketplace",
        "policy",
        "grant",
    ] {
        let ran = machine.run(&[command, "--help"]);
        assert_eq!(ran.code, Some(0));
        assert!(ran.stdout.contains("Examples:\n  openneko "), "{ran:#?}");
    }
}
