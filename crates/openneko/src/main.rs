//! The `openneko` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    openneko::cli::main()
}
