//! What a plugin can do, in a manifest and in the answer to `register`.

use serde::{Deserialize, Serialize};

use crate::json::{Json, Object};

/// The surfaces of a plugin. A plugin has at least one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Capabilities {
    /// Actions that an agent may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Signing people in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Accounts that a person connects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<Connect>,
    /// Messages to and from people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Surfaces that this version does not know.
    #[serde(flatten)]
    pub extra: Object,
}

impl Capabilities {
    /// Whether there is no surface that this version knows.
    pub fn is_empty(&self) -> bool {
        self.action.is_none() && self.auth.is_none() && self.connect.is_none() && self.channel.is_none()
    }
}

/// Actions that an agent may ask for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Action {
    /// The kinds of actions.
    pub kinds: Vec<ActionKind>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Object,
}

/// One kind of action.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ActionKind {
    /// Its name: `a`-`z`, `0`-`9` and `_`.
    pub kind: String,
    /// What it does.
    #[serde(default)]
    pub description: String,
    /// `auto`, `ask`, `deny`, or an object of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_mode: Option<Json>,
    /// Fields that this version does not know, and `example`.
    #[serde(flatten)]
    pub extra: Object,
}

/// Signing people in.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    /// The words on the button after "Sign in with".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_label: Option<String>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Object,
}

/// Accounts that a person connects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connect {
    /// The provider's name.
    pub provider_label: String,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
    /// How: `oauth2-pkce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Object,
}

/// Messages to and from people.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Channel {
    /// The provider's name.
    pub provider_label: String,
    /// What the channel can show.
    pub profile: Json,
    /// `inbound`, `outbound`
    pub directions: Vec<String>,
    /// `webhook`, `socket` or `none`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<String>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Object,
}
