//! Open redirects by name.
//!
//! Source: RFC 9700 §4.1 (insufficient validation), RFC 8252 §8.

use genkan_protocol::oauth::redirect_uri::{
    Environment, Policy, RedirectUriKind, RegistrationError, is_any_loopback, matches_wildcard, permits,
    validate_registration,
};

const PRODUCTION: Policy = Policy {
    environment: Environment::Production,
    any_loopback: false,
    any_loopback_port: false,
};
const DEVELOPMENT: Policy = Policy {
    environment: Environment::Development,
    any_loopback: false,
    any_loopback_port: false,
};
const ANY_LOOPBACK: Policy = Policy {
    environment: Environment::Development,
    any_loopback: true,
    any_loopback_port: false,
};
const NATIVE: Policy = Policy {
    environment: Environment::Production,
    any_loopback: false,
    any_loopback_port: true,
};

/// Attackers' variants of `https://app.example.com/callback`.
const ATTACKS: [(&str, &str); 46] = [
    ("another host", "https://evil.example/callback"),
    (
        "a suffix of the host",
        "https://app.example.com.evil.example/callback",
    ),
    (
        "a longer top-level domain",
        "https://app.example.community/callback",
    ),
    ("a prefix of the host", "https://evilapp.example.com/callback"),
    ("a sub-domain", "https://x.app.example.com/callback"),
    ("the parent domain", "https://example.com/callback"),
    (
        "user information",
        "https://app.example.com@evil.example/callback",
    ),
    (
        "user information with a password",
        "https://app.example.com:443@evil.example/callback",
    ),
    (
        "user information before the right host",
        "https://evil.example@app.example.com/callback",
    ),
    ("an empty user", "https://@app.example.com/callback"),
    ("another port", "https://app.example.com:8443/callback"),
    ("the default port", "https://app.example.com:443/callback"),
    ("an empty port", "https://app.example.com:/callback"),
    ("another scheme", "http://app.example.com/callback"),
    ("no scheme", "//app.example.com/callback"),
    ("no host", "/callback"),
    ("upper case in the host", "https://APP.example.com/callback"),
    ("upper case in the scheme", "HTTPS://app.example.com/callback"),
    ("upper case in the path", "https://app.example.com/Callback"),
    ("a final slash", "https://app.example.com/callback/"),
    ("no path", "https://app.example.com"),
    ("a longer path", "https://app.example.com/callback/evil"),
    ("a longer name", "https://app.example.com/callback.evil"),
    (
        "another path",
        "https://app.example.com/redirect?to=https://evil.example",
    ),
    ("dots", "https://app.example.com/x/../callback"),
    ("dots out of it", "https://app.example.com/callback/../redirect"),
    ("encoded dots", "https://app.example.com/callback/%2e%2e/redirect"),
    (
        "half encoded dots",
        "https://app.example.com/callback/.%2E/redirect",
    ),
    ("an encoded slash", "https://app.example.com/callback%2Fevil"),
    ("an encoded letter", "https://app.example.com/c%61llback"),
    ("an encoded host", "https://app%2eexample.com/callback"),
    ("a backslash for the path", "https://app.example.com\\callback"),
    ("backslashes for the host", "https:\\\\app.example.com\\callback"),
    (
        "a backslash before the at sign",
        "https://evil.example\\@app.example.com/callback",
    ),
    ("one slash", "https:/app.example.com/callback"),
    ("three slashes", "https:///app.example.com/callback"),
    ("a query", "https://app.example.com/callback?x=1"),
    ("an empty query", "https://app.example.com/callback?"),
    ("a fragment", "https://app.example.com/callback#x"),
    ("an empty fragment", "https://app.example.com/callback#"),
    ("a space behind", "https://app.example.com/callback "),
    ("a tab inside", "https://app.exa\tmple.com/callback"),
    ("a line break inside", "https://app.example.com/call\r\nback"),
    ("NUL behind", "https://app.example.com/callback\0"),
    ("a look-alike host", "https://аpp.example.com/callback"),
    ("a full-width dot", "https://app．example.com/callback"),
];

#[test]
fn a_registered_uri_is_matched_character_by_character() {
    let registered = ["https://app.example.com/callback".to_owned()];
    for policy in [PRODUCTION, DEVELOPMENT, ANY_LOOPBACK, NATIVE] {
        assert!(permits(&registered, &registered[0], policy));
        for (name, attack) in ATTACKS {
            assert!(!permits(&registered, attack, policy), "{name}: {attack}");
        }
        assert!(!permits(&registered, "", policy));
        assert!(!permits(&[], &registered[0], policy));
    }
}

