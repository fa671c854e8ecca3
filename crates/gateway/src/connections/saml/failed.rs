//! A failure, on its way from the POST of the provider's page to the GET with the browser's cookie.
//!
//! The identifier of a request stands in the address of the provider, in its log and in histories. A stranger
//! who has read it there can post an answer that fails. So the POST tells nothing of the application, whose
//! `state` protects it against forged answers (RFC 6749 §10.12). The GET tells it to the browser that began
//! the sign-in, and every other browser sees the reference alone. Nothing is used up by either.
//!
//! If posts of strangers have used up the traces of the hour, the address carries the checks. Then the trace is
//! stored at the GET, if that browser makes it (see `docs/decisions/anonymous-work.md`).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan_protocol::saml::{Cause, response};
use genkan_protocol::{Timestamp, Trace};
use genkan_store::connection::{self, Connection};
use genkan_store::interaction::{self, Interaction, Request, Way};
use genkan_store::{
    ConnectionId, Error, InteractionId, Secret, SecretHash, TraceId, login_message, login_trace,
    upstream_request,
};
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::failure::failure;
use super::sealed::Outcome;
use super::service_provider;
use crate::app::App;
use crate::connections::failure::{AnswerOrigin, Messages};
use crate::connections::{SignInFailure, trace, unknown};
use crate::cookies::Cookie;
use crate::web::error::PageError;

/// For so long the application hears of a failure. The browser follows at once.
const LIFETIME: Duration = Duration::from_secs(60);

/// The limit for the checks in an address, in bytes of JSON. Many proxies take 8 KiB for the whole address.
const MAX_CHECKS_BYTES: usize = 3 * 1024;

/// A trace that is not stored yet.
#[derive(Debug, Serialize, Deserialize)]
struct TraceDraft {
    id: TraceId,
    /// Those that were made.
    checks: Trace,
}

impl TraceDraft {
    /// The draft for a failure that has no trace, because strangers have used up those of the hour.
    fn of(app: &App, interaction: &Interaction, failure: &SignInFailure) -> Option<Self> {
        // Tests of a connection and answers that the provider has signed have traces of their own.
        if failure.origin() == AnswerOrigin::Provider || !matches!(interaction.request, Request::Authorize(_))
        {
            return None;
        }
        let checks = failure.trace.reached();
        let length = serde_json::to_vec(&checks).ok()?.len();
        (length <= MAX_CHECKS_BYTES).then(|| Self {
            id: app.ids().next::<TraceId>(app.now()),
            checks,
        })
    }
}

/// The content of the address. Later, and after the person has begun again, it shows the reference alone.
#[derive(Debug, Serialize, Deserialize)]
struct SealedFailure {
    interaction_id: InteractionId,
    /// The hash of the request's state, in base64url: another attempt of the same sign-in has not failed.
    request: String,
    failed_at: Timestamp,
    cause: String,
    /// `None` if no trace was stored.
    trace_id: Option<TraceId>,
    origin: AnswerOrigin,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    draft: Option<TraceDraft>,
}

/// A failure that was recorded at its POST.
#[derive(Debug)]
pub struct FailedSignIn {
    pub failure: SignInFailure,
    pub trace_id: Option<TraceId>,
    /// The sign-in, if this browser began it, and is still at the provider.
    pub interaction: Option<Interaction>,
}

/// Records a failure, and returns the address at which the browser hears of it.
///
/// # Errors
///
/// [`PageError`] if the store fails.
pub(super) async fn record(
    app: &App,
    connection: &Connection,
    (interaction, request, cause): (&Interaction, &SecretHash, Cause),
    failure: &SignInFailure,
) -> Result<String, PageError> {
    let trace_id = trace::record(app, interaction, failure).await?;
    let sealed = SealedFailure {
        interaction_id: interaction.id.clone(),
        request: URL_SAFE_NO_PAD.encode(request.as_bytes()),
        failed_at: app.now(),
        cause: cause.code().to_owned(),
        draft: match &trace_id {
            Some(_) => None,
            None => TraceDraft::of(app, interaction, failure),
        },
        trace_id,
        origin: failure.origin(),
    };
    Outcome::Failed
        .address(app.instance_key(), connection, &sealed)
        .map_err(PageError::internal)
}

