//! `/simulator/saml/sso`, `…/initiate` and `…/answer`: asks the developer who they want to be.
//!
//! Nothing is stored between the page and its form: the form carries the unchanged request, which is read again.
//!
//! Source: SAML 2.0 Profiles §4.1.4, §4.1.5; Bindings §3.4, §3.5.

use std::borrow::Cow;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use genkan_protocol::oauth::Parameters;
use genkan_protocol::saml::{AuthnRequest, binding};
use genkan_store::connection::Endpoint;
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};
use genkan_web::text::Hidden;

use super::answer::{Answer, AnswerError, SignOnRequest};
use super::fault::Fault;
use crate::simulator::profile::{Profile, ProfileError};
use crate::simulator::{PATH, Simulator, field, is_connection_id};
use crate::web::error::PageError;
use crate::web::form_post::FormPost;

/// Says in our own form that the request came in a query.
const DEFLATED: &str = "deflated";

/// `simulator/saml.html`.
#[derive(Debug, askama::Template)]
#[template(path = "simulator/saml.html")]
pub(crate) struct SamlPage<'a> {
    /// The request, which the form carries.
    hidden: &'a [Hidden<'a>],
    asker: &'a str,
    profile: &'a Profile,
    /// Further attributes, as typed.
    more: &'a str,
    error: Option<ProfileError>,
    fault: Option<Fault>,
}

impl SamlPage<'_> {
    fn email_error(&self) -> bool {
        self.error == Some(ProfileError::Email)
    }

    fn more_error(&self) -> bool {
        self.error == Some(ProfileError::More)
    }

    fn more_word(&self) -> &'static str {
        "attributes"
    }

    fn is_chosen(&self, fault: &Fault) -> bool {
        self.fault == Some(*fault)
    }
}

impl PageTemplate for SamlPage<'_> {
    const KIND: PageKind = PageKind::SignInStep;
    const FORMS: Forms = Forms::Leave;
}

/// `GET /simulator/saml/sso`: a request in the query. Without one, a sign-in begins here.
pub(super) async fn by_redirect(
    State(simulator): State<Simulator>,
    RawQuery(query): RawQuery,
) -> Result<Page, PageError> {
    let parameters = read(query.unwrap_or_default().as_bytes())?;
    if field(&parameters, "SAMLRequest").is_none() {
        return simulator.begin(&parameters);
    }
    let mut hidden = carried(&parameters);
    hidden.push((DEFLATED, "true"));
    simulator.ask(&parameters, &hidden)
}

/// `POST /simulator/saml/sso`: a request in a form. Without one, a sign-in begins here.
pub(super) async fn by_form(State(simulator): State<Simulator>, body: Bytes) -> Result<Page, PageError> {
    let parameters = read(&body)?;
    if field(&parameters, "SAMLRequest").is_none() {
        return simulator.begin(&parameters);
    }
    simulator.ask(&parameters, &carried(&parameters))
}

/// `GET /simulator/saml/initiate`: a sign-in that begins here, as by a tile on a company's start page.
pub(super) async fn initiate(
    State(simulator): State<Simulator>,
    RawQuery(query): RawQuery,
) -> Result<Page, PageError> {
    simulator.begin(&read(query.unwrap_or_default().as_bytes())?)
}

/// `POST /simulator/saml/answer`: our own form.
pub(super) async fn answer(State(simulator): State<Simulator>, body: Bytes) -> Result<Response, PageError> {
    let form = read(&body)?;
    let is_deflated = field(&form, DEFLATED).is_some();
    let asked = simulator.asked(&form, is_deflated)?;
    let fault: Option<Fault> = field(&form, "fault").and_then(|name| name.parse().ok());
    let profile = match Profile::parse(&form) {
        Ok(profile) => profile,
        Err(error) => {
            let mut hidden = carried(&form);
            hidden.extend(field(&form, DEFLATED).map(|value| (DEFLATED, value)));
            hidden.extend(field(&form, "connection_id").map(|value| ("connection_id", value)));
            let page = Page::new(&SamlPage {
                hidden: &hidden,
                asker: &asked.connection_id,
                profile: &Profile::typed(&form),
                more: field(&form, "more").unwrap_or_default(),
                error: Some(error),
                fault,
            });
            return Ok(page.with_status(StatusCode::BAD_REQUEST).into_response());
        }
    };
    let Answer {
        response,
        relay_state,
    } = simulator
        .saml_answer(&asked, &profile, fault)
        .await
        .map_err(no_answer)?;
    let mut hidden = vec![("SAMLResponse", response.as_str())];
    hidden.extend(relay_state.as_deref().map(|state| ("RelayState", state)));
    let page = Page::new(&FormPost {
        way: "back to where you came from",
        action: &asked.request.acs_url,
        hidden: &hidden,
    });
    Ok(page.into_response())
}

