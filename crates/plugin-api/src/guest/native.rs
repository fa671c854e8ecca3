//! A plugin as a program: `plugin-acme begin_auth '{"params":{…}}'`, or
//! `plugin-acme begin_auth -` with the parameters on standard input.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use super::http::note;
use super::{Http, HttpError, MAX_BODY, Plugin, Request, Response, TIMEOUT, World, dispatch, https_parts};
use crate::rpc::Registration;

/// Runs the method that the command line names, and writes its answer.
pub fn run(plugin: &impl Plugin) -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let method = arguments.next().unwrap_or_default();
    let params = arguments.next().unwrap_or_else(|| "{}".to_owned());
    let params = match params.as_str() {
        Registration::PARAMS_ON_INPUT => read_input(),
        _ => params,
    };
    let env: Vec<(String, String)> = environment();
    let client = Client::from_environment(&env);
    let outcome = dispatch(plugin, &method, &params, &mut World::new(env, client));
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(outcome.stdout.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => u8::try_from(outcome.exit).unwrap_or(1).into(),
        Err(_) => ExitCode::FAILURE,
    }
}

/// The parameters on standard input. If it cannot be read, the text is no JSON,
/// and the call reports that.
fn read_input() -> String {
    let mut text = String::new();
    match std::io::stdin()
        .lock()
        .take(MAX_BODY as u64)
        .read_to_string(&mut text)
    {
        Ok(_) => text,
        Err(_) => String::new(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the environment is how a host hands its values to a program"
)]
fn environment() -> Vec<(String, String)> {
    let strings = |(key, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((key.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(strings).collect()
}

/// HTTPS of a program: it checks the address, follows no redirect, and limits time and size.
pub struct Client {
    agent: Result<ureq::Agent, String>,
}

impl Client {
    /// A client that trusts the public authorities, or those of `SSL_CERT_FILE`
    /// in their place; and those of `OPENNEKO_EXTRA_CA_CERTS`, or else of
    /// `NODE_EXTRA_CA_CERTS`.
    pub fn from_environment(env: &[(String, String)]) -> Self {
        let file = |key: &str| {
            env.iter()
                .find(|(name, value)| name == key && !value.is_empty())
                .map(|(_, path)| path.as_str())
        };
        Self {
            agent: roots(file).map(|roots| agent(roots, TIMEOUT)),
        }
    }

    /// A client that trusts exactly these authorities, in PEM.
    ///
    /// # Errors
    ///
    /// A sentence about a certificate that cannot be read.
    pub fn trusting(pem: &[u8], timeout: Duration) -> Result<Self, String> {
        Ok(Self {
            agent: Ok(agent(certificates(pem)?, timeout)),
        })
    }
}

fn agent(roots: Vec<Certificate<'static>>, timeout: Duration) -> ureq::Agent {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .https_only(true)
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_global(Some(timeout))
        .user_agent(concat!("openneko-plugin/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

fn roots<'a>(file: impl Fn(&str) -> Option<&'a str>) -> Result<Vec<Certificate<'static>>, String> {
    let read = |path: &str| {
        let pem = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        certificates(&pem).map_err(|error| format!("{path}: {error}"))
    };
    let mut roots = match file("SSL_CERT_FILE") {
        Some(path) => read(path)?,
        None => {
            let public = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
            public
                .map(|certificate| Certificate::from_der(certificate.as_ref()))
                .collect()
        }
    };
    if let Some(path) = file("OPENNEKO_EXTRA_CA_CERTS").or_else(|| file("NODE_EXTRA_CA_CERTS")) {
        roots.extend(read(path)?);
    }
    Ok(roots)
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, String> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    if certificates.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    Ok(certificates)
}

impl Http for Client {
    fn send(&mut self, request: &Request) -> Result<Response, HttpError> {
        let answer = self.exchange(request);
        if let Err(HttpError::Network(reason)) = &answer {
            // Standard error may be closed, and the answer does not depend on it.
            let _ = std::io::stderr().write_all(note(request, reason).as_bytes());
        }
        answer
    }
}

impl Client {
    fn exchange(&self, request: &Request) -> Result<Response, HttpError> {
        if https_parts(&request.url).is_none() {
            return Err(HttpError::Network("not a plain https URL".to_owned()));
        }
        let agent = self
            .agent
            .as_ref()
            .map_err(|reason| HttpError::Network(reason.clone()))?;
        let mut message = ureq::http::Request::builder()
            .method(request.method)
            .uri(&request.url);
        for (name, value) in &request.headers {
            message = message.header(*name, value);
        }
        let answer = if request.method == "POST" {
            agent.run(message.body(&request.body[..]).map_err(network)?)
        } else {
            agent.run(message.body(()).map_err(network)?)
        };
        let mut answer = answer.map_err(failure)?;
        // One byte more than allowed tells a long body from one that just fits.
        let body = answer
            .body_mut()
            .with_config()
            .limit(MAX_BODY as u64 + 1)
            .read_to_vec()
            .map_err(failure)?;
        if body.len() > MAX_BODY {
            return Err(HttpError::TooLong);
        }
        Ok(Response {
            status: answer.status().as_u16(),
            body,
        })
    }
}

fn failure(error: ureq::Error) -> HttpError {
    match error {
        ureq::Error::Timeout(_) => HttpError::Timeout,
        ureq::Error::BodyExceedsLimit(_) => HttpError::TooLong,
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => HttpError::Timeout,
        error => network(error),
    }
}

fn network(error: impl std::fmt::Display) -> HttpError {
    HttpError::Network(error.to_string())
}
