//! Documents of providers: their metadata and their keys. Those of OpenID Providers are cached.

pub mod saml_metadata;
mod shelf;

use genkan_protocol::jose::JwkSet;
use genkan_protocol::oidc::ProviderMetadata;

pub(crate) use shelf::FetchedDocument;
use shelf::Shelf;

use crate::outbound::OutboundError;

/// Why a provider's documents cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    #[error("{url}: {source}")]
    Fetch { url: String, source: OutboundError },
    #[error("{url} answered {status}")]
    Status { url: String, status: u16 },
    #[error("{url} is not a valid document: {reason}")]
    Invalid { url: String, reason: String },
    #[error("the provider names no {0}")]
    Missing(&'static str),
}

impl MetadataError {
    /// What an operator can change, if the reason tells it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Fetch { source, .. } => source.remedy(),
            Self::Status { .. } | Self::Invalid { .. } | Self::Missing(_) => None,
        }
    }
}

/// The documents of all providers, by address.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    pub(crate) metadata: Shelf<ProviderMetadata, MetadataError>,
    pub(crate) jwks: Shelf<JwkSet, MetadataError>,
}