impl Simulator {
    /// The page for a sign-in that begins here. A request has no part in it.
    fn begin(&self, parameters: &Parameters) -> Result<Page, PageError> {
        let hidden: Vec<Hidden<'_>> = ["connection_id", "RelayState"]
            .into_iter()
            .filter_map(|name| Some((name, field(parameters, name)?)))
            .collect();
        self.ask(parameters, &hidden)
    }

    /// The page for a request or for none.
    fn ask(&self, parameters: &Parameters, hidden: &[Hidden<'_>]) -> Result<Page, PageError> {
        let is_deflated = hidden.iter().any(|(name, _)| *name == DEFLATED);
        let asked = self.asked(parameters, is_deflated)?;
        Ok(Page::new(&SamlPage {
            hidden,
            asker: &asked.connection_id,
            profile: &Profile::suggest(None),
            more: "",
            error: None,
            fault: field(parameters, "fault").and_then(|name| name.parse().ok()),
        }))
    }

    /// Reads what is to be answered. A stranger's address gets no answer.
    fn asked(&self, parameters: &Parameters, is_deflated: bool) -> Result<SignOnRequest, PageError> {
        let relay_state = field(parameters, "RelayState").map(ToOwned::to_owned);
        let Some(value) = field(parameters, "SAMLRequest") else {
            return self.unasked(parameters, relay_state);
        };
        let octets = binding::decode_request(value, is_deflated).ok_or_else(|| {
            unreadable("The SAMLRequest is not encoded as a request is, or it is too long.")
        })?;
        let request =
            AuthnRequest::parse(&octets).map_err(|error| unreadable(format!("The SAMLRequest {error}.")))?;
        let connection_id = self.saml_connection_of(&request.acs_url).ok_or_else(stranger)?;
        Ok(SignOnRequest {
            connection_id: connection_id.to_owned(),
            is_solicited: true,
            relay_state,
            request,
        })
    }

    /// A sign-in that begins here (Profiles §4.1.5).
    fn unasked(
        &self,
        parameters: &Parameters,
        relay_state: Option<String>,
    ) -> Result<SignOnRequest, PageError> {
        let connection_id = field(parameters, "connection_id")
            .filter(|id| is_connection_id(id))
            .ok_or_else(|| {
                unreadable(
                    "It has neither a SAMLRequest nor the id of a connection, which starts with conn_.",
                )
                .what_to_do("begin at an application, or at the simulator’s own page.")
            })?;
        Ok(SignOnRequest {
            connection_id: connection_id.to_owned(),
            is_solicited: false,
            relay_state,
            request: AuthnRequest {
                id: String::new(),
                issue_instant: self.now(),
                destination: self.sign_on_url(),
                acs_url: self.address(connection_id, Endpoint::Callback),
                issuer: self.address(connection_id, Endpoint::Entity),
                force_authn: false,
                name_id_format: None,
                requested_context: None,
            },
        })
    }
}

fn read(encoded: &[u8]) -> Result<Parameters, PageError> {
    Parameters::parse(encoded).map_err(|error| unreadable(format!("It came to it like this: {error}.")))
}

/// What the form carries of a request.
fn carried(parameters: &Parameters) -> Vec<Hidden<'_>> {
    ["SAMLRequest", "RelayState"]
        .into_iter()
        .filter_map(|name| Some((name, field(parameters, name)?)))
        .collect()
}

fn unreadable(why: impl Into<Cow<'static, str>>) -> PageError {
    PageError::new(StatusCode::BAD_REQUEST, "The simulator cannot read this", why)
        .back("The simulator’s page", PATH)
}

fn stranger() -> PageError {
    PageError::new(
        StatusCode::BAD_REQUEST,
        "The simulator cannot answer this",
        "The simulator answers to connections of its own Genkan, and the address for the answer is none of theirs.",
    )
    .what_to_do("compare the connection with what the simulator’s own page shows.")
    .back("The simulator’s page", PATH)
}

fn no_answer(error: AnswerError) -> PageError {
    let (why, what_to_do) = match error {
        AnswerError::Own(error) => return error.into(),
        AnswerError::Unread(page) => return page,
        AnswerError::NothingToRepeat => (
            "There is no earlier answer to this connection in the last hour, so there is nothing to repeat.",
            "sign in once without misbehaviour, and then again with it.",
        ),
        AnswerError::NoCertificate => (
            "The connection shows no certificate to encrypt to.",
            "look whether the connection still exists.",
        ),
    };
    PageError::new(StatusCode::BAD_REQUEST, "The simulator cannot do this", why)
        .what_to_do(what_to_do)
        .back("The simulator’s page", PATH)
}
