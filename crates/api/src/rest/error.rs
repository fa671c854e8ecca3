//! Failures in REST: the status of the table, and one shape of body.
//!
//! Source: `google/rpc/code.proto`, RFC 9110 §15.

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde::Serialize;
use serde_json::{Value as Json, json};
use tonic::{Code, Status};

use super::json::{Defaults, Mistake, Rendered};

const ERROR_INFO: &str = "type.googleapis.com/scalekit.v1.errdetails.ErrorInfo";

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) enum RestError {
    /// The answer of the gRPC side.
    Status(Status),
    /// No template fits the path.
    UnknownPath,
    OtherVerbs(Vec<Method>),
    /// The call needs a token and has none.
    NoToken,
    MediaType,
    ContentEncoding,
    TooLarge,
    /// The body broke off or came too slowly.
    Unreadable,
    Mistake(Mistake),
}

impl From<Mistake> for RestError {
    fn from(mistake: Mistake) -> Self {
        Self::Mistake(mistake)
    }
}

impl RestError {
    pub(crate) fn into_response(self, pool: &DescriptorPool) -> Response<Body> {
        match self {
            Self::Status(status) => of_status(&status, pool),
            Self::UnknownPath => refusal(
                StatusCode::NOT_FOUND,
                Code::NotFound,
                "ENDPOINT_NOT_FOUND",
                "there is nothing at this path: /api/reference lists what there is",
            ),
            Self::OtherVerbs(verbs) => {
                let sentence = "this path does not answer that method";
                let mut response = refusal(
                    StatusCode::METHOD_NOT_ALLOWED,
                    Code::Unimplemented,
                    "METHOD_NOT_ALLOWED",
                    sentence,
                );
                response.headers_mut().insert(header::ALLOW, allow(&verbs));
                response
            }
            Self::NoToken => {
                let sentence = "send an access token: Authorization: Bearer …";
                let mut response = refusal(
                    StatusCode::UNAUTHORIZED,
                    Code::Unauthenticated,
                    "UNAUTHENTICATED",
                    sentence,
                );
                challenge(response.headers_mut());
                response
            }
            Self::MediaType => refusal(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Code::InvalidArgument,
                "UNSUPPORTED_MEDIA_TYPE",
                "send the body as JSON, with Content-Type: application/json",
            ),
            Self::ContentEncoding => refusal(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Code::InvalidArgument,
                "UNSUPPORTED_MEDIA_TYPE",
                "send the body as it is, without Content-Encoding",
            ),
            Self::TooLarge => refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                Code::OutOfRange,
                "PAYLOAD_TOO_LARGE",
                "the body is larger than 4 MiB",
            ),
            Self::Unreadable => refusal(
                StatusCode::BAD_REQUEST,
                Code::InvalidArgument,
                "INVALID_ARGUMENT",
                "the body could not be read to its end",
            ),
            Self::Mistake(mistake) => of_mistake(&mistake),
        }
    }
}

/// `Allow` for a path: `HEAD` comes with `GET`, `OPTIONS` always.
pub(crate) fn allow(verbs: &[Method]) -> HeaderValue {
    let mut names: Vec<&str> = verbs.iter().map(Method::as_str).collect();
    if verbs.contains(&Method::GET) {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.sort_unstable();
    HeaderValue::from_str(&names.join(", ")).expect("verbs are letters")
}

/// The headers of every answer: it is for one caller, and it is JSON.
pub(crate) fn answer(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_TYPE, "application/json");
    set(header::CACHE_CONTROL, "no-store");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}

/// RFC 9110 §15.5.2: a 401 names the scheme to use.
fn challenge(headers: &mut HeaderMap) {
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
}

fn refusal(http: StatusCode, code: Code, error_code: &str, message: &str) -> Response<Body> {
    let details = json!([{ "@type": ERROR_INFO, "error_code": error_code }]);
    body(http, code, message, &details)
}

fn of_mistake(mistake: &Mistake) -> Response<Body> {
    let Mistake { field, description } = mistake;
    if field.is_empty() {
        return refusal(
            StatusCode::BAD_REQUEST,
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
            description,
        );
    }
    let violation = json!({ "field": field, "description": description });
    let details = json!([{
        "@type": ERROR_INFO,
        "error_code": "INVALID_ARGUMENT",
        "validation_error_info": { "field_violations": [violation] },
    }]);
    let message = format!("{field}: {description}");
    body(StatusCode::BAD_REQUEST, Code::InvalidArgument, &message, &details)
}

fn body(http: StatusCode, code: Code, message: &str, details: &Json) -> Response<Body> {
    /// In the order of `google.rpc.Status`.
    #[derive(Serialize)]
    struct Body<'a> {
        code: i32,
        message: &'a str,
        details: &'a Json,
    }
    let code = i32::from(code);
    let text = serde_json::to_vec(&Body {
        code,
        message,
        details,
    })
    .expect("text and numbers are JSON");
    answer(http, text)
}

/// `google.rpc.Status`, as `grpc-status-details-bin` carries it.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

fn of_status(status: &Status, pool: &DescriptorPool) -> Response<Body> {
    let decoded = RpcStatus::decode(status.details()).unwrap_or_default();
    let details: Vec<Json> = decoded
        .details
        .iter()
        .filter_map(|any| detail(any, pool))
        .collect();
    let http = http_status(status.code());
    let mut response = body(http, status.code(), status.message(), &Json::Array(details));
    if http == StatusCode::UNAUTHORIZED {
        challenge(response.headers_mut());
    }
    let after = status.metadata().get("retry-after");
    if let Some(after) = after.and_then(|after| HeaderValue::from_bytes(after.as_bytes()).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, after);
    }
    response
}

/// A detail with its `@type`; absent if its type is unknown here.
fn detail(any: &prost_types::Any, pool: &DescriptorPool) -> Option<Json> {
    let name = any.type_url.rsplit('/').next()?;
    let message = DynamicMessage::decode(pool.get_message_by_name(name)?, any.value.as_slice()).ok()?;
    let rendered = Rendered {
        message: &message,
        defaults: Defaults::Left,
    };
    let mut json = serde_json::to_value(rendered).ok()?;
    json.as_object_mut()?
        .insert("@type".to_owned(), Json::from(any.type_url.as_str()));
    Some(json)
}

pub(crate) fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        // "Client closed request": no standard number, but the one in use.
        Code::Cancelled => StatusCode::from_u16(499).expect("499 is in range"),
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
    }
}
