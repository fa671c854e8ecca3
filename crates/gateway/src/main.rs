//! The `genkan` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    genkan::cli::main()
}
