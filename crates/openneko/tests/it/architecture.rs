//! The arrows between openneko's modules, as `ARCHITECTURE.md` draws them.
//!
//! An arrow that is not here is a decision: draw it in both places, or find
//! where the thing belongs.

#[path = "../../../../tests/support/arrows.rs"]
mod arrows;

use std::collections::BTreeSet;
use std::path::Path;

/// What is below everything: the files of this machine, its environment and its clock.
const SHARED: [&str; 3] = ["clock", "file", "paths"];

/// What puts the modules together, and may therefore use each of them.
const ROOTS: [&str; 3] = ["cli", "lib", "main"];

/// The arrows between the others.
const ARROWS: [(&str, &str); 11] = [
    // Credentials of registries, and values of plugins.
    ("host", "secrets"),
    ("http", "secrets"),
    ("registry", "secrets"),
    // The session key is derived from the key of the installation.
    ("web", "secrets"),
    ("host", "manifest"),
    // What the `id_token` of a plugin must say.
    ("host", "id_token"),
    // An entry of the manifest is made of a package's description.
    ("manifest", "package"),
    ("marketplace", "http"),
    ("registry", "http"),
    ("policy", "marketplace"),
    // The web app asks the plugin host, which knows of no web app.
    ("web", "host"),
];

#[test]
fn modules_use_what_the_architecture_allows() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let all = arrows::between_modules(&source, &[]);
    let drawn: BTreeSet<_> = all
        .iter()
        .filter(|(from, to)| !SHARED.contains(&to.as_str()) && !ROOTS.contains(&from.as_str()))
        .cloned()
        .collect();
    let allowed: BTreeSet<_> = ARROWS
        .iter()
        .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
        .collect();
    assert_eq!(drawn, allowed);
    assert_eq!(arrows::circles(&all), BTreeSet::new());
}
