//! Reads the URL of a PostgreSQL database, and says what is wrong with it.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;

use crate::Error;
use crate::statement::postgres::{Pooler, chain};

/// The most connections, unless the URL says otherwise. By default PostgreSQL allows 100 in all.
///
/// Each server process has caches of its own. On a server with one core, twice as many connections make
/// each sign-in cost a third more.
const POOL_SIZE: usize = 8;

/// Time for the TCP connection, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A server that vanished is noticed after this time. TCP alone takes a quarter of an hour.
const UNANSWERED: Duration = Duration::from_secs(15);

/// The settings in a URL.
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) tls: Option<ClientConfig>,
    pub(super) pool_size: usize,
    pub(super) pooler: Pooler,
    /// The schema of the tables. Without it the server decides.
    pub(super) schema: Option<String>,
}

/// Which failures to open a connection are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryPolicy {
    /// The server was reached, but is starting, stopping or full. If nothing listens, the URL is probably
    /// wrong.
    First,
    /// Also if nothing listens at the address now, because a server listened before.
    Again,
}

/// Checks a URL as [`Settings::parse`] does, but reads no file that it names.
pub(crate) fn check(url: &str) -> Result<(), Error> {
    Settings::read(url).map(drop)
}

/// Refuses a URL with an unescaped `@` in the password. The rest of the password would be taken for a host
/// or a database, and shown.
fn refuse_misplaced_at(url: &str) -> Result<(), Error> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_plain = match authority.matches('@').count() {
        // RFC 3986 §3.2.1: the one "@" ends the user information.
        0 | 1 => rest.matches('@').count() == authority.matches('@').count(),
        _ => false,
    };
    if is_plain {
        Ok(())
    } else {
        Err(invalid(
            "it has an @ where none belongs: percent-encode the password (@ is %40, / is %2F, ? is %3F, # is %23)",
        ))
    }
}

/// What is wrong with the URL. The message leaves out a name that the driver repeats, because it may be the
/// end of a password.
fn unreadable(error: &tokio_postgres::Error) -> Error {
    let text = chain(error);
    if text.contains("unknown option") {
        return invalid(
            "it has a parameter that does not exist; if that is a part of the password, percent-encode it \
             (& is %26)",
        );
    }
    invalid(&text)
}

impl Settings {
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let (mut settings, root) = Self::read(url)?;
        if settings.config.get_ssl_mode() == SslMode::Require {
            settings.tls = Some(tls(root.as_deref())?);
        } else if !url.contains("sslmode=") && !is_local(&settings.config) {
            tracing::warn!("the connection to PostgreSQL is not encrypted: add sslmode=require to its URL");
        }
        Ok(settings)
    }

    /// Everything but the TLS settings, and the file with the trusted certificates.
    fn read(url: &str) -> Result<(Self, Option<String>), Error> {
        refuse_misplaced_at(url)?;
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut encrypted = None;
        let mut root = None;
        let mut pool_size = POOL_SIZE;
        let mut pooler = Pooler::Unknown;
        let mut schema = None;
        let mut rest = String::from(base);
        let mut separator = '?';
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "sslmode" => encrypted = Some(encrypts(value)?),
                "sslrootcert" => root = Some(percent_decode(value)?),
                "pool_size" => pool_size = parse_pool_size(value)?,
                "pooler" => pooler = parse_pooler(value)?,
                "schema" => schema = Some(parse_schema(value)?),
                _ => {
                    rest.push(separator);
                    rest.push_str(pair);
                    separator = '&';
                }
            }
        }
        let mut config: Config = rest.parse().map_err(|error| unreadable(&error))?;
        if config.get_dbname().is_none() {
            return Err(invalid(
                "it names no database: postgres://user:password@host/database",
            ));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNANSWERED);
        }
        config.keepalives_idle(UNANSWERED);
        let encrypted = encrypted.unwrap_or(root.is_some());
        config.ssl_mode(if encrypted {
            SslMode::Require
        } else {
            SslMode::Disable
        });
        let settings = Self {
            config,
            tls: None,
            pool_size,
            pooler,
            schema,
        };
        Ok((settings, root))
    }

    /// The place of the database, for messages: `host:port/database`.
    pub(super) fn place(&self) -> String {
        let ports = self.config.get_ports();
        let hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .enumerate()
            .map(|(index, host)| {
                let port = ports.get(index).or(ports.first()).unwrap_or(&5432);
                match host {
                    Host::Tcp(host) => format!("{host}:{port}"),
                    #[cfg(unix)]
                    Host::Unix(path) => format!("{}/.s.PGSQL.{port}", path.display()),
                }
            })
            .collect();
        format!(
            "{}/{}",
            hosts.join(","),
            self.config.get_dbname().unwrap_or_default()
        )
    }
}

