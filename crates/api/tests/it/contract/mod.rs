//! Rules for every method, tried on every method: these tests read the descriptors, so
//! a new method is tried as soon as it is in `proto/`.

mod isolation;
mod malformed;
mod permissions;
mod sample;

use std::panic::AssertUnwindSafe;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::FutureExt;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use prost::Message;
use prost_reflect::DynamicMessage;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::ServiceExt;

use crate::support::Harness;

/// Calls `path` with the bytes of a message.
pub(crate) async fn call_raw(
    harness: &Harness,
    token: Option<&str>,
    path: &str,
    message: &[u8],
) -> Result<Bytes, Status> {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    let mut request = Request::post(format!("https://auth.acme.test{path}"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header("te", "trailers");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Body::new(Full::new(frame.freeze()))).unwrap();
    let answered = AssertUnwindSafe(harness.stack.clone().oneshot(request)).catch_unwind();
    let response = answered
        .await
        .unwrap_or_else(|_| panic!("{path} panicked"))
        .unwrap();
    if let Some(status) = Status::from_header_map(response.headers()) {
        return match status.code() {
            Code::Ok => Ok(Bytes::new()),
            _ => Err(status),
        };
    }
    let collected = response.into_body().collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let status = Status::from_header_map(&trailers).unwrap_or_else(|| Status::unknown("no trailers"));
    match status.code() {
        Code::Ok => Ok(collected.to_bytes().slice(5..)),
        _ => Err(status),
    }
}

/// Calls `path` with a message.
pub(crate) async fn call(
    harness: &Harness,
    token: &str,
    path: &str,
    message: &DynamicMessage,
) -> Result<Bytes, Status> {
    call_raw(harness, Some(token), path, &message.encode_to_vec()).await
}
