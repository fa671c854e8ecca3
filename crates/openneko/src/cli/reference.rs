//! `docs/reference/openneko-cli.md`, made from the commands themselves.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};

use super::Cli;

const INTRODUCTION: &str = "\
# Command line of openneko

<!-- Generated from crates/openneko/src/cli by `just docs`; edit the comments there. -->

Every command and its options, as `--help` prints them; the global options stand with `openneko` only.
";

/// The reference as Markdown.
pub fn reference() -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut text = INTRODUCTION.to_owned();
    section(&mut text, &mut command, "openneko");
    text
}

fn section(text: &mut String, command: &mut Command, name: &str) {
    let help = command.render_help().to_string();
    let help = if name == "openneko" {
        help
    } else {
        without_global_options(&help)
    };
    let _ = writeln!(text, "\n## `{name}`\n\n```text\n{}\n```", help.trim_end());
    for child in command.get_subcommands_mut() {
        if child.get_name() != "help" && !child.is_hide_set() {
            let name = format!("{name} {}", child.get_name());
            section(text, child, &name);
        }
    }
}

/// Every command has them; once is enough.
fn without_global_options(help: &str) -> String {
    let Some((before, rest)) = help.split_once("Global options:\n") else {
        return help.to_owned();
    };
    let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
    format!("{before}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }
}
