//! Finds out which modules of a crate use which other modules, for the tests of the architecture.
//!
//! It reads only the text: `use` lines, and paths that begin at the crate, at a parent or at an imported
//! name. If a module re-exports a name, the name counts as its origin. Tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A path in the source, in parts. For the root of the crate it is empty.
type ModulePath = Vec<String>;

/// The modules of a crate.
#[derive(Debug)]
pub struct Modules {
    /// The modules that each module names.
    uses: BTreeMap<ModulePath, BTreeSet<ModulePath>>,
}

impl Modules {
    /// Reads the source in the folder `src` of a crate.
    pub fn of(src: &Path) -> Self {
        let mut texts = BTreeMap::new();
        for file in rust_files(src) {
            texts.insert(path_of(src, &file), fs::read_to_string(&file).unwrap());
        }
        Self::read(&texts)
    }

    fn read(texts: &BTreeMap<ModulePath, String>) -> Self {
        let read: BTreeMap<&ModulePath, FileNames> = texts
            .iter()
            .map(|(module, text)| {
                let children = texts
                    .keys()
                    .filter(|path| path.len() == module.len() + 1 && path.starts_with(module));
                let children = children.map(|path| path[module.len()].clone()).collect();
                (module, FileNames::in_text(module, text, &children))
            })
            .collect();
        let uses = read.iter().map(|(module, named)| {
            let found = named.paths.iter().filter_map(|path| resolve(path, &read, 0));
            ((*module).clone(), found.filter(|path| path != *module).collect())
        });
        Self { uses: uses.collect() }
    }

    /// Which module uses which other module, among the modules of the root.
    pub fn arrows(&self) -> BTreeSet<(String, String)> {
        self.arrows_in(&[])
    }

    /// The modules that use each other in a circle, as a text for each circle.
    ///
    /// The modules of one parent are compared, each with all modules below it. If a child uses its parent,
    /// that is no circle, because a parent puts its children together and holds what they share.
    pub fn circles(&self) -> BTreeSet<String> {
        let mut parents: BTreeSet<&[String]> = BTreeSet::new();
        for module in self.uses.keys() {
            parents.extend((0..module.len()).map(|depth| &module[..depth]));
        }
        let mut circles = BTreeSet::new();
        for parent in parents {
            for circle in circles_of(&self.arrows_in(parent)) {
                let name = if parent.is_empty() {
                    "the root".to_owned()
                } else {
                    parent.join("::")
                };
                circles.insert(format!("{name}: {}", circle.join(", ")));
            }
        }
        circles
    }

    fn arrows_in(&self, parent: &[String]) -> BTreeSet<(String, String)> {
        let child = |path: &ModulePath| path.strip_prefix(parent)?.first().cloned();
        let mut arrows = BTreeSet::new();
        for (module, used) in &self.uses {
            let Some(from) = child(module) else { continue };
            let to = used.iter().filter_map(child).filter(|to| *to != from);
            arrows.extend(to.map(|to| (from.clone(), to)));
        }
        arrows
    }
}

/// The modules that lead back to themselves, each with all modules of its circle.
fn circles_of(arrows: &BTreeSet<(String, String)>) -> BTreeSet<Vec<&str>> {
    let reached = |start: &str| {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut next = vec![start.to_owned()];
        while let Some(from) = next.pop() {
            for (_, to) in arrows.iter().filter(|(one, _)| *one == from) {
                if seen.insert(to.as_str()) {
                    next.push(to.clone());
                }
            }
        }
        seen
    };
    let nodes: BTreeSet<&str> = arrows.iter().map(|(from, _)| from.as_str()).collect();
    let reaches: BTreeMap<&str, BTreeSet<&str>> = nodes.iter().map(|node| (*node, reached(node))).collect();
    let circle = |node: &&str| {
        let back = reaches[node]
            .iter()
            .filter(|other| reaches.get(*other).is_some_and(|reached| reached.contains(node)));
        back.copied().collect::<Vec<&str>>()
    };
    nodes
        .iter()
        .map(circle)
        .filter(|circle| !circle.is_empty())
        .collect()
}

