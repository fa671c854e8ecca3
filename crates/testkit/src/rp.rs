//! An application (relying party): it sends people to the gateway and calls its endpoints.

use std::sync::Arc;

use genkan_protocol::oauth::CodeVerifier;
use genkan_store::client::{self, Client};
use genkan_store::{ClientId, Error, Secret};
use http::Method;
use serde_json::Value;

use crate::reply::{Call, Reply};
use crate::world::World;

/// The scope of an application's request, unless a test names another one.
const SCOPE: &str = "openid profile email offline_access";

/// A registered application.
#[derive(Debug, Clone)]
pub struct Rp {
    world: Arc<World>,
    pub id: ClientId,
    pub name: String,
    /// `None`: a public client.
    pub secret: Option<String>,
    pub redirect_uri: String,
    pub post_logout_redirect_uri: String,
}

/// An authorization request that was not sent yet.
#[derive(Debug, Clone)]
pub struct Authorize {
    endpoint: String,
    parameters: Vec<(String, String)>,
    code_verifier: Option<String>,
}

/// A code that was not redeemed yet, with the parameters that belong to it.
#[derive(Debug, Clone)]
pub struct Code {
    pub code: String,
    pub redirect_uri: Option<String>,
    pub code_verifier: Option<String>,
    pub nonce: Option<String>,
}

/// The answer of introspection.
#[derive(Debug)]
pub struct Introspection {
    pub active: bool,
    pub json: Value,
}

impl Authorize {
    /// Sets a parameter, replacing one of that name.
    #[must_use]
    pub fn with(self, name: &str, value: impl Into<String>) -> Self {
        let mut request = self.without(name);
        request.parameters.push((name.to_owned(), value.into()));
        request
    }

    /// Adds a parameter, even if there is one of that name.
    #[must_use]
    pub fn and(mut self, name: &str, value: impl Into<String>) -> Self {
        self.parameters.push((name.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(known, _)| known != name);
        self
    }

    #[must_use]
    pub fn without_pkce(mut self) -> Self {
        self.code_verifier = None;
        self.without("code_challenge").without("code_challenge_method")
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        parameters
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn query(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.parameters)
            .finish()
    }

    pub fn url(&self) -> String {
        format!("{}?{}", self.endpoint, self.query())
    }

    /// The parameters for redeeming `code`, if this request led to it.
    pub fn code(&self, code: &str) -> Code {
        Code {
            code: code.to_owned(),
            redirect_uri: self.parameter("redirect_uri").map(ToOwned::to_owned),
            code_verifier: self.code_verifier.clone(),
            nonce: self.parameter("nonce").map(ToOwned::to_owned),
        }
    }
}

impl Rp {
    pub(crate) fn new(world: Arc<World>, client: &Client, secret: Option<String>) -> Self {
        let first = |uris: &[String]| uris.first().cloned().unwrap_or_default();
        Self {
            world,
            id: client.id.clone(),
            name: client.name.clone(),
            secret,
            redirect_uri: first(&client.redirect_uris),
            post_logout_redirect_uri: first(&client.post_logout_redirect_uris),
        }
    }

    /// A request with all parameters of a careful application.
    pub fn authorize(&self) -> Authorize {
        let random = || Secret::generate().expose().to_owned();
        let code_verifier = random();
        let challenge = CodeVerifier::parse(&code_verifier).unwrap().challenge();
        Authorize {
            endpoint: format!("{}/oauth/authorize", self.world.url),
            parameters: Vec::new(),
            code_verifier: Some(code_verifier),
        }
        .with("response_type", "code")
        .with("client_id", self.id.as_str())
        .with("redirect_uri", &self.redirect_uri)
        .with("scope", SCOPE)
        .with("state", random())
        .with("nonce", random())
        .with("code_challenge", challenge.as_str())
        .with("code_challenge_method", "S256")
    }

    /// A request to an endpoint, with this application's credentials in the body.
    pub fn post(&self, path: &str, parameters: &[(&str, &str)]) -> Call {
        let mut form = parameters.to_vec();
        form.push(("client_id", self.id.as_str()));
        form.extend(self.secret.as_deref().map(|secret| ("client_secret", secret)));
        self.post_as_nobody(path, &form)
    }

    /// The same with the credentials in the header.
    pub fn post_basic(&self, path: &str, parameters: &[(&str, &str)]) -> Call {
        let secret = self.secret.as_deref().unwrap_or_default();
        self.post_as_nobody(path, parameters)
            .basic(self.id.as_str(), secret)
    }

    /// A request without credentials.
    pub fn post_as_nobody(&self, path: &str, parameters: &[(&str, &str)]) -> Call {
        Call::new(&self.world, Method::POST, &format!("{}{path}", self.world.url)).form(parameters)
    }

    /// The parameters for redeeming a code.
    pub fn redemption(code: &Code) -> Vec<(&str, &str)> {
        let mut form = vec![("grant_type", "authorization_code"), ("code", code.code.as_str())];
        form.extend(code.redirect_uri.as_deref().map(|uri| ("redirect_uri", uri)));
        form.extend(
            code.code_verifier
                .as_deref()
                .map(|verifier| ("code_verifier", verifier)),
        );
        form
    }

    pub async fn redeem(&self, code: &Code) -> Reply {
        self.post("/oauth/token", &Self::redemption(code)).send().await
    }

    pub async fn refresh(&self, refresh_token: &str) -> Reply {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        self.post("/oauth/token", &form).send().await
    }

    pub async fn introspect(&self, token: &str) -> Introspection {
        let reply = self.post("/oauth/introspect", &[("token", token)]).send().await;
        let json = reply.json();
        Introspection {
            active: json["active"].as_bool().unwrap_or_else(|| panic!("{json}")),
            json,
        }
    }

    pub async fn revoke(&self, token: &str) -> Reply {
        self.post("/revoke", &[("token", token)]).send().await
    }

    pub async fn userinfo(&self, access_token: &str) -> Reply {
        let url = format!("{}/userinfo", self.world.url);
        Call::new(&self.world, Method::GET, &url)
            .bearer(access_token)
            .send()
            .await
    }

    /// The address that ends the session.
    pub fn logout_url(&self, parameters: &[(&str, &str)]) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        format!("{}/oidc/logout?{query}", self.world.url)
    }

    /// The claims of a token of the gateway. Another library verifies the signature with the published
    /// keys. Times are not checked.
    ///
    /// # Panics
    ///
    /// If the signature is invalid.
    pub async fn verify(&self, token: &str) -> Value {
        let keys = Call::new(&self.world, Method::GET, &format!("{}/keys", self.world.url));
        let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_slice(&keys.send().await.body).unwrap();
        let header = jsonwebtoken::decode_header(token).expect("a JWT");
        let key = keys
            .find(header.kid.as_deref().expect("a kid"))
            .expect("the key is published");
        let mut rules = jsonwebtoken::Validation::new(header.alg);
        (rules.validate_exp, rules.validate_aud) = (false, false);
        rules.required_spec_claims.clear();
        let key = jsonwebtoken::DecodingKey::from_jwk(key).unwrap();
        jsonwebtoken::decode::<Value>(token, &key, &rules)
            .expect("the signature holds")
            .claims
    }

    /// Changes its registration.
    pub async fn change(&self, change: impl Fn(&mut Client)) {
        let at = self.world.app.at(self.world.app.now());
        self.world
            .tx(async |tx| -> Result<(), Error> {
                let mut client = client::find(tx, &self.id).await?.expect("the client exists");
                change(&mut client);
                client::update(tx, at, &client).await
            })
            .await;
    }
}
