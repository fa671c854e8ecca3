//! REST: the management API in JSON, transcoded from the HTTP annotations of the contract.
//!
//! There is no generated code and no decision here: a request is bound to the message of
//! its RPC and passed to the same stack as gRPC calls.
//!
//! Source: `google/api/http.proto`, "Transcoding HTTP/JSON to gRPC".

pub(crate) mod bind;
mod error;
pub(crate) mod json;
mod relay;
pub(crate) mod routes;
pub(crate) mod template;
#[cfg(test)]
mod tests;

use std::convert::Infallible;

use axum::body::{Body, HttpBody as _};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tower::Service;

use self::error::RestError;
use self::json::{Defaults, Rendered};
use self::routes::{BodyBinding, RouteMatch, Routes};
use crate::{Gate, GrpcStack};

/// Largest request body, as large as a gRPC message may be.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// The paths of the annotations outside of `/api/`.
///
/// A list, so that a request for a page does not parse the descriptors; a test compares them.
const ELSEWHERE: [&str; 1] = ["/.well-known/webauthn"];

/// The REST side of the management API.
#[derive(Debug, Clone)]
pub struct Rest<S = GrpcStack> {
    grpc: S,
}

impl<S> Rest<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<tonic::body::Body>, Error = Infallible>
        + Gate
        + Clone,
{
    /// Every call goes to `grpc`.
    pub const fn new(grpc: S) -> Self {
        Self { grpc }
    }

    /// Whether `path` belongs to the API: everything below `/api/`, and the other paths of
    /// the annotations.
    pub fn serves(&self, path: &str) -> bool {
        path.starts_with("/api/") || ELSEWHERE.contains(&path)
    }

    /// Answers any request.
    pub async fn call(&self, request: Request<Body>) -> Response<Body> {
        match self.answer(request).await {
            Ok(response) => response,
            Err(failure) => failure.into_response(crate::descriptors::pool()),
        }
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, RestError> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        // The server drops the body of the answer.
        let verb = if parts.method == Method::HEAD {
            &Method::GET
        } else {
            &parts.method
        };
        let (route, captures) = match Routes::get().find(verb, &path) {
            RouteMatch::Route(route, captures) => (route, captures),
            RouteMatch::OtherVerbs(verbs) if *verb == Method::OPTIONS => return Ok(options(&verbs)),
            RouteMatch::OtherVerbs(verbs) => return Err(RestError::OtherVerbs(verbs)),
            RouteMatch::Nothing => return Err(RestError::UnknownPath),
        };
        // All of it before a byte of the body is read.
        if route.needs_token && !parts.headers.contains_key(header::AUTHORIZATION) {
            return Err(RestError::NoToken);
        }
        self.grpc
            .admit(&mut parts, route.grpc_path.path())
            .await
            .map_err(RestError::Status)?;
        let body = match route.body {
            BodyBinding::None => Vec::new(),
            BodyBinding::Whole | BodyBinding::Field(_) => read(&parts.headers, body).await?,
        };
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let message = bind::bind(route, &captures, &query, &body)?;
        let answer = relay::call(self.grpc.clone(), route, parts, &message)
            .await
            .map_err(RestError::Status)?;
        let rendered = Rendered {
            message: &answer,
            defaults: Defaults::Shown,
        };
        match serde_json::to_vec(&rendered) {
            Ok(text) => Ok(error::answer(route.success(), text)),
            Err(error) => {
                tracing::error!(%error, rpc = %route.grpc_path, "an answer cannot be written as JSON");
                Err(RestError::Status(tonic::Status::internal(
                    "the answer cannot be written as JSON",
                )))
            }
        }
    }
}

fn options(verbs: &[Method]) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::ALLOW, error::allow(verbs));
    response
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, RestError> {
    if body.is_end_stream() {
        return Ok(Vec::new());
    }
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if text(header::CONTENT_ENCODING).is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(RestError::ContentEncoding);
    }
    let is_json = |kind: &str| {
        let essence = kind.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    };
    if text(header::CONTENT_TYPE).is_some_and(|kind| !is_json(kind)) {
        return Err(RestError::MediaType);
    }
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(RestError::TooLarge),
        Err(_) => Err(RestError::Unreadable),
    }
}
