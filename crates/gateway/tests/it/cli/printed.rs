//! Finds the commands that sources, pages and documents print, and asks the command
//! line whether it knows them.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;
use clap::error::ErrorKind;

/// A command with the place that prints it.
#[derive(Debug)]
pub(crate) struct Printed {
    place: String,
    words: Vec<String>,
    /// The program's name may begin a sentence instead.
    may_be_prose: bool,
}

/// Every command of `program` that is printed somewhere.
pub(crate) fn commands(root: &Path, program: &str) -> Vec<Printed> {
    let mut files = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    for folder in ["crates", "docs", "examples", "plugins"] {
        collect(&root.join(folder), &mut files);
    }
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        for (line, command, may_be_prose) in in_text(&text, program) {
            for words in alternatives(&words(&command)) {
                let place = format!("{name}:{line}: {command}");
                found.push(Printed {
                    place,
                    words,
                    may_be_prose,
                });
            }
        }
    }
    found
}

/// Fails with every printed command that the command line refuses for its form.
#[track_caller]
pub(crate) fn check(cli: &Command, printed: &[Printed]) {
    let wrong: Vec<String> = printed
        .iter()
        .filter_map(|printed| {
            let error = cli.clone().try_get_matches_from(&printed.words).err()?;
            if printed.words.iter().any(|word| word == "<COMMAND>") {
                return None;
            }
            if printed.may_be_prose && error.kind() == ErrorKind::InvalidSubcommand {
                return None;
            }
            // Words that stand for something, and what is left out, are the reader's.
            let is_wrong = matches!(
                error.kind(),
                ErrorKind::UnknownArgument
                    | ErrorKind::InvalidSubcommand
                    | ErrorKind::ArgumentConflict
                    | ErrorKind::TooManyValues
                    | ErrorKind::NoEquals
            );
            let first = error.to_string().lines().next().unwrap_or_default().to_owned();
            is_wrong.then(|| format!("{}\n    {first}", printed.place))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "these commands do not exist:\n{}",
        wrong.join("\n")
    );
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && !["tests", "target", "node_modules", "generated"].contains(&name.as_str()) {
            collect(&path, files);
        } else if [".rs", ".md", ".html"].iter().any(|end| name.ends_with(end)) {
            files.push(path);
        }
    }
}

/// The commands of a text with their lines: between backticks, at the beginning of a
/// line of an example, and where a text begins with one.
fn in_text(text: &str, program: &str) -> Vec<(usize, String, bool)> {
    let start = format!("{program} ");
    let mut found = Vec::new();
    for (at, _) in text.match_indices(&start) {
        let before = &text[..at];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let lead = &before[line_start..];
        // Lines of a generated reference say how a command is used, not which.
        if lead.trim_start().starts_with("Usage:") || lead.ends_with("## `") {
            continue;
        }
        let rest = &text[at..];
        // A command that is put together is no text; octets are for machines.
        if rest[start.len()..].starts_with('{') || lead.ends_with("b\"") {
            continue;
        }
        let line = before.matches('\n').count() + 1;
        // Examples are indented by little; deeper, a sentence goes on in a literal.
        let may_be_prose =
            !lead.ends_with('`') && (!is_example(lead) || lead.len() > 8 && lead.trim().is_empty());
        let command = if lead.ends_with('`') {
            rest.split('`').next().unwrap_or_default().replace('\n', " ")
        } else if is_example(lead) {
            example(rest)
        } else if lead.ends_with('"') || lead.ends_with(": ") && lead.contains('"') {
            rest.split(['"', '\n']).next().unwrap_or_default().to_owned()
        } else {
            continue;
        };
        found.push((line, command, may_be_prose));
    }
    found
}

/// Only white space, a prompt, variables or a pipe stand before the command.
fn is_example(lead: &str) -> bool {
    let is_indented = lead.starts_with("  ") && lead.trim().is_empty();
    let words = lead.trim();
    is_indented
        || words == "$"
        || words.ends_with("=$(")
        || words.ends_with(" |")
        || (!words.is_empty()
            && words
                .split(' ')
                .all(|word| word.contains('=') && word.chars().next().is_some_and(char::is_uppercase)))
}

/// An example over its continued lines, without the words that explain it.
fn example(rest: &str) -> String {
    let mut command = String::new();
    for line in rest.lines() {
        let line = line.split('`').next().unwrap_or_default().trim_end();
        let (part, goes_on) = match line.strip_suffix('\\') {
            // In a literal the backslash is written twice.
            Some(part) => (part.trim_end_matches('\\'), true),
            None => (line, false),
        };
        let part = part.trim().trim_end_matches("\";").trim();
        command.push_str(part.split("  ").next().unwrap_or_default());
        command.push(' ');
        if !goes_on || part.contains("  ") {
            break;
        }
    }
    command
}

/// The words of a command, as far as they are its own.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let command = without_inner_commands(command);
    for c in command.replace("\\\"", "\"").chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c.is_whitespace() => {
                words.push(std::mem::take(&mut word));
            }
            (_, c) => word.push(c),
        }
    }
    words.push(word);
    words
        .into_iter()
        .map(|word| {
            word.trim_end_matches([',', '.', ';', ')', '\\', ']', ' '])
                .to_owned()
        })
        .filter(|word| !word.is_empty() && word != "…" && word != "[")
        .take_while(|word| !["|", ">", ">>", "<", "#", "&&", "2>&1", "&"].contains(&word.as_str()))
        .collect()
}

/// What another command answers is one word.
fn without_inner_commands(command: &str) -> String {
    match command.split_once("$(") {
        Some((before, rest)) => {
            let after = rest.split_once(')').map_or("", |(_, after)| after);
            format!("{before}INNER{}", without_inner_commands(after))
        }
        None => command.to_owned(),
    }
}

/// `list|show` are two commands.
fn alternatives(words: &[String]) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    for word in words {
        let is_choice =
            word.contains('|') && word.chars().all(|c| c.is_ascii_lowercase() || "|-".contains(c));
        let choices: Vec<&str> = if is_choice {
            word.split('|').collect()
        } else {
            vec![word]
        };
        all = all
            .iter()
            .flat_map(|before| {
                choices.iter().map(|choice| {
                    let mut words: Vec<String> = before.clone();
                    words.push((*choice).to_owned());
                    words
                })
            })
            .collect();
    }
    all
}

#[test]
fn commands_are_found_as_they_are_printed() {
    let text = "Run `genkan org list` first.\n  genkan app create --name \"My app\" \\\\\n      --type spa      a page\n\
                X=1 genkan serve\nK=$(genkan keys list)\na genkan dev\n\"genkan keys rotate --alg {x}\"\n";
    let found: Vec<Vec<String>> = in_text(text, "genkan")
        .iter()
        .map(|(_, command, _)| words(command))
        .collect();
    assert_eq!(
        found,
        [
            vec!["genkan", "org", "list"],
            vec!["genkan", "app", "create", "--name", "My app", "--type", "spa"],
            vec!["genkan", "serve"],
            vec!["genkan", "keys", "list"],
            vec!["genkan", "keys", "rotate", "--alg", "{x}"],
        ]
    );
    assert_eq!(alternatives(&["a".to_owned(), "b|c".to_owned()]).len(), 2);
}
