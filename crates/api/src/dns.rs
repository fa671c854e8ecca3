//! The TXT records of a domain, for the proof that it is an organization's.
//!
//! Source: RFC 1035 §3.3.14 (TXT).

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::Resolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

/// For one question to one server.
const TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPTS: usize = 2;

/// For the whole answer, because a person waits for it.
const PATIENCE: Duration = Duration::from_secs(8);

/// The name servers could not be asked; the log says why.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the name servers could not be asked")]
pub struct Unreachable;

/// Whether one of the TXT records of `name` is `value`.
///
/// Asks `server`, or else the name servers of the system. The answer is not cached: a
/// person who has just added the record must not wait for an old answer to expire.
///
/// # Errors
///
/// [`Unreachable`] if there was no answer. Then the record may exist or not.
pub async fn has_text(name: &str, value: &str, server: Option<SocketAddr>) -> Result<bool, Unreachable> {
    let asked = tokio::time::timeout(PATIENCE, ask(name, server)).await;
    let texts = match asked {
        Ok(Ok(texts)) => texts,
        Ok(Err(error)) => {
            tracing::warn!(%error, name, "a TXT record could not be looked up");
            return Err(Unreachable);
        }
        Err(_) => {
            tracing::warn!(name, "no name server answered in time");
            return Err(Unreachable);
        }
    };
    Ok(texts.iter().any(|text| text == value.as_bytes()))
}

/// The TXT records of a name, none if there are none.
async fn ask(name: &str, server: Option<SocketAddr>) -> Result<Vec<Vec<u8>>, NetError> {
    let mut builder = match server {
        Some(server) => {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            let server = NameServerConfig::new(server.ip(), true, connections.into());
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
            Resolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
        None => Resolver::builder_tokio()?,
    };
    let options = builder.options_mut();
    (options.timeout, options.attempts) = (TIMEOUT, ATTEMPTS);
    options.cache_size = 0;
    // With a final dot, the system appends no search list.
    let answer = builder.build()?.txt_lookup(format!("{name}.")).await;
    match answer {
        Ok(answer) => {
            let texts = answer.answers().iter().filter_map(|record| match &record.data {
                // A long text is sent in several strings.
                RData::TXT(text) => Some(text.txt_data.concat()),
                _ => None,
            });
            Ok(texts.collect())
        }
        Err(error) if error.is_no_records_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
