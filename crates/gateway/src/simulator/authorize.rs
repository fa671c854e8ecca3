//! `GET` and `POST /simulator/authorize`: asks the developer who they want to be.
//!
//! Nothing is stored between the page and its form: the form carries the unchanged
//! request, which is checked again.
//!
//! Source: OIDC Core §3.1.2, RFC 9207 §2.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use genkan_protocol::oauth::authorization_request::{ClientRules, Recipient, validate};
use genkan_protocol::oauth::{AuthorizationRequest, ErrorCode, Parameters, ResponseMode, append_query};

use super::profile::{Profile, ProfileError};
use super::{Authorization, Fault, Simulator, SimulatorError, field, split_callback};
use crate::simulator::landing::InitiateForm;
use crate::web::error::PageError;
use crate::web::form_post::FormPost;
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};

/// The codes that a provider may answer with (RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6).
const ERRORS: [ErrorCode; 7] = [
    ErrorCode::AccessDenied,
    ErrorCode::LoginRequired,
    ErrorCode::InteractionRequired,
    ErrorCode::InvalidScope,
    ErrorCode::UnauthorizedClient,
    ErrorCode::ServerError,
    ErrorCode::TemporarilyUnavailable,
];

/// `simulator/authorize.html`.
#[derive(Debug, askama::Template)]
#[template(path = "simulator/authorize.html")]
pub(crate) struct AuthorizePage<'a> {
    /// The raw query of the request, which the forms carry.
    pub(crate) request: &'a str,
    /// The connection of the request, if the redirect URI names it.
    pub(crate) asker: &'a str,
    pub(super) profile: &'a Profile,
    /// Further claims, as typed.
    pub(crate) more: &'a str,
    pub(super) error: Option<ProfileError>,
    pub(crate) fault: Option<Fault>,
    pub(crate) initiate: InitiateForm<'a>,
}

impl AuthorizePage<'_> {
    fn email_error(&self) -> bool {
        self.error == Some(ProfileError::Email)
    }

    fn is_chosen(&self, fault: &Fault) -> bool {
        self.fault == Some(*fault)
    }

    fn more_error(&self) -> bool {
        self.error == Some(ProfileError::More)
    }

    fn more_word(&self) -> &'static str {
        "claims"
    }
}

impl PageTemplate for AuthorizePage<'_> {
    const KIND: PageKind = PageKind::SignInStep;
    const FORMS: Forms = Forms::Leave;
}

/// `GET /simulator/authorize`.
pub(super) async fn page(
    State(simulator): State<Simulator>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = query.unwrap_or_default();
    let (request, parameters) = read(&simulator, &query)?;
    if request.prompt.none {
        // Nobody is ever signed in here (OIDC Core §3.1.2.6).
        return Err(simulator.refuse(&request, ErrorCode::LoginRequired, "the simulator always asks"));
    }
    let fault = field(&parameters, "fault").and_then(|name| name.parse().ok());
    let profile = Profile::suggest(request.login_hint.as_deref());
    Ok(simulator
        .show(
            &query,
            &request,
            &profile,
            &PageDetails {
                fault,
                ..PageDetails::default()
            },
        )
        .into_response())
}

/// `POST /simulator/authorize`.
pub(super) async fn answer(State(simulator): State<Simulator>, body: Bytes) -> Result<Response, Refusal> {
    let form = Parameters::parse(&body).map_err(|error| unreadable(&error))?;
    let query = field(&form, "request").unwrap_or_default();
    let (request, _) = read(&simulator, query)?;
    if let Some(code) = field(&form, "error") {
        let description = field(&form, "error_description").unwrap_or("The simulator was asked to fail.");
        let code = code.parse().unwrap_or(ErrorCode::ServerError);
        return Err(simulator.refuse(&request, code, description));
    }
    let fault = field(&form, "fault").and_then(|name| name.parse().ok());
    match Profile::parse(&form) {
        Ok(profile) => Ok(simulator.sign_in(&request, profile, fault)?.into_response()),
        Err(error) => {
            let shown = PageDetails {
                fault,
                error: Some(error),
                more: field(&form, "more").unwrap_or_default(),
            };
            let page = simulator.show(query, &request, &Profile::typed(&form), &shown);
            Ok(page.with_status(StatusCode::BAD_REQUEST).into_response())
        }
    }
}

/// What the page shows besides the request and the person.
#[derive(Default)]
struct PageDetails<'a> {
    fault: Option<Fault>,
    error: Option<ProfileError>,
    more: &'a str,
}

/// An answer that is not a sign-in.
pub(super) enum Refusal {
    /// No relying party can get an answer.
    Page(PageError),
    /// The relying party gets it.
    Answer(Answer),
}

