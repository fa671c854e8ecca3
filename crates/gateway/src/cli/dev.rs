//! `genkan dev`

use std::net::SocketAddr;

use clap::Args;

use super::{Context, Failure, server_runtime};
use crate::config::PublicUrl;
use crate::dev::DevOptions;

const EXAMPLES: &str = "\
Examples:
  genkan dev                        everything in ./genkan-data
  genkan dev --listen 127.0.0.1:9000
  genkan dev --data-dir /tmp/try    begin anew somewhere else

The first start makes an environment with an application, a test organization
and a connection to the built-in identity provider, and writes what an
application needs to genkan-data/dev.env. Later starts change none of it. No
configuration file is read; GENKAN_LOG_LEVEL and other variables are.";

/// Run everything on this machine, for development
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DevArgs {
    /// The address and port of the gateway
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The address that browsers and applications use (default: http://localhost and the port)
    #[arg(long, value_name = "URL")]
    public_url: Option<PublicUrl>,
    /// The address and port of the demo application
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    demo_listen: SocketAddr,
}

pub(super) fn run(args: DevArgs, context: &mut Context) -> Result<(), Failure> {
    let options = DevOptions {
        listen: args.listen,
        data_dir: context.target.development_folder()?,
        public_url: args.public_url,
        demo_listen: args.demo_listen,
    };
    server_runtime()?.block_on(crate::dev::run(options, &context.environment))
}
