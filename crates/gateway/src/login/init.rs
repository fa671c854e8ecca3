//! `GET|POST /sso/v1/{oidc,saml}/{connection}/init`: a login that begins at the identity provider, if the
//! connection allows it.
//!
//! It signs nobody in. The browser is sent to the application's own login address with a short-lived token,
//! and an ordinary login follows. Anybody can make such a link, and can make somebody else's browser send a
//! provider's assertion. So the first such login at a connection asks the person, and the answer covers the
//! request that follows. See `docs/decisions/forced-sign-in.md`.
//!
//! For OpenID Connect the provider sends the browser here. For SAML it posts an assertion, which is checked
//! and used up there ([`saml`](crate::connections::saml)). The POST sends the browser here, because it has
//! no cookie by which a browser could be recognized.
//!
//! Source: OIDC Core §4; SAML Profiles §4.1.5.

use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use genkan_protocol::oauth::{Parameters, append_query};
use genkan_protocol::oidc::{IdpInitiatedLogin, issuer_of};
use genkan_store::client::LoginStart;
use genkan_store::connection::Endpoint::Init;
use genkan_store::connection::{Connection, Kind, OidcSettings, Protocol, SamlSettings};
use genkan_store::{
    ConnectionId, Error, Secret, SecretHash, client, connection, familiar, interaction, organization,
};
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};
use genkan_web::text::Hidden;
use http::{HeaderMap, StatusCode};

use crate::anonymous::{self, Work};
use crate::app::App;
use crate::connections;
use crate::connections::saml::{self, InitiatedSignIn};
use crate::cookies::Cookie;
use crate::keys::KeyringError;
use crate::web::cross_site;
use crate::web::error::PageError;
use crate::web::own_form::OwnForm;
use crate::web::see_other::see_other;

/// How long the application may take to begin the login, which is a redirect or two.
const LIFETIME_SECS: i64 = 60;

/// How long the browser may take from the POST of an assertion to here, which is one redirect.
const ASSERTION_LIFETIME: Duration = Duration::from_mins(1);

/// How long the person may look at the page before they press its button.
const QUESTION_LIFETIME: Duration = interaction::CONFIRMATION_TIMEOUT;

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
    hints: ProviderHints,
    /// The parameters of the request, as far as they count.
    parameters: Vec<(&'static str, String)>,
}

/// The way by which the hints of a SAML provider come. Each is sealed in its own way.
#[derive(Debug, Clone, Copy)]
enum HintSource {
    /// The address to which the POST of the assertion has redirected.
    Address,
    /// The form of the page, in this browser.
    Form(SecretHash),
}

/// The hints of a provider that begins a sign-in.
struct ProviderHints {
    login_hint: Option<String>,
    relay_state: Option<String>,
}

/// The address.
pub(super) fn page(kind: Kind) -> MethodRouter<App> {
    get(begin).post(go_on).layer(Extension(kind))
}

/// Asks the person, unless this browser has signed in there before.
async fn begin(
    State(app): State<App>,
    Extension(kind): Extension<Kind>,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes())
        .map_err(|_| PageError::invalid_request("The address is garbled or too long."))?;
    let login = InitiatedLogin::read(&app, (kind, &id), (&parameters, HintSource::Address)).await?;
    let known = app.cookies().read(&headers, Cookie::Browser);
    if cross_site::is_told(&headers) && !login.is_remembered(&app, known.as_ref()).await? {
        return login.ask(&app, &headers);
    }
    login.hand_over(&app).await
}

/// Continues after the person has pressed the button.
async fn go_on(
    State(app): State<App>,
    Extension(kind): Extension<Kind>,
    Path(id): Path<String>,
    form: OwnForm,
) -> Result<Response, PageError> {
    let (hash, now) = (form.bound.0.sha256(), app.now());
    let login = InitiatedLogin::read(&app, (kind, &id), (&form.fields, HintSource::Form(hash))).await?;
    let connection_id = &login.connection.id;
    app.db()
        .tx(async |tx| familiar::agree(tx, &hash, connection_id, now).await)
        .await?;
    login.hand_over(&app).await
}

/// The hints of an OpenID Provider. Anybody can make them.
fn of_oidc(settings: &OidcSettings, parameters: &Parameters) -> Result<ProviderHints, PageError> {
    // OIDC Core §4: the issuer is required, and must be one we know.
    if one(parameters, "iss").is_none_or(|issuer| issuer != issuer_of(&settings.issuer)) {
        return Err(PageError::invalid_request(
            "The identity provider is not the one of this connection.",
        ));
    }
    if !settings.allow_idp_initiated_login {
        return Err(idp_initiated_login_off(Kind::Oidc));
    }
    Ok(ProviderHints {
        login_hint: bounded(one(parameters, "login_hint"), MAX_LOGIN_HINT)?,
        relay_state: bounded(one(parameters, "target_link_uri"), MAX_TARGET)?,
    })
}

