//! A company's identity provider: the simulator at its own address. If a test says so, a layer in front of
//! it answers instead.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan::dev;
use genkan::simulator::{Config, PATH, Simulator, saml};
use genkan_protocol::saml::IdpMetadata;
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::task::AbortHandle;

use crate::Key;
use crate::world::World;

const CLIENT_ID: &str = "genkan-at-acme";
const KID: &str = "idp-1";
const CLIENT_SECRET: &str = "upstream-client-secret-that-nobody-may-see";

/// An answer instead of the simulator's.
#[derive(Debug, Clone)]
pub struct Canned {
    pub status: StatusCode,
    pub headers: Vec<(header::HeaderName, String)>,
    pub body: String,
}

impl Canned {
    pub fn json(value: &Value) -> Self {
        Self {
            status: StatusCode::OK,
            headers: vec![(header::CONTENT_TYPE, "application/json".to_owned())],
            body: value.to_string(),
        }
    }

    pub fn status(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    pub fn redirect(to: &str) -> Self {
        Self {
            headers: vec![(header::LOCATION, to.to_owned())],
            ..Self::status(StatusCode::FOUND)
        }
    }
}

impl IntoResponse for Canned {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            response.headers_mut().append(name, value.parse().unwrap());
        }
        response
    }
}

/// A request to the identity provider.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The path below the issuer: `/token`.
    pub path: String,
    pub headers: HeaderMap,
    query: String,
    body: String,
}

impl Recorded {
    /// A parameter of the query or the form.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let find = |text: &str| {
            url::form_urlencoded::parse(text.as_bytes())
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.into_owned())
        };
        find(&self.query).or_else(|| find(&self.body))
    }
}

#[derive(Debug, Default)]
struct Desk {
    canned: Mutex<HashMap<String, Canned>>,
    requests: Mutex<Vec<Recorded>>,
    /// Claims that replace those of every ID token. `null` removes one.
    id_token_claims: Mutex<Map<String, Value>>,
}

/// An identity provider.
#[derive(Debug)]
pub struct IdentityProvider {
    url: String,
    issuer: String,
    desk: Arc<Desk>,
    http: reqwest::Client,
    running: AbortHandle,
}

impl Drop for IdentityProvider {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl IdentityProvider {
    /// Starts one beside a gateway, for any of its connections.
    pub(crate) async fn beside(world: &World) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Not the gateway's host, so that browsers keep their cookies apart.
        let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let clock = world.clock.clone();
        let simulator = Simulator::new(
            Config {
                public_url: url.clone(),
                client_id: CLIENT_ID.to_owned(),
                client_secret: CLIENT_SECRET.to_owned(),
                redirect_uris: vec![format!("{}/sso/v1/oidc/conn_1/callback", world.url)],
                demo_url: None,
                saml: saml::Config {
                    organization_id: None,
                    encryption: Some(dev::saml::encryption_certificates(&world.app)),
                },
            },
            move || clock.now(),
        );
        simulator.sign_with(Key::IdentityProvider.signing(KID)).await;
        let desk = Arc::new(Desk::default());
        let router: Router = simulator
            .router()
            .layer(middleware::from_fn_with_state(Arc::clone(&desk), attend));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        world.add_server(&url, "https://idp.test");
        Self {
            issuer: simulator.issuer().to_owned(),
            url,
            desk,
            http: world.http.clone(),
            running: serving.abort_handle(),
        }
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn client_id(&self) -> &'static str {
        CLIENT_ID
    }

    pub fn client_secret(&self) -> &'static str {
        CLIENT_SECRET
    }

    /// An address below the issuer.
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{PATH}{path}", self.url)
    }

    /// Its metadata.
    pub async fn metadata(&self) -> Value {
        let url = self.endpoint("/.well-known/openid-configuration");
        let response = self.http.get(url).send().await.unwrap();
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }

    /// Its metadata for SAML.
    pub async fn saml_metadata(&self) -> IdpMetadata {
        let response = self
            .http
            .get(self.endpoint("/saml/metadata"))
            .send()
            .await
            .unwrap();
        let document = response.bytes().await.unwrap();
        IdpMetadata::parse(std::str::from_utf8(&document).unwrap()).unwrap()
    }

    /// From now on `path` (below the issuer) gives this answer.
    pub fn answer(&self, path: &str, canned: Canned) {
        let mut all = self.desk.canned.lock();
        all.insert(path.to_owned(), canned);
    }

    /// From now on `path` gives the simulator's answer again.
    pub fn behave(&self, path: &str) {
        let mut all = self.desk.canned.lock();
        all.remove(path);
    }

    /// From now on ID tokens have these claims, with a valid signature. `null` removes a claim.
    ///
    /// # Panics
    ///
    /// If `claims` is no object.
    pub fn change_id_tokens(&self, claims: &Value) {
        let claims = claims.as_object().expect("claims are an object").clone();
        *self.desk.id_token_claims.lock() = claims;
    }

    /// Sends the form of the sign-in page without a browser, and returns the address of the redirect in its
    /// answer.
    pub async fn answer_to(&self, form: &[(String, String)]) -> String {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let response = self
            .http
            .post(self.endpoint("/authorize"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap();
        let location = response.headers().get(header::LOCATION);
        location.expect("an answer").to_str().unwrap().to_owned()
    }

    /// The requests to `path` so far.
    pub fn requests(&self, path: &str) -> Vec<Recorded> {
        let all = self.desk.requests.lock();
        all.iter()
            .filter(|request| request.path == path)
            .cloned()
            .collect()
    }

    /// The last request to `path`.
    ///
    /// # Panics
    ///
    /// If there was none.
    pub fn last_request(&self, path: &str) -> Recorded {
        let all = self.requests(path);
        all.last()
            .unwrap_or_else(|| panic!("nothing came to {path}"))
            .clone()
    }
}

async fn attend(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path = parts.uri.path().trim_start_matches(PATH).to_owned();
    let recorded = Recorded {
        path: path.clone(),
        headers: parts.headers.clone(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    desk.requests.lock().push(recorded);
    let canned = {
        let all = desk.canned.lock();
        all.get(&path).cloned()
    };
    let response = match canned {
        Some(canned) => return canned.into_response(),
        None => next.run(Request::from_parts(parts, Body::from(body))).await,
    };
    let changes = {
        let changes = desk.id_token_claims.lock();
        changes.clone()
    };
    if path == "/token" && response.status().is_success() && !changes.is_empty() {
        return with_claims(response, changes).await;
    }
    response
}

/// The same answer with other claims in its ID token.
async fn with_claims(response: Response, changes: Map<String, Value>) -> Response {
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let mut answer: Value = serde_json::from_slice(&body).unwrap();
    let mut claims = claims_of(answer["id_token"].as_str().expect("an ID token"));
    for (name, value) in changes {
        match value {
            Value::Null => drop(claims.remove(&name)),
            value => drop(claims.insert(name, value)),
        }
    }
    let key = Key::IdentityProvider.signing(KID);
    answer["id_token"] = key.sign("JWT", &claims).unwrap().into();
    Canned::json(&answer).into_response()
}

fn claims_of(token: &str) -> Map<String, Value> {
    let claims = token.split('.').nth(1).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}
