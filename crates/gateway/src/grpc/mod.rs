//! gRPC on the same port as everything else.
//!
//! The content type tells gRPC from other requests, before any route is matched.
//! tonic's `Routes` is never merged into the web router: its own fallback would answer
//! every unknown page with "200, grpc-status 12".
//!
//! Source: gRPC over HTTP2 (`PROTOCOL-HTTP2.md` of grpc/grpc).

mod health;
mod http1;
mod reflection;
mod timeout;

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either};
use genkan_web::listener::BodyLimit;
use http::{HeaderMap, HeaderValue, Request, Uri, Version, header};
use tonic::Status;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tower::Service;

pub use self::health::Health;

use crate::management::Management;
use crate::web::cors::is_preflight;

/// Size of a request: one message of 4 MiB, which tonic itself enforces with a
/// status of its own, and its frame.
const REQUEST_BYTES: u64 = 4 * 1024 * 1024 + 1024;

/// Longest service name that is repeated in an answer.
const LONGEST_NAME: usize = 200;

/// The path prefix of the contract's services.
const CONTRACT: &str = "/scalekit.v1.";

/// Puts gRPC in front of the web router.
///
/// Serves health, reflection, and the management API if there is one; every
/// other method is `UNIMPLEMENTED`, with a sentence for the person who reads the
/// client's log.
pub fn dispatch(web: Router, health: &Health, management: Option<Management>) -> Router {
    Router::new().fallback_service(Dispatch {
        web,
        grpc: services(health),
        management,
    })
}

fn services(health: &Health) -> Routes {
    let health = HealthServer::new(health.clone());
    // By method, so that methods which a service lacks get the sentence, too.
    let router = Router::new()
        .route_service("/grpc.health.v1.Health/Check", health.clone())
        .route_service("/grpc.health.v1.Health/Watch", health)
        .merge(reflection::router())
        .fallback(unserved);
    Routes::from(router).prepare()
}

#[derive(Debug, Clone)]
struct Dispatch {
    web: Router,
    grpc: Routes,
    management: Option<Management>,
}

impl Dispatch {
    /// The service that answers a gRPC call of `path`.
    async fn call(mut self, request: Request<Body>) -> http::Response<tonic::body::Body> {
        let Ok(response) = match self.management {
            Some(mut management) if request.uri().path().starts_with(CONTRACT) => {
                let request = request.map(tonic::body::Body::new);
                management.grpc.call(request).await
            }
            _ => self.grpc.call(request).await,
        };
        response
    }
}

impl Service<Request<Body>> for Dispatch {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<RouteFuture<Infallible>, BoxFuture<'static, Result<Response, Infallible>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Both routers are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let flavour = match Flavour::of(request.headers()) {
            None if is_preflight(&request) && request.uri().path().starts_with(CONTRACT) => {
                Some(Flavour::Web)
            }
            flavour => flavour,
        };
        match flavour {
            None => {
                let request = with_one_slash(request);
                let rest = self
                    .management
                    .as_ref()
                    .and_then(|management| management.web(request.uri().path()));
                let mut web = rest.unwrap_or(&self.web).clone();
                Either::Left(web.call(request))
            }
            Some(flavour) => Either::Right(call(self.clone(), flavour, request).map(Ok).boxed()),
        }
    }
}

/// If the environment URL ends with a slash, SDKs call `//oauth/authorize`: such a path is
/// read as if it began with one slash.
fn with_one_slash(mut request: Request<Body>) -> Request<Body> {
    let uri = request.uri();
    if !uri.path().starts_with("//") {
        return request;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = format!("/{}{query}", uri.path().trim_start_matches('/'));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = path.parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

/// The transport of a gRPC request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flavour {
    Grpc,
    /// The variant for browsers, which needs no HTTP/2.
    Web,
}

impl Flavour {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(header::CONTENT_TYPE)?.as_bytes();
        let rest = content_type.strip_prefix(b"application/grpc")?;
        match rest.strip_prefix(b"-web") {
            Some(rest) => matches!(rest.first(), None | Some(b'+' | b';' | b'-')).then_some(Self::Web),
            None => matches!(rest.first(), None | Some(b'+' | b';')).then_some(Self::Grpc),
        }
    }
}

async fn call(mut dispatch: Dispatch, flavour: Flavour, request: Request<Body>) -> Response {
    if let Some(limit) = request.extensions().get::<BodyLimit>() {
        limit.set(REQUEST_BYTES);
    }
    match (flavour, &mut dispatch.management) {
        (Flavour::Web, Some(management)) if request.uri().path().starts_with(CONTRACT) => {
            let mut browsers = management.grpc_web.clone();
            timeout::within(request, async move |request| {
                let Ok(response) = browsers.call(request).await;
                response
            })
            .await
        }
        (Flavour::Web, _) => {
            let mut response = unserved(request).await;
            let content_type = HeaderValue::from_static("application/grpc-web+proto");
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            response
        }
        (Flavour::Grpc, _) => {
            let is_http1 = request.version() < Version::HTTP_2;
            if is_http1 && let Err(status) = http1::accept(&request) {
                return refuse(status);
            }
            let response = timeout::within(request, async move |request| {
                dispatch.call(request).await.map(Body::new)
            })
            .await;
            match is_http1 {
                true => http1::announce_trailers(response),
                false => response,
            }
        }
    }
}

/// A failure in the headers of an answer without a body ("Trailers-Only").
fn refuse(status: Status) -> Response {
    status.into_http()
}

async fn unserved(request: Request<Body>) -> Response {
    let path = request.uri().path();
    let service = path
        .strip_prefix('/')
        .and_then(|path| path.split_once('/'))
        .map(|(service, _)| service);
    // The path is the caller's; only what can be a service name is repeated.
    let is_name = |name: &&str| {
        let characters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_';
        !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(characters)
    };
    let sentence = match service.filter(is_name) {
        Some("grpc.health.v1.Health") => "grpc.health.v1.Health has the methods Check and Watch".to_owned(),
        Some(service) => format!("{service} is not served by this version of Genkan yet"),
        None => "this path names no gRPC method".to_owned(),
    };
    refuse(Status::unimplemented(sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_is_told_by_its_content_type_alone() {
        let flavour = |content_type: &str| {
            let value = HeaderValue::from_str(content_type).unwrap();
            Flavour::of(&HeaderMap::from_iter([(header::CONTENT_TYPE, value)]))
        };
        for grpc in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc;charset=utf-8",
        ] {
            assert_eq!(flavour(grpc), Some(Flavour::Grpc), "{grpc}");
        }
        for web in [
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpc-web-text",
        ] {
            assert_eq!(flavour(web), Some(Flavour::Web), "{web}");
        }
        for other in [
            "application/json",
            "application/grpcx",
            "application/grpc-webby",
            "text/html",
        ] {
            assert_eq!(flavour(other), None, "{other}");
        }
    }

    async fn sentence(path: &str) -> String {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = unserved(request).await;
        Status::from_header_map(response.headers())
            .unwrap()
            .message()
            .to_owned()
    }

    #[tokio::test]
    async fn an_unknown_service_is_named_and_nothing_else_is_repeated() {
        assert_eq!(
            sentence("/scalekit.v1.organizations.OrganizationService/ListOrganization").await,
            "scalekit.v1.organizations.OrganizationService is not served by this version of Genkan yet"
        );
        let long = format!("/{}/M", "a".repeat(60_000));
        for strange in ["/", "/onlyone", "/%3Cscript%3E/x", "//x", long.as_str()] {
            assert_eq!(sentence(strange).await, "this path names no gRPC method");
        }
    }
}