/// The names in one file.
struct FileNames {
    paths: Vec<ModulePath>,
    /// The imported names, and what they stand for.
    imports: BTreeMap<String, ModulePath>,
}

impl FileNames {
    fn in_text(module: &[String], text: &str, children: &BTreeSet<String>) -> Self {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let tokens = tokens(code);
        let mut named = Self {
            paths: Vec::new(),
            imports: BTreeMap::new(),
        };
        let absolute = |path: &[String], imports: &BTreeMap<String, ModulePath>| {
            let (first, rest) = path.split_first()?;
            let parents = path.iter().take_while(|part| *part == "super").count();
            Some(match first.as_str() {
                "crate" => rest.to_vec(),
                "self" => [module, rest].concat(),
                "super" => [&module[..module.len().checked_sub(parents)?], &path[parents..]].concat(),
                name if imports.contains_key(name) => [&imports[name][..], rest].concat(),
                name if children.contains(name) => [module, path].concat(),
                _ => return None,
            })
        };
        // First all imports, because a name may be used above its import.
        let mut index = 0;
        let mut others = Vec::new();
        while index < tokens.len() {
            if tokens[index] == "use" {
                index += 1;
                for (path, name) in tree(&tokens, &mut index, &[]) {
                    if let Some(path) = absolute(&path, &BTreeMap::new()) {
                        named.imports.insert(name, path.clone());
                        named.paths.push(path);
                    }
                }
            } else if is_word(tokens[index]) {
                others.push(path_at(&tokens, &mut index));
            } else {
                index += 1;
            }
        }
        let others = others.into_iter().filter(|path| path.len() > 1);
        let found: Vec<ModulePath> = others
            .filter_map(|path| absolute(&path, &named.imports))
            .collect();
        named.paths.extend(found);
        named
    }
}

/// The module to which `path` leads.
fn resolve(path: &[String], read: &BTreeMap<&ModulePath, FileNames>, depth: usize) -> Option<ModulePath> {
    for length in (0..=path.len()).rev() {
        let module = path[..length].to_vec();
        let Some(named) = read.get(&module) else { continue };
        return match path.get(length).and_then(|name| named.imports.get(name)) {
            // A name may import itself: `use self::x::x`.
            Some(import) if depth < 8 => {
                resolve(&[&import[..], &path[length + 1..]].concat(), read, depth + 1)
            }
            _ => Some(module),
        };
    }
    None
}

/// The paths of a `use` tree, each with the name that it imports.
fn tree(tokens: &[&str], index: &mut usize, before: &[String]) -> Vec<(ModulePath, String)> {
    let mut path = before.to_vec();
    let mut found = Vec::new();
    while let Some(token) = tokens.get(*index) {
        *index += 1;
        match *token {
            "::" | "*" => {}
            "{" => {
                while tokens.get(*index).is_some_and(|token| *token != "}") {
                    found.extend(tree(tokens, index, &path));
                    *index += usize::from(tokens.get(*index) != Some(&"}"));
                }
                *index += 1;
                return found;
            }
            "as" => {
                let name = tokens[*index].to_owned();
                *index += 1;
                return vec![(path, name)];
            }
            word if is_word(word) => {
                // `self` in a group is the group's own path.
                if word != "self" || path.is_empty() {
                    path.push(word.to_owned());
                }
            }
            _ => {
                *index -= 1;
                break;
            }
        }
    }
    let name = path.last().cloned().unwrap_or_default();
    vec![(path, name)]
}