impl SealedFailure {
    /// The name of its trace, if one is stored, or will be.
    fn name(&self) -> Option<&TraceId> {
        self.trace_id
            .as_ref()
            .or(self.draft.as_ref().map(|draft| &draft.id))
    }

    /// The checks, if it carries them.
    fn checks(&self) -> Trace {
        let Some(draft) = &self.draft else {
            return Trace::default();
        };
        let mut checks = draft.checks.clone();
        response::not_reached(&mut checks);
        checks
    }
}

impl FailedSignIn {
    /// Opens what [`record`] has sealed for this connection.
    ///
    /// # Errors
    ///
    /// A page: there is no such connection, or the text was sealed for another one, or changed.
    pub async fn open(
        app: &App,
        headers: &HeaderMap,
        (connection_id, sealed): (&str, &str),
    ) -> Result<Self, PageError> {
        let id = ConnectionId::parse(connection_id).map_err(|_| unknown())?;
        let opened: Option<SealedFailure> = Outcome::Failed.open(app.instance_key(), &id, sealed);
        let known =
            opened.and_then(|opened| Some((cause(&opened.cause)?, request(&opened.request)?, opened)));
        let garbled = || PageError::invalid_request("The address is garbled, or is of another company.");
        let (cause, request, opened) = known.ok_or_else(garbled)?;
        let browser = app.cookies().read(headers, Cookie::Browser);
        let (browser, now) = (browser.as_ref().map(Secret::sha256), app.now());
        let (connection, interaction, trace, texts) = app
            .db()
            .read(async |tx| -> Result<_, Error> {
                let connection = connection::find(tx, &id).await?;
                let is_present = now < opened.failed_at + LIFETIME
                    && upstream_request::is_waited_for(tx, &request, &id, now).await?;
                let interaction = match browser.as_ref().filter(|_| is_present) {
                    Some(browser) => interaction::find(tx, &opened.interaction_id, browser, now).await?,
                    None => None,
                };
                let (trace, texts) = match opened.name() {
                    Some(id) => (
                        login_trace::find(tx, id).await?,
                        login_message::find(tx, id, now).await?,
                    ),
                    None => (None, None),
                };
                Ok((connection, interaction, trace, texts))
            })
            .await?;
        let connection = connection.ok_or_else(unknown)?;
        let settings = connection.settings.as_saml().ok_or_else(unknown)?;
        let sp = service_provider(app, &connection, settings);
        let is_stored = trace.is_some();
        let checks = match trace {
            Some(found) => found.trace,
            None => opened.checks(),
        };
        let messages = Messages {
            texts: texts.unwrap_or_default(),
            origin: opened.origin,
        };
        let failure = failure(&connection, &sp, cause, checks).with_messages(messages);
        // A login that has moved on meanwhile has no failure.
        let interaction = interaction
            .filter(|found| found.stage.way().and_then(Way::connection_id) == Some(&connection.id));
        let trace_id = match (&opened.draft, &interaction) {
            (Some(draft), _) if is_stored => Some(draft.id.clone()),
            (Some(draft), Some(interaction)) => {
                trace::record_in_browser(app, interaction, &failure, &draft.id).await?
            }
            _ => opened.trace_id,
        };
        Ok(Self {
            failure,
            trace_id,
            interaction,
        })
    }
}

fn cause(code: &str) -> Option<Cause> {
    Cause::all().iter().copied().find(|cause| cause.code() == code)
}

fn request(hash: &str) -> Option<SecretHash> {
    let bytes = URL_SAFE_NO_PAD.decode(hash).ok()?;
    Some(SecretHash::from_bytes(bytes.try_into().ok()?))
}