/// The hints of a SAML provider, which its assertion has proved.
fn of_saml(
    app: &App,
    (id, settings): (&ConnectionId, &SamlSettings),
    (parameters, source): (&Parameters, HintSource),
) -> Result<ProviderHints, PageError> {
    let sealed = one(parameters, saml::PARAMETER).unwrap_or_default();
    let opened = match source {
        HintSource::Address => InitiatedSignIn::open(app, id, (sealed, ASSERTION_LIFETIME)),
        HintSource::Form(browser) => {
            InitiatedSignIn::open_form(app, id, &browser, (sealed, QUESTION_LIFETIME))
        }
    };
    let InitiatedSignIn {
        login_hint,
        relay_state,
        ..
    } = opened?;
    // It was switched off after the POST.
    if !settings.allow_idp_initiated_login {
        return Err(idp_initiated_login_off(Kind::Saml));
    }
    Ok(ProviderHints {
        login_hint,
        relay_state,
    })
}

/// The parameters that the page's form repeats. Those of SAML are sealed anew.
const fn repeated(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Oidc => &["iss", "login_hint", "target_link_uri"],
        Kind::Saml => &[],
    }
}

fn one<'a>(parameters: &'a Parameters, name: &'static str) -> Option<&'a str> {
    parameters.one(name).ok().flatten()
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
    async fn read(
        app: &App,
        (kind, id): (Kind, &str),
        (parameters, source): (&Parameters, HintSource),
    ) -> Result<Self, PageError> {
        let id = ConnectionId::parse(id).map_err(|_| connections::unknown())?;
        let found = app
            .db()
            .read(async |tx| -> Result<_, Error> {
                let Some(connection) = connection::find(tx, &id).await? else {
                    return Ok(None);
                };
                let organization = match &connection.organization_id {
                    Some(id) => organization::find(tx, id).await?,
                    None => None,
                };
                let settings = connection.settings.as_saml();
                let chosen = settings.and_then(|settings| settings.default_redirect_uri.as_deref());
                let start = client::login_start(tx, chosen).await?;
                Ok(Some((connection, organization, start)))
            })
            .await?;
        let (connection, organization, start) = found
            .filter(|(connection, ..)| connection.enabled && connection.kind() == kind)
            .ok_or_else(connections::unknown)?;
        let hints = match &connection.settings.protocol {
            Protocol::Oidc(settings) => of_oidc(settings, parameters)?,
            Protocol::Saml(settings) => of_saml(app, (&id, settings), (parameters, source))?,
        };
        let parameters = repeated(kind)
            .iter()
            .filter_map(|&name| Some((name, one(parameters, name)?.to_owned())))
            .collect();
        Ok(Self {
            company: organization.map_or_else(|| connection.name.clone(), |found| found.display_name),
            start: start.ok_or_else(no_initiate_login_uri)?,
            hints,
            parameters,
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

    fn ask(&self, app: &App, headers: &HeaderMap) -> Result<Response, PageError> {
        let (browser, new_cookie) = app.cookies().browser(headers);
        let action = self.connection.path(Init);
        let sealed = match self.connection.kind() {
            Kind::Oidc => None,
            Kind::Saml => {
                let ProviderHints {
                    login_hint,
                    relay_state,
                } = &self.hints;
                let hints = (login_hint.clone(), relay_state.clone());
                let browser = browser.sha256();
                Some(InitiatedSignIn::for_form(
                    app,
                    &self.connection.id,
                    &browser,
                    hints,
                )?)
            }
        };
        let sealed = sealed.as_deref().map(|sealed| (saml::PARAMETER, sealed));
        let repeated = self
            .parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let hidden: Vec<Hidden<'_>> = repeated.chain(sealed).collect();
        let page = BeginElsewhere {
            application: &self.start.application,
            action: &action,
            csrf: &app.form_token(&browser, &action),
            hidden: &hidden,
            company: &self.company,
        };
        Ok((new_cookie, Page::new(&page)).into_response())
    }

    /// Sends the browser to the address where the application begins its sign-ins, with what the provider
    /// said.
    async fn hand_over(self, app: &App) -> Result<Response, PageError> {
        anonymous::charge(app, Work::Sign)?;
        let now = app.now().as_secs();
        let Self {
            connection,
            start,
            hints,
            ..
        } = self;
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
        Ok(see_other(&append_query(
            &start.uri,
            &[("idp_initiated_login", &token)],
        )))
    }
}

fn idp_initiated_login_off(kind: Kind) -> PageError {
    PageError::new(
        StatusCode::FORBIDDEN,
        "The application cannot be opened from here",
        "Sign-ins that begin at your company’s identity provider are switched off.",
    )
    .what_to_do(match kind {
        Kind::Oidc => {
            "open the application itself and sign in there. If you run it, allow such sign-ins with genkan connection update --allow-idp-initiated."
        }
        Kind::Saml => {
            "open the application itself and sign in there. If you run it, allow such sign-ins with genkan connection update --saml-idp-initiated."
        }
    })
}

fn no_initiate_login_uri() -> PageError {
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
