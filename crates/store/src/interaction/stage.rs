//! The stage of an interaction, and how the person signs in.

use genkan_protocol::EmailAddress;
use serde::{Deserialize, Serialize};

use crate::auth_log::Method;
use crate::{ConnectionId, SessionId};

/// The stage of an interaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// The request is stored. The person is unknown.
    Started,
    /// The person set the browser's session aside, and is asked who they are.
    Identifying,
    /// It is known how the person signs in. They have gone there or are about to.
    At(Way),
    /// A person came back from the identity provider, and is asked to confirm the sign-in, see
    /// [`super::hold`].
    Arrived { connection_id: ConnectionId },
    /// The person is known and has a session.
    Authenticated { session_id: SessionId },
    /// The client has its answer.
    Completed,
}

/// How a person signs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "snake_case")]
pub enum Way {
    /// At the identity provider of a connection.
    Connection {
        connection_id: ConnectionId,
        /// The typed address, as a hint for the provider.
        email: Option<String>,
    },
    /// By a code or a link in a mail to the typed address.
    Mail {
        address: EmailAddress,
    },
    Passkey,
}

impl Way {
    pub const fn connection_id(&self) -> Option<&ConnectionId> {
        match self {
            Self::Connection { connection_id, .. } => Some(connection_id),
            Self::Mail { .. } | Self::Passkey => None,
        }
    }

    /// The typed address.
    pub fn typed(&self) -> Option<&str> {
        match self {
            Self::Connection { email, .. } => email.as_deref(),
            Self::Mail { address } => Some(address.as_str()),
            Self::Passkey => None,
        }
    }

    const fn method(&self) -> Method {
        match self {
            Self::Connection { .. } => Method::Connection,
            Self::Mail { .. } => Method::Mail,
            Self::Passkey => Method::Passkey,
        }
    }
}

impl Stage {
    /// How the person signs in, if it is known and they have not come back.
    pub const fn way(&self) -> Option<&Way> {
        match self {
            Self::At(way) => Some(way),
            Self::Started
            | Self::Identifying
            | Self::Arrived { .. }
            | Self::Authenticated { .. }
            | Self::Completed => None,
        }
    }

    /// How the person has signed in.
    pub(super) const fn method(&self) -> Method {
        match self {
            Self::At(way) => way.method(),
            Self::Arrived { .. } => Method::Connection,
            Self::Started | Self::Identifying | Self::Authenticated { .. } | Self::Completed => {
                Method::Session
            }
        }
    }
}
