//! `grpc-timeout`: how long the caller waits.
//!
//! tonic enforces it only in its own server, which is not used here.
//!
//! Source: gRPC over HTTP2, "Timeout".

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Request, Response};
use tonic::Status;

/// Calls a service, and gives up when the caller gives up.
pub(super) async fn within<F>(
    request: Request<Body>,
    service: impl FnOnce(Request<Body>) -> F,
) -> Response<Body>
where
    F: Future<Output = Response<Body>>,
{
    let limit = parse(request.headers());
    let call = service(request);
    let Some(limit) = limit else { return call.await };
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
        Status::deadline_exceeded("the caller's deadline passed before there was an answer").into_http()
    })
}

/// At most eight digits and a unit. A malformed value sets no deadline, because the listener
/// has its own.
fn parse(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3_600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(value: &str) -> Option<Duration> {
        let headers = [("grpc-timeout".parse().unwrap(), value.parse().unwrap())];
        parse(&HeaderMap::from_iter(headers))
    }

    #[test]
    fn every_unit_is_read() {
        assert_eq!(timeout("20000m"), Some(Duration::from_secs(20)));
        assert_eq!(timeout("2H"), Some(Duration::from_secs(7_200)));
        assert_eq!(timeout("3M"), Some(Duration::from_secs(180)));
        assert_eq!(timeout("4S"), Some(Duration::from_secs(4)));
        assert_eq!(timeout("5u"), Some(Duration::from_micros(5)));
        assert_eq!(timeout("99999999n"), Some(Duration::from_nanos(99_999_999)));
    }

    #[test]
    fn what_cannot_be_read_is_no_deadline() {
        for value in ["", "S", "1", "1s", "+1S", "-1S", "123456789S", "1 S", "1.5S"] {
            assert_eq!(timeout(value), None, "{value:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_passed_deadline_is_answered_with_a_status() {
        let request = Request::builder()
            .header("grpc-timeout", "10m")
            .body(Body::empty())
            .unwrap();
        let response = within(request, |_| std::future::pending()).await;
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
    }
}
