//! `docs/reference/cli.md`, made from the commands themselves.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};

use super::Cli;

const INTRODUCTION: &str = "\
# Command line

<!-- Generated from crates/gateway/src/cli by `just docs`; edit the comments there. -->

Every command and its options, as `--help` prints them.
";

/// The reference as Markdown.
pub fn reference() -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut text = INTRODUCTION.to_owned();
    section(&mut text, &mut command, "genkan");
    text
}

fn section(text: &mut String, command: &mut Command, name: &str) {
    let help = command.render_help().to_string();
    let _ = writeln!(text, "\n## `{name}`\n\n```text\n{}\n```", help.trim_end());
    for child in command.get_subcommands_mut() {
        if child.get_name() != "help" {
            let name = format!("{name} {}", child.get_name());
            section(text, child, &name);
        }
    }
}
