//! `openneko update` and what marketplaces take back.

use serde_json::json;

use crate::support::{Machine, NAME, Package, integrity};

fn with_installed() -> Machine {
    let mut machine = Machine::with_marketplace();
    machine.offer(&Package::new("1.0.0"));
    assert_eq!(machine.run(&["install", NAME]).code, Some(0));
    machine
}

fn yank(machine: &mut Machine, version: &str) {
    let package = Package::new(version);
    let yanked = json!({ "yanked": true, "yanked_reason": "leaks tokens" });
    machine.list(&package, &integrity(&package.tarball()), &yanked);
}

#[test]
fn an_update_takes_the_newest_release_and_never_an_older_one() {
    let mut machine = with_installed();
    machine
        .run(&["update"])
        .printed("@acme/plugin-sso@1.0.0 is current\n");
    machine.offer(&Package::new("0.9.0"));
    machine.offer(&Package::new("2.0.0-beta"));
    machine
        .run(&["update", NAME])
        .printed("@acme/plugin-sso@1.0.0 is current\n");
    machine.offer(&Package::new("1.1.0"));
    machine
        .run(&["list", "--check"])
        .noted("@acme/plugin-sso: 1.1.0 is available: openneko update @acme/plugin-sso");
    machine
        .run(&["update"])
        .printed("installed @acme/plugin-sso@1.1.0 (marketplace=acme) — network: *.acme.com\n");
    machine
        .run(&["update", "--pre"])
        .printed("installed @acme/plugin-sso@2.0.0-beta (marketplace=acme) — network: *.acme.com\n");
    machine.run(&["update", "@acme/nothing"]).failed(
        1,
        "error: @acme/nothing is not installed: `openneko list` shows what is",
    );
}

#[test]
fn an_installed_version_that_was_taken_back_is_marked() {
    let mut machine = with_installed();
    let line = "@acme/plugin-sso@1.0.0  [*.acme.com]  [SSO provider]  from=acme";
    machine.run(&["list", "--check"]).printed(&format!("{line}\n"));
    yank(&mut machine, "1.0.0");
    machine.run(&["list"]).printed(&format!("{line}\n"));
    machine
        .run(&["list", "--check"])
        .printed(&format!("{line}  YANKED: leaks tokens\n"));
    machine
        .run(&["list"])
        .printed(&format!("{line}  YANKED: leaks tokens\n"));
    machine.run(&["update"]).failed(
        1,
        "error: @acme/plugin-sso@1.0.0 was yanked, and there is nothing newer. To get rid of it: openneko remove @acme/plugin-sso",
    );
    machine.offer(&Package::new("1.0.1"));
    assert_eq!(machine.run(&["update"]).code, Some(0));
    machine
        .run(&["list"])
        .printed("@acme/plugin-sso@1.0.1  [*.acme.com]  [SSO provider]  from=acme\n");
    assert_eq!(machine.entries()[0].get("yanked"), None);
}

#[test]
fn a_version_that_is_no_longer_yanked_loses_its_mark() {
    let mut machine = with_installed();
    yank(&mut machine, "1.0.0");
    assert!(machine.run(&["list", "--check"]).stdout.contains("YANKED"));
    machine.offer(&Package::new("1.0.0"));
    assert!(!machine.run(&["list", "--check"]).stdout.contains("YANKED"));
}

#[test]
fn one_plugin_that_cannot_be_updated_does_not_hold_up_the_others() {
    let mut machine = Machine::with_marketplace();
    let other = "@acme/a-first";
    machine.offer(&Package::named(other, "1.0.0"));
    machine.offer(&Package::new("1.0.0"));
    for name in [other, NAME] {
        assert_eq!(machine.run(&["install", name]).code, Some(0));
    }
    let bad = Package::named(other, "1.1.0");
    machine.offer(&bad);
    machine.list(&bad, &integrity(b"another"), &json!({}));
    machine.offer(&Package::new("1.1.0"));
    let ran = machine.run(&["update"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert_eq!(
        ran.stdout,
        "installed @acme/plugin-sso@1.1.0 (marketplace=acme) — network: *.acme.com\n"
    );
    ran.noted("error: the integrity of @acme/a-first@1.1.0 differs from the one in the marketplace")
        .noted("error: 1 of 2 plugins could not be updated");
    assert_eq!(machine.entries()[0]["version"], "1.0.0");
}
