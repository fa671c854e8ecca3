//! The `genkan` command.

use std::process::ExitCode;

/// A tenth of the processor time less than with the C library's (`bench/README.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    genkan::cli::main()
}
