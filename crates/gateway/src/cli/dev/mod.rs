//! `genkan dev`

mod trust;

use std::net::SocketAddr;

use clap::{Args, Subcommand};

use super::{Context, Failure, server_runtime};
use crate::config::PublicUrl;
use crate::dev::DevOptions;

const EXAMPLES: &str = "\
Examples:
  genkan dev                        everything in ./genkan-data
  genkan dev --https                the same at https://localhost:8080
  genkan dev --listen 127.0.0.1:9000
  genkan dev --data-dir /tmp/try    start with new data in another folder
  genkan dev trust                  let browsers and clients trust its https

The first start creates an environment with an application, a test organization
and a connection to the built-in identity provider. It writes the settings that
an application needs to genkan-data/dev.env. Later starts do not change them.
No configuration file is read, but GENKAN_LOG_LEVEL and other variables are.

The port answers both http and https, with and without --https. With --https
the public URL, and so every issuer and every redirect, begins with https.
Clients that use only https, such as Scalekit's SDKs for Python and Java, need
--https.";

/// Run everything on this machine, for development
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct DevArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The address and port of the gateway
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = parse_listen)]
    listen: SocketAddr,
    /// Use https in every address, with a certificate of a development authority (see `genkan dev trust`)
    #[arg(long)]
    https: bool,
    /// The address that browsers and applications use (default: localhost and the port)
    #[arg(long, value_name = "URL")]
    public_url: Option<PublicUrl>,
    /// The address and port of the demo application (default: ten ports behind the gateway, such as
    /// 127.0.0.1:8090)
    #[arg(long, value_name = "ADDRESS", value_parser = parse_listen)]
    demo_listen: Option<SocketAddr>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Trust(trust::TrustArgs),
}

/// An address of this machine with a port.
fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let port = text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
        format!(
            "it is a number of this machine and a port, such as 127.0.0.1:{}",
            port.unwrap_or(8080)
        )
    })
}

pub(super) fn run(args: DevArgs, context: &mut Context) -> Result<(), Failure> {
    if let Some(Verb::Trust(args)) = args.verb {
        return trust::run(&args, context);
    }
    if let Some(url) = args
        .public_url
        .as_ref()
        .filter(|url| args.https && !url.is_https())
    {
        return Err(
            Failure::usage(format!("--https and --public-url {url} are two answers."))
                .remedy("Leave one of them out, or let the address begin with https://."),
        );
    }
    let options = DevOptions {
        listen: args.listen,
        data_dir: context.target.development_folder()?,
        https: args.https,
        public_url: args.public_url,
        demo_listen: args.demo_listen,
    };
    server_runtime()?.block_on(crate::dev::run(options, &context.environment))
}
