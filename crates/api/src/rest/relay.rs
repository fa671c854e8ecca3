//! A call to the gRPC services of the same process. They apply authorization, limits and
//! rules to a REST request as well, so there is no second way in.
//!
//! Source: gRPC over HTTP2 (`PROTOCOL-HTTP2.md` of grpc/grpc).

use std::convert::Infallible;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Version, header, request};
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use tonic::{Status, body::Body};
use tower::{Service, ServiceExt as _};

use super::routes::Route;

/// Flag and length of a gRPC frame.
const FRAME_HEAD: usize = 5;

/// The headers that services may read. Cookies are not among them, because a browser sends
/// them with requests of any page.
const PASSED_ON: [HeaderName; 3] = [
    header::AUTHORIZATION,
    header::USER_AGENT,
    HeaderName::from_static("x-request-id"),
];

/// Calls the RPC of `route` with `message` as the caller of `parts`.
pub(crate) async fn call<S>(
    services: S,
    route: &Route,
    parts: request::Parts,
    message: &DynamicMessage,
) -> Result<DynamicMessage, Status>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let response = match services.oneshot(grpc_request(route, parts, message)).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (head, body) = response.into_parts();
    if let Some(status) = failure(&head.headers) {
        return Err(status);
    }
    let collected = body.collect().await?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    if let Some(mut status) = failure(&trailers) {
        if let Some(after) = head
            .headers
            .get(header::RETRY_AFTER)
            .and_then(|after| after.to_str().ok()?.parse().ok())
        {
            status.metadata_mut().insert("retry-after", after);
        }
        return Err(status);
    }
    let bytes =
        unframed(&collected.to_bytes()).ok_or_else(|| Status::internal("a service gave no answer"))?;
    DynamicMessage::decode(route.method.output(), bytes)
        .map_err(|_| Status::internal("a service gave an answer of another kind"))
}

fn grpc_request(route: &Route, parts: request::Parts, message: &DynamicMessage) -> Request<Body> {
    let mut frame = BytesMut::with_capacity(FRAME_HEAD + message.encoded_len());
    frame.put_u8(0);
    // A body has at most 4 MiB, and protobuf is shorter than JSON.
    frame.put_u32(u32::try_from(message.encoded_len()).unwrap_or(u32::MAX));
    message.encode(&mut frame).expect("a BytesMut grows");

    let mut request = Request::new(Body::new(Full::new(frame.freeze())));
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = http::Uri::from(route.grpc_path.clone());
    *request.extensions_mut() = parts.extensions;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    for name in PASSED_ON {
        for value in parts.headers.get_all(&name) {
            headers.append(&name, value.clone());
        }
    }
    request
}

fn failure(headers: &HeaderMap) -> Option<Status> {
    Status::from_header_map(headers).filter(|status| status.code() != tonic::Code::Ok)
}

/// The one message of a unary answer. In this process nothing is compressed.
fn unframed(frame: &Bytes) -> Option<Bytes> {
    let length = u32::from_be_bytes(frame.get(1..FRAME_HEAD)?.try_into().ok()?);
    let message = frame.slice(FRAME_HEAD..);
    (frame[0] == 0 && usize::try_from(length) == Ok(message.len())).then_some(message)
}
