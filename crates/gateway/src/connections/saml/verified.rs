//! A verified answer while it waits for its browser, and when it counts.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan_protocol::saml::{Assertion, Cause};
use genkan_protocol::{Timestamp, Trace};
use genkan_store::connection::{Connection, SamlSettings};
use genkan_store::saml_assertion::UsedAssertion;
use genkan_store::{ConnectionId, SecretHash};
use serde::{Deserialize, Serialize};

use super::failure::failure;
use super::{CLOCK_SKEW, attributes, message, service_provider};
use crate::app::App;
use crate::connections::SignInFailure;
use crate::connections::failure::Messages;

/// For so long an assertion is known after it has counted, whatever it says about itself.
const MAX_REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// A verified answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VerifiedAnswer {
    pub(super) assertion: Assertion,
    /// The checks so far.
    pub(super) trace: Trace,
    /// The settings under which it was verified.
    settings: String,
}

/// Names settings: others have another name.
fn fingerprint(settings: &SamlSettings) -> Result<String, serde_json::Error> {
    let json = serde_json::to_vec(settings)?;
    Ok(URL_SAFE_NO_PAD.encode(SecretHash::of(&json).as_bytes()))
}

impl VerifiedAnswer {
    /// An assertion that was verified under these settings.
    ///
    /// # Errors
    ///
    /// [`serde_json::Error`] if the settings cannot be written, which does not happen.
    pub(super) fn new(
        assertion: Assertion,
        trace: Trace,
        settings: &SamlSettings,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            assertion,
            trace,
            settings: fingerprint(settings)?,
        })
    }

    /// Whether the connection still has the settings under which it was verified: the certificates, the
    /// provider's entity ID and what else counts.
    pub(in crate::connections) fn was_verified_for(&self, connection: &Connection) -> bool {
        let settings = connection.settings.as_saml();
        settings.and_then(|settings| fingerprint(settings).ok()).as_ref() == Some(&self.settings)
    }

    /// Reads what was parked.
    ///
    /// # Errors
    ///
    /// [`serde_json::Error`] if another version stored it.
    pub(in crate::connections) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The note that its assertion counts now.
    pub(in crate::connections) fn used(
        &self,
        connection_id: &ConnectionId,
        state: Option<SecretHash>,
        now: Timestamp,
    ) -> UsedAssertion {
        let end = self.assertion.not_on_or_after + CLOCK_SKEW * 2;
        UsedAssertion {
            connection_id: connection_id.clone(),
            assertion: SecretHash::of(self.assertion.id.as_bytes()),
            state,
            expires_at: end.min(now + MAX_REMEMBERED),
        }
    }

    /// The failure if its assertion has counted before. `asked` is the time of our request and whether it demanded a
    /// fresh sign-in, if there was a request.
    pub(in crate::connections) fn replayed(
        mut self,
        app: &App,
        connection: &Connection,
        asked: Option<(Timestamp, bool)>,
    ) -> SignInFailure {
        self.trace.fail(
            "First use",
            "an assertion that has not counted before",
            &self.assertion.id,
        );
        let Some(settings) = connection.settings.as_saml() else {
            return SignInFailure::of_another_kind(connection);
        };
        let sp = service_provider(app, connection, settings);
        failure(connection, &sp, Cause::AssertionReplayed, self.trace)
            .with_messages(Messages::of_claims(&attributes::merged(&self.assertion)))
            .with_request(asked.and_then(|asked| message::request(connection, &sp, settings, asked)))
    }
}
