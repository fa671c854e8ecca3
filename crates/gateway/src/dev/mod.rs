//! `genkan dev`: everything on one machine, without any other service.

pub mod dev_env;
pub mod mail;
pub mod seed;
mod summary;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use genkan_store::environment::Kind;

use crate::cli::Failure;
use crate::config::{Config, Development, Environment, InstanceKeyBytes, PublicUrl};
use crate::listener::{Listener, Tls, TlsPolicy, install_crypto_provider};
use crate::server::{self, Server};
use crate::simulator::Simulator;
use crate::web::{own_names, tls};
use crate::{demo, dev_ca};

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
pub async fn run(options: DevOptions, environment: &Environment) -> Result<(), Failure> {
    install_crypto_provider();
    let first_start = server::create_data_dir(&options.data_dir)?;
    // Bound first: port 0 is only known afterwards, and a taken port should
    // fail before anything is created.
    let listener = bind(options.listen, "--listen")?;
    let demo_listener = bind(options.demo_listen, "--demo-listen")?;
    let port = listener.local_addr().map_err(no_address)?.port();
    let demo_port = demo_listener.local_addr().map_err(no_address)?.port();
    let public_url = match options.public_url {
        Some(url) => url,
        None => PublicUrl::parse(&format!("http://localhost:{port}")).map_err(Failure::new)?,
    };
    let demo_url = format!("http://localhost:{demo_port}");
    let mut config = Config::development(
        &Development {
            public_url,
            listen: options.listen,
            data_dir: options.data_dir.clone(),
        },
        environment,
    )?;
    crate::logging::start(&config.log)
        .map_err(|error| Failure::new(format!("Logging cannot start: {error}")))?;

    let instance_key = instance_key(&config)?;
    let db = server::open_database(&config).await?;
    server::ensure_environment(&db, &instance_key, &config, Kind::Development).await?;
    let certificates = dev_ca::ensure(&options.data_dir, config.public_url.host(), server::now())
        .map_err(|error| Failure::new(error.to_string()))?;
    // At an https address, the simulator is an identity provider with this very certificate.
    config
        .outbound
        .ca_file
        .get_or_insert_with(|| certificates.ca_file.clone());
    let app = server::app(&config, Kind::Development, db, instance_key)?;
    let seeded = seed::ensure(&app, &demo_url, &options.data_dir)
        .await
        .map_err(server::database_failed)?;
    dev_env::write(&options.data_dir, &app, &seeded, &certificates.ca_file)
        .map_err(|error| Failure::new(format!("{}: {error}", dev_env::FILE)))?;

    let tls = Tls::from_files(&certificates.server_file, &certificates.server_file)
        .map_err(|error| Failure::new(error.to_string()))?;
    let simulator = Simulator::new(seeded.simulator(&app, &demo_url), server::now);
    let web = crate::router(&app)
        .merge(simulator.router())
        .merge(mail::router(&app));

    let demo = demo::router(
        seeded.demo(&app, &demo_url, demo_client(&certificates.ca_file)?),
        server::now,
    );
    let demo = own_names::own_names_only(demo, &config.public_url);

    let stop = server::stopped_by_signal();
    let limits = server::limits(&config);
    let (demo_stop, demo_limits) = (stop.clone(), limits.clone());
    let serving_demo = tokio::spawn(async move {
        demo_listener
            .serve(demo, None, demo_limits, demo_stop.cancelled_owned())
            .await
    });
    summary::print(&summary::Summary {
        public_url: app.issuer(),
        demo_url: &demo_url,
        data_dir: &options.data_dir,
        first_start,
        is_exposed: !(options.listen.ip().is_loopback() && options.demo_listen.ip().is_loopback()),
    });
    let tls = Some(TlsPolicy::BesidePlain(tls));
    Server {
        app,
        web,
        own_names: Some(config.public_url),
        listener,
        tls,
        limits,
    }
    .run(stop)
    .await;
    let _ = serving_demo.await;
    Ok(())
}

/// How the demo application reaches Genkan, like any other application.
fn demo_client(ca_file: &Path) -> Result<reqwest::Client, Failure> {
    let cannot = |error: &dyn std::error::Error| {
        Failure::new(format!(
            "The demo application cannot start: {}",
            server::chain(error)
        ))
    };
    let trust = tls::client_config(Some(ca_file)).map_err(|error| cannot(&error))?;
    reqwest::Client::builder()
        .tls_backend_preconfigured(trust)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .map_err(|error| cannot(&error))
}

fn bind(addr: SocketAddr, option: &str) -> Result<Listener, Failure> {
    Listener::bind(addr).map_err(|error| server::cannot_listen(addr, &error, option))
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands over the error")]
fn no_address(error: std::io::Error) -> Failure {
    Failure::new(format!("The listener does not tell its address: {error}"))
}

/// The instance key of a development instance is made at the first start.
fn instance_key(config: &Config) -> Result<genkan_store::InstanceKey, Failure> {
    if let (None, Some(path)) = (&config.instance_key, &config.instance_key_file)
        && !path.exists()
    {
        InstanceKeyBytes::generate()
            .write_new_file(path)
            .map_err(|error| Failure::new(format!("{} cannot be written: {error}", path.display())))?;
    }
    server::instance_key(config)
}