fn path_at(tokens: &[&str], index: &mut usize) -> ModulePath {
    let mut path = vec![tokens[*index].to_owned()];
    *index += 1;
    while tokens.get(*index) == Some(&"::") {
        match tokens.get(*index + 1) {
            Some(word) if is_word(word) => path.push((*word).to_owned()),
            _ => break,
        }
        *index += 2;
    }
    path
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::` and single signs, without comments and literals.
fn tokens(code: &str) -> Vec<&str> {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if c == '"' {
            quoted(rest)
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            raw.find("\"#").map_or(rest.len(), |end| end + 5)
        } else if c == '\'' {
            // A character, or the quote of a lifetime.
            let mut chars = rest.char_indices().skip(1);
            match (chars.next(), chars.next()) {
                (Some((_, '\\')), _) => rest[2..]
                    .char_indices()
                    .skip(1)
                    .find(|(_, c)| *c == '\'')
                    .map_or(rest.len(), |(at, _)| at + 3),
                (_, Some((at, '\''))) => at + 1,
                _ => 1,
            }
        } else {
            let length = if is_of_word(c) {
                rest.find(|c| !is_of_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                c.len_utf8()
            };
            if !c.is_whitespace() {
                found.push(&rest[..length]);
            }
            length
        };
        rest = &rest[length..];
    }
    found
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A file's module: `web/error.rs` and `web/error/mod.rs` are both `web::error`.
fn path_of(src: &Path, file: &Path) -> ModulePath {
    let relative = file.strip_prefix(src).unwrap().with_extension("");
    let mut path: ModulePath = relative
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    if path.last().is_some_and(|last| last == "mod") || path == ["lib"] {
        path.pop();
    }
    path
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    const LEFT_OUT: [&str; 5] = ["tests.rs", "tests", "samples.rs", "main.rs", "bin"];
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if LEFT_OUT.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(texts: &[(&str, &str)]) -> Modules {
        let path = |name: &str| match name {
            "" => Vec::new(),
            name => name.split("::").map(str::to_owned).collect(),
        };
        let texts = texts.iter().map(|(name, text)| (path(name), (*text).to_owned()));
        Modules::read(&texts.collect())
    }

    #[test]
    fn arrows_are_read_from_imports_and_paths() {
        let user = "use crate::app::App;\nuse crate::{jobs, keys::{self, Keyring}, web::error};\n\
            fn f(c: char) { crate::op::ready(); genkan_store::demo(); let _ = ('\"', \"crate::demo\"); jobs::go() }\n\
            // crate::demo\n#[cfg(test)]\nmod tests { use crate::demo; }";
        let mut texts = vec![("user", user)];
        let others = ["", "app", "jobs", "keys", "op", "web", "web::error", "demo"];
        texts.extend(others.map(|name| (name, "")));
        let arrows = modules(&texts).arrows();
        let to: Vec<&str> = arrows.iter().map(|(_, to)| to.as_str()).collect();
        assert_eq!(to, ["app", "jobs", "keys", "op", "web"]);
    }

    #[test]
    fn circles_are_found_among_siblings_and_through_what_a_parent_hands_on() {
        let through_parent = [
            ("", "mod cli; mod server;"),
            (
                "cli",
                "mod verb; mod failure; use failure::Failure;\nfn run() { verb::run() }",
            ),
            ("cli::failure", "use crate::server::chain;"),
            ("cli::verb", "use super::Failure;"),
            ("server", "use crate::cli::Failure;"),
        ];
        let circles = modules(&through_parent).circles();
        assert_eq!(circles.into_iter().collect::<Vec<_>>(), ["the root: cli, server"]);

        let below = [
            ("", ""),
            ("web", "mod page; mod error; pub use page::Page;"),
            ("web::page", "use super::error::Error;"),
            ("web::error", "use super::Page;"),
        ];
        let circles = modules(&below).circles();
        assert_eq!(circles.into_iter().collect::<Vec<_>>(), ["web: error, page"]);

        let parent_and_child = [
            ("", ""),
            ("client", "mod row; pub struct Client; pub use row::find;"),
            ("client::row", "use super::Client;"),
        ];
        assert!(modules(&parent_and_child).circles().is_empty());
    }
}
