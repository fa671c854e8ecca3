//! The outcome of a posted answer, sealed for the address to which the POST redirects the browser.
//!
//! The POST comes without our cookie, so it cannot decide anything for a browser. The GET that follows has
//! the cookie. All that it must know is in its address, so that a POST of a stranger stores nothing. Nobody
//! but this instance can read, make or change it, and it counts at one connection.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan_store::connection::{Connection, Endpoint};
use genkan_store::seal::SealContext;
use genkan_store::{ConnectionId, InstanceKey};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// The parameter of the address.
pub const PARAMETER: &str = "answer";

/// The kinds of sealed texts. None can be opened as another.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Initiated,
    /// The form of the page that asks about it.
    Question,
    Failed,
}

impl Outcome {
    const fn endpoint(self) -> Endpoint {
        match self {
            Self::Initiated | Self::Question => Endpoint::Init,
            Self::Failed => Endpoint::Failure,
        }
    }

    fn place(self, id: &ConnectionId) -> SealContext<'_> {
        let column = match self {
            Self::Initiated => "address.initiated_sign_in",
            Self::Question => "form.initiated_sign_in",
            Self::Failed => "address.failed_sign_in",
        };
        SealContext {
            column,
            id: id.as_str(),
        }
    }

    /// The address at which the browser goes on.
    ///
    /// # Errors
    ///
    /// [`serde_json::Error`] if the value cannot be written, which does not happen.
    pub(super) fn address(
        self,
        key: &InstanceKey,
        connection: &Connection,
        value: &impl Serialize,
    ) -> Result<String, serde_json::Error> {
        let sealed = self.seal(key, &connection.id, value)?;
        Ok(format!(
            "{}?{PARAMETER}={sealed}",
            connection.path(self.endpoint())
        ))
    }

    /// The value of the parameter.
    ///
    /// # Errors
    ///
    /// As [`Self::address`].
    pub(super) fn seal(
        self,
        key: &InstanceKey,
        connection_id: &ConnectionId,
        value: &impl Serialize,
    ) -> Result<String, serde_json::Error> {
        let json = Zeroizing::new(serde_json::to_vec(value)?);
        Ok(URL_SAFE_NO_PAD.encode(key.seal(self.place(connection_id), &json)))
    }

    /// The value, if this instance has sealed it for this connection.
    pub(super) fn open<T: DeserializeOwned>(
        self,
        key: &InstanceKey,
        connection_id: &ConnectionId,
        sealed: &str,
    ) -> Option<T> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let json = key.open(self.place(connection_id), &sealed).ok()?;
        serde_json::from_slice(&json).ok()
    }
}