/// An answer, in the requested response mode.
pub(super) struct Answer {
    redirect_uri: String,
    mode: ResponseMode,
    parameters: Vec<(&'static str, String)>,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let hidden: Vec<(&str, &str)> = self
            .parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        match self.mode {
            ResponseMode::Query => Redirect::to(&append_query(&self.redirect_uri, &hidden)).into_response(),
            ResponseMode::FormPost => Page::new(&FormPost {
                way: "back to where you came from",
                action: &self.redirect_uri,
                hidden: &hidden,
            })
            .into_response(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Page(error) => error.into_response(),
            Self::Answer(answer) => answer.into_response(),
        }
    }
}

impl From<SimulatorError> for Refusal {
    fn from(error: SimulatorError) -> Self {
        Self::Page(error.into())
    }
}

impl Simulator {
    fn show(
        &self,
        query: &str,
        request: &AuthorizationRequest,
        profile: &Profile,
        shown: &PageDetails<'_>,
    ) -> Page {
        let asker = self.connection_of(&request.redirect_uri);
        Page::new(&AuthorizePage {
            request: query,
            asker: asker.unwrap_or(&request.redirect_uri),
            profile,
            more: shown.more,
            error: shown.error,
            fault: shown.fault,
            initiate: InitiateForm {
                connection_id: asker.unwrap_or(&self.0.connection_id),
                login_hint: &profile.email,
            },
        })
    }

    fn sign_in(
        &self,
        request: &AuthorizationRequest,
        profile: Profile,
        fault: Option<Fault>,
    ) -> Result<Answer, SimulatorError> {
        let code = self.issue_code(Authorization {
            redirect_uri: request.redirect_uri.clone(),
            nonce: request.nonce.clone(),
            code_challenge: request.code_challenge.clone(),
            authenticated_at: self.now(),
            profile,
            fault,
        })?;
        let mut parameters = vec![("code", code)];
        if fault == Some(Fault::RepeatedCode) {
            parameters.push(("code", "another".to_owned()));
        }
        match fault {
            Some(Fault::NoState) => {}
            Some(Fault::WrongState) => parameters.push(("state", "another".to_owned())),
            _ => parameters.extend(request.state.clone().map(|state| ("state", state))),
        }
        match fault {
            Some(Fault::NoResponseIssuer) => {}
            Some(Fault::WrongResponseIssuer) => parameters.push(("iss", format!("{}/other", self.issuer()))),
            _ => parameters.push(("iss", self.issuer().to_owned())),
        }
        Ok(Answer {
            redirect_uri: request.redirect_uri.clone(),
            mode: request.response_mode,
            parameters,
        })
    }

    fn refuse(&self, request: &AuthorizationRequest, code: ErrorCode, description: &str) -> Refusal {
        self.refusal(
            (&request.redirect_uri, request.response_mode),
            request.state.as_deref(),
            (code, description),
        )
    }

    fn refusal(
        &self,
        (redirect_uri, mode): (&str, ResponseMode),
        state: Option<&str>,
        (code, description): (ErrorCode, &str),
    ) -> Refusal {
        let mut parameters = vec![
            ("error", code.as_str().to_owned()),
            ("error_description", description.to_owned()),
        ];
        parameters.extend(state.map(|state| ("state", state.to_owned())));
        // RFC 9207 §2: refusals name their issuer too.
        parameters.push(("iss", self.issuer().to_owned()));
        Refusal::Answer(Answer {
            redirect_uri: redirect_uri.to_owned(),
            mode,
            parameters,
        })
    }

    /// The connection whose callback this is.
    fn connection_of<'a>(&self, redirect_uri: &'a str) -> Option<&'a str> {
        let (gateway_url, connection_id) = split_callback(redirect_uri)?;
        (gateway_url == self.0.gateway_url).then_some(connection_id)
    }

    /// Every connection of the gateway may use the simulator.
    fn may_answer_to(&self, redirect_uri: &str) -> bool {
        self.connection_of(redirect_uri).is_some()
            || self
                .config()
                .redirect_uris
                .iter()
                .any(|known| known == redirect_uri)
    }
}

/// Reads a request. Until client and redirect URI are known, a failure is a page.
fn read(simulator: &Simulator, query: &str) -> Result<(AuthorizationRequest, Parameters), Refusal> {
    let parameters = Parameters::parse(query.as_bytes()).map_err(|error| unreadable(&error))?;
    let recipient = Recipient::parse(&parameters).map_err(|error| unreadable(&error))?;
    if recipient.client_id != simulator.config().client_id {
        return Err(stranger(
            "The connection has another client ID than the simulator.",
        ));
    }
    let Some(redirect_uri) = recipient
        .redirect_uri
        .as_deref()
        .filter(|uri| simulator.may_answer_to(uri))
    else {
        return Err(stranger(
            "The simulator does not know the address to which it should answer.",
        ));
    };
    let rules = ClientRules {
        redirect_uri,
        redirect_uri_given: true,
        require_pkce: false,
    };
    match validate(&parameters, &recipient, &rules) {
        Ok(request) => Ok((request, parameters)),
        Err(error) => Err(simulator.refusal(
            (redirect_uri, ResponseMode::of_refusal(&parameters, redirect_uri)),
            error.state.as_deref(),
            (error.code, error.description),
        )),
    }
}

fn stranger(why: &'static str) -> Refusal {
    let error = PageError::new(StatusCode::BAD_REQUEST, "The simulator cannot answer this", why)
        .what_to_do("compare the connection with what the simulator’s own page shows.")
        .back("The simulator’s page", super::PATH);
    Refusal::Page(error)
}

fn unreadable(error: &dyn std::error::Error) -> Refusal {
    let error = PageError::new(
        StatusCode::BAD_REQUEST,
        "The simulator cannot read this",
        format!("It came to it like this: {error}."),
    );
    Refusal::Page(error)
}
