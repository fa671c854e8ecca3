//! `openneko serve`, `openneko users` and `openneko log`, as an operator runs them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Machine, NAME, Package, Terminal};

/// How long a server may take to start or to stop on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn users_are_added_changed_and_listed_and_all_of_it_is_in_the_log() {
    let machine = Machine::new();
    let run = |args: &[&str]| {
        let ran = machine.run(args);
        (ran.code, ran.stdout, ran.stderr)
    };
    let done = |text: &str| (Some(0), format!("{text}\n"), String::new());
    let failed = |text: &str| (Some(1), String::new(), format!("error: {text}\n"));
    assert_eq!(run(&["users", "list"]), done("nobody has signed in yet"));
    let ada = "Ada@acme.test";
    assert_eq!(
        run(&["users", "add", ada, "--role", "admin"]),
        done("added Ada@acme.test as admin")
    );
    assert_eq!(
        run(&["users", "add", "ada@ACME.test"]),
        failed("ada@ACME.test is there already: `openneko users list` shows everybody")
    );
    assert_eq!(run(&["users", "add", "not an address"]).0, Some(2));
    for command in [
        &["users", "disable", "ada@acme.test"][..],
        &["users", "set-role", "ADA@acme.test", "member"],
    ] {
        assert_eq!(
            run(command),
            failed(
                "Ada@acme.test is the last admin: make somebody else one first, with `openneko users set-role`"
            )
        );
    }
    assert_eq!(run(&["users", "add", "bob@acme.test"]).0, Some(0));
    assert_eq!(
        run(&["users", "set-role", "bob@acme.test", "admin"]),
        done("bob@acme.test is admin now")
    );
    assert_eq!(run(&["users", "disable", ada]), done("disabled Ada@acme.test"));
    assert_eq!(
        run(&["users", "disable", ada]),
        done("Ada@acme.test was so already")
    );
    assert_eq!(
        run(&["users", "enable", "eve@acme.test"]),
        failed("nobody is called eve@acme.test: `openneko users list` shows everybody")
    );
    let listed: Value = serde_json::from_str(&run(&["users", "list", "-o", "json"]).1).unwrap();
    assert_eq!(listed[0]["email"], ada);
    assert!(listed[0]["disabledAt"].is_string() && listed[1]["disabledAt"].is_null());
    assert!(
        run(&["users", "list"])
            .1
            .contains("Ada@acme.test  admin  never signed in  [disabled]")
    );

    let log = run(&["log"]).1;
    for kind in ["user_created", "role_changed", "user_disabled"] {
        assert!(log.contains(kind), "{kind} in {log}");
    }
    let database = machine.path("home/.local/state/openneko/openneko.db");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(database).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_server_that_others_reach_needs_its_address_once_a_plugin_is_installed() {
    let mut machine = Machine::with_marketplace();
    machine.offer(&Package::new("1.0.0"));
    let installed = machine.run(&["install", NAME]);
    assert_eq!(installed.code, Some(0), "{installed:?}");
    let stderr = refused(machine.command().args(["serve", "--listen", "0.0.0.0:0"]));
    assert!(stderr.contains("OPENNEKO_PUBLIC_URL"), "{stderr}");
}

