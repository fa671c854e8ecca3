//! `openneko grant` and `openneko revoke`.

use serde_json::json;

use crate::support::{Machine, NAME, Package};

#[test]
fn a_grant_is_recorded_listed_and_taken_back() {
    let mut machine = Machine::with_marketplace();
    machine.offer(&Package::new("1.0.0"));
    assert_eq!(machine.run(&["install", NAME]).code, Some(0));
    for (args, printed) in [
        (
            &["grant", NAME, "Auth.Acme.com"][..],
            "granted auth.acme.com:443 to @acme/plugin-sso\n",
        ),
        (
            &["grant", NAME, "auth.acme.com:8443"],
            "granted auth.acme.com:8443 to @acme/plugin-sso\n",
        ),
        (
            &["grant", NAME, "localhost:8443", "--allow-private"],
            "granted localhost:8443 (private addresses too) to @acme/plugin-sso\n",
        ),
        (
            &["grant", NAME, "auth.acme.com", "--allow-private"],
            "granted auth.acme.com:443 (private addresses too) to @acme/plugin-sso\n",
        ),
    ] {
        machine.run(args).printed(printed);
    }
    let mut grants = machine.entries()[0]["grants"].clone();
    for grant in grants.as_array_mut().unwrap() {
        assert!(grant["grantedAt"].as_str().unwrap().ends_with('Z'));
        grant.as_object_mut().unwrap().remove("grantedAt");
    }
    assert_eq!(
        grants,
        json!([
            { "host": "auth.acme.com", "port": 8443, "allowPrivate": false },
            { "host": "localhost", "port": 8443, "allowPrivate": true },
            { "host": "auth.acme.com", "port": 443, "allowPrivate": true },
        ])
    );
    machine.run(&["list"]).printed(
        "@acme/plugin-sso@1.0.0  [*.acme.com]  [SSO provider]  from=acme  granted=auth.acme.com:8443  \
         granted=localhost:8443 (private)  granted=auth.acme.com:443 (private)\n",
    );
    machine
        .run(&["revoke", NAME, "localhost:8443"])
        .printed("revoked localhost:8443 from @acme/plugin-sso\n");
    machine
        .run(&["revoke", NAME, "localhost:8443"])
        .printed("localhost:8443 was not granted to @acme/plugin-sso\n");
    assert_eq!(machine.entries()[0]["grants"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_no_host_is_not_granted() {
    let mut machine = Machine::with_marketplace();
    machine.offer(&Package::new("1.0.0"));
    assert_eq!(machine.run(&["install", NAME]).code, Some(0));
    let before = machine.files();
    for host in [
        "",
        "localhost",
        "sso",
        "127.0.0.1",
        "[::1]",
        "2130706433",
        "*",
        "*.com",
        "**.acme.com",
        "https://acme.com",
        "acme.com/x",
        "acme.com:0",
        "acme.com:99999",
        "acme.com:+443",
        "a_b.com",
        "a b.com",
        "user@acme.com",
    ] {
        let ran = machine.run(&["grant", NAME, host]);
        assert_eq!(ran.code, Some(2), "{host}: {ran:#?}");
        ran.noted("error: grant: ");
    }
    for host in ["127.0.0.1", "169.254.169.254", "*", "[::1]"] {
        let ran = machine.run(&["grant", NAME, host, "--allow-private"]);
        assert_eq!(ran.code, Some(2), "{host}: {ran:#?}");
    }
    machine.run(&["grant", "@acme/nothing", "acme.com"]).failed(
        1,
        "error: @acme/nothing is not installed: `openneko list` shows what is",
    );
    assert!(machine.files() == before);
}

#[test]
fn many_grants_at_once_are_all_recorded() {
    let mut machine = Machine::with_marketplace();
    machine.offer(&Package::new("1.0.0"));
    assert_eq!(machine.run(&["install", NAME]).code, Some(0));
    std::thread::scope(|scope| {
        for number in 0..12 {
            let machine = &machine;
            scope.spawn(move || {
                let ran = machine.run(&["grant", NAME, &format!("host-{number}.acme.com")]);
                assert_eq!(ran.code, Some(0), "{ran:#?}");
            });
        }
    });
    assert_eq!(machine.entries()[0]["grants"].as_array().unwrap().len(), 12);
}
