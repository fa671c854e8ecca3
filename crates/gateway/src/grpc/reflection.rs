//! Reflection: lists the services and messages for generic clients.
//!
//! The contract is public, so reflection needs no token.
//!
//! Source: GRPC Server Reflection Protocol, `v1` and `v1alpha`.

use std::convert::Infallible;
use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use http::Request;
use tonic_reflection::server::Builder;
use tower::{ServiceExt as _, service_fn};

/// The services of both versions; some tools know only the older one. Built at the first call:
/// parsing the descriptors takes longer than the rest of a start.
static SERVICES: LazyLock<Router> = LazyLock::new(|| {
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(genkan_contract::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = builder().build_v1().expect("the descriptors are a constant");
    let v1alpha = builder().build_v1alpha().expect("the descriptors are a constant");
    Router::new()
        .route_service(PATHS[0], v1)
        .route_service(PATHS[1], v1alpha)
});

const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

pub(super) fn router() -> Router {
    let answer = service_fn(async |request: Request<Body>| -> Result<_, Infallible> {
        SERVICES.clone().oneshot(request).await
    });
    PATHS
        .iter()
        .fold(Router::new(), |router, path| router.route_service(path, answer))
}
