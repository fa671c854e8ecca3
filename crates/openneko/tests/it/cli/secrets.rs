//! `openneko secrets`: words, files, writers at the same time, writers that are killed.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use openneko::paths::Paths;
use openneko::secrets::Store;

use crate::support::{Machine, NAME, Ran};

fn stored(machine: &Machine, plugin: &str, key: &str) -> Option<String> {
    let environment = [(
        "XDG_CONFIG_HOME",
        machine.path("home/config").to_str().unwrap().to_owned(),
    )];
    let paths = Paths::new(environment.into_iter().collect(), &machine.path("work"));
    let values = Store::open(&paths).unwrap().get(plugin).unwrap();
    values.get(key).map(|value| value.expose().to_owned())
}

fn set_from_stdin(machine: &Machine, key: &str, input: &[u8]) -> Ran {
    let mut child = machine
        .command()
        .args(["secrets", "set", NAME, key, "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may stop reading early.
    let _ = child.stdin.take().unwrap().write_all(input);
    Ran::of(child.wait_with_output().unwrap())
}

/// The command, started by a shell that has restricted itself before.
fn restricted(machine: &Machine, restriction: &str, args: &[&str]) -> Command {
    let mut command = Command::new("/bin/sh");
    let binary = env!("CARGO_BIN_EXE_openneko");
    command
        .args(["-c", &format!("{restriction}; exec {binary} \"$@\""), "sh"])
        .args(args)
        .env_clear()
        .env("XDG_CONFIG_HOME", machine.path("home/config"))
        .current_dir(machine.path("work"))
        .stdin(Stdio::null());
    command
}

#[test]
fn secrets_are_set_updated_listed_and_unset() {
    let machine = Machine::new();
    machine.run(&["secrets", "list"]).printed("no secrets stored\n");
    let set = |plugin: &str, key: &str, value: &str| machine.run(&["secrets", "set", plugin, key, value]);
    set(NAME, "B_KEY", "two words ").printed("set @acme/plugin-sso/B_KEY\n");
    set(NAME, "B_KEY", "-x").printed("updated @acme/plugin-sso/B_KEY\n");
    set(NAME, "A_KEY", "").printed("set @acme/plugin-sso/A_KEY\n");
    set("another", "KEY", "v")
        .printed("set another/KEY\n")
        .noted("warning: a value on the command line is visible to other users");
    machine
        .run(&["secrets", "list"])
        .printed("@acme/plugin-sso\n  A_KEY\n  B_KEY\nanother\n  KEY\n");
    machine
        .run(&["secrets", "list", "another"])
        .printed("another\n  KEY\n");
    machine
        .run(&["secrets", "list", "nobody"])
        .printed("no secrets stored\n");
    assert_eq!(stored(&machine, NAME, "B_KEY").unwrap(), "-x");
    machine
        .run(&["secrets", "unset", "another", "KEY"])
        .printed("unset another/KEY\n");
    machine
        .run(&["secrets", "unset", "another", "KEY"])
        .printed("another/KEY was not set\n");
    let text = fs::read_to_string(machine.config("secrets.json")).unwrap();
    assert!(!text.contains("another") && !text.contains("-x"), "{text}");
}

#[test]
fn what_cannot_be_a_secret_is_refused_and_not_quoted() {
    let machine = Machine::new();
    for (key, value) in [
        ("lower", "hunter2"),
        ("A-B", "hunter2"),
        ("1A", "hunter2"),
        ("", "hunter2"),
    ] {
        let ran = machine.run(&["secrets", "set", NAME, key, value]);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        ran.noted("must be UPPER_SNAKE_CASE");
        assert!(!format!("{ran:?}").contains("hunter2"));
    }
    machine.run(&["secrets", "set", NAME, "KEY"]).failed(
        2,
        "error: secrets set: value required when stdin is not a TTY (pass it as the third arg)\n\
         Better, since nobody can see it: --stdin reads the value from standard input",
    );
    assert!(!machine.config("secrets.json").exists());
}

#[test]
fn standard_input_is_taken_whole_but_for_one_newline() {
    let machine = Machine::new();
    let long = "x".repeat(65_536);
    for (input, expected) in [
        ("hunter2\n", "hunter2"),
        ("hunter2\r\n", "hunter2"),
        ("hunter2", "hunter2"),
        (" a\n\n", " a\n"),
        ("", ""),
        (long.as_str(), long.as_str()),
    ] {
        let ran = set_from_stdin(&machine, "KEY", input.as_bytes());
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:#?}");
        assert_eq!(stored(&machine, NAME, "KEY").unwrap(), expected);
    }
    let too_long = format!("{long}y");
    for input in [too_long.as_bytes(), b"\xff\xfe", b"a\0b"] {
        assert_eq!(set_from_stdin(&machine, "KEY", input).code, Some(1));
        assert_eq!(stored(&machine, NAME, "KEY").unwrap(), long);
    }
}

#[test]
fn files_are_private_whatever_the_mask() {
    let machine = Machine::new();
    let status = restricted(&machine, "umask 000", &["secrets", "set", NAME, "KEY", "v"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    for (name, mode) in [("", 0o700), ("secrets.json", 0o600), ("secret-key", 0o600)] {
        let metadata = fs::metadata(machine.config(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name:?}");
    }
}

#[test]
fn many_writers_at_once_lose_nothing() {
    let machine = Machine::new();
    // They also race to make the key.
    thread::scope(|scope| {
        for writer in 0..8 {
            let machine = &machine;
            scope.spawn(move || {
                for count in 0..6 {
                    let (key, value) = (format!("KEY_{writer}_{count}"), format!("value {writer} {count}"));
                    let ran = machine.run(&["secrets", "set", NAME, &key, &value]);
                    ran.printed(&format!("set {NAME}/{key}\n"));
                }
            });
        }
    });
    for writer in 0..8 {
        for count in 0..6 {
            let value = stored(&machine, NAME, &format!("KEY_{writer}_{count}"));
            assert_eq!(value.unwrap(), format!("value {writer} {count}"));
        }
    }
}

#[test]
fn a_writer_that_is_killed_in_the_write_leaves_the_old_file() {
    let machine = Machine::new();
    machine
        .run(&["secrets", "set", NAME, "KEY", "old"])
        .printed("set @acme/plugin-sso/KEY\n");
    let before = machine.files();
    let long = "x".repeat(5_000);
    // The system kills a process that writes more than this: nothing, or the first half kilobyte.
    for blocks in [0, 1] {
        let restriction = format!("ulimit -f {blocks}");
        let status = restricted(&machine, &restriction, &["secrets", "set", NAME, "KEY", &long])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(
            status.signal(),
            Some(rustix::process::Signal::XFSZ.as_raw()),
            "{status}"
        );
        let after = machine.files();
        let leftovers: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).collect();
        assert_eq!(leftovers.len(), 1, "it was in the middle of the write");
        assert_eq!(stored(&machine, NAME, "KEY").unwrap(), "old");
        // The next writer is not held up, and cleans up.
        machine
            .run(&["secrets", "set", NAME, "KEY", "old"])
            .printed("updated @acme/plugin-sso/KEY\n");
        assert_eq!(machine.files().len(), before.len());
    }
}

#[test]
fn a_writer_that_is_killed_at_any_moment_leaves_the_old_value_or_the_new_one() {
    let machine = Machine::new();
    machine
        .run(&["secrets", "set", NAME, "KEY", "0"])
        .printed("set @acme/plugin-sso/KEY\n");
    let mut killed = 0;
    for round in 1..=40_u32 {
        let old = stored(&machine, NAME, "KEY").unwrap();
        let new = round.to_string();
        let mut child = machine
            .command()
            .args(["secrets", "set", NAME, "KEY", &new])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_micros(u64::from(round) * 700));
        child.kill().unwrap();
        killed += u32::from(child.wait().unwrap().signal().is_some());
        let now = stored(&machine, NAME, "KEY").unwrap();
        assert!(now == old || now == new, "{old} or {new}, not {now}");
    }
    assert!(killed > 0, "no process was killed before it had ended");
}
