//! Checks the public URL, as a browser would reach it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use genkan_protocol::Timestamp;
use reqwest::tls::TlsInfo;
use reqwest::{Client, Response, header};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::{Findings, certificate};
use crate::config::Config;
use crate::dev_ca;
use crate::failure::chain;
use crate::server;
use crate::web::tls;

const CHECK: &str = "Public URL";
const CLOCK: &str = "Clock";

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tokens are accepted within a minute of difference. Half of it is left for the other side.
const SKEW: Duration = Duration::from_secs(30);

pub(super) async fn examine(config: &Config, findings: &mut Findings) {
    let url = &config.public_url;
    if let Err(error) = resolve(url.host(), url.port()).await {
        findings.fail(
            CHECK,
            format!("{} has no address: {error}", url.host()),
            "Enter the name in your DNS.",
        );
        return;
    }
    let client = match client(config) {
        Ok(client) => client,
        Err(error) => {
            findings.fail(CHECK, error, "Check outbound.ca_file.");
            return;
        }
    };
    let asked = server::now();
    match client.get(url.join("/healthz")).send().await {
        Ok(response) if response.status().is_success() => {
            findings.ok(CHECK, format!("{url} answers"));
            served_certificate(url.host(), &response, findings);
            clock(&response, asked, findings);
            issuer(&client, config, findings).await;
        }
        Ok(response) => {
            let message = format!(
                "{url}/healthz answers {}, so something else is there",
                response.status()
            );
            findings.fail(
                CHECK,
                message,
                "Let the reverse proxy pass every path on to genkan.",
            );
        }
        Err(error) => unreachable(config, &error, findings).await,
    }
}

async fn resolve(host: &str, port: u16) -> Result<(), String> {
    match timeout(PATIENCE, lookup_host((host, port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// No guard against private addresses, because the operator chose this one.
fn client(config: &Config) -> Result<Client, String> {
    // The second one is the authority of `genkan dev`.
    let own = dev_ca::authority(&config.data_dir);
    let authorities = config.outbound.ca_file.iter().chain(&own);
    let trust = tls::client_config(authorities.map(PathBuf::as_path)).map_err(|error| error.to_string())?;
    Client::builder()
        .tls_backend_preconfigured(trust)
        .tls_info(true)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .map_err(|error| chain(&error))
}

fn served_certificate(host: &str, response: &Response, findings: &mut Findings) {
    let info = response.extensions().get::<TlsInfo>();
    if let Some(der) = info.and_then(TlsInfo::peer_certificate) {
        certificate::examine(host, der, findings);
    }
}

/// Compares this machine's clock with the server's, or with that of the proxy in front of it.
fn clock(response: &Response, asked: Timestamp, findings: &mut Findings) {
    let date = response
        .headers()
        .get(header::DATE)
        .and_then(|date| date.to_str().ok());
    let Some(theirs) = date.and_then(parse_date) else {
        return;
    };
    let ours = server::now();
    // The header has whole seconds.
    let difference = asked
        .since(theirs + Duration::from_secs(1))
        .max(theirs.since(ours));
    if difference > SKEW {
        findings.fail(
            CLOCK,
            format!(
                "this machine's clock differs by {} s from the server's",
                difference.as_secs()
            ),
            "Run a time service (NTP) on both: a token from the future is refused.",
        );
    } else {
        findings.ok(CLOCK, "agrees with the server's");
    }
}

fn parse_date(date: &str) -> Option<Timestamp> {
    let parsed = jiff::fmt::rfc2822::parse(date).ok()?;
    Some(Timestamp::from_secs(parsed.timestamp().as_second()))
}

/// Whether this instance answers.
async fn issuer(client: &Client, config: &Config, findings: &mut Findings) {
    const REMEDY: &str = "Start the server with this configuration, or let the public URL lead to it.";
    let url = config.public_url.join("/.well-known/openid-configuration");
    let found = async {
        let response = client.get(&url).send().await.ok()?;
        // The server at this address may be anybody's.
        let metadata: serde_json::Value = genkan_protocol::json::read(&response.bytes().await.ok()?).ok()?;
        metadata.get("issuer")?.as_str().map(str::to_owned)
    };
    match found.await {
        Some(issuer) if issuer == config.public_url.as_str() => {
            findings.ok(CHECK, format!("the issuer is {issuer}"))
        }
        Some(issuer) => findings.fail(CHECK, format!("the server calls itself {issuer}"), REMEDY),
        None => findings.fail(CHECK, format!("{url} is no discovery document"), REMEDY),
    }
}

/// Finds out whether the server is down or cannot be reached.
async fn unreachable(config: &Config, error: &reqwest::Error, findings: &mut Findings) {
    let message = format!("{} does not answer: {}", config.public_url, chain(error));
    let local = match config.listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => {
            SocketAddr::new(Ipv4Addr::LOCALHOST.into(), config.listen.port())
        }
        IpAddr::V6(ip) if ip.is_unspecified() => {
            SocketAddr::new(Ipv6Addr::LOCALHOST.into(), config.listen.port())
        }
        _ => config.listen,
    };
    let listens = timeout(PATIENCE, TcpStream::connect(local))
        .await
        .is_ok_and(|connected| connected.is_ok());
    let remedy = if listens {
        format!("Something listens on {local}: look at the reverse proxy, the firewall and the certificate.")
    } else {
        format!("Nothing listens on {local} either: start the server.")
    };
    findings.fail(CHECK, message, remedy);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read() {
        assert_eq!(
            parse_date("Sun, 22 Nov 2026 08:15:00 GMT"),
            Some(Timestamp::from_secs(1_795_335_300))
        );
        assert_eq!(parse_date("yesterday"), None);
    }
}
