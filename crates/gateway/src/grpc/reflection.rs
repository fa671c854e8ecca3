//! Tells generic clients which services and messages there are.
//!
//! The contract is public, so reflection asks for no token.
//!
//! Source: GRPC Server Reflection Protocol, `v1` and `v1alpha`.

use axum::Router;
use tonic_reflection::server::Builder;

/// The services of both versions; some tools know the older one only.
pub(super) fn router() -> Router {
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(genkan_contract::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = builder().build_v1().expect("the descriptors are a constant");
    let v1alpha = builder().build_v1alpha().expect("the descriptors are a constant");
    Router::new()
        .route_service("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", v1)
        .route_service(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            v1alpha,
        )
}
