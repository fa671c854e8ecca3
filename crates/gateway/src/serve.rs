//! `genkan serve`: one production node.

use crate::cli::Failure;
use crate::config::Config;

/// Runs until a signal stops it.
///
/// # Errors
///
/// If it cannot start.
pub async fn run(config: Config) -> Result<(), Failure> {
    let _ = config;
    Err(Failure::new("`genkan serve` is not part of this build"))
}
