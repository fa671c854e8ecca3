//! The calls between a host and a plugin, protocol 1.
//!
//! A call is a method name and JSON parameters; the answer is the last line of the
//! plugin's standard output. The answers of the sign-in methods hold a `result`
//! within the `result`.
//!
//! ```
//! use openneko_plugin::rpc::{BeginAuth, RpcError};
//!
//! let call = BeginAuth::new("https://app.test/cb", "s1");
//! assert_eq!(call.params(), r#"{"params":{"redirectUri":"https://app.test/cb","state":"s1"}}"#);
//!
//! let stdout = b"a line of a log\n{\"ok\":true,\"result\":{\"result\":{\"authorizationUrl\":\"https://idp.test/\"}}}";
//! assert_eq!(BeginAuth::answer(stdout)?.authorization_url, "https://idp.test/");
//! # Ok::<(), RpcError>(())
//! ```

mod answer;
mod auth;

use serde::{Deserialize, Serialize};

pub use crate::capability::{Action, ActionKind, Auth, Capabilities, Channel, Connect};
use crate::json::{Json, Object};
pub use answer::{Failure, MAX_STDOUT, RpcError, failure, parse_answer, success};
pub use auth::{BeginAuth, BeginAuthAnswer, CompleteAuth, CompleteAuthAnswer, Identity};

/// The member of the answer to `register` that says how the plugin reads parameters.
const PARAMS_BY: &str = "paramsBy";
const INPUT: &str = "input";

/// The protocol that this crate speaks.
pub const PROTOCOL: u32 = 1;

/// Codes that a plugin's runner uses. A host accepts any other code as well.
pub mod code {
    /// The call named no method.
    pub const MISSING_METHOD: &str = "MISSING_METHOD";
    /// The plugin has no such method.
    pub const UNKNOWN_METHOD: &str = "UNKNOWN_METHOD";
    /// The method failed.
    pub const PLUGIN_ERROR: &str = "PLUGIN_ERROR";
}

/// What a plugin says about itself: the answer to `register`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registration {
    /// [`PROTOCOL`]
    pub protocol: u32,
    /// The npm name of its package.
    pub plugin_name: String,
    /// The version of its package.
    pub plugin_version: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Object,
}

impl Registration {
    /// The method's name.
    pub const METHOD: &'static str = "register";

    /// The parameters with which a host asks a native program to read later ones on
    /// standard input: other users of the machine can read a process's arguments.
    pub const ASK_PARAMS_BY: &'static str = r#"{"paramsBy":["input"]}"#;

    /// The argument that says that the parameters come on standard input.
    pub const PARAMS_ON_INPUT: &'static str = "-";

    /// Answers a host that asked: the program reads its parameters on standard input
    /// if its second argument is [`Registration::PARAMS_ON_INPUT`].
    #[must_use]
    pub fn answering(mut self, params: &str) -> Self {
        if params == Self::ASK_PARAMS_BY {
            self.extra
                .insert(PARAMS_BY.to_owned(), Json::String(INPUT.to_owned()));
        }
        self
    }

    /// Whether the program reads its parameters on standard input.
    pub fn reads_params_on_input(&self) -> bool {
        self.extra.get(PARAMS_BY).and_then(Json::as_str) == Some(INPUT)
    }

    /// A plugin that signs people in, under the label of its provider.
    pub fn auth(name: &str, version: &str, provider_label: &str) -> Self {
        let auth = Auth {
            provider_label: Some(provider_label.to_owned()),
            extra: Object::new(),
        };
        Self {
            protocol: PROTOCOL,
            plugin_name: name.to_owned(),
            plugin_version: version.to_owned(),
            capabilities: Capabilities {
                auth: Some(auth),
                ..Capabilities::default()
            },
            extra: Object::new(),
        }
    }

    /// Reads the answer to `register`.
    ///
    /// # Errors
    ///
    /// [`RpcError`], also when the plugin speaks another protocol.
    pub fn answer(stdout: &[u8]) -> Result<Self, RpcError> {
        let registration: Self = answer::typed(&answer::result(stdout)?)?;
        if registration.protocol != PROTOCOL {
            return Err(RpcError::Shape(format!(
                "it speaks protocol {}, and this host protocol {PROTOCOL}",
                registration.protocol
            )));
        }
        Ok(registration)
    }

    /// Whether this is the plugin that was installed.
    ///
    /// Capabilities beyond the manifest are ignored: they were not granted.
    ///
    /// # Errors
    ///
    /// A sentence that says what differs.
    pub fn check(&self, name: &str, version: &str, granted: &Capabilities) -> Result<(), String> {
        let short = |text: &str| -> String { text.chars().filter(|c| !c.is_control()).take(80).collect() };
        if self.plugin_name != name {
            return Err(format!("{name} registers as {}", short(&self.plugin_name)));
        }
        if self.plugin_version != version {
            return Err(format!(
                "{name}@{version} registers as version {}",
                short(&self.plugin_version)
            ));
        }
        let reported = &self.capabilities;
        if granted.auth.is_some() && reported.auth.is_none() {
            return Err(format!("{name} reports no auth provider"));
        }
        let kinds = |capabilities: &Capabilities| -> Vec<String> {
            let kinds = capabilities.action.iter().flat_map(|action| &action.kinds);
            kinds.map(|kind| kind.kind.clone()).collect()
        };
        let reported_kinds = kinds(reported);
        if let Some(missing) = kinds(granted)
            .into_iter()
            .find(|kind| !reported_kinds.contains(kind))
        {
            return Err(format!("{name} does not report the action kind {missing:?}"));
        }
        if let Some(granted) = &granted.connect {
            let Some(reported) = &reported.connect else {
                return Err(format!("{name} reports no connect provider"));
            };
            if let Some(missing) = granted
                .scopes
                .iter()
                .find(|scope| !reported.scopes.contains(scope))
            {
                return Err(format!("{name} does not report the scope {missing:?}"));
            }
        }
        if granted.channel.is_some() && reported.channel.is_none() {
            return Err(format!("{name} reports no channel"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
