//! A verified answer while it waits for its browser, and when it counts.

use std::time::Duration;

use genkan_protocol::saml::{Assertion, Cause};
use genkan_protocol::{Timestamp, Trace};
use genkan_store::connection::Connection;
use genkan_store::saml_assertion::UsedAssertion;
use genkan_store::{ConnectionId, SecretHash};
use serde::{Deserialize, Serialize};

use super::failure::failure;
use super::{CLOCK_SKEW, attributes, service_provider};
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
}

impl VerifiedAnswer {
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

    /// The failure if its assertion has counted before.
    pub(in crate::connections) fn replayed(mut self, app: &App, connection: &Connection) -> SignInFailure {
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
    }
}
