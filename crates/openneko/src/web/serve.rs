//! `openneko serve`: opens the database, listens, and stops in good order.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use genkan_db::Schema;
use genkan_web::listener::{Limits, Listener};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::paths::Paths;
use crate::secrets;
use crate::web::app::{App, Config, Parts};
use crate::web::keys::{Keys, SESSION_LABEL};
use crate::web::plugin::SignInHost;
use crate::web::routes;
use crate::web::settings::{self, Flags, Settings};
use crate::web::store::{self, first_admin};

/// How often expired rows are deleted.
const SWEEP: Duration = Duration::from_secs(60);

/// Why the server cannot start; says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: the key `web` cannot be read: {why}", .path.display())]
    File { path: std::path::PathBuf, why: String },
    #[error(transparent)]
    Setting(#[from] crate::web::mistake::Mistake),
    #[error(
        "a sign-in plugin is installed and {listen} is not this machine alone: say how browsers reach this server, \
         with --public-url https://… or OPENNEKO_PUBLIC_URL"
    )]
    NoPublicUrl { listen: std::net::SocketAddr },
    #[error(
        "the schema of the database is older than this program: start `openneko serve` of this version, which brings \
         it up to date"
    )]
    OlderSchema,
    #[error("the database cannot be opened: {0}")]
    Database(#[from] genkan_db::Error),
    #[error("{} cannot be made: {why}", .path.display())]
    Directory {
        path: std::path::PathBuf,
        why: std::io::Error,
    },
    #[error(
        "OPENNEKO_SESSION_SECRET must have at least 32 characters: unset it to use a key of this installation"
    )]
    ShortSecret,
    #[error("the key of sessions cannot be read: {0}")]
    SecretKey(String),
    #[error("{listen} cannot be listened on: {why}. Choose another address with --listen")]
    Listen {
        listen: std::net::SocketAddr,
        why: std::io::Error,
    },
}

/// Reads the settings: flags, then the environment, then `config.json`.
///
/// # Errors
///
/// The unusable setting, and why.
pub fn settings(paths: &Paths, flags: &Flags) -> Result<Settings, Error> {
    let file = web_section(&paths.config())?;
    Ok(Settings::new(flags, |name| paths.environment.get(name), file)?)
}

/// The key `web` of `config.json`; the other keys are not ours.
fn web_section(path: &Path) -> Result<settings::File, Error> {
    let failed = |why: String| Error::File {
        path: path.to_owned(),
        why,
    };
    let content = crate::file::read(path, 1 << 20).map_err(|error| failed(error.to_string()))?;
    let Some(content) = content else {
        return Ok(settings::File::default());
    };
    let mut document: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&content).map_err(|error| failed(error.to_string()))?;
    match document.remove("web") {
        // The derived reader would read a list as the fields in their order.
        Some(web) if !web.is_object() => Err(failed("it is no object".to_owned())),
        Some(web) => serde_json::from_value(web).map_err(|error| failed(error.to_string())),
        None => Ok(settings::File::default()),
    }
}

/// The database of [`open_database`] for a command beside a server, under which no schema changes.
///
/// # Errors
///
/// If it cannot be opened, or was made by an older version.
pub async fn open_unchanged(paths: &Paths, settings: &Settings) -> Result<genkan_db::Db, Error> {
    let url = database_url(paths, settings)?;
    let db = genkan_db::Db::connect(&url).await?;
    match db.schema(store::MIGRATIONS).await? {
        Schema::Current => Ok(db),
        // Nothing runs on it yet.
        Schema::Absent => {
            store::prepare(&db, clock::now()).await?;
            Ok(db)
        }
        Schema::Older => Err(Error::OlderSchema),
    }
}

/// The database that the settings name, or the file in the state directory, with its schema up to date.
///
/// # Errors
///
/// If it cannot be opened.
pub async fn open_database(paths: &Paths, settings: &Settings) -> Result<genkan_db::Db, Error> {
    let url = database_url(paths, settings)?;
    Ok(store::open(&url, clock::now()).await?)
}

fn database_url(paths: &Paths, settings: &Settings) -> Result<String, Error> {
    if let Some(url) = &settings.database_url {
        return Ok(url.clone());
    }
    crate::file::private_dir(&paths.state_dir).map_err(|why| Error::Directory {
        path: paths.state_dir.clone(),
        why,
    })?;
    Ok(format!("sqlite:{}", default_database(paths).display()))
}

/// The file of the database if no other is named.
pub fn default_database(paths: &Paths) -> std::path::PathBuf {
    paths.state_dir.join("openneko.db")
}

