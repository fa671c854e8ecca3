//! `GET|POST /sso/v1/oidc/{connection}/init`: a login that begins at the identity provider, if the
//! connection allows it.
//!
//! It signs nobody in. The browser is sent to the application's own login address with a short-lived token,
//! and an ordinary login follows. Anybody can make such a link. So the first one at a connection asks the
//! person, and the answer covers the request that follows. See `docs/decisions/forced-sign-in.md`.
//!
//! Source: OIDC Core §4.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use genkan_protocol::oauth::{Parameters, append_query};
use genkan_protocol::oidc::{IdpInitiatedLogin, issuer_of};
use genkan_store::client::LoginStart;
use genkan_store::connection::Connection;
use genkan_store::connection::Endpoint::Init;
use genkan_store::{ConnectionId, Error, Secret, client, connection, familiar, organization};
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};
use genkan_web::text::Hidden;
use http::{HeaderMap, StatusCode, header};

use crate::anonymous::{self, Work};
use crate::app::App;
use crate::connections;
use crate::cookies::Cookie;
use crate::keys::KeyringError;
use crate::web::cross_site;
use crate::web::error::PageError;
use crate::web::own_form::OwnForm;

/// How long the application may take to begin the login, which is a redirect or two.
const LIFETIME_SECS: i64 = 60;

/// No e-mail address is longer.
const MAX_LOGIN_HINT: usize = 320;
const MAX_TARGET: usize = 2048;

/// `begin_elsewhere.html`. Posts `csrf` and hidden fields. Its answer leads to the application.
#[derive(Debug, Template)]
#[template(path = "begin_elsewhere.html")]
struct BeginElsewhere<'a> {
    application: &'a str,
    action: &'a str,
    csrf: &'a str,
    hidden: &'a [Hidden<'a>],
    /// The company whose sign-in follows: the name of the organization, else of the connection.
    company: &'a str,
}

impl PageTemplate for BeginElsewhere<'_> {
    const KIND: PageKind = PageKind::SignInStep;
    const FORMS: Forms = Forms::Leave;
}

/// A login that may begin here.
struct InitiatedLogin {
    connection: Connection,
    /// The name of the organization, else of the connection.
    company: String,
    start: LoginStart,
    login_hint: Option<String>,
    relay_state: Option<String>,
}

/// Asks the person, unless this browser has signed in there before.
pub async fn oidc(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes())
        .map_err(|_| PageError::invalid_request("The address is garbled or too long."))?;
    let login = InitiatedLogin::read(&app, &id, &parameters).await?;
    let known = app.cookies().read(&headers, Cookie::Browser);
    if cross_site::is_told(&headers) && !login.is_remembered(&app, known.as_ref()).await? {
        return Ok(login.ask(&app, &headers));
    }
    login.hand_over(&app).await
}

/// Continues after the person has pressed the button.
pub async fn go_on(
    State(app): State<App>,
    Path(id): Path<String>,
    form: OwnForm,
) -> Result<Response, PageError> {
    let login = InitiatedLogin::read(&app, &id, &form.fields).await?;
    let (hash, now) = (form.bound.0.sha256(), app.now());
    let connection_id = &login.connection.id;
    app.db()
        .tx(async |tx| familiar::agree(tx, &hash, connection_id, now).await)
        .await?;
    login.hand_over(&app).await
}

/// Anybody may choose this text and we sign it, so it must be short.
fn bounded(text: Option<&str>, max_bytes: usize) -> Result<Option<String>, PageError> {
    match text {
        Some(text) if text.len() > max_bytes => {
            Err(PageError::invalid_request("The address is garbled or too long."))
        }
        text => Ok(text.map(ToOwned::to_owned)),
    }
}

impl InitiatedLogin {
    async fn read(app: &App, id: &str, parameters: &Parameters) -> Result<Self, PageError> {
        let one = |name: &'static str| parameters.one(name).ok().flatten();
        let id = ConnectionId::parse(id).map_err(|_| connections::unknown())?;
        let (found, start) = app
            .db()
            .read(async |tx| -> Result<_, Error> {
                let Some(connection) = connection::find(tx, &id).await? else {
                    return Ok((None, None));
                };
                let organization = match &connection.organization_id {
                    Some(id) => organization::find(tx, id).await?,
                    None => None,
                };
                Ok((
                    Some((connection, organization)),
                    client::login_start(tx, None).await?,
                ))
            })
            .await?;
        let (connection, organization) = found
            .filter(|(connection, _)| connection.enabled)
            .ok_or_else(connections::unknown)?;
        let settings = connection.settings.as_oidc().ok_or_else(connections::unknown)?;
        // OIDC Core §4: the issuer is required, and must be one we know.
        if one("iss").is_none_or(|issuer| issuer != issuer_of(&settings.issuer)) {
            return Err(PageError::invalid_request(
                "The identity provider is not the one of this connection.",
            ));
        }
        if !settings.allow_idp_initiated_login {
            return Err(idp_initiated_login_off());
        }
        let start = start.ok_or_else(no_initiate_login_uri)?;
        Ok(Self {
            company: organization.map_or_else(|| connection.name.clone(), |found| found.display_name),
            start,
            login_hint: bounded(one("login_hint"), MAX_LOGIN_HINT)?,
            relay_state: bounded(one("target_link_uri"), MAX_TARGET)?,
            connection,
        })
    }

