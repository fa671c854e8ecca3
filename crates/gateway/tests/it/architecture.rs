//! The arrows between modules, as `ARCHITECTURE.md` draws them.
//!
//! An arrow that is not here is a decision: draw it in both places, or find
//! where the thing belongs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use genkan_testkit::Modules;

/// Who may use whom among the modules of one crate's root.
struct Crate {
    name: &'static str,
    /// Everything may use them. They know no area themselves.
    shared: &'static [&'static str],
    /// They put the areas together, and may therefore use each of them.
    roots: &'static [&'static str],
    /// The arrows between areas.
    arrows: &'static [(&'static str, &'static str)],
}

const GATEWAY: Crate = Crate {
    name: "gateway",
    shared: &[
        "anonymous",
        "app",
        "budget",
        "cache",
        "config",
        "configuration",
        "context",
        "documents",
        "failure",
        "keys",
        "letters",
        "mail",
        "outbound",
        "tally",
        "web",
    ],
    roots: &["cli", "dev", "serve", "server"],
    arrows: &[
        // The first step after a valid request, and the answer: at once, or at the end of a login.
        ("op", "login"),
        ("op", "answer"),
        ("login", "answer"),
        ("login", "connections"),
        // gRPC is told apart before any route is looked at.
        ("grpc", "management"),
    ],
};

const OPENNEKO: Crate = Crate {
    name: "openneko",
    // The files of this machine, its environment and its clock.
    shared: &["clock", "file", "paths"],
    roots: &["cli"],
    arrows: &[
        // Credentials of registries, and values of plugins.
        ("host", "secrets"),
        ("http", "secrets"),
        ("registry", "secrets"),
        // The session key is derived from the key of the installation.
        ("web", "secrets"),
        ("host", "manifest"),
        // A plugin's `id_token` has claims that the host asks for.
        ("host", "id_token"),
        // An entry of the manifest is made of a package's description.
        ("manifest", "package"),
        ("marketplace", "http"),
        ("registry", "http"),
        ("policy", "marketplace"),
        // The web app asks the plugin host, which knows of no web app.
        ("web", "host"),
    ],
};

/// Modules that use each other in a circle, with the reason, by crate.
const CIRCLES: [(&str, &[&str]); 3] = [
    (
        "gateway",
        &[
            // The application makes cookies and form tokens, and pages ask it for them.
            "the root: anonymous, app, configuration, web",
        ],
    ),
    (
        "store",
        &[
            // Its kind puts a delivery in, and the schedule of its kind says when to try.
            "the root: back_channel_logout, mail, outbox",
        ],
    ),
    (
        "openneko",
        &[
            // A setting's own rules name the mistakes of all.
            "web: admin_groups, settings",
            // The dashboard leads to both, and both come back to it with a notice.
            "web::routes: dashboard, first_admin, users",
            // A session is read with its user, and ends with them.
            "web::store: session, user",
        ],
    ),
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn modules_use_what_the_architecture_allows() {
    for Crate {
        name,
        shared,
        roots,
        arrows,
    } in [GATEWAY, OPENNEKO]
    {
        let mut drawn = Modules::of(&crates().join(name).join("src")).arrows();
        drawn.retain(|(from, to)| !shared.contains(&to.as_str()) && !roots.contains(&from.as_str()));
        let allowed: BTreeSet<_> = arrows
            .iter()
            .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
            .collect();
        assert_eq!(drawn, allowed, "{name}");
    }
}

#[test]
fn no_modules_use_each_other_in_a_circle_but_those_that_are_named() {
    for (name, named) in CIRCLES {
        let found = Modules::of(&crates().join(name).join("src")).circles();
        let named: BTreeSet<String> = named.iter().map(|circle| (*circle).to_owned()).collect();
        assert_eq!(found, named, "{name}");
    }
}