#[test]
fn a_wildcard_stands_for_one_label_and_nothing_more() {
    for (pattern, host) in [
        ("https://*.example.com/callback", "app"),
        ("https://auth-*.example.com/callback", "auth-pr-12"),
        ("https://*-preview.example.com/callback", "pr12-preview"),
    ] {
        let registered = [pattern.to_owned()];
        let good = format!("https://{host}.example.com/callback");
        assert!(permits(&registered, &good, DEVELOPMENT), "{good}");
        assert!(!permits(&registered, &good, PRODUCTION), "{good}");
        assert!(!permits(&registered, pattern, DEVELOPMENT), "the pattern itself");
        assert!(!permits(&registered, pattern, PRODUCTION), "the pattern itself");
        // `evilapp` is one label, too: that is what a wildcard means.
        for (name, attack) in ATTACKS
            .into_iter()
            .filter(|(name, _)| *name != "a prefix of the host")
        {
            let attack = attack.replace("app", host).replace("APP", &host.to_uppercase());
            assert!(!permits(&registered, &attack, DEVELOPMENT), "{name}: {attack}");
        }
    }
    let pattern = "https://*.example.com/callback";
    for (name, attack) in [
        ("two labels", "https://a.b.example.com/callback"),
        ("no label", "https://.example.com/callback"),
        (
            "the host of another",
            "https://evil.example/.example.com/callback",
        ),
        ("a query of another", "https://evil.example?.example.com/callback"),
        (
            "a fragment of another",
            "https://evil.example#.example.com/callback",
        ),
        (
            "a backslash of another",
            "https://evil.example\\.example.com/callback",
        ),
        ("a port of another", "https://evil:1.example.com/callback"),
        ("a user", "https://evil@x.example.com/callback"),
        (
            "a user of another",
            "https://x:y@evil.example/.example.com/callback",
        ),
        ("upper case", "https://App.example.com/callback"),
        ("an underscore", "https://a_b.example.com/callback"),
        ("a hyphen in front", "https://-a.example.com/callback"),
        ("a hyphen behind", "https://a-.example.com/callback"),
        ("an encoded letter", "https://%61.example.com/callback"),
        ("a star", "https://*.example.com/callback"),
        (
            "a label that is too long",
            &format!("https://{}.example.com/callback", "a".repeat(64)),
        ),
    ] {
        assert!(!matches_wildcard(pattern, attack), "{name}: {attack}");
    }
    // The star does not match an empty text, and a pattern that cannot be registered matches nothing.
    for (pattern, presented) in [
        ("*", "https://evil.example/"),
        ("https://auth*.example.com/", "https://auth.example.com/"),
        ("https://*", "https://evil"),
        ("https://*/", "https://evil/"),
        ("https://example.com/*", "https://example.com/x"),
        ("https://example.com/*.x", "https://example.com/a.x"),
        ("https://a.*.example.com/", "https://a.b.example.com/"),
        ("https://x@*.example.com/", "https://x@a.example.com/"),
        (
            "https://*.example.com\\@evil.example/",
            "https://a.example.com\\@evil.example/",
        ),
        (
            "https://*.example.com@evil.example/",
            "https://a.example.com@evil.example/",
        ),
        ("https://*.example.com:443/", "https://a.example.com:443/"),
        ("https://*.Example.com/", "https://a.Example.com/"),
        ("https://*.example.com/../x", "https://a.example.com/../x"),
    ] {
        assert!(!matches_wildcard(pattern, presented), "{pattern} {presented}");
    }
}

