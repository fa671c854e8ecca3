//! Every command that a remedy, a help text or a guide prints exists.

use std::path::Path;

use clap::CommandFactory;
use openneko::cli::Cli;

// Both programs print commands, and one module checks both.
#[path = "../../../../gateway/tests/it/cli/printed.rs"]
mod printed;

#[test]
fn every_command_that_is_printed_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let printed = printed::commands(&root, "openneko");
    assert!(printed.len() > 40, "only {} were found", printed.len());
    printed::check(&Cli::command(), &printed);
}
