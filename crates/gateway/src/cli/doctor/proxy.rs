//! Checks the proxy for outgoing calls.

use std::time::Duration;

use super::Findings;
use crate::config::{Config, Environment};
use crate::outbound;

const CHECK: &str = "Proxy";

/// How long the proxy may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn examine(config: &Config, environment: &Environment, findings: &mut Findings) {
    let Some(proxy) = &config.outbound.proxy else {
        let foreign = environment.foreign_proxies();
        if !foreign.is_empty() {
            findings.warn(
                CHECK,
                format!(
                    "{} is set and not read: Genkan asks identity providers without a proxy",
                    foreign.join(", ")
                ),
                "If providers can be reached through that proxy only, name it in outbound.proxy \
                 (GENKAN_OUTBOUND_PROXY) and start Genkan again.",
            );
        }
        return;
    };
    // The checks of connections go through it and show its answers.
    match outbound::reach(proxy, PATIENCE).await {
        Ok(()) => findings.ok(CHECK, format!("calls to providers go through {proxy}")),
        Err(trouble) => findings.fail(CHECK, trouble.to_string(), trouble.remedy()),
    }
}
