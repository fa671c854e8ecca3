//! Why a plugin could not be called, or did not answer.

use openneko_plugin::rpc::RpcError;
use openneko_sandbox::SandboxError;
use openneko_sandbox::egress::{PatternError, TrustError};

use super::artifact;
use super::engines::NoEngine;
use crate::{id_token, manifest, secrets};

/// A call that failed. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no sign-in plugin is installed")]
    NoProvider,
    #[error("{0} is not installed; `openneko list` shows what is")]
    NotInstalled(String),
    #[error("cannot read {path}: {reason}")]
    File { path: String, reason: String },
    #[error(transparent)]
    Manifest(#[from] manifest::Error),
    #[error(transparent)]
    Secrets(#[from] secrets::Error),
    #[error("the extra certificate authorities: {0}")]
    Trust(#[from] TrustError),
    #[error("its grants: {0}")]
    Grant(#[from] PatternError),
    #[error("{}", missing(.plugin, .keys))]
    NotConfigured { plugin: String, keys: Vec<String> },
    #[error(transparent)]
    Artifact(#[from] artifact::NotFound),
    #[error(transparent)]
    NoEngine(#[from] NoEngine),
    #[error("{0}")]
    Sandbox(#[source] SandboxError),
    /// Its registration differs from the installed package.
    #[error("{0}")]
    Registration(String),
    #[error("{0}")]
    Rpc(#[from] RpcError),
    #[error(transparent)]
    IdToken(#[from] id_token::RefusedIdToken),
}

fn missing(plugin: &str, keys: &[String]) -> String {
    let first = keys.first().map_or("KEY", String::as_str);
    format!(
        "{plugin} needs {}, which {} not set; run `openneko secrets set {plugin} {first}`",
        keys.join(", "),
        if keys.len() == 1 { "is" } else { "are" }
    )
}

impl Error {
    /// A stable word for logs and for the audit.
    pub fn code(&self) -> &str {
        match self {
            Self::NoProvider | Self::NotInstalled(_) => "NOT_INSTALLED",
            Self::File { .. } | Self::Manifest(_) => "MANIFEST",
            Self::Secrets(_) => "SECRETS",
            Self::Trust(_) | Self::Grant(_) => "GRANTS",
            Self::NotConfigured { .. } => "NOT_CONFIGURED",
            Self::Artifact(_) => "PACKAGE",
            Self::NoEngine(_) => "NO_ENGINE",
            Self::Sandbox(SandboxError::Timeout(_)) => "TIMEOUT",
            Self::Sandbox(_) => "SANDBOX",
            Self::Registration(_) => "REGISTRATION",
            Self::IdToken(_) => "ID_TOKEN",
            Self::Rpc(error) => error.code().unwrap_or("BAD_ANSWER"),
        }
    }
}
