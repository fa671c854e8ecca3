//! The arrows between the crates: `ARCHITECTURE.md` must draw those of the manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// By crate folder: the folders that it needs.
type Arrows = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn manifest(path: &Path) -> Table {
    fs::read_to_string(path).unwrap().parse().unwrap()
}

/// The folder of each crate of ours, by the name that manifests use.
fn folders() -> BTreeMap<String, String> {
    let workspace = manifest(&root().join("Cargo.toml"));
    let dependencies = workspace["workspace"]["dependencies"].as_table().unwrap();
    let folder = |value: &Value| {
        let path = value.get("path")?.as_str()?;
        Some(path.strip_prefix("crates/").unwrap().to_owned())
    };
    dependencies
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), folder(value)?)))
        .collect()
}

/// What the manifests say; what only tests need is left out.
fn of_manifests() -> Arrows {
    let folders = folders();
    let mut arrows = Arrows::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let path = entry.unwrap().path();
        let package = manifest(&path.join("Cargo.toml"));
        let mut tables = vec![&package];
        if let Some(targets) = package.get("target").and_then(Value::as_table) {
            tables.extend(targets.values().filter_map(Value::as_table));
        }
        let needed = tables
            .into_iter()
            .filter_map(|table| table.get("dependencies")?.as_table())
            .flat_map(Table::keys)
            .filter_map(|name| folders.get(name).cloned());
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        arrows.insert(name, needed.collect());
    }
    arrows
}

/// What is drawn: lines such as `store → db, protocol`.
fn of_architecture() -> Arrows {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let section = text.split("\n## Crates\n").nth(1).unwrap();
    let block = section.split("\n```\n").nth(1).unwrap();
    let mut arrows = Arrows::new();
    for line in block.lines().filter(|line| !line.is_empty()) {
        let (from, to) = line.split_once('→').expect(line);
        let to = to.split('(').next().unwrap();
        let needed = to
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty());
        let known = arrows.insert(from.trim().to_owned(), needed.collect());
        assert_eq!(known, None, "{line}");
    }
    arrows
}

#[test]
fn the_architecture_draws_the_arrows_of_the_manifests() {
    let manifests = of_manifests();
    for (from, drawn) in of_architecture() {
        assert_eq!(manifests.get(&from), Some(&drawn), "{from}");
    }
    // A crate that needs nothing of ours need not be drawn.
    let missing = manifests
        .iter()
        .filter(|(from, needed)| !needed.is_empty() && !of_architecture().contains_key(*from));
    assert_eq!(missing.count(), 0, "every crate that needs another is drawn");
}
