//! `genkan dev`: everything on one machine, without any other service.

pub mod dev_env;
mod file;
mod home;
pub mod mail;
pub mod saml;
pub mod seed;
mod summary;
pub mod trust;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use genkan_db::Db;
use genkan_store::environment::{self, Kind};
use genkan_web::listener::{Listener, Tls, TlsPolicy, install_crypto_provider};

use crate::app::App;
use crate::config::{Config, Development, Environment, InstanceKeyBytes, PublicUrl};
use crate::failure::{Failure, chain, database_failed};
use crate::server::{self, Server};
use crate::simulator::Simulator;
use crate::web::{own_names, tls};
use crate::{demo, dev_ca};

/// The options of the command line.
#[derive(Debug, Clone)]
pub struct DevOptions {
    /// Serves plain text and TLS on one port.
    pub listen: SocketAddr,
    /// Created at the first start.
    pub data_dir: PathBuf,
    /// Makes the addresses of the issuer and of the demo application `https`.
    pub https: bool,
    /// The issuer; without it `localhost` and the port of `listen`.
    pub public_url: Option<PublicUrl>,
    /// The address of the demo application; without it ten ports behind `listen`.
    pub demo_listen: Option<SocketAddr>,
}

impl DevOptions {
    /// The address of `localhost` at `port`.
    fn localhost(&self, port: u16) -> String {
        match (self.https, port) {
            (true, 443) => "https://localhost".to_owned(),
            (false, 80) => "http://localhost".to_owned(),
            (true, _) => format!("https://localhost:{port}"),
            (false, _) => format!("http://localhost:{port}"),
        }
    }

    /// The issuer, if the gateway listens at `port`.
    fn public_url(&self, port: u16) -> Result<PublicUrl, Failure> {
        match &self.public_url {
            Some(url) => Ok(url.clone()),
            None => PublicUrl::parse(&self.localhost(port)).map_err(Failure::new),
        }
    }

    fn demo_listen(&self) -> SocketAddr {
        let beside = match self.listen.port() {
            0 => 0,
            // Another privileged port would need another permission.
            1..1024 => DEMO_PORT,
            port => port.checked_add(DEMO_BEHIND).unwrap_or(port - DEMO_BEHIND),
        };
        self.demo_listen
            .unwrap_or_else(|| (Ipv4Addr::LOCALHOST, beside).into())
    }
}

/// The default distance of the demo application's port from [`DevOptions::listen`].
const DEMO_BEHIND: u16 = 10;
const DEMO_PORT: u16 = 8090;

