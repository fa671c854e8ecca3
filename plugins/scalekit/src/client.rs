//! Three requests: the token exchange, the claims, and the keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openneko_plugin::guest::{Error, HttpError, Request, World};
use openneko_plugin::json::{Json, Object};
use openneko_plugin::rpc::CompleteAuth;

use crate::environment::Environment;
use crate::form::Form;

pub(crate) struct Client<'a> {
    environment: &'a Environment,
    world: &'a mut World,
}

pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) id_token: Option<String>,
}

impl<'a> Client<'a> {
    pub(crate) fn new(environment: &'a Environment, world: &'a mut World) -> Self {
        Self { environment, world }
    }

    /// Trades the code for tokens.
    pub(crate) fn exchange(
        &mut self,
        call: &CompleteAuth,
        code_verifier: Option<&str>,
    ) -> Result<Tokens, Error> {
        let mut form = Form::new();
        form.push("grant_type", "authorization_code");
        form.push("code", &call.code);
        form.push("redirect_uri", &call.redirect_uri);
        if let Some(verifier) = code_verifier {
            form.push("code_verifier", verifier);
        }
        let Environment {
            client_id,
            client_secret,
            ..
        } = self.environment;
        // Scalekit takes the raw values; RFC 6749 §2.3.1 would percent-encode them first.
        let basic = STANDARD.encode(format!("{client_id}:{client_secret}"));
        let request = Request::post(format!("{}/oauth/token", self.environment.origin), form.as_str())
            .header("Authorization", format!("Basic {basic}"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Accept", "application/json");
        let tokens = self.call("token exchange", &request)?;
        let token = |key| {
            tokens
                .get(key)
                .and_then(Json::as_str)
                .filter(|token| !token.is_empty())
                .map(str::to_owned)
        };
        Ok(Tokens {
            access_token: token("access_token").ok_or("Scalekit token exchange returned no access_token")?,
            id_token: token("id_token"),
        })
    }

    /// Who the access token is about.
    pub(crate) fn userinfo(&mut self, access_token: &str) -> Result<Object, Error> {
        if !access_token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("Scalekit token exchange returned an access_token that cannot be sent".into());
        }
        let request = Request::get(format!("{}/userinfo", self.environment.origin))
            .header("Authorization", format!("Bearer {access_token}"))
            .header("Accept", "application/json");
        let claims = self.call("userinfo", &request)?;
        match claims.get("sub") {
            None | Some(Json::Null | Json::Bool(false)) => Err("Scalekit userinfo returned no sub".into()),
            Some(Json::String(sub)) if sub.is_empty() => Err("Scalekit userinfo returned no sub".into()),
            Some(Json::Number(zero)) if zero.as_f64() == Some(0.0) => {
                Err("Scalekit userinfo returned no sub".into())
            }
            Some(_) => Ok(claims),
        }
    }

    /// The public keys that ID tokens are signed with.
    pub(crate) fn keys(&mut self) -> Result<Json, Error> {
        let request =
            Request::get(format!("{}/keys", self.environment.origin)).header("Accept", "application/json");
        self.call("keys", &request).map(Json::Object)
    }

    fn call(&mut self, step: &str, request: &Request) -> Result<Object, Error> {
        let response = self.world.send(request).map_err(|error| match error {
            HttpError::Timeout => format!("Scalekit {step} {error}"),
            HttpError::TooLong | HttpError::Network(_) => format!("Scalekit {step} network error: {error}"),
        })?;
        let status = response.status;
        // Following it would carry the client's secret to an address that nobody entered.
        if matches!(status, 301 | 302 | 303 | 307 | 308) {
            return Err(format!(
                "Scalekit {step} returned HTTP {status} (a redirect, which is not followed)"
            )
            .into());
        }
        let text = String::from_utf8_lossy(&response.body);
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
        let body = if text.is_empty() {
            Json::Null
        } else {
            let beginning = || beginning(text);
            serde_json::from_str(text).map_err(|_| {
                format!(
                    "Scalekit {step} returned non-JSON (HTTP {status}): {}",
                    beginning()
                )
            })?
        };
        let body = match body {
            Json::Object(body) => body,
            _ => Object::new(),
        };
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let field = |key| {
            body.get(key)
                .and_then(Json::as_str)
                .filter(|text| !text.is_empty())
        };
        let error = body
            .get("error")
            .and_then(Json::as_str)
            .unwrap_or("no error code");
        let description = field("error_description")
            .map(|text| format!(": {text}"))
            .unwrap_or_default();
        Err(format!("Scalekit {step} returned HTTP {status} ({error}{description})").into())
    }
}

/// The first 200 UTF-16 units, which is how the texts of errors are cut.
fn beginning(text: &str) -> String {
    let mut units = 0;
    let fits = |c: &char| {
        units += c.len_utf16();
        units <= 200
    };
    text.chars().take_while(fits).collect()
}
