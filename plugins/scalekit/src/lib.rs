//! Signs people in to OpenNeko through Scalekit, or through a Genkan of one's own.
//!
//! The answers and the texts of errors are those of `@open-neko/plugin-scalekit`
//! 0.2.1. Beyond it, when the host offers them: PKCE, a nonce, and the ID token
//! handed to the host, which checks it.

mod client;
mod environment;
mod form;
mod identity;

use openneko_plugin::guest::{Error, Plugin, World};
use openneko_plugin::json::{Json, Object};
use openneko_plugin::rpc::{BeginAuth, BeginAuthAnswer, CompleteAuth, CompleteAuthAnswer, Registration};

use client::Client;
use environment::Environment;

/// The package's name.
pub const NAME: &str = "@open-neko/plugin-scalekit";

/// The plugin.
pub struct Scalekit;

impl Plugin for Scalekit {
    fn registration(&self) -> Registration {
        Registration::auth(NAME, env!("CARGO_PKG_VERSION"), "Scalekit")
    }

    fn begin_auth(&self, call: &BeginAuth, world: &mut World) -> Result<BeginAuthAnswer, Error> {
        let environment = Environment::read(world)?;
        let mut query = form::Form::new();
        query.push("response_type", "code");
        query.push("client_id", &environment.client_id);
        query.push("redirect_uri", &call.redirect_uri);
        query.push("state", &call.state);
        query.push("scope", "openid profile email");
        if let Some(hint) = call.login_hint.as_deref().filter(|hint| !hint.is_empty()) {
            query.push("login_hint", hint);
        }
        if let Some(challenge) = offered(&call.extra, "codeChallenge") {
            query.push("code_challenge", challenge);
            query.push(
                "code_challenge_method",
                offered(&call.extra, "codeChallengeMethod").unwrap_or("S256"),
            );
        }
        if let Some(nonce) = offered(&call.extra, "nonce") {
            query.push("nonce", nonce);
        }
        Ok(BeginAuthAnswer {
            authorization_url: format!("{}/oauth/authorize?{}", environment.origin, query.as_str()),
            ..BeginAuthAnswer::default()
        })
    }

    fn complete_auth(&self, call: &CompleteAuth, world: &mut World) -> Result<CompleteAuthAnswer, Error> {
        let environment = Environment::read(world)?;
        // RFC 9207 §2.4: a code of another issuer must not be sent to this one.
        if offered(&call.extra, "iss").is_some_and(|iss| iss.trim_end_matches('/') != environment.origin) {
            return Err("the browser came back from another issuer than SCALEKIT_ENVIRONMENT_URL".into());
        }
        let mut client = Client::new(&environment, world);
        let tokens = client.exchange(call, offered(&call.extra, "codeVerifier"))?;
        let claims = client.userinfo(&tokens.access_token)?;
        let mut identity = identity::from_claims(&claims)?;
        let mut extra = Object::new();
        if offered(&call.extra, "nonce").is_some() {
            if let Some(Json::Bool(is_verified)) = claims.get("email_verified") {
                identity.extra.insert("emailVerified", Json::Bool(*is_verified));
            }
            let token = tokens
                .id_token
                .ok_or("Scalekit token exchange returned no id_token")?;
            extra.insert(
                "idToken",
                Json::Object(id_token(token, &environment, client.keys()?)),
            );
        }
        Ok(CompleteAuthAnswer { identity, extra })
    }
}

/// What the host needs to check an ID token; the plugin does not check it itself.
fn id_token(token: String, environment: &Environment, keys: Json) -> Object {
    Object::from_iter([
        ("token".to_owned(), Json::String(token)),
        ("issuer".to_owned(), Json::String(environment.origin.clone())),
        ("audience".to_owned(), Json::String(environment.client_id.clone())),
        ("keys".to_owned(), keys),
    ])
}

/// What a host offers beyond protocol 1.
fn offered<'a>(extra: &'a Object, key: &str) -> Option<&'a str> {
    extra.get(key)?.as_str().filter(|value| !value.is_empty())
}

openneko_plugin::main!(Scalekit);
