//! What the web app asks of the plugin host.

use std::fmt;

use async_trait::async_trait;
use openneko_plugin::rpc::{BeginAuth, CompleteAuth, Identity};
use url::Url;

use crate::host::Provider;

/// A call of the plugin that gave nothing to go on with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct PluginFailure {
    /// `PLUGIN_ERROR` and whatever else a plugin says, or the host's own word.
    pub code: String,
    /// For the log, without secrets. No page shows it to who signs in.
    pub message: String,
    /// A sentence for who signs in.
    pub public: String,
    /// Ties the two together, where the host logged the failure already.
    pub correlation_id: Option<String>,
}

/// An installed plugin, as the dashboard lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    pub name: String,
    pub version: String,
    /// The engine it runs in, or why it does not run.
    pub engine: String,
    pub signs_in: bool,
    /// What the package may reach.
    pub hosts: Vec<String>,
    /// What the operator granted beside that.
    pub grants: Vec<String>,
}

/// An attempt to reach what was not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeniedEgress {
    pub at: jiff::Timestamp,
    pub plugin: String,
    pub host: String,
    pub reason: String,
}

/// What an operator wants to see of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    pub plugins: Vec<Installed>,
    /// Newest first.
    pub denials: Vec<DeniedEgress>,
}

/// The plugin host, as far as the web app knows it.
#[async_trait]
pub trait SignInHost: Send + Sync {
    /// The plugin that signs people in, whether it is set up or not: read anew, and what is
    /// asked of it afterwards rests on this reading.
    ///
    /// Not to know is a failure, and not the same as having none.
    async fn status(&self) -> Result<Option<Provider>, PluginFailure>;

    /// Asks the plugin where to send a browser. The host ends what takes too long.
    async fn begin_auth(&self, provider: &Provider, begin: BeginAuth) -> Result<Url, PluginFailure>;

    /// Asks the plugin who came back. The host ends what takes too long.
    async fn complete_auth(
        &self,
        provider: &Provider,
        complete: CompleteAuth,
    ) -> Result<Identity, PluginFailure>;

    /// What an operator wants to see.
    async fn overview(&self) -> Overview;
}

impl fmt::Debug for dyn SignInHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignInHost")
    }
}