/// Whether `sslmode` encrypts. If it does, the certificate is always verified.
fn encrypts(mode: &str) -> Result<bool, Error> {
    match mode {
        "disable" => Ok(false),
        "require" | "verify-ca" | "verify-full" => Ok(true),
        // An attacker on the network can make the server look as if it had no TLS.
        "allow" | "prefer" => Err(invalid(
            "sslmode=prefer protects nothing: use require, or disable",
        )),
        _ => Err(invalid("sslmode is disable, require or verify-full")),
    }
}

fn parse_pool_size(value: &str) -> Result<usize, Error> {
    value
        .parse()
        .ok()
        .filter(|size| (1..=1000).contains(size))
        .ok_or_else(|| invalid("pool_size is a number from 1 to 1000"))
}

fn parse_pooler(value: &str) -> Result<Pooler, Error> {
    match value {
        "none" => Ok(Pooler::None),
        "transaction" => Ok(Pooler::Transaction),
        _ => Err(invalid("pooler is none or transaction")),
    }
}

fn parse_schema(value: &str) -> Result<String, Error> {
    let name = percent_decode(value)?;
    // PostgreSQL cuts a longer name, and would use the schema of the shorter name.
    if name.is_empty() || name.len() > 63 || name.contains('\0') {
        return Err(invalid("schema is the name of one schema, of at most 63 bytes"));
    }
    Ok(name)
}

/// Trusts the certificates of `root`, or the public authorities.
fn tls(root: Option<&str>) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    match root {
        None | Some("system") => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let unusable = |reason: &dyn std::fmt::Display| {
                Error::Connect(format!("sslrootcert {path} cannot be used: {reason}"))
            };
            for certificate in
                CertificateDer::pem_file_iter(Path::new(path)).map_err(|error| unusable(&error))?
            {
                let certificate = certificate.map_err(|error| unusable(&error))?;
                roots.add(certificate).map_err(|error| unusable(&error))?;
            }
            if roots.is_empty() {
                return Err(unusable(&"it holds no certificate"));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Connect(format!("TLS cannot be set up: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(host) => {
            host == "localhost"
                || host
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
}

fn percent_decode(text: &str) -> Result<String, Error> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or_else(|| invalid("a % is not followed by two hexadecimal digits"))?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8"))
}

fn invalid(reason: &str) -> Error {
    Error::Connect(format!("the database URL cannot be used: {reason}"))
}

/// Whether it makes sense to try again after a failure to open a connection.
pub(super) fn passes(error: &tokio_postgres::Error, hope: RetryPolicy) -> bool {
    match error.code() {
        Some(
            &SqlState::CANNOT_CONNECT_NOW
            | &SqlState::ADMIN_SHUTDOWN
            | &SqlState::CRASH_SHUTDOWN
            | &SqlState::TOO_MANY_CONNECTIONS,
        ) => true,
        // Class 08: a pooler answers so if it cannot reach its server.
        Some(code) => hope == RetryPolicy::Again && code.code().starts_with("08"),
        None if error.is_closed() => true,
        None => match io_error(error) {
            Some(kind) if hope == RetryPolicy::First => {
                matches!(
                    kind,
                    ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe
                )
            }
            Some(_) => true,
            // TLS, authentication, or something that is not PostgreSQL.
            None => false,
        },
    }
}

fn io_error(error: &tokio_postgres::Error) -> Option<ErrorKind> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            // An error of TLS about a certificate comes as an error of the stream.
            return (io.kind() != ErrorKind::InvalidData).then(|| io.kind());
        }
        cause = error.source();
    }
    None
}

/// Says why no connection was opened. The driver's errors hold no password.
pub(super) fn explain(place: &str, error: &tokio_postgres::Error) -> Error {
    let remedy = match error.code() {
        Some(&SqlState::INVALID_PASSWORD) => "check the user name and the password in the URL",
        Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            "check the user name, the server's pg_hba.conf, and whether it demands sslmode=require"
        }
        Some(&SqlState::INVALID_CATALOG_NAME) => "create the database first, for example with createdb",
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => "grant the user CONNECT on the database",
        Some(&SqlState::TOO_MANY_CONNECTIONS) => "raise max_connections, or lower pool_size in the URL",
        Some(_) => "see the server's log",
        None => "check that it runs, the host and port in the URL, the firewall, and sslmode",
    };
    Error::Connect(format!(
        "PostgreSQL at {place} cannot be used: {remedy} ({})",
        chain(error)
    ))
}
