//! The arrows between modules, as `ARCHITECTURE.md` draws them.
//!
//! A new arrow is a decision: add it in both places, or move the code. The circles are
//! read from the table in `ARCHITECTURE.md`.

use std::collections::BTreeSet;
use std::fs;
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
        "cookies",
        "documents",
        "failure",
        "keys",
        "letters",
        "lines",
        "mail",
        "node",
        "opened_keys",
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

/// A crate, whose modules, and which of them use each other in a circle.
type Circle = (String, String, Vec<String>);

/// The circles that the source has, in every crate.
fn found() -> BTreeSet<Circle> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(crates()).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        for circle in Modules::of(&folder.join("src")).circles() {
            let (parent, members) = circle.split_once(": ").unwrap();
            let members = members.split(", ").map(str::to_owned).collect();
            found.insert((name.clone(), parent.to_owned(), members));
        }
    }
    found
}

/// The circles that the architecture names, each with its reason.
fn named() -> BTreeSet<Circle> {
    let text = fs::read_to_string(crates().join("../ARCHITECTURE.md")).unwrap();
    let (_, table) = text
        .split_once("| where | circle | why |\n|---|---|---|\n")
        .unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<String> = row.split('|').map(|cell| cell.trim().replace('`', "")).collect();
        let [_, place, circle, why, _] = cells.as_slice() else {
            panic!("{row}");
        };
        assert!(!why.is_empty(), "{row}");
        let (name, parent) = place.split_once(", ").unwrap();
        let members = circle.split(' ').map(str::to_owned).collect();
        (name.to_owned(), parent.to_owned(), members)
    })
    .collect()
}

#[test]
fn no_modules_use_each_other_in_a_circle_but_those_that_the_architecture_names() {
    assert_eq!(found(), named());
}