#[test]
fn any_loopback_address_and_port_are_for_development_clients() {
    for good in [
        "http://localhost",
        "http://localhost:4321",
        "http://localhost:4321/",
        "http://localhost:4321/api/auth/callback",
        "https://localhost:8443/cb",
        "http://127.0.0.1:65535/cb",
        "http://[::1]:3000/cb",
    ] {
        assert!(
            is_any_loopback(good) && permits(&[], good, ANY_LOOPBACK),
            "{good}"
        );
        assert!(!permits(&[], good, DEVELOPMENT), "{good}");
    }
    for bad in [
        "http://localhost.evil.example/",
        "http://evil.example/localhost",
        "http://localhost@evil.example/",
        "http://evil.example\\@localhost/",
        "http://user@localhost/",
        "http://user:pass@localhost:1/",
        "http://localhost:4321/#x",
        "http://localhost:4321/?code=attack",
        "http://LOCALHOST/",
        "http://localhost./",
        "http://x.localhost/",
        "http://localhost:80/",
        "http://localhost:99999/",
        "http://localhost:/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.2/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http:localhost/",
        "http:/localhost/",
        "ftp://localhost/",
        "javascript://localhost/%0aalert(1)",
        "myapp://localhost/",
        "//localhost/",
        "localhost:4321",
        "http://localhost:4321/%2e%2e/x",
        "http://localhost:4321/a b",
        "http://localhost:4321/\u{202e}",
        "http://ⓛocalhost/",
        "http://localhost\t:4321/",
        "",
    ] {
        assert!(!is_any_loopback(bad), "{bad}");
    }
    assert!(!permits(
        &[],
        &format!("http://localhost/{}", "a".repeat(2048)),
        ANY_LOOPBACK
    ));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_can_be_registered() {
    use Environment::{Development, Production};
    use RegistrationError as Error;

    for (uri, production, development) in [
        ("https://app.example.com/callback", Ok(()), Ok(())),
        ("https://app.example.com", Ok(()), Ok(())),
        ("https://app.example.com:8443/a/b%20c", Ok(()), Ok(())),
        ("https://xn--bcher-kva.example/cb", Ok(()), Ok(())),
        ("com.example.app:/oauth2redirect", Ok(()), Ok(())),
        ("myapp://callback", Ok(()), Ok(())),
        ("http://app.example.com/callback", Err(Error::Https), Ok(())),
        ("http://localhost:4321", Err(Error::Https), Ok(())),
        ("https://localhost:4321/", Err(Error::Loopback), Ok(())),
        ("https://127.0.0.1/", Err(Error::Loopback), Ok(())),
        ("https://[::1]/", Err(Error::Loopback), Ok(())),
        ("https://[::ffff:7f00:1]/", Err(Error::Loopback), Ok(())),
        ("https://x.localhost/", Err(Error::Loopback), Ok(())),
        ("https://0.0.0.0/", Err(Error::Loopback), Ok(())),
        ("https://*.example.com/callback", Err(Error::Wildcard), Ok(())),
        (
            "https://auth-*.example.com/callback",
            Err(Error::Wildcard),
            Ok(()),
        ),
        (
            "https://*.com/callback",
            Err(Error::Wildcard),
            Err(Error::Wildcard),
        ),
        ("https://*/callback", Err(Error::Wildcard), Err(Error::Wildcard)),
        (
            "https://*.*.example.com/",
            Err(Error::Wildcard),
            Err(Error::Wildcard),
        ),
        (
            "https://**.example.com/",
            Err(Error::Wildcard),
            Err(Error::Wildcard),
        ),
        (
            "https://a.*.example.com/",
            Err(Error::Wildcard),
            Err(Error::Wildcard),
        ),
        (
            "https://app.example.com/*",
            Err(Error::Wildcard),
            Err(Error::Wildcard),
        ),
        ("https://*.example.c0m2/", Err(Error::Wildcard), Ok(())),
        (
            "https://*.exam_ple.com/",
            Err(Error::Wildcard),
            Err(Error::Wildcard),
        ),
        (
            "myapp://*.example.com/",
            Err(Error::Wildcard),
            Err(Error::Wildcard),
        ),
        (
            "https://app.example.com/a|b",
            Err(Error::NotCanonical),
            Err(Error::NotCanonical),
        ),
        (
            "https://app.example.com:*/",
            Err(Error::Relative),
            Err(Error::Relative),
        ),
        ("https://*.0.0.1/", Err(Error::Relative), Err(Error::Relative)),
        ("myapp*://callback", Err(Error::Wildcard), Err(Error::Wildcard)),
        (
            "com.example.*:/callback",
            Err(Error::Wildcard),
            Err(Error::Wildcard),
        ),
        (
            "https://app.example.com/?x=1",
            Err(Error::Query),
            Err(Error::Query),
        ),
        ("https://app.example.com/?", Err(Error::Query), Err(Error::Query)),
        (
            "https://app.example.com/#x",
            Err(Error::Fragment),
            Err(Error::Fragment),
        ),
        (
            "https://user@app.example.com/",
            Err(Error::UserInfo),
            Err(Error::UserInfo),
        ),
        (
            "https://:pw@app.example.com/",
            Err(Error::UserInfo),
            Err(Error::UserInfo),
        ),
        (
            "https://@app.example.com/",
            Err(Error::NotCanonical),
            Err(Error::NotCanonical),
        ),
        (
            "https://App.Example.com/",
            Err(Error::NotCanonical),
            Err(Error::NotCanonical),
        ),
        (
            "https://app.example.com:443/",
            Err(Error::NotCanonical),
            Err(Error::NotCanonical),
        ),
        (
            "https:\\\\app.example.com\\",
            Err(Error::NotCanonical),
            Err(Error::NotCanonical),
        ),
        (
            "https://app.example.com/a/../b",
            Err(Error::NotCanonical),
            Err(Error::NotCanonical),
        ),
        (
            "https://app.example.com/%2e%2e/b",
            Err(Error::NotCanonical),
            Err(Error::NotCanonical),
        ),
        (
            "https://bücher.example/",
            Err(Error::NotCanonical),
            Err(Error::NotCanonical),
        ),
        (
            "https://app.example.com/{{org_slug}}",
            Err(Error::NotCanonical),
            Err(Error::NotCanonical),
        ),
        (
            " https://app.example.com/",
            Err(Error::NotCanonical),
            Err(Error::NotCanonical),
        ),
        (
            "https://app.example.com/a\nb",
            Err(Error::NotCanonical),
            Err(Error::NotCanonical),
        ),
        (
            "https:/app.example.com/",
            Err(Error::NotCanonical),
            Err(Error::NotCanonical),
        ),
        ("javascript:alert(1)", Err(Error::Scheme), Err(Error::Scheme)),
        ("JavaScript:alert(1)", Err(Error::Scheme), Err(Error::Scheme)),
        ("java\tscript:alert(1)", Err(Error::Scheme), Err(Error::Scheme)),
        (" javascript:alert(1)", Err(Error::Scheme), Err(Error::Scheme)),
        (
            "javascript://app.example.com/%0aalert(1)",
            Err(Error::Scheme),
            Err(Error::Scheme),
        ),
        ("vbscript://x/", Err(Error::Scheme), Err(Error::Scheme)),
        ("data:text/html,x", Err(Error::Scheme), Err(Error::Scheme)),
        ("file:///etc/passwd", Err(Error::Scheme), Err(Error::Scheme)),
        (
            "blob:https://app.example.com/x",
            Err(Error::Scheme),
            Err(Error::Scheme),
        ),
        ("about:blank", Err(Error::Scheme), Err(Error::Scheme)),
        ("mailto:ada@example.com", Err(Error::Scheme), Err(Error::Scheme)),
        ("myapp:callback", Err(Error::Scheme), Err(Error::Scheme)),
        ("//app.example.com/", Err(Error::Relative), Err(Error::Relative)),
        ("/callback", Err(Error::Relative), Err(Error::Relative)),
        ("app.example.com", Err(Error::Relative), Err(Error::Relative)),
        ("https://", Err(Error::Relative), Err(Error::Relative)),
        ("", Err(Error::Length), Err(Error::Length)),
    ] {
        assert_eq!(
            validate_registration(uri, Production, RedirectUriKind::Callback),
            production,
            "{uri:?} in production"
        );
        assert_eq!(
            validate_registration(uri, Development, RedirectUriKind::Callback),
            development,
            "{uri:?} in development"
        );
    }
    let longest = format!("https://app.example.com/{}", "a".repeat(232));
    assert_eq!(
        validate_registration(&longest, Production, RedirectUriKind::Callback),
        Ok(())
    );
    assert_eq!(
        validate_registration(&format!("{longest}a"), Production, RedirectUriKind::Callback),
        Err(Error::Length)
    );
}

#[test]
fn where_we_post_ourselves_and_where_a_login_begins_are_web_addresses() {
    for kind in [RedirectUriKind::InitiateLogin, RedirectUriKind::BackChannelLogout] {
        for environment in [Environment::Development, Environment::Production] {
            assert_eq!(
                validate_registration("https://app.example.com/x", environment, kind),
                Ok(())
            );
            assert_eq!(
                validate_registration("myapp://x/", environment, kind),
                Err(RegistrationError::Https)
            );
            assert_eq!(
                validate_registration("https://*.example.com/x", environment, kind),
                Err(RegistrationError::Wildcard)
            );
        }
        assert_eq!(
            validate_registration("http://localhost:4321/x", Environment::Development, kind),
            Ok(())
        );
    }
    assert_eq!(
        validate_registration(
            "https://*.example.com",
            Environment::Development,
            RedirectUriKind::PostLogout
        ),
        Ok(())
    );
}

#[test]
fn what_was_registered_is_permitted_and_what_is_permitted_was_registered() {
    for uri in [
        "https://app.example.com",
        "com.example.app:/cb",
        "https://app.example.com/a%20b",
    ] {
        let registered = [uri.to_owned()];
        assert!(permits(&registered, uri, PRODUCTION));
        assert!(!permits(&registered, &format!("{uri}/"), PRODUCTION));
    }
}

/// RFC 8252 §7.3: "any port to be specified at the time of the request".
#[test]
fn a_native_application_comes_back_to_whichever_port_it_got() {
    for host in ["127.0.0.1", "[::1]", "localhost"] {
        for registered in [
            format!("http://{host}/callback"),
            format!("http://{host}:8085/callback"),
        ] {
            for kind in [RedirectUriKind::NativeCallback, RedirectUriKind::NativePostLogout] {
                assert_eq!(
                    validate_registration(&registered, Environment::Production, kind),
                    Ok(()),
                    "{registered}"
                );
            }
            let registered = [registered];
            for port in ["", ":1024", ":53412", ":65535"] {
                let presented = format!("http://{host}{port}/callback");
                assert!(permits(&registered, &presented, NATIVE), "{presented}");
                let is_registered = registered[0] == presented;
                assert_eq!(
                    permits(&registered, &presented, PRODUCTION),
                    is_registered,
                    "{presented}"
                );
            }
            for attack in [
                format!("http://{host}:53412/callback/"),
                format!("http://{host}:53412/other"),
                format!("http://{host}:53412/callback?code=x"),
                format!("http://{host}:53412/callback#x"),
                format!("http://{host}:053412/callback"),
                format!("http://{host}:/callback"),
                format!("http://{host}:80/callback"),
                format!("http://{host}:53412@evil.example/callback"),
                format!("http://evil@{host}:53412/callback"),
                format!("http://{host}.evil.example:53412/callback"),
                format!("https://{host}:53412/callback"),
                format!("http://{host}:53412\\@evil.example/callback"),
                "http://127.0.0.2:53412/callback".to_owned(),
                "http://127.1:53412/callback".to_owned(),
                "http://2130706433:53412/callback".to_owned(),
                "http://0.0.0.0:53412/callback".to_owned(),
                "http://[::ffff:127.0.0.1]:53412/callback".to_owned(),
                "http://localhost.:53412/callback".to_owned(),
                "http://app.localhost:53412/callback".to_owned(),
                "http://192.168.0.1:53412/callback".to_owned(),
            ] {
                assert!(!permits(&registered, &attack, NATIVE), "{attack}");
            }
        }
    }
    // Three names of this machine are three places: only the registered one counts.
    let registered = ["http://127.0.0.1/callback".to_owned()];
    assert!(!permits(&registered, "http://localhost:53412/callback", NATIVE));
    assert!(!permits(&registered, "http://[::1]:53412/callback", NATIVE));
    // Any port of a registered address elsewhere is another server.
    let registered = ["https://app.example.com/callback".to_owned()];
    assert!(!permits(
        &registered,
        "https://app.example.com:8443/callback",
        NATIVE
    ));
}

#[test]
fn only_native_applications_have_servers_on_this_machine_in_production() {
    for uri in [
        "http://127.0.0.1/callback",
        "http://[::1]:8085/cb",
        "http://localhost/cb",
    ] {
        assert!(
            validate_registration(uri, Environment::Production, RedirectUriKind::Callback).is_err(),
            "{uri}"
        );
        assert!(
            validate_registration(uri, Environment::Production, RedirectUriKind::PostLogout).is_err(),
            "{uri}"
        );
        assert!(
            validate_registration(uri, Environment::Production, RedirectUriKind::BackChannelLogout).is_err(),
            "{uri}"
        );
    }
    for uri in [
        "http://app.example.com/callback",
        "http://127.0.0.2/callback",
        "http://0.0.0.0/callback",
        "http://app.localhost/callback",
        "http://127.0.0.1/callback?x=1",
        "http://me@127.0.0.1/callback",
        "http://*.127.0.0.1/callback",
    ] {
        for kind in [RedirectUriKind::NativeCallback, RedirectUriKind::NativePostLogout] {
            assert!(
                validate_registration(uri, Environment::Production, kind).is_err(),
                "{uri}"
            );
        }
    }
    assert_eq!(
        validate_registration(
            "com.acme.app:/callback",
            Environment::Production,
            RedirectUriKind::NativeCallback
        ),
        Ok(())
    );
}
