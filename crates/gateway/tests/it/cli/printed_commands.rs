//! Every command that a remedy, a help text or a guide prints exists.

use std::path::Path;

use clap::CommandFactory;
use genkan::cli::Cli;

use super::printed;

#[test]
fn every_command_that_is_printed_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let printed = printed::commands(&root, "genkan");
    assert!(printed.len() > 150, "only {} were found", printed.len());
    printed::check(&Cli::command(), &printed);
}