    async fn is_remembered(&self, app: &App, browser: Option<&Secret>) -> Result<bool, PageError> {
        let Some(browser) = browser else { return Ok(false) };
        let (hash, now) = (browser.sha256(), app.now());
        Ok(app
            .db()
            .read(async |tx| familiar::is_remembered(tx, &hash, &self.connection.id, now).await)
            .await?)
    }

    fn ask(&self, app: &App, headers: &HeaderMap) -> Response {
        let (browser, new_cookie) = app.cookies().browser(headers);
        let action = self.connection.path(Init);
        let issuer = self
            .connection
            .settings
            .as_oidc()
            .map(|oidc| issuer_of(&oidc.issuer));
        let hidden: Vec<Hidden<'_>> = [
            ("iss", issuer),
            ("login_hint", self.login_hint.as_deref()),
            ("target_link_uri", self.relay_state.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        let page = BeginElsewhere {
            application: &self.start.application,
            action: &action,
            csrf: &app.form_token(&browser, &action),
            hidden: &hidden,
            company: &self.company,
        };
        (new_cookie, Page::new(&page)).into_response()
    }

    /// Passes the provider's hint on to the application.
    async fn hand_over(self, app: &App) -> Result<Response, PageError> {
        let hints = ProviderHints {
            login_hint: self.login_hint,
            relay_state: self.relay_state,
        };
        hand_over(app, &self.connection, &self.start, hints).await
    }
}

/// The hints of a provider that begins a sign-in.
#[derive(Debug)]
pub(super) struct ProviderHints {
    pub(super) login_hint: Option<String>,
    pub(super) relay_state: Option<String>,
}

/// Sends the browser to the address where the application begins its sign-ins, with what the provider said.
///
/// # Errors
///
/// [`PageError`] if nothing can be signed.
pub(super) async fn hand_over(
    app: &App,
    connection: &Connection,
    start: &LoginStart,
    hints: ProviderHints,
) -> Result<Response, PageError> {
    anonymous::charge(app, Work::Sign)?;
    let now = app.now().as_secs();
    let organization_id = connection.organization_id.as_ref();
    let claims = IdpInitiatedLogin {
        iss: app.issuer().to_owned(),
        aud: start.uri.clone(),
        connection_id: connection.id.to_string(),
        organization_id: organization_id.map(ToString::to_string).unwrap_or_default(),
        login_hint: hints.login_hint,
        relay_state: hints.relay_state,
        iat: now,
        nbf: now,
        exp: now + LIFETIME_SECS,
    };
    let keyring = app.keyring().await?;
    let key = keyring.signing_key(genkan_protocol::jose::Algorithm::Rs256, app.now())?;
    let token = key
        .sign(IdpInitiatedLogin::TYP, &claims)
        .map_err(KeyringError::from)?;
    let target = append_query(&start.uri, &[("idp_initiated_login", &token)]);
    Ok(([(header::CACHE_CONTROL, "no-store")], Redirect::to(&target)).into_response())
}

fn idp_initiated_login_off() -> PageError {
    PageError::new(
        StatusCode::FORBIDDEN,
        "The application cannot be opened from here",
        "Sign-ins that begin at your company’s identity provider are switched off.",
    )
    .what_to_do(
        "open the application itself and sign in there. If you run it, allow such sign-ins with genkan connection update --allow-idp-initiated.",
    )
}

pub(super) fn no_initiate_login_uri() -> PageError {
    PageError::new(
        StatusCode::BAD_REQUEST,
        "The application cannot be opened from here",
        "No application has registered an address where such a sign-in begins.",
    )
    .what_to_do(
        "open the application itself and sign in there. If you run it, register its initiate_login_uri.",
    )
}

#[cfg(test)]
pub(super) fn samples() -> genkan_web::samples::Samples {
    use genkan_web::samples::{LONG, sample};

    let begin = |company| {
        Page::new(&BeginElsewhere {
            application: "Acme Notes",
            action: "/sso/v1/oidc/conn_000000000000000000001/init",
            csrf: "c",
            hidden: &[("iss", "https://acme.okta.com")],
            company,
        })
    };
    vec![
        sample("begin-elsewhere", begin("Acme")),
        sample("begin-elsewhere-long", begin(LONG)),
    ]
}
