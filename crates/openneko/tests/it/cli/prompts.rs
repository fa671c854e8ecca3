//! Questions at a real terminal.

use std::process::Stdio;

use serde_json::json;

use crate::support::{Machine, NAME, Package, Ran, Terminal};

const CTRL_C: &str = "\u{3}";

fn machine() -> Machine {
    let mut machine = Machine::with_marketplace();
    let mut package = Package::named("@open-neko/plugin-scalekit", "0.2.1");
    package.json["openneko"]["permissions"] = json!({
        "network": ["*.scalekit.com"],
        "env": [
            { "key": "SCALEKIT_ENVIRONMENT_URL", "description": "Your environment's address", "required": true, "secret": false },
            { "key": "SCALEKIT_CLIENT_ID", "description": "The client's id", "required": true, "secret": false },
            { "key": "SCALEKIT_CLIENT_SECRET", "description": "The client's secret", "required": true, "secret": true },
            { "key": "SCALEKIT_HINT", "description": "Never asked for", "required": false },
        ],
    });
    machine.offer(&package);
    machine
}

fn install(machine: &Machine) -> Terminal {
    let mut command = machine.command();
    command.args(["install", "@open-neko/plugin-scalekit"]);
    Terminal::run(command)
}

fn set(machine: &Machine, key: &str) -> Terminal {
    let mut command = machine.command();
    command.args(["secrets", "set", NAME, key]);
    Terminal::run(command)
}

/// The stored value, by way of a plugin's environment being resolved.
fn stored(machine: &Machine, plugin: &str, key: &str) -> Option<String> {
    let environment = [(
        "XDG_CONFIG_HOME",
        machine.path("home/config").to_str().unwrap().to_owned(),
    )];
    let paths = openneko::paths::Paths::new(environment.into_iter().collect(), &machine.path("work"));
    let values = openneko::secrets::Store::open(&paths)
        .unwrap()
        .get(plugin)
        .unwrap();
    values.get(key).map(|value| value.expose().to_owned())
}

#[test]
fn installing_asks_for_what_is_required_and_hides_what_is_secret() {
    let machine = machine();
    let mut terminal = install(&machine);
    terminal.expect("\r\n@open-neko/plugin-scalekit requires SCALEKIT_ENVIRONMENT_URL\r\n  Your environment's address\r\nvalue: ");
    terminal.send("https://acme.scalekit.com\n");
    terminal
        .expect("\r\n@open-neko/plugin-scalekit requires SCALEKIT_CLIENT_ID\r\n  The client's id\r\nvalue: ");
    terminal.send(" skc_1 \n");
    terminal.expect("\r\n@open-neko/plugin-scalekit requires SCALEKIT_CLIENT_SECRET\r\n  The client's secret\r\nSCALEKIT_CLIENT_SECRET (hidden): ");
    terminal.expect_hidden();
    terminal.send("hunter2\n");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(
        shown.ends_with(
            "(hidden): \r\n\
             installed @open-neko/plugin-scalekit@0.2.1 (marketplace=acme) — network: *.scalekit.com\r\n  \
             saved env: SCALEKIT_ENVIRONMENT_URL, SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET\r\n"
        ) || shown.contains("downloading"),
        "{shown:?}"
    );
    assert!(shown.contains(
        "installed @open-neko/plugin-scalekit@0.2.1 (marketplace=acme) — network: *.scalekit.com\r\n"
    ));
    let value = |key| stored(&machine, "@open-neko/plugin-scalekit", key).unwrap();
    assert_eq!(value("SCALEKIT_ENVIRONMENT_URL"), "https://acme.scalekit.com");
    assert_eq!(value("SCALEKIT_CLIENT_ID"), " skc_1 ", "blanks are kept");
    assert_eq!(value("SCALEKIT_CLIENT_SECRET"), "hunter2");

    // Asked once, and never again.
    let (code, shown) = install(&machine).finish();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("requires"), "{shown}");
    assert!(shown.contains(
        "  env already set: SCALEKIT_ENVIRONMENT_URL, SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET\r\n"
    ));
}

#[test]
fn an_empty_answer_stops_and_saves_none_of_the_answers() {
    let machine = machine();
    let mut terminal = install(&machine);
    terminal.expect("value: ");
    terminal.send("https://acme.scalekit.com\n");
    terminal.expect("The client's id\r\nvalue: ");
    terminal.send("\n");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(1));
    assert!(
        shown.ends_with("error: install: required env \"SCALEKIT_CLIENT_ID\" not supplied for @open-neko/plugin-scalekit\r\n"),
        "{shown}"
    );
    machine.run(&["secrets", "list"]).printed("no secrets stored\n");
    assert!(!machine.manifest().exists());
}

