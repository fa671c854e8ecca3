//! Changes by the management API show in logins and tokens.
//!
//! Calls go through every check, with a token that the gateway issued.

mod clients;
mod connections;
mod organizations;
mod roles;
mod sign_ins;
mod users;

use std::convert::Infallible;
use std::task::{Context, Poll};

use genkan_api::{Api, GrpcStack};
use genkan_testkit::Gateway;
use http::{HeaderValue, Request, Response, header};
use tonic::body::Body;
use tower::Service;

/// The management API, as generated clients take it.
#[derive(Clone)]
pub(crate) struct Channel {
    stack: GrpcStack,
    authorization: HeaderValue,
}

/// The management API of `gateway`, called by a new client that may manage.
pub(crate) async fn channel(gateway: &Gateway) -> Channel {
    let manager = gateway.client("manager");
    let manager = manager.change(|client| client.management_access = true).await;
    let form = [("grant_type", "client_credentials")];
    let token = manager.post("/oauth/token", &form).send().await.json();
    let token = token["access_token"].as_str().expect("a token");
    Channel::with_token(gateway, token)
}

impl Channel {
    /// The management API of `gateway`, called with `token`.
    pub(crate) fn with_token(gateway: &Gateway, token: &str) -> Self {
        Self {
            stack: GrpcStack::new(Api::new(gateway.app().clone())),
            authorization: HeaderValue::from_str(&format!("Bearer {token}")).unwrap(),
        }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <GrpcStack as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.stack.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        self.stack.call(request)
    }
}
