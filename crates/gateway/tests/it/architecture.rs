//! The arrows between the gateway's modules, as `ARCHITECTURE.md` draws them.
//!
//! An arrow that is not here is a decision: draw it in both places, or find
//! where the thing belongs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What everything may use. They know no area themselves.
const SHARED: [&str; 10] = [
    "anonymous",
    "app",
    "cache",
    "config",
    "keys",
    "letters",
    "listener",
    "mail",
    "tally",
    "web",
];

/// What puts the areas together, and may therefore use each of them.
const ROOTS: [&str; 6] = ["cli", "dev", "lib", "main", "serve", "server"];

/// The arrows between areas, and from what is shared to them.
const ARROWS: [(&str, &str); 6] = [
    // The first step after a valid request, and the answer: at once, or at the end of a login.
    ("op", "login"),
    ("op", "answer"),
    ("login", "answer"),
    ("login", "connections"),
    // What is kept of providers lives as long as the application.
    ("app", "connections"),
    // gRPC is told apart before any route is looked at.
    ("grpc", "management"),
];

#[test]
fn modules_use_what_the_architecture_allows() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut drawn = BTreeSet::new();
    for file in rust_files(&source) {
        let from = area(&source, &file);
        for to in uses(&fs::read_to_string(&file).unwrap()) {
            let is_free = to == from || SHARED.contains(&to.as_str()) || ROOTS.contains(&from.as_str());
            if !is_free {
                drawn.insert((from.clone(), to));
            }
        }
    }
    let allowed: BTreeSet<_> = ARROWS
        .iter()
        .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
        .collect();
    assert_eq!(drawn, allowed);
}

/// The first part of a file's path, which is its module.
fn area(source: &Path, file: &Path) -> String {
    let first = file.strip_prefix(source).unwrap().components().next().unwrap();
    let name = first.as_os_str().to_str().unwrap();
    name.strip_suffix(".rs").unwrap_or(name).to_owned()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_test = ["tests.rs", "tests", "samples.rs"]
            .iter()
            .any(|name| path.ends_with(name));
        if path.is_dir() && !is_test {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            files.push(path);
        }
    }
    files
}

/// The modules of the crate that a text names, its own tests left out.
fn uses(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let name = |text: &str| text.split(|c| !is_word(c)).next().unwrap().to_owned();
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(is_word) {
            continue; // `some_crate::`
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            // A group, as deep as it goes: only its top names count.
            Some(group) => {
                let mut depth = 0_i32;
                let mut top = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        c if depth == 0 => top.push(c),
                        _ => {}
                    }
                }
                found.extend(
                    top.split(',')
                        .map(|item| name(item.trim()))
                        .filter(|name| !name.is_empty()),
                );
            }
            None => drop(found.insert(name(rest))),
        }
    }
    // A function of the root.
    found.retain(|name| name != "router");
    found
}

#[test]
fn the_reader_of_arrows_reads_them() {
    let text = "use crate::app::App;\nuse crate::{jobs, keys::{Keyring, KeyringError}, web::error};\n\
        fn f() { crate::op::ready(); genkan_store::x(); mycrate::y(); }\n#[cfg(test)]\nmod tests { use crate::demo; }";
    let found: Vec<String> = uses(text).into_iter().collect();
    assert_eq!(found, ["app", "jobs", "keys", "op", "web"]);
}