#[test]
fn a_refused_package_is_refused_after_the_questions_too_and_the_answers_are_kept() {
    let mut machine = machine();
    let package = Package::named("@open-neko/plugin-scalekit", "0.2.1");
    let evil = package.tarball();
    machine.publish(&package, &evil, &crate::support::integrity(&evil));
    let mut terminal = install(&machine);
    for (prompt, answer) in [("address\r\nvalue: ", "https://a\n"), ("id\r\nvalue: ", "id\n")] {
        terminal.expect(prompt);
        terminal.send(answer);
    }
    terminal.expect("(hidden): ");
    terminal.expect_hidden();
    terminal.send("s\n");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(1), "{shown}");
    assert!(
        shown.contains("differs from the one in the marketplace"),
        "{shown}"
    );
    assert_eq!(machine.installed(), Vec::<String>::new());
    assert_eq!(
        stored(&machine, "@open-neko/plugin-scalekit", "SCALEKIT_CLIENT_SECRET").unwrap(),
        "s"
    );
}

#[test]
fn a_hidden_answer_can_be_corrected_and_be_long() {
    let machine = Machine::new();
    let mut terminal = set(&machine, "KEY");
    terminal.expect("KEY (hidden): ");
    terminal.expect_hidden();
    let long = "0123456789".repeat(1_000);
    terminal.send("wrong\u{15}");
    // In pieces: a terminal holds 4096 bytes that nobody has read.
    for piece in long.as_bytes().chunks(500) {
        terminal.send(std::str::from_utf8(piece).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    terminal.send("ä\u{7f}x\u{7f}\n");
    let (code, shown) = terminal.finish();
    assert_eq!(
        (code, shown.as_str()),
        (Some(0), "KEY (hidden): \r\nset @acme/plugin-sso/KEY\r\n")
    );
    assert_eq!(stored(&machine, NAME, "KEY").unwrap(), long);
}

#[test]
fn giving_up_at_a_hidden_prompt_changes_nothing_and_restores_the_terminal() {
    let machine = Machine::new();
    let mut terminal = set(&machine, "KEY");
    terminal.expect("KEY (hidden): ");
    terminal.expect_hidden();
    terminal.send(&format!("half{CTRL_C}"));
    let (code, shown) = terminal.finish();
    assert_eq!((code, shown.as_str()), (Some(130), "KEY (hidden): \r\n"));
    machine.run(&["secrets", "list"]).printed("no secrets stored\n");
}

#[test]
fn a_terminal_on_one_side_only_is_not_asked() {
    let machine = Machine::new();
    let mut command = machine.command();
    command.args(["secrets", "set", NAME, "KEY"]);
    // Input from a terminal, output to a pipe: a prompt would go into the pipe unseen.
    let (_master, slave) = crate::support::terminal();
    let output = command.stdin(Stdio::from(slave)).output().unwrap();
    let ran = Ran::of(output);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    ran.noted("value required when stdin is not a TTY");
}

#[test]
fn more_hosts_are_agreed_to_by_a_yes_alone() {
    let mut machine = Machine::with_marketplace();
    machine.offer(&Package::new("1.0.0"));
    assert_eq!(machine.run(&["install", NAME]).code, Some(0));
    let mut wider = Package::new("1.1.0");
    wider.json["openneko"]["permissions"]["network"] = json!(["*.acme.com", "acme.io"]);
    machine.offer(&wider);
    for (answer, code) in [("\n", 1), ("no\n", 1), ("Y\n", 0)] {
        let mut command = machine.command();
        command.args(["install", NAME]);
        let mut terminal = Terminal::run(command);
        terminal.expect("would be allowed to reach more hosts than 1.0.0 was: acme.io\r\nGo on? [y/N] ");
        terminal.send(answer);
        let (ended, shown) = terminal.finish();
        assert_eq!(ended, Some(code), "{shown}");
    }
    assert_eq!(machine.entries()[0]["version"], "1.1.0");
}

#[test]
fn what_is_granted_and_revoked_while_a_question_waits_counts() {
    let mut machine = Machine::with_marketplace();
    machine.offer(&Package::new("1.0.0"));
    assert_eq!(machine.run(&["install", NAME]).code, Some(0));
    assert_eq!(machine.run(&["grant", NAME, "old.acme.com"]).code, Some(0));
    let mut next = Package::new("1.1.0");
    next.json["openneko"]["permissions"]["env"] =
        json!([{ "key": "ACME_URL", "description": "", "secret": false }]);
    machine.offer(&next);
    let mut command = machine.command();
    command.args(["install", NAME]);
    let mut terminal = Terminal::run(command);
    terminal.expect("@acme/plugin-sso requires ACME_URL\r\nvalue: ");
    assert_eq!(machine.run(&["revoke", NAME, "old.acme.com"]).code, Some(0));
    assert_eq!(machine.run(&["grant", NAME, "new.acme.com"]).code, Some(0));
    terminal.send("https://acme.com\n");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(0), "{shown}");
    let [entry] = machine.entries().try_into().unwrap();
    assert_eq!(entry["version"], "1.1.0");
    let grants = entry["grants"].as_array().unwrap();
    assert_eq!(grants.len(), 1);
    assert_eq!(grants[0]["host"], "new.acme.com");
}
