//! The management API in this process: the gateway as the host of its services, and its
//! routes.

use axum::Router;
use axum::body::Body;
use axum::middleware;
use axum::response::Response;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use genkan_api::{
    Api, Caller, Credential, GrpcStack, Host, HostError, Permissions, RateLimit, Rest, Simulator, Unreadable,
};
use genkan_db::Db;
use genkan_protocol::Timestamp;
use genkan_protocol::oidc::AccessToken;
use genkan_store::{ClientId, Generator, InstanceKey};
use genkan_web::listener::BodyLimit;
use http::Request;
use tonic_web::GrpcWebLayer;
use tower::{Layer, Service};

use crate::app::App;
use crate::documents::saml_metadata;
use crate::web::access_token::{self, VerifiedToken};
use crate::web::{api_reference, cors, trace_request, transport};

/// Size of a REST request. REST itself refuses a body above 4 MiB, with its own error.
const REST_BYTES: u64 = 4 * 1024 * 1024 + 1024;

/// The management API with its ways in.
#[derive(Debug, Clone)]
pub struct Management {
    pub(crate) grpc: GrpcStack,
    pub(crate) grpc_web: Router,
    rest: Rest,
    /// REST and its description.
    web: Router,
}

impl Management {
    pub fn new(app: &App) -> Self {
        let grpc = GrpcStack::new(Api::new(app.clone()));
        let rest = Rest::new(grpc.clone());
        Self {
            grpc_web: grpc_web(app, &grpc),
            web: web(app, &rest),
            rest,
            grpc,
        }
    }

    /// The router of the request, if it is REST.
    pub(crate) fn web(&self, path: &str) -> Option<&Router> {
        self.rest.serves(path).then_some(&self.web)
    }
}

/// For browsers at the origins of registered applications.
fn grpc_web(app: &App, grpc: &GrpcStack) -> Router {
    let service = GrpcWebLayer::new().layer(grpc.clone());
    Router::new()
        .fallback(async move |request: Request<Body>| -> Response {
            let Ok(response) = service.clone().call(request.map(tonic::body::Body::new)).await;
            response.map(Body::new)
        })
        .layer(middleware::from_fn_with_state(app.clone(), cors::registered))
}

/// REST, for programs and for browsers at the origins of registered applications.
fn web(app: &App, rest: &Rest) -> Router {
    let rest = rest.clone();
    let answer = async move |request: Request<Body>| -> Response {
        if let Some(limit) = request.extensions().get::<BodyLimit>() {
            limit.set(REST_BYTES);
        }
        rest.call(request).await
    };
    let rest = Router::new()
        .fallback(answer)
        .layer(middleware::from_fn_with_state(app.clone(), cors::registered));
    api_reference::router()
        .fallback_service(rest)
        .layer(middleware::from_fn_with_state(
            app.clone(),
            transport::require_tls,
        ))
        .layer(middleware::from_fn_with_state(
            app.clone(),
            trace_request::trace_request,
        ))
        .with_state(app.clone())
}

impl Host for App {
    fn db(&self) -> &Db {
        self.db()
    }

    fn ids(&self) -> &Generator {
        self.ids()
    }

    fn now(&self) -> Timestamp {
        self.now()
    }

    fn public_url(&self) -> &str {
        self.issuer()
    }

    fn is_development(&self) -> bool {
        self.settings().development
    }

    fn requires_domain_proof(&self) -> bool {
        self.settings().require_domain_proof
    }

    fn instance_key(&self) -> &InstanceKey {
        self.instance_key()
    }

    fn simulator(&self) -> Option<&Simulator> {
        self.simulator()
    }

    fn validates_tokens_by_identifier(&self) -> bool {
        self.settings().validate_tokens_by_identifier
    }

    fn sends_mail(&self) -> bool {
        self.mailer().is_configured()
    }

    fn fetch_metadata<'a>(
        &'a self,
        url: &'a str,
        insecure_http: bool,
    ) -> BoxFuture<'a, Result<String, Unreadable>> {
        saml_metadata::fetch(self.outbound(), url, self.scheme(insecure_http)).boxed()
    }

    fn wake_jobs(&self) {
        self.wake_jobs();
    }

    fn changed(&self) {
        self.forget_configuration();
    }

    fn rate_limit(&self) -> RateLimit {
        self.settings().api_rate_limit
    }

    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Credential, HostError>> {
        authenticate(self, token).boxed()
    }
}

async fn authenticate(app: &App, token: &str) -> Result<Credential, HostError> {
    let found = access_token::find_live(app, token).await.map_err(|error| {
        tracing::error!(?error, "a token of the management API cannot be checked");
        HostError
    })?;
    let Some(VerifiedToken { claims, .. }) = found else {
        return Ok(Credential::Invalid);
    };
    // RFC 9068 §5: a client's own token has the client as its subject.
    if claims.sub != claims.client_id {
        return Ok(Credential::NotForManagement(
            "this token is a user's: the management API takes tokens of the client credentials grant",
        ));
    }
    // RFC 9068 §4: a recipient of a token with another audience could replay it here.
    if !claims
        .aud
        .iter()
        .any(|aud| *aud == claims.client_id || aud == app.issuer())
    {
        return Ok(Credential::NotForManagement(
            "this token is meant for another audience than the management API",
        ));
    }
    let Ok(client_id) = ClientId::parse(&claims.client_id) else {
        return Ok(Credential::NotForManagement(
            "this client belongs to an organization: the management API is for clients of the environment",
        ));
    };
    let client = app.client(client_id.as_str()).await.map_err(|error| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a client cannot be read"
        );
        HostError
    })?;
    Ok(match client {
        None => Credential::Invalid,
        Some(client) if client.client.management_access => Credential::Management(Caller {
            client_id,
            permissions: permissions(&claims),
        }),
        Some(_) => Credential::NoAccess(format!(
            "this client has no access to the management API: \
             `genkan app update {client_id} --management-access` gives it",
        )),
    })
}

/// If a token has a scope, it allows what the scope lists.
fn permissions(claims: &AccessToken) -> Permissions {
    let scope = claims.scope.0.as_slice();
    if scope.is_empty() {
        Permissions::All
    } else {
        Permissions::Only(scope.iter().cloned().collect())
    }
}
