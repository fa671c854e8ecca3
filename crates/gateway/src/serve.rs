//! `genkan serve`: one production node.

use genkan_store::environment::Kind;
use genkan_web::listener::{Listener, Tls, TlsPolicy, install_crypto_provider};

use crate::config::{Config, TlsMode};
use crate::failure::Failure;
use crate::server::{self, Server};

/// Runs until a signal stops it.
///
/// # Errors
///
/// If it cannot start.
pub async fn run(config: Config) -> Result<(), Failure> {
    install_crypto_provider();
    let instance_key = server::instance_key(&config)?;
    let _sole = server::sole_server(&config)?;
    let db = server::open_database(&config).await?;
    server::ensure_environment(&db, &instance_key, &config, Kind::Production).await?;
    let app = server::app(&config, Kind::Production, db, instance_key)?;
    let tls = tls(&config)?;
    let listener = Listener::bind(config.listen)
        .map_err(|error| server::cannot_listen(config.listen, &error, "`listen`"))?
        .trusting(config.trusted_proxies());
    let limits = server::limits(&config);
    let stop = server::stopped_by_signal();
    tracing::info!(public_url = %config.public_url.as_str(), listen = %config.listen, "serving");
    let web = crate::router(&app);
    Server {
        app,
        web,
        own_names: None,
        listener,
        tls,
        limits,
        drain_delay: config.limits.drain_delay,
    }
    .run(stop)
    .await;
    tracing::info!("stopped");
    Ok(())
}

fn tls(config: &Config) -> Result<Option<TlsPolicy>, Failure> {
    match (
        config.tls.mode,
        &config.tls.certificate_file,
        &config.tls.key_file,
    ) {
        (TlsMode::Files, Some(certificate), Some(key)) => {
            let tls = Tls::from_files(certificate, key).map_err(|error| {
                Failure::new(error.to_string()).remedy("`genkan config check` looks at these files.")
            })?;
            Ok(Some(TlsPolicy::Only(tls)))
        }
        _ => Ok(None),
    }
}
