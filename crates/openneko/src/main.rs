//! The `openneko` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: the jail's helper must have one thread and nothing open.
    #[cfg(feature = "jail")]
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == openneko_sandbox::jail::INIT_ARGUMENT)
    {
        return openneko_sandbox::jail::init_main();
    }
    openneko::cli::main()
}