/// Runs until a signal stops it.
///
/// # Errors
///
/// If it cannot start.
pub async fn run(options: DevOptions, environment: &Environment) -> Result<(), Failure> {
    install_crypto_provider();
    server::create_data_dir(&options.data_dir)?;
    // Bound first: the port for 0 is known only afterwards, and a port in use must
    // fail before anything is created.
    let listener = bind(options.listen, "--listen")?;
    let demo_listener = bind(options.demo_listen(), "--demo-listen")?;
    let port = listener.local_addr().map_err(no_address)?.port();
    let demo_port = demo_listener.local_addr().map_err(no_address)?.port();
    let public_url = options.public_url(port)?;
    let demo_url = options.localhost(demo_port);
    let config = Config::development(
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
    let _sole = server::sole_server(&config)?;
    let db = server::open_database(&config).await?;
    let first_start = is_first_start(&db).await?;
    server::ensure_environment(&db, &instance_key, &config, Kind::Development).await?;
    let certificates = dev_ca::ensure(&options.data_dir, config.public_url.host(), server::now())
        .map_err(|error| Failure::new(error.to_string()))?;
    let trust = trust::ensure(&options.data_dir)
        .map_err(|error| Failure::new(format!("What clients trust cannot be written: {error}")))?;
    let app = server::app(&config, Kind::Development, db, instance_key)?;
    let seeded = seed::ensure(&app, &demo_url, dev_env::client_secret(&options.data_dir))
        .await
        .map_err(database_failed)?;
    app.mount_simulator(seeded.simulator_client(&app));
    dev_env::write(&options.data_dir, &app, &seeded, &trust)
        .map_err(|error| Failure::new(format!("{}: {error}", dev_env::FILE)))?;

    let tls = Tls::from_files(&certificates.server_file, &certificates.server_file)
        .map_err(|error| Failure::new(error.to_string()))?;
    let encryption_certificates = saml::encryption_certificates(&app);
    let described = seeded.simulator(&app, &demo_url, encryption_certificates);
    let simulator = Simulator::new(described, server::now);
    saml::follow(&app, &simulator).await?;
    let web = web(&app, &simulator, &demo_url, &trust);

    let demo = demo::router(
        seeded.demo(&app, &demo_url, demo_client(&certificates.ca_file)?),
        server::now,
    );
    let demo = own_names::own_names_only(demo, &config.public_url);

    let stop = server::stopped_by_signal();
    let limits = server::limits(&config);
    let (demo_stop, demo_limits) = (stop.clone(), limits.clone());
    let tls = TlsPolicy::BesidePlain(tls);
    let demo_tls = options.https.then(|| tls.clone());
    let serving_demo = tokio::spawn(async move {
        demo_listener
            .serve(demo, demo_tls, demo_limits, demo_stop.cancelled_owned())
            .await
    });
    summary::print(&summary::Summary {
        public_url: app.issuer(),
        demo_url: &demo_url,
        data_dir: &options.data_dir,
        first_start,
        is_exposed: !(options.listen.ip().is_loopback() && options.demo_listen().ip().is_loopback()),
    });
    Server {
        app,
        web,
        own_names: Some(config.public_url),
        listener,
        tls: Some(tls),
        limits,
        drain_delay: config.limits.drain_delay,
    }
    .run(stop)
    .await;
    let _ = serving_demo.await;
    Ok(())
}

/// The pages that are served beside the demo.
fn web(app: &App, simulator: &Simulator, demo_url: &str, files: &trust::TrustFiles) -> Router {
    crate::router(app)
        .merge(simulator.router())
        .merge(home::router(app, demo_url))
        .merge(mail::router(app))
        .merge(trust::router(files.ca_file.clone()))
}

/// By the database and not by the folder, which may exist and be empty.
async fn is_first_start(db: &Db) -> Result<bool, Failure> {
    let found = db.read(async |tx| environment::find(tx).await).await;
    Ok(found.map_err(database_failed)?.is_none())
}

/// How the demo application reaches Genkan, like any other application.
fn demo_client(ca_file: &Path) -> Result<reqwest::Client, Failure> {
    let cannot = |error: &dyn std::error::Error| {
        Failure::new(format!("The demo application cannot start: {}", chain(error)))
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

/// The instance key of a development instance, made at the first start.
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

/// A sample of every page that a development instance adds.
#[cfg(test)]
pub(crate) fn samples() -> genkan_web::samples::Samples {
    let mut samples = mail::samples();
    samples.extend(home::samples());
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(listen: &str, https: bool, demo_listen: Option<&str>) -> DevOptions {
        DevOptions {
            listen: listen.parse().unwrap(),
            data_dir: PathBuf::new(),
            https,
            public_url: None,
            demo_listen: demo_listen.map(|address| address.parse().unwrap()),
        }
    }

    #[test]
    fn another_port_moves_the_demo_application_too() {
        for (listen, demo) in [
            ("127.0.0.1:8080", "127.0.0.1:8090"),
            ("127.0.0.1:9000", "127.0.0.1:9010"),
            ("[::1]:65530", "127.0.0.1:65520"),
            ("127.0.0.1:443", "127.0.0.1:8090"),
            // Other machines may reach the gateway, but not the demo.
            ("0.0.0.0:9000", "127.0.0.1:9010"),
        ] {
            assert_eq!(
                options(listen, false, None).demo_listen().to_string(),
                demo,
                "{listen}"
            );
        }
        let chosen = options("127.0.0.1:9000", false, Some("127.0.0.1:7000"));
        assert_eq!(chosen.demo_listen().port(), 7000);
    }

    #[test]
    fn the_default_port_is_not_written() {
        assert_eq!(
            options("127.0.0.1:0", true, None).localhost(443),
            "https://localhost"
        );
        assert_eq!(
            options("127.0.0.1:0", false, None).localhost(80),
            "http://localhost"
        );
        assert_eq!(
            options("127.0.0.1:0", true, None).localhost(8080),
            "https://localhost:8080"
        );
    }
}
