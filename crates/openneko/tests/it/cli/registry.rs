//! The choice of the registry, its credentials, and the network.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::support::{Answer, Asked, Machine, NAME, Package, Proxy, Ran, Server, integrity, metadata_path};

fn metadata(package: &Package, tarball_url: &str) -> Answer {
    let integrity = integrity(&package.tarball());
    Answer::json(&json!({
        "name": package.name,
        "dist-tags": { "latest": package.version },
        "versions": { package.version.as_str(): {
            "version": package.version,
            "dist": { "tarball": tarball_url, "integrity": integrity },
        } },
    }))
}

/// A machine whose marketplace lists the plugin, which no registry has.
fn listed() -> (Machine, Package) {
    let mut machine = Machine::with_marketplace();
    let package = Package::new("1.0.0");
    machine.list(&package, &integrity(&package.tarball()), &json!({}));
    (machine, package)
}

fn installs(mut command: Command) -> Ran {
    Ran::of(command.args(["install", NAME]).output().unwrap())
}

#[test]
fn a_token_goes_to_its_registry_and_nowhere_else() {
    let (machine, package) = listed();
    let (registry, storage) = (Server::start(), Server::start());
    registry.set(&metadata_path(NAME), metadata(&package, &registry.url("/t.tgz")));
    // Registries lead to their storage.
    registry.set("/t.tgz", Answer::redirect(&storage.url("/stored.tgz")));
    storage.set("/stored.tgz", Answer::ok(&package.tarball()));
    let place = registry.url("/").replace("http:", "");
    let npmrc = format!(
        "@acme:registry={}\n{place}:_authToken=${{TOKEN}}\n",
        registry.url("/")
    );
    fs::write(machine.path("home/.npmrc"), npmrc).unwrap();
    let mut command = machine.command();
    command.env("TOKEN", "t0ken");
    let ran = installs(command);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let asked = |path: &str, authorization: Option<&str>| Asked {
        path: path.to_owned(),
        authorization: authorization.map(str::to_owned),
    };
    assert_eq!(
        registry.asked(),
        [
            asked("/@acme%2fplugin-sso", Some("Bearer t0ken")),
            asked("/t.tgz", Some("Bearer t0ken"))
        ]
    );
    assert_eq!(storage.asked(), [asked("/stored.tgz", None)]);
    assert!(
        machine
            .server
            .asked()
            .iter()
            .all(|asked| asked.authorization.is_none())
    );
}

#[test]
fn the_flag_names_the_registry() {
    let (machine, package) = listed();
    let registry = Server::start();
    registry.set(
        "/npm/@acme%2fplugin-sso",
        metadata(&package, &registry.url("/npm/t.tgz")),
    );
    registry.set("/npm/t.tgz", Answer::ok(&package.tarball()));
    let missing = machine.run(&["install", NAME]);
    missing.failed(
        1,
        &format!("error: {} has no package {NAME}", machine.server.url("/")),
    );
    let ran = machine.run(&["install", NAME, "--registry", &registry.url("/npm")]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    for (url, reason) in [
        (
            "http://npm.acme.com",
            "http://npm.acme.com/ is not https: plain http is for localhost alone",
        ),
        (
            "https://a:pw@npm.acme.com",
            "https://npm.acme.com/ holds a user name or password",
        ),
    ] {
        machine
            .run(&["install", NAME, "--registry", url])
            .failed(1, &format!("error: the npm registry {reason}"));
    }
}

#[test]
fn what_an_author_deprecates_is_said() {
    let (machine, package) = listed();
    let mut answer: serde_json::Value =
        serde_json::from_slice(&metadata(&package, &machine.server.url("/t.tgz")).body).unwrap();
    answer["versions"]["1.0.0"]["deprecated"] = json!("use \u{1b}[1m2.0");
    machine.server.set(&metadata_path(NAME), Answer::json(&answer));
    machine.server.set("/t.tgz", Answer::ok(&package.tarball()));
    let ran = machine.run(&["install", NAME]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    ran.noted("warning: the author deprecates this version: use \u{fffd}[1m2.0");
}

#[test]
fn a_private_authority_must_be_named_and_a_proxy_is_used() {
    let (machine, package) = listed();
    let key = rcgen::generate_simple_self_signed(vec!["registry.example".to_owned()]).unwrap();
    let registry = Server::start_tls(&key);
    registry.set(
        &metadata_path(NAME),
        metadata(&package, "https://registry.example/t.tgz"),
    );
    registry.set("/t.tgz", Answer::ok(&package.tarball()));
    let proxy = Proxy::start(registry.address);
    let ca = machine.path("ca.pem");
    fs::write(&ca, key.cert.pem()).unwrap();
    // The name exists for the proxy alone.
    let command = |variables: &[(&str, &str)]| {
        let mut command = machine.command();
        command
            .env("npm_config_registry", "https://registry.example/")
            .env("HTTPS_PROXY", proxy.url())
            .envs(variables.iter().copied());
        command
    };
    let ca = ca.to_str().unwrap();
    let ran = installs(command(&[]));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    ran.noted("error: cannot ask https://registry.example/ for @acme/plugin-sso: invalid peer certificate: UnknownIssuer");
    for variable in [
        "OPENNEKO_EXTRA_CA_CERTS",
        "NODE_EXTRA_CA_CERTS",
        "npm_config_cafile",
    ] {
        let ran = installs(command(&[(variable, ca)]));
        assert_eq!(ran.code, Some(0), "{variable}: {ran:#?}");
    }
    assert_eq!(proxy.tunnels()[0], "CONNECT registry.example:443 HTTP/1.1");
    let before = proxy.tunnels().len();
    let ran = installs(command(&[
        ("OPENNEKO_EXTRA_CA_CERTS", ca),
        ("NO_PROXY", "registry.example"),
    ]));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert_eq!(proxy.tunnels().len(), before);
    let ran = installs(command(&[("OPENNEKO_EXTRA_CA_CERTS", "missing.pem")]));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    ran.noted("missing.pem: there is no such file");
}
