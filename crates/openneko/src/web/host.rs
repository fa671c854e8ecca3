//! The plugin host behind the trait of [`plugin`](crate::web::plugin).

use async_trait::async_trait;
use openneko_plugin::rpc::{BeginAuth, CompleteAuth, Identity};
use openneko_sandbox::SandboxError;
use url::Url;

use crate::host::{self, Error, Host, PluginDescription, Provider, engines};
use crate::web::plugin::{DeniedEgress, InstalledPlugin, Overview, PluginFailure, SignInHost};

/// How many refused attempts the dashboard gets.
const RECENT_DENIALS: usize = 20;

#[async_trait]
impl SignInHost for Host {
    async fn status(&self) -> Result<Option<Provider>, PluginFailure> {
        self.provider().map_err(|error| failure(&error))
    }

    async fn begin_auth(&self, provider: &Provider, begin: BeginAuth) -> Result<Url, PluginFailure> {
        let answer = Host::begin_auth(self, provider, &begin)
            .await
            .map_err(|error| failure(&error))?;
        let url = Url::parse(&answer.authorization_url).ok();
        // A browser is sent there, so `javascript:` and plain http are refused.
        url.filter(|url| url.scheme() == "https" && url.host().is_some())
            .ok_or_else(|| PluginFailure {
                code: "BAD_ANSWER".to_owned(),
                message: "the plugin's authorizationUrl is not an https address".to_owned(),
                public: ASK_LATER.to_owned(),
                correlation_id: None,
            })
    }

    async fn complete_auth(
        &self,
        provider: &Provider,
        complete: CompleteAuth,
    ) -> Result<Identity, PluginFailure> {
        let answer = Host::complete_auth(self, provider, &complete)
            .await
            .map_err(|error| failure(&error))?;
        Ok(answer.identity)
    }

    async fn overview(&self) -> Overview {
        let plugins = self.describe().await.unwrap_or_else(|error| {
            tracing::error!(code = error.code(), %error, "cannot list the plugins");
            Vec::new()
        });
        let mut denials = self.egress_log().recent(RECENT_DENIALS).unwrap_or_else(|error| {
            tracing::error!(%error, "cannot read the egress log");
            Vec::new()
        });
        denials.reverse();
        Overview {
            plugins: plugins.iter().map(installed).collect(),
            denials: denials
                .into_iter()
                .map(|line| DeniedEgress {
                    at: line.at,
                    plugin: line.plugin,
                    host: match line.port {
                        Some(port) => format!("{}:{port}", line.host),
                        None => line.host,
                    },
                    reason: line.reason,
                })
                .collect(),
        }
    }
}

fn installed(plugin: &PluginDescription) -> InstalledPlugin {
    let entry = &plugin.entry;
    let engine = match &plugin.engine {
        Ok((kind, _)) => engines::name(*kind).to_owned(),
        Err(error) => format!("does not run: {error}"),
    };
    InstalledPlugin {
        name: entry.name.to_string(),
        version: entry.version.to_string(),
        engine,
        signs_in: entry.capabilities.auth.is_some() && !plugin.is_passed_over,
        hosts: entry
            .permissions
            .network
            .iter()
            .map(|host| host.as_str().to_owned())
            .collect(),
        grants: entry.grants.iter().map(host::grant_text).collect(),
    }
}

const ASK_LATER: &str = "The sign-in could not be completed. Try again in a moment.";

/// A failure in two texts: one for the log, one for the person.
fn failure(error: &Error) -> PluginFailure {
    let public = match error {
        Error::NoProvider | Error::NotConfigured { .. } => "Sign-in is not set up yet.",
        Error::Sandbox(SandboxError::Timeout(_)) => {
            "The identity service took too long to answer. Try again in a moment."
        }
        _ => ASK_LATER,
    };
    PluginFailure {
        code: error.code().to_owned(),
        public: public.to_owned(),
        message: error.to_string(),
        correlation_id: None,
    }
}
