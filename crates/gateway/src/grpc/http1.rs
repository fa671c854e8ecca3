//! Unary gRPC over HTTP/1.1.
//!
//! The protocol requires HTTP/2 because the outcome of a call is in trailers. But
//! HTTP/1.1 has trailers, too, and clients in Go (`connectrpc.com/connect`) use them if
//! there is no TLS to negotiate HTTP/2. If a caller says that it reads trailers, it gets
//! its answer. Calls that stream need HTTP/2.
//!
//! Source: RFC 9112 §7.1.2, RFC 9110 §6.5 and §10.1.4.

use axum::body::{Body, HttpBody};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Request, header};
use tonic::Status;

/// Trailers are sent only if the head names them (RFC 9110 §6.6.2), and the
/// outcome of a call is in these.
const TRAILERS: HeaderValue = HeaderValue::from_static("grpc-status, grpc-message, grpc-status-details-bin");

/// Whether this call can be answered over HTTP/1.1.
///
/// # Errors
///
/// The status to answer with, if it cannot.
pub(super) fn accept<B>(request: &Request<B>) -> Result<(), Status> {
    if !reads_trailers(request.headers()) {
        return Err(Status::unimplemented(
            "this gRPC request came as HTTP/1.1 without the header 'TE: trailers', so its outcome cannot be \
             told: call with HTTP/2, or, if there is a proxy in front of Genkan, let it forward gRPC as HTTP/2",
        ));
    }
    if streams(request.uri().path()) {
        return Err(Status::unimplemented(
            "this method streams, which needs HTTP/2, and this request came as HTTP/1.1",
        ));
    }
    Ok(())
}

/// RFC 9110 §10.1.4: the member `trailers` of `TE`.
fn reads_trailers(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::TE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .any(|member| member.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// The few methods here that are not unary.
fn streams(path: &str) -> bool {
    path == "/grpc.health.v1.Health/Watch" || path.starts_with("/grpc.reflection.")
}

/// Announces the trailers. An answer without a body has its outcome in its head
/// ("Trailers-Only"), and no trailers follow.
pub(super) fn announce_trailers(mut response: Response<Body>) -> Response<Body> {
    if !response.body().is_end_stream() {
        response.headers_mut().insert(header::TRAILER, TRAILERS);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_trailers_says_so_in_te() {
        let reads = |lines: &[&'static str]| {
            let lines = lines
                .iter()
                .map(|line| (header::TE, HeaderValue::from_static(line)));
            reads_trailers(&lines.collect())
        };
        for lines in [
            &["trailers"][..],
            &["Trailers"],
            &["gzip, trailers"],
            &["gzip", " trailers"],
        ] {
            assert!(reads(lines), "{lines:?}");
        }
        for lines in [&[][..], &[""], &["gzip"], &["trailersx"], &["x-trailers"]] {
            assert!(!reads(lines), "{lines:?}");
        }
    }

    #[test]
    fn streams_are_told_from_single_answers() {
        assert!(streams("/grpc.health.v1.Health/Watch"));
        assert!(streams(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        ));
        assert!(!streams("/grpc.health.v1.Health/Check"));
        assert!(!streams(
            "/scalekit.v1.organizations.OrganizationService/ListOrganization"
        ));
    }
}
