//! The plugin host: its checks of answers, the values it hands over, and its restarts.

mod call;
pub(crate) mod support;

use std::fs;

use openneko::host::{Error, Host};
use openneko_plugin::rpc::{BeginAuth, BeginAuthAnswer};
use openneko_sandbox::BackendKind;
use serde_json::json;

use support::{Machine, NAME, SECRET, plugin, sha512, url_of};

/// Begins a sign-in, as a request of the web app does.
async fn begin(host: &Host) -> Result<BeginAuthAnswer, Error> {
    let provider = host.provider()?.ok_or(Error::NoProvider)?;
    let begin = BeginAuth::new("https://app.test/cb", "s1");
    host.begin_auth(&provider, &begin).await
}

/// What the plugin says in its authorization URL.
async fn said(host: &Host) -> String {
    let answer = begin(host).await.unwrap();
    let url = url::Url::parse(&answer.authorization_url).unwrap();
    let query = url.query().unwrap_or_default().to_owned();
    url::form_urlencoded::parse(format!("q={query}").as_bytes())
        .map(|(_, value)| value.into_owned())
        .collect()
}

#[tokio::test]
async fn a_plugin_gets_the_values_that_it_declares_and_no_others() {
    let mut machine = Machine::new();
    let answer =
        url_of("JSON.stringify(Object.keys(process.env).filter((key) => /ACME|OTHER|XDG/.test(key)))");
    machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", &answer));
    machine.set("ACME_SECRET", SECRET);
    machine.set("OTHER_SECRET", SECRET);
    assert_eq!(said(&machine.host()).await, r#"["ACME_SECRET"]"#);
}

#[tokio::test]
async fn a_plugin_registers_without_any_value() {
    let mut machine = Machine::new();
    let text = plugin(NAME, "1.0.0", &url_of("'x'")).replace(
        "await reach(\"register.test\");",
        "if (process.env.ACME_SECRET) throw 1;",
    );
    machine.install(NAME, "1.0.0", &text);
    machine.set("ACME_SECRET", SECRET);
    assert_eq!(said(&machine.host()).await, "x");
}

#[tokio::test]
async fn a_rotated_secret_counts_for_the_next_call() {
    let mut machine = Machine::new();
    machine.install(
        NAME,
        "1.0.0",
        &plugin(NAME, "1.0.0", &url_of("process.env.ACME_SECRET")),
    );
    machine.set("ACME_SECRET", "first");
    let host = machine.host();
    assert_eq!(said(&host).await, "first");
    machine.set("ACME_SECRET", "second");
    assert_eq!(said(&host).await, "second");
}

#[tokio::test]
async fn what_is_required_and_not_set_is_said_before_the_plugin_runs() {
    let mut machine = Machine::new();
    machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", &url_of("'x'")));
    let host = machine.host();
    assert_eq!(host.provider().unwrap().unwrap().pending, ["ACME_SECRET"]);
    let error = begin(&host).await.unwrap_err();
    assert_eq!(error.code(), "NOT_CONFIGURED");
    assert!(
        error
            .to_string()
            .contains("openneko secrets set @acme/plugin-sso ACME_SECRET"),
        "{error}"
    );
}

#[tokio::test]
async fn an_upgrade_runs_the_new_code_without_a_restart() {
    let mut machine = Machine::new();
    machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", &url_of("'one'")));
    machine.set("ACME_SECRET", SECRET);
    let host = machine.host();
    assert_eq!(said(&host).await, "one");
    machine.install(NAME, "1.1.0", &plugin(NAME, "1.1.0", &url_of("'two'")));
    assert_eq!(said(&host).await, "two");
}

#[tokio::test]
async fn a_plugin_that_is_not_what_was_installed_is_refused() {
    for (text, expected) in [
        (plugin("@acme/other", "1.0.0", "0"), "registers as @acme/other"),
        (plugin(NAME, "1.0.1", "0"), "registers as version 1.0.1"),
        (
            plugin(NAME, "1.0.0", "0").replace("protocol: 1", "protocol: 2"),
            "protocol 2",
        ),
        (
            plugin(NAME, "1.0.0", "0").replace("auth: { providerLabel: \"Acme\" }", ""),
            "reports no auth provider",
        ),
        ("console.log('hello')".to_owned(), "no answer"),
        ("throw new Error('broken bundle')".to_owned(), "broken bundle"),
    ] {
        let mut machine = Machine::new();
        machine.install(NAME, "1.0.0", &text);
        machine.set("ACME_SECRET", SECRET);
        let error = begin(&machine.host()).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_runner_that_changed_since_its_installation_is_refused() {
    let mut machine = Machine::new();
    let runner = machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", &url_of("'x'")));
    machine.set("ACME_SECRET", SECRET);
    fs::write(&runner, plugin(NAME, "1.0.0", &url_of("'evil'"))).unwrap();
    let error = begin(&machine.host()).await.unwrap_err();
    assert_eq!(error.code(), "SANDBOX", "{error}");
    fs::remove_file(&runner).unwrap();
    let error = begin(&machine.host()).await.unwrap_err();
    assert!(
        error.to_string().contains("openneko install @acme/plugin-sso"),
        "{error}"
    );
}

#[tokio::test]
async fn a_runner_outside_the_package_is_not_run() {
    for path in ["../../../outside.js", "/etc/passwd", "a/../../run.js"] {
        let mut machine = Machine::new();
        machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", &url_of("'x'")));
        machine.set("ACME_SECRET", SECRET);
        fs::write(machine.path().join("outside.js"), "outside").unwrap();
        machine.edit(NAME, |entry| {
            entry["runner"] = json!({ "path": path, "integrity": sha512(b"outside") });
        });
        let error = begin(&machine.host()).await.unwrap_err();
        assert_eq!(error.code(), "PACKAGE", "{error}");
    }
}

#[tokio::test]
async fn callers_at_the_same_time_start_a_plugin_once() {
    let mut machine = Machine::new();
    machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", &url_of("'x'")));
    machine.set("ACME_SECRET", SECRET);
    let host = machine.host();
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let host = host.clone();
            tokio::spawn(async move { begin(&host).await.map(drop) })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    // Each start leaves one refused attempt to reach this host.
    let attempts = host.egress_log().recent(100).unwrap();
    let starts = attempts
        .iter()
        .filter(|line| line.host == "register.test")
        .count();
    assert_eq!(starts, 1, "{attempts:?}");
}

#[tokio::test]
async fn refused_attempts_are_logged_with_plugin_host_and_reason() {
    let mut machine = Machine::new();
    let answer = format!(
        "await reach('evil.test'); await reach('169.254.169.254'); {}",
        url_of("'x'")
    );
    machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", &answer));
    machine.set("ACME_SECRET", SECRET);
    let host = machine.host();
    said(&host).await;
    let lines = host.egress_log().recent(100).unwrap();
    let line = lines.iter().find(|line| line.host == "evil.test").unwrap();
    assert_eq!((line.plugin.as_str(), line.method.as_str()), (NAME, "begin_auth"));
    assert_eq!(line.reason, "the host is not granted");
}

#[tokio::test]
async fn a_grant_counts_for_the_next_call() {
    let mut machine = Machine::new();
    let answer = format!("await reach('auth.acme-gateway.test'); {}", url_of("'x'"));
    machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", &answer));
    machine.set("ACME_SECRET", SECRET);
    let host = machine.host();
    let last_reason = async || {
        said(&host).await;
        let lines = host.egress_log().recent(100).unwrap();
        lines
            .iter()
            .rfind(|line| line.method == "begin_auth")
            .unwrap()
            .reason
            .clone()
    };
    assert_eq!(last_reason().await, "the host is not granted");
    machine.edit(NAME, |entry| {
        entry["grants"] = json!([{ "host": "auth.acme-gateway.test", "grantedAt": "2026-11-22T00:00:00Z" }]);
    });
    // Granted now, and there is no such name.
    assert_eq!(last_reason().await, "the name does not resolve");
}

#[tokio::test]
async fn no_secret_leaves_in_an_error() {
    for leak in [
        "fail('the secret is ' + process.env.ACME_SECRET)",
        "fail('Basic ' + Buffer.from('x:' + process.env.ACME_SECRET).toString('base64'))",
        "fail(encodeURIComponent(process.env.ACME_SECRET))",
        "process.stdout.write('not JSON ' + process.env.ACME_SECRET)",
        "process.stderr.write(process.env.ACME_SECRET); process.exit(3)",
        "say({ result: { authorizationUrl: 7, secret: process.env.ACME_SECRET } })",
    ] {
        let mut machine = Machine::new();
        machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", leak));
        machine.set("ACME_SECRET", "x:s3cret+of the/plugin");
        let error = begin(&machine.host()).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        for form in ["s3cret", "eDp4OnMzY3JldCtvZiB0aGUvcGx1Z2lu"] {
            assert!(!shown.contains(form), "{shown}");
        }
    }
}

#[tokio::test]
async fn the_first_sign_in_plugin_wins_and_the_other_is_named() {
    let mut machine = Machine::new();
    machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", &url_of("'first'")));
    machine.install(
        "@acme/second",
        "1.0.0",
        &plugin("@acme/second", "1.0.0", &url_of("'second'")),
    );
    machine.set("ACME_SECRET", SECRET);
    let host = machine.host();
    assert_eq!(said(&host).await, "first");
    let passed: Vec<bool> = host
        .describe()
        .await
        .unwrap()
        .iter()
        .map(|one| one.is_passed_over)
        .collect();
    assert_eq!(passed, [false, true]);
}

#[tokio::test]
async fn a_bad_entry_does_not_disturb_the_good_ones() {
    let mut machine = Machine::new();
    machine.add(json!({ "name": "@acme/broken" }));
    machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", &url_of("'x'")));
    machine.set("ACME_SECRET", SECRET);
    let host = machine.host();
    assert_eq!(said(&host).await, "x");
    let error = host
        .call("@acme/broken", "register", "{}")
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("plugins[0]"), "{error}");
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_is_not_a_host_without_plugins() {
    let mut machine = Machine::new();
    machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", &url_of("'x'")));
    for content in ["{", "{\"schema\":\"x\",\"plugins\":[]}", "[]", "\u{feff}"] {
        fs::write(&machine.paths.manifest, content).unwrap();
        assert!(
            matches!(machine.host().provider(), Err(Error::Manifest(_))),
            "{content}"
        );
    }
    // An unreadable entry may have been the sign-in plugin.
    fs::remove_file(&machine.paths.manifest).unwrap();
    let mut machine = Machine::new();
    machine.add(json!({ "name": "@acme/broken", "capabilities": { "auth": {} } }));
    assert!(machine.host().provider().is_err());
}

#[tokio::test]
async fn secrets_that_cannot_be_opened_stop_the_call() {
    let mut machine = Machine::new();
    machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", &url_of("'x'")));
    machine.set("ACME_SECRET", SECRET);
    let host = machine.host();
    fs::write(machine.paths.secret_key(), "another key").unwrap();
    let error = begin(&host).await.unwrap_err();
    assert_eq!(error.code(), "SECRETS", "{error}");
}

#[tokio::test]
async fn without_an_engine_that_is_strong_enough_nothing_runs() {
    let mut machine = Machine::new();
    machine.install(NAME, "1.0.0", &plugin(NAME, "1.0.0", &url_of("'x'")));
    machine.set("ACME_SECRET", SECRET);
    let host = machine.host_with(Some(BackendKind::Microvm));
    let error = begin(&host).await.unwrap_err();
    assert_eq!(error.code(), "NO_ENGINE");
    assert!(error.to_string().contains("jail: weaker than microvm"), "{error}");
}
