//! The two methods of a plugin that signs people in.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use super::RpcError;
use super::answer::{result, typed};
use crate::json::{Json, Object};

/// Parameters of `begin_auth`: where should the browser go?
///
/// A host may offer more in `extra`: `codeChallenge` with `codeChallengeMethod`
/// (RFC 7636) and `nonce` (OpenID Connect Core §3.1.2.1). Other plugins ignore
/// them. The URL of the answer shows the host whether they were used.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BeginAuth {
    /// Where the provider sends the browser back to.
    pub redirect_uri: String,
    /// Comes back unchanged with the browser.
    pub state: String,
    /// The e-mail address that the person has typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
    /// Optional parameters beyond protocol 1.
    #[serde(flatten)]
    pub extra: Object,
}

/// The answer to `begin_auth`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BeginAuthAnswer {
    /// Where the browser is sent.
    pub authorization_url: String,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Object,
}

/// Parameters of `complete_auth`: who has come back?
///
/// A host may offer more in `extra`: `codeVerifier` and `nonce`, if it offered
/// them at `begin_auth`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompleteAuth {
    /// The authorization code.
    pub code: String,
    /// The same as at `begin_auth`.
    pub redirect_uri: String,
    /// The same as at `begin_auth`. The host has compared it already.
    pub state: String,
    /// Optional parameters beyond protocol 1.
    #[serde(flatten)]
    pub extra: Object,
}

/// The answer to `complete_auth`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompleteAuthAnswer {
    /// Who it is.
    pub identity: Identity,
    /// Fields beyond protocol 1, such as `idToken`.
    #[serde(flatten)]
    pub extra: Object,
}

/// A person as a provider describes them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The provider's id of the person, which never changes.
    pub sub: String,
    /// The e-mail address. Whether it was verified is not part of protocol 1.
    pub email: String,
    /// The person's name.
    #[serde(default)]
    pub name: Option<String>,
    /// The provider's id of the organization.
    #[serde(default)]
    pub org_id: Option<String>,
    /// Groups and roles.
    #[serde(default, deserialize_with = "groups")]
    pub groups: Vec<String>,
    /// Fields beyond protocol 1, such as `emailVerified`.
    #[serde(flatten)]
    pub extra: Object,
}

/// Later hosts allow `{id, name?}` for a group; the id is what does not change.
fn groups<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Group {
        Plain(String),
        Described { id: String },
    }
    let groups = Option::<Vec<Group>>::deserialize(deserializer)?.unwrap_or_default();
    let ids = groups.into_iter().map(|group| match group {
        Group::Plain(id) | Group::Described { id } => id,
    });
    Ok(ids.collect())
}

#[derive(Serialize)]
struct Wrapped<'a, T> {
    params: &'a T,
}

/// The second `result`.
#[derive(Deserialize)]
struct Doubled {
    result: Json,
}

fn params<T: Serialize>(params: &T) -> String {
    serde_json::to_string(&Wrapped { params }).expect("parameters have string keys")
}

fn doubled<T: DeserializeOwned>(stdout: &[u8]) -> Result<T, RpcError> {
    let outer: Doubled = typed(&result(stdout)?)?;
    typed(&outer.result)
}

fn demand(holds: bool, rule: &str) -> Result<(), RpcError> {
    if holds {
        Ok(())
    } else {
        Err(RpcError::Shape(rule.to_owned()))
    }
}

impl BeginAuth {
    /// The method's name.
    pub const METHOD: &'static str = "begin_auth";

    /// A call without options.
    pub fn new(redirect_uri: &str, state: &str) -> Self {
        Self {
            redirect_uri: redirect_uri.to_owned(),
            state: state.to_owned(),
            ..Self::default()
        }
    }

    /// An option as it is offered to the plugin.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.extra.insert(key, Json::String(value.to_owned()));
        self
    }

    /// The parameters as the plugin reads them.
    pub fn params(&self) -> String {
        params(self)
    }

    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// [`RpcError`]
    pub fn answer(stdout: &[u8]) -> Result<BeginAuthAnswer, RpcError> {
        let answer: BeginAuthAnswer = doubled(stdout)?;
        demand(!answer.authorization_url.is_empty(), "authorizationUrl is empty")?;
        Ok(answer)
    }
}

impl CompleteAuth {
    /// The method's name.
    pub const METHOD: &'static str = "complete_auth";

    /// A call without options.
    pub fn new(code: &str, redirect_uri: &str, state: &str) -> Self {
        Self {
            code: code.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            state: state.to_owned(),
            extra: Object::new(),
        }
    }

    /// An option as it is offered to the plugin.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.extra.insert(key, Json::String(value.to_owned()));
        self
    }

    /// The parameters as the plugin reads them.
    pub fn params(&self) -> String {
        params(self)
    }

    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// [`RpcError`], also for an identity without `sub` or with an `email` of
    /// fewer than three characters.
    pub fn answer(stdout: &[u8]) -> Result<CompleteAuthAnswer, RpcError> {
        let answer: CompleteAuthAnswer = doubled(stdout)?;
        demand(!answer.identity.sub.is_empty(), "identity.sub is empty")?;
        demand(
            answer.identity.email.encode_utf16().count() >= 3,
            "identity.email is too short",
        )?;
        Ok(answer)
    }
}