/// Serves until a signal comes.
///
/// A person reads `terminal`; no log keeps its text.
///
/// # Errors
///
/// If it cannot start.
pub async fn run(
    paths: &Paths,
    flags: &Flags,
    host: Arc<dyn SignInHost>,
    terminal: Option<&mut (dyn Write + Send)>,
) -> Result<(), Error> {
    let settings = settings(paths, flags)?;
    let keys = keys(paths)?;
    let listen = settings.listen;
    let unbound = |why| Error::Listen { listen, why };
    let listener = Listener::bind(listen).map_err(unbound)?;
    let port = listener.local_addr().map_err(unbound)?.port();
    let public_url = settings.public_url_on(port);
    let signs_in = !matches!(host.status().await, Ok(None));
    if public_url.is_none() && signs_in {
        return Err(Error::NoPublicUrl { listen });
    }
    let db = open_database(paths, &settings).await?;
    if signs_in && settings.rules.admits_every_organization() {
        tracing::warn!("{EVERY_ORGANIZATION}");
    }
    offer_first_admin(&db, public_url.as_ref(), terminal).await?;
    let app = App::new(Parts {
        db: db.clone(),
        host,
        keys,
        clock: Arc::new(clock::now),
        config: Config {
            is_local: settings.is_local(),
            public_url,
            lifetimes: settings.lifetimes,
            rules: settings.rules.clone(),
            requests_per_minute: settings.requests_per_minute,
        },
    });
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    tokio::spawn(async move {
        stop_signal().await;
        tracing::info!("stopping: requests in flight may finish");
        signalled.cancel();
    });
    match &app.config().public_url {
        Some(public_url) => tracing::info!(%listen, url = public_url.origin(), "serving"),
        None => tracing::warn!(%listen, "serving, but nobody can sign in before OPENNEKO_PUBLIC_URL is set"),
    }
    let sweeping = tokio::spawn(sweep(app.clone(), settings.keep_audit, stop.clone()));
    listener
        .trusting(settings.trusted_proxies)
        .serve(routes::router(app), None, limits(), stop.cancelled_owned())
        .await;
    let _ = sweeping.await;
    db.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// The limits of connections, documented in `openneko-configuration.md`.
///
/// The idle limit is the gateway's: a proxy in front keeps its connections for 60 seconds. If
/// we ended one first, a person's request could meet the end. No connection ends by its age.
pub fn limits() -> Limits {
    Limits {
        // Forms are the largest requests.
        body: Duration::from_secs(20),
        body_bytes: routes::MAX_BODY_BYTES as u64,
        bodies_in_flight: 16 << 20,
        // The longest answer waits for a plugin. Nothing here is polled for longer.
        answer: Duration::from_secs(60),
        exchange: Duration::from_secs(75),
        connections: 1024,
        connections_per_client: Some(64),
        drain: Duration::from_secs(20),
        ..Limits::default()
    }
}

/// The warning of `serve` and `doctor` about a deployment without a rule.
pub const EVERY_ORGANIZATION: &str = "people of every organization that the provider knows may sign in: \
    list yours in web.allowedOrganizations of config.json";

/// Shows the first admin's word, or says how to make an admin.
async fn offer_first_admin(
    db: &genkan_db::Db,
    public_url: Option<&settings::PublicUrl>,
    terminal: Option<&mut (dyn Write + Send)>,
) -> Result<(), Error> {
    let is_missing = db.read(async |tx| first_admin::is_missing(tx).await).await?;
    if !is_missing {
        return Ok(());
    }
    let Some(terminal) = terminal else {
        tracing::warn!(
            "nobody is an admin yet: run `openneko users add you@example.com --role admin` on this machine, or \
             `openneko users set-role` for somebody who has signed in"
        );
        return Ok(());
    };
    let word = first_admin::word();
    if store::write(db, async |tx| first_admin::offer(tx, &word, clock::now()).await).await? {
        let place = public_url.map_or("this server", settings::PublicUrl::origin);
        let text = format!(
            "\nNobody is an admin yet. Sign in at {place}, and enter there within an hour:\n\n    {word}\n\n\
             It counts once. Whoever reads it here and signs in can become the admin.\n\n"
        );
        // If the terminal is gone, nobody sees the word; the next start has another.
        let _ = terminal
            .write_all(text.as_bytes())
            .and_then(|()| terminal.flush());
    }
    Ok(())
}

/// The keys of cookies: from the operator's secret, or from this installation's key.
fn keys(paths: &Paths) -> Result<Keys, Error> {
    if let Some(secret) = paths.environment.get("OPENNEKO_SESSION_SECRET") {
        return Keys::from_secret(secret).map_err(|_| Error::ShortSecret);
    }
    let derived = secrets::Store::open(paths).and_then(|store| store.derived_key(SESSION_LABEL));
    let derived = derived.map_err(|error| Error::SecretKey(error.to_string()))?;
    Ok(Keys::from_derived(&derived))
}

/// Deletes expired rows, from time to time.
async fn sweep(app: App, keep_audit: Duration, stop: CancellationToken) {
    let work = async {
        loop {
            if let Err(error) = store::sweep(app.db(), app.now(), keep_audit).await {
                tracing::warn!(%error, "what is over could not be deleted");
            }
            app.forget_idle_clients();
            tokio::time::sleep(SWEEP).await;
        }
    };
    stop.run_until_cancelled(work).await;
}

/// Resolves at SIGTERM or SIGINT.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::CALL_TIMEOUT;
    use crate::web::app::MAX_WAIT;

    #[test]
    fn a_sign_in_by_a_slow_plugin_is_answered_and_a_proxy_closes_first() {
        let limits = limits();
        let store = Duration::from_secs(15);
        assert!(limits.answer >= MAX_WAIT + CALL_TIMEOUT + store);
        assert!(limits.body < limits.answer && limits.answer < limits.exchange);
        let keep_alive_of_proxies = Duration::from_secs(60);
        assert!(limits.idle > keep_alive_of_proxies && limits.idle_http2 > keep_alive_of_proxies);
        // The page about the configuration must say the same.
        let told = include_str!("../../../../docs/reference/openneko-configuration.md");
        for (name, seconds) in [
            ("the first byte", limits.greeting),
            ("a request's head", limits.head),
            ("a request's body", limits.body),
            ("the answer's beginning", limits.answer),
            ("the answer's end", limits.exchange),
            ("the next request", limits.idle),
        ] {
            let row = format!("| {name} | {} s |", seconds.as_secs());
            assert!(told.contains(&row), "{row}");
        }
    }
}
