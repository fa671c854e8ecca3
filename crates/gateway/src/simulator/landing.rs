//! `/simulator/`: the first page of the simulator.
//!
//! Source: OIDC Core §4 (initiating login from a third party).

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Redirect;
use bytes::Bytes;
use genkan_protocol::oauth::{Parameters, append_query};
use genkan_store::connection::{self, Kind};

use super::{PATH, Simulator, field, is_connection_id};
use crate::web::error::PageError;
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};

/// `simulator/landing.html`.
#[derive(Debug, Template)]
#[template(path = "simulator/landing.html")]
pub(crate) struct LandingPage<'a> {
    pub(crate) demo_url: Option<&'a str>,
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) client_secret: &'a str,
    pub(crate) kid: &'a str,
    pub(crate) initiate: InitiateForm<'a>,
    /// The address of the metadata for SAML.
    pub(crate) saml_metadata: &'a str,
    pub(crate) saml_command: &'a str,
}

impl PageTemplate for LandingPage<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::Leave;
}

/// The form of `simulator/initiate.html`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InitiateForm<'a> {
    pub(crate) connection_id: &'a str,
    pub(crate) login_hint: &'a str,
}

/// `GET /simulator/`.
pub(super) async fn page(State(simulator): State<Simulator>) -> Result<Page, PageError> {
    let key = simulator.key().await?;
    let config = simulator.config();
    Ok(Page::new(&LandingPage {
        demo_url: config.demo_url.as_deref(),
        issuer: simulator.issuer(),
        client_id: &config.client_id,
        client_secret: &config.client_secret,
        kid: key.kid(),
        initiate: InitiateForm {
            connection_id: &simulator.0.connection_id,
            login_hint: "ada@example.com",
        },
        saml_metadata: &simulator.saml_entity_id(),
        saml_command: &simulator.saml_command(),
    }))
}

/// `POST /simulator/rotate`.
pub(super) async fn rotate(State(simulator): State<Simulator>) -> Result<Redirect, PageError> {
    simulator.rotate().await?;
    Ok(Redirect::to(&format!("{PATH}/")))
}

/// `POST /simulator/initiate`: sends the browser to the gateway, as the tile of
/// an identity provider's start page does.
pub(super) async fn initiate(State(simulator): State<Simulator>, body: Bytes) -> Result<Redirect, PageError> {
    let form = Parameters::parse(&body).unwrap_or_default();
    let connection_id = field(&form, "connection_id")
        .filter(|id| is_connection_id(id))
        .ok_or_else(|| {
            PageError::new(
                StatusCode::BAD_REQUEST,
                "That is not a connection",
                "The id of a connection starts with conn_ and goes on with digits.",
            )
            .what_to_do("copy it from “genkan connection list”.")
            .back("The simulator’s page", PATH)
        })?;
    let mut query = vec![("iss", simulator.issuer())];
    for name in ["login_hint", "target_link_uri"] {
        query.extend(field(&form, name).map(|value| (name, value)));
    }
    let path = connection::path(Kind::Oidc, connection_id, connection::Endpoint::Init);
    let init = format!("{}{path}", simulator.0.gateway_url);
    Ok(Redirect::to(&append_query(&init, &query)))
}