#[test]
fn a_setting_that_cannot_be_used_is_named_and_nothing_starts() {
    let machine = Machine::new();
    let config = machine.config("config.json");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    for (web, word) in [
        (json!({ "allowedDomain": ["acme.test"] }), "allowedDomain"),
        (json!({ "publicUrl": "http://neko.test" }), "OPENNEKO_PUBLIC_URL"),
        (json!({ "databaseUrl": "mysql://x:hunter2@y" }), "sqlite:"),
        (
            json!({ "databaseUrl": "postgres://x:p@hunter2/y@127.0.0.1:1/z" }),
            "percent-encode the password",
        ),
        (json!([]), "web"),
    ] {
        fs::write(&config, json!({ "web": web }).to_string()).unwrap();
        let stderr = refused(machine.command().args(["serve", "--listen", "127.0.0.1:0"]));
        assert!(stderr.contains(word), "{web}: {stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
    fs::remove_file(&config).unwrap();
    let mut flag = machine.command();
    flag.args(["serve", "--listen", "127.0.0.1:0"]);
    let stderr = refused(flag.args(["--database-url", "postgres://x:p@hunter2/y@127.0.0.1:1/z"]));
    assert!(stderr.contains("percent-encode the password"), "{stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
    let mut short = machine.command();
    short.args(["serve", "--listen", "127.0.0.1:0"]);
    let stderr = refused(short.env("OPENNEKO_SESSION_SECRET", "hunter2"));
    assert!(stderr.contains("at least 32 characters"), "{stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn a_server_starts_answers_and_stops_in_good_order() {
    let machine = Machine::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut server = machine
        .command()
        .args(["serve"])
        .env("OPENNEKO_PORT", free.port().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let health = wait_for(&mut server, || ask(free.port(), "/health"));
    assert!(health.ends_with("ok"), "{health}");
    let door = ask(free.port(), "/signin").unwrap();
    assert!(door.contains("No SSO plugin is installed."), "{door}");
    let home = ask(free.port(), "/").unwrap();
    assert!(
        home.starts_with("HTTP/1.1 302") && home.contains("location: /signin"),
        "{home}"
    );
    // Another process changes users meanwhile.
    assert_eq!(machine.run(&["users", "add", "ada@acme.test"]).code, Some(0));

    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    assert_eq!(wait_for(&mut server, || None), "ended");
    let status = server.wait().unwrap();
    assert!(status.success(), "{status}");
    let mut log = String::new();
    server.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    // A file or a collector reads this, no terminal.
    assert!(!log.contains('\u{1b}'), "{log}");
    assert!(log.contains("serving") && log.contains("stopped"), "{log}");
}

#[test]
fn a_list_of_groups_stops_the_start_and_shows_the_lines_to_write() {
    let machine = Machine::new();
    let config = machine.config("config.json");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    let web = |web: Value| fs::write(&config, json!({ "web": web }).to_string()).unwrap();
    web(json!({ "adminGroups": ["Platform"], "allowedOrganizations": ["org_1", "org_2"] }));
    let stderr = refused(machine.command().args(["serve", "--listen", "127.0.0.1:0"]));
    let words = "error: web.adminGroups cannot be used: a list does not say whose groups they are, and 2 organizations may \
         sign in: anybody’s group of that name would make an admin. Name the organization, in the key `web` of \
         config.json:\n\n  \"adminGroups\": {\n    \"org_1\": [\"Platform\"],\n    \"org_2\": [\"Platform\"]\n  }\n\n\
         `openneko users list -o json` shows the organization of everybody who was here\n";
    // The plugin may have been looked for before that.
    assert!(stderr.ends_with(words), "{stderr}");
    let doctor = machine.run(&["doctor"]);
    assert_eq!(doctor.code, Some(1));
    assert!(
        doctor.stdout.contains("web:      web.adminGroups cannot be used"),
        "{doctor:?}"
    );

    // With one organization it can only be meant for that one.
    web(json!({ "adminGroups": ["Platform"], "allowedOrganizations": ["org_1"] }));
    assert_eq!(machine.run(&["users", "list"]).code, Some(0));
}

#[test]
fn the_word_for_the_first_admin_is_printed_in_a_terminal_and_nowhere_else() {
    let machine = Machine::new();
    let port = || {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        free.port().to_string()
    };
    let mut serve = machine.command();
    serve.args(["serve"]).env("OPENNEKO_PORT", port());
    let terminal = Terminal::run(serve);
    terminal.expect_within("can become the admin.", PATIENCE);
    let shown = terminal.shown();
    let is_word = |line: &str| {
        let groups: Vec<_> = line.trim().split('-').collect();
        groups.len() == 4 && groups.iter().all(|group| group.len() == 6)
    };
    assert_eq!(shown.lines().filter(|line| is_word(line)).count(), 1, "{shown}");
    terminal.interrupt();
    terminal.finish();

    let free = port();
    let mut server = machine
        .command()
        .args(["serve"])
        .env("OPENNEKO_PORT", &free)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&mut server, || ask(free.parse().unwrap(), "/health"));
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    let output = server.wait_with_output().unwrap();
    let log = [output.stdout, output.stderr].concat();
    let log = String::from_utf8_lossy(&log);
    assert!(
        log.contains("openneko users add you@example.com --role admin"),
        "{log}"
    );
    assert!(!log.lines().any(is_word), "{log}");
}

/// The output of a server that does not start.
fn refused(command: &mut Command) -> String {
    let mut server = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(wait_for(&mut server, || None), "ended");
    assert_eq!(server.wait().unwrap().code(), Some(1));
    let mut stderr = String::new();
    server.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    stderr
}

/// The last result of `ask`, or of `ended` if the server is gone.
fn wait_for(server: &mut Child, ask: impl Fn() -> Option<String>) -> String {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(answer) = ask() {
            return answer;
        }
        if server.try_wait().unwrap().is_some() {
            return "ended".to_owned();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    server.kill().unwrap();
    panic!("the server neither answered nor ended");
}

/// The whole answer to a request, if anybody is there.
fn ask(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/html\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// A server of the older version may be running on it.
#[tokio::test]
async fn a_command_does_not_change_the_schema_of_an_older_version() {
    let machine = Machine::new();
    let folder = machine.path("home/.local/state/openneko");
    fs::create_dir_all(&folder).unwrap();
    let url = format!("sqlite:{}", folder.join("openneko.db").display());
    let (_, older) = openneko::web::store::MIGRATIONS.split_last().unwrap();
    let db = genkan_db::Db::connect(&url).await.unwrap();
    db.migrate(older).await.unwrap();
    for command in [&["users", "list"][..], &["log"]] {
        let refused = machine.run(command);
        assert_eq!(refused.code, Some(1), "{}", refused.stdout);
        assert!(
            refused.stderr.contains("start `openneko serve` of this version"),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(
        db.schema(openneko::web::store::MIGRATIONS).await,
        Ok(genkan_db::Schema::Older)
    );
}
