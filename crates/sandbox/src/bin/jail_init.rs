//! The jail's inner side as a program of its own, for the tests of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    return openneko_sandbox::jail::init_main();
    #[cfg(not(target_os = "linux"))]
    ExitCode::FAILURE
}
