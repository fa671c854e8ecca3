//! Reads the arrows between the modules of a crate, and between the crates of the workspace.
//! Tests include this file; it stands here because no crate is below all of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From what to what.
pub(crate) type Arrow = (String, String);

/// The arrows between the modules below `source`, tests left out. A function of the
/// crate's root that modules call is named in `root`.
pub(crate) fn between_modules(source: &Path, root: &[&str]) -> BTreeSet<Arrow> {
    let mut drawn = BTreeSet::new();
    for file in rust_files(source) {
        let from = module(source, &file);
        for to in uses(&fs::read_to_string(&file).unwrap()) {
            if to != from && !root.contains(&to.as_str()) {
                drawn.insert((from.clone(), to));
            }
        }
    }
    drawn
}

/// What is reached from each module and leads back to it.
pub(crate) fn circles(arrows: &BTreeSet<Arrow>) -> BTreeSet<String> {
    let names: BTreeSet<&String> = arrows.iter().map(|(from, _)| from).collect();
    let leads_back = |start: &String| {
        let mut seen: BTreeSet<&String> = BTreeSet::new();
        let mut next = vec![start];
        while let Some(at) = next.pop() {
            for (_, to) in arrows.iter().filter(|(from, _)| from == at) {
                if to == start {
                    return true;
                }
                if seen.insert(to) {
                    next.push(to);
                }
            }
        }
        false
    };
    let in_circle = names.into_iter().filter(|name| leads_back(name));
    in_circle.cloned().collect()
}

/// The first part of a file's path, which is its module.
fn module(source: &Path, file: &Path) -> String {
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
    found
}

#[test]
fn the_reader_of_arrows_reads_them() {
    let text = "use crate::app::App;\nuse crate::{jobs, keys::{Keyring, KeyringError}, web::error};\n\
        fn f() { crate::op::ready(); genkan_store::x(); mycrate::y(); }\n#[cfg(test)]\nmod tests { use crate::demo; }";
    let found: Vec<String> = uses(text).into_iter().collect();
    assert_eq!(found, ["app", "jobs", "keys", "op", "web"]);
}

#[test]
fn a_circle_is_found_and_what_leads_into_it_is_none() {
    let arrow = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let arrows = BTreeSet::from([
        arrow("cli", "a"),
        arrow("a", "b"),
        arrow("b", "c"),
        arrow("c", "a"),
        arrow("c", "leaf"),
    ]);
    let found: Vec<String> = circles(&arrows).into_iter().collect();
    assert_eq!(found, ["a", "b", "c"]);
}
