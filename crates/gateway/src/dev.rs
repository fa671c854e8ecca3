//! `genkan dev`: everything on one machine, without any other service.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::cli::Failure;
use crate::config::PublicUrl;

/// What the command line says.
#[derive(Debug, Clone)]
pub struct DevOptions {
    /// Serves plain text and TLS on one port.
    pub listen: SocketAddr,
    /// Created at the first start.
    pub data_dir: PathBuf,
    /// The issuer; without it `http://localhost:<port of listen>`.
    pub public_url: Option<PublicUrl>,
    /// Where the demo application listens.
    pub demo_listen: SocketAddr,
}

/// Runs until a signal stops it.
///
/// # Errors
///
/// If it cannot start.
pub async fn run(options: DevOptions) -> Result<(), Failure> {
    let _ = options;
    Err(Failure::new("`genkan dev` is not part of this build"))
}
