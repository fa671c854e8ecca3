//! Only by its own names: what a development instance answers to.
//!
//! A web page can point a name of its own at this machine (DNS rebinding). The
//! browser then takes us for a part of that page, and would let it read the inbox
//! and drive the simulator. The name in the request gives it away.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};

use crate::config::PublicUrl;

/// `router`, for whoever asks at a loopback name or at the host of `public_url`.
pub fn own_names_only(router: Router, public_url: &PublicUrl) -> Router {
    router.layer(middleware::from_fn_with_state(public_url.clone(), check))
}

async fn check(State(public_url): State<PublicUrl>, request: Request, next: Next) -> Response {
    // HTTP/2 has it in the address, HTTP/1.1 in the head (RFC 9110 §7.2).
    let named = request.uri().authority().cloned().or_else(|| {
        let mut lines = request.headers().get_all(header::HOST).iter();
        let only = lines.next().filter(|_| lines.next().is_none())?;
        only.to_str().ok()?.parse::<Authority>().ok()
    });
    match named {
        Some(named) if is_own(named.host(), public_url.host()) => next.run(request).await,
        _ => {
            let text = format!(
                "This is a development instance of Genkan. It answers at localhost and at {public_url}, and \
                 not under the name that was asked for. Open {public_url}, or start it with --public-url.\n"
            );
            // RFC 9110 §15.5.20.
            (StatusCode::MISDIRECTED_REQUEST, text).into_response()
        }
    }
}

fn is_own(host: &str, public: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    };
    is_loopback || host == public
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_the_public_host_are_own_and_nothing_else_is() {
        for own in [
            "localhost",
            "LOCALHOST",
            "app.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "dev.acme.test",
        ] {
            assert!(is_own(own, "dev.acme.test"), "{own}");
        }
        for foreign in [
            "rebind.evil.test",
            "localhost.evil.test",
            "evillocalhost",
            "127.0.0.1.evil.test",
            "10.0.0.7",
            "[::2]",
            "sub.dev.acme.test",
            "",
        ] {
            assert!(!is_own(foreign, "dev.acme.test"), "{foreign}");
        }
    }
}
