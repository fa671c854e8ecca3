//! Makes `docs/reference/cli.md` from the commands.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};

use super::Cli;

const INTRODUCTION: &str = "\
# Command line

<!-- Generated from crates/gateway/src/cli by `just docs`; edit the comments there. -->

Every command and its options, as `--help` prints them; the global options stand with `genkan` only.
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
    let help = if name == "genkan" {
        help
    } else {
        without_global_options(&help)
    };
    let _ = writeln!(text, "\n## `{name}`\n\n```text\n{}\n```", help.trim_end());
    for child in command.get_subcommands_mut() {
        if child.get_name() != "help" {
            let name = format!("{name} {}", child.get_name());
            section(text, child, &name);
        }
    }
}

/// Every command has these options, so they are described once.
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

    fn check_width(command: &Command) {
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        for line in help.lines() {
            assert!(line.chars().count() <= 79, "{}: {line}", command.get_name());
        }
        command.get_subcommands().for_each(check_width);
    }

    #[test]
    fn what_is_printed_below_the_options_fits_a_narrow_terminal() {
        check_width(&Cli::command());
    }
}
