//! The checks that every call passes before a service gets it.
//!
//! gRPC, gRPC-Web and REST all come through here, so no way in has rules of its own.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use genkan_protocol::oauth::bearer;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::Full;
use prost_reflect::DynamicMessage;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::Service;

use crate::caller::{Caller, Credential};
use crate::error::refusal;
use crate::methods::{self, Callers, Method};
use crate::rate_limit::Limiter;
use crate::{Api, Error, extent, frame, rules, services};

/// More bearer tokens than this in one request are not tried.
const MAX_TOKENS: usize = 4;

/// Checks the caller by the head of a request alone, before its body is read: a stranger's
/// body must not fill the memory.
pub trait Gate {
    /// Checks the caller of the RPC at `grpc_path`. The result goes into the extensions of
    /// `parts`.
    fn admit(
        &self,
        parts: &mut http::request::Parts,
        grpc_path: &str,
    ) -> impl Future<Output = Result<(), Status>> + Send;
}

/// Set only by [`Gate::admit`]: the caller was checked for this method.
#[derive(Debug, Clone)]
struct AuthorizedCall {
    method: &'static Method,
    caller: Option<Caller>,
}

/// The services behind their checks. Cloning is cheap.
#[derive(Clone)]
pub struct GrpcStack {
    api: Api,
    services: Routes,
    limiter: Arc<Limiter>,
}

impl std::fmt::Debug for GrpcStack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("GrpcStack").field(&self.api).finish()
    }
}

impl GrpcStack {
    pub fn new(api: Api) -> Self {
        Self {
            services: services::routes(&api),
            limiter: Arc::new(Limiter::new(api.host().rate_limit())),
            api,
        }
    }

    async fn answer(mut self, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let checked = match self.check(request).await {
            Ok(checked) => checked,
            Err(refused) => return refused.into_response(),
        };
        let Ok(response) = self.services.call(checked).await;
        if is_stub(response.headers()) {
            let sentence = format!(
                "{} is not served by this version of Genkan",
                path.trim_start_matches('/')
            );
            return refusal(Error::unimplemented(sentence)).into_http();
        }
        response
    }

    /// The checked request for the services: its caller may call the method, and its message
    /// keeps the rules.
    async fn check(&self, request: Request<Body>) -> Result<Request<Body>, RefusedCall> {
        let Some(method) = methods::find(request.uri().path()) else {
            return Err(Error::unimplemented("this path names no method of the management API").into());
        };
        let (mut parts, body) = request.into_parts();
        let admitted = parts.extensions.remove::<AuthorizedCall>();
        let caller = match admitted.filter(|admitted| std::ptr::eq(admitted.method, method)) {
            Some(admitted) => admitted.caller,
            None => self.authorize(method, &parts.headers).await?,
        };
        if let Some(caller) = caller {
            parts.extensions.insert(caller);
        }
        if let Some(sentence) = method.unserved {
            return Err(Error::unimplemented(sentence).into());
        }
        let message = frame::read(&parts.headers, body).await?;
        let message = beside(message.len(), move || {
            let message = message.unpack()?;
            validate(method, &message)?;
            Ok(message)
        })
        .await?;
        parts.headers.remove("grpc-encoding");
        Ok(Request::from_parts(
            parts,
            Body::new(Full::new(frame::write(&message))),
        ))
    }

    /// Finds the caller and checks their permissions; `None` for a method that is open to everybody.
    async fn authorize(&self, method: &Method, headers: &HeaderMap) -> Result<Option<Caller>, RefusedCall> {
        let name = method.descriptor.name();
        match method.callers {
            Callers::Everybody => return Ok(None),
            Callers::Nobody => {
                return Err(Error::permission_denied(format!("{name} may be called by nobody")).into());
            }
            Callers::Clients | Callers::Others => {}
        }
        let caller = self.authenticate(headers).await?;
        if let Err(wait) = self.limiter.count(&caller.client_id) {
            return Err(RefusedCall::too_often(wait));
        }
        if method.callers == Callers::Others {
            return Err(Error::permission_denied(format!(
                "{name} is for people who are signed in, not for client credentials"
            ))
            .into());
        }
        if !caller.permissions.allow(&method.permissions) {
            let sentence = match method.permissions.as_slice() {
                [] => format!("{name} needs a token that was asked for without a scope"),
                names => format!("{name} needs a token with the scope {}", names.join(" or ")),
            };
            return Err(Error::permission_denied(sentence).into());
        }
        Ok(Some(caller))
    }

    /// The caller, by any valid one of the tokens: one SDK sends a second,
    /// stale `authorization` header after it has fetched a new token.
    async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Error> {
        let values: Vec<&[u8]> = headers
            .get_all(header::AUTHORIZATION)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        if values.is_empty() {
            return Err(Error::unauthenticated(
                "Token empty: send a token of the client credentials grant as Authorization: Bearer",
            ));
        }
        let mut refusal = Error::unauthenticated("the token is not valid, expired, or revoked");
        for token in bearer::tokens(&values).take(MAX_TOKENS) {
            match self.api.host().authenticate(token).await {
                Ok(Credential::Management(caller)) => return Ok(caller),
                Ok(Credential::NotForManagement(why)) => refusal = Error::permission_denied(why),
                Ok(Credential::NoAccess(why)) => refusal = Error::unauthenticated(why),
                Ok(Credential::Invalid) => {}
                Err(_) => return Err(Error::unavailable()),
            }
        }
        Err(refusal)
    }
}

impl Gate for GrpcStack {
    async fn admit(&self, parts: &mut http::request::Parts, grpc_path: &str) -> Result<(), Status> {
        // A method that does not exist is refused later, when its call arrives.
        let Some(method) = methods::find(grpc_path) else {
            return Ok(());
        };
        match self.authorize(method, &parts.headers).await {
            Ok(caller) => {
                parts.extensions.insert(AuthorizedCall { method, caller });
                Ok(())
            }
            Err(refused) => {
                let answer = refused.into_response();
                let unknown = || Status::internal("a refusal without a status");
                Err(Status::from_header_map(answer.headers()).unwrap_or_else(unknown))
            }
        }
    }
}

impl Service<Request<Body>> for GrpcStack {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The services are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.clone().answer(request).map(Ok).boxed()
    }
}

/// Longer messages are read beside the worker threads, which also serve the sign-ins.
const SMALL: usize = 64 * 1024;

/// Runs work on so many bytes, which may take long, beside the worker threads.
async fn beside<T: Send + 'static>(
    size: usize,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    if size <= SMALL {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        tracing::error!(%error, "a message could not be read");
        Err(Error::unavailable())
    })
}

/// Checks the number of elements, and the rules that `proto/` writes beside the fields.
fn validate(method: &Method, message: &[u8]) -> Result<(), Error> {
    extent::check(&method.descriptor.input(), message)?;
    let message = DynamicMessage::decode(method.descriptor.input(), message)
        .map_err(|_| Error::invalid("", "the message cannot be read as what the method takes"))?;
    match rules::check(&message) {
        broken if broken.is_empty() => Ok(()),
        broken => Err(Error::violations(broken)),
    }
}

/// Whether tonic's stub answered: the method is in the contract, but is not implemented.
fn is_stub(headers: &HeaderMap) -> bool {
    headers.get("grpc-status").is_some_and(|status| status == "12")
        && !headers.contains_key("grpc-status-details-bin")
}

/// A call that a check refused.
struct RefusedCall {
    error: Error,
    retry_after: Option<Duration>,
}

impl From<Error> for RefusedCall {
    fn from(error: Error) -> Self {
        Self {
            error,
            retry_after: None,
        }
    }
}

impl RefusedCall {
    fn too_often(wait: Duration) -> Self {
        let seconds = wait.as_secs() + 1;
        Self {
            error: Error::exhausted(format!("too many calls: try again in {seconds} s")),
            retry_after: Some(Duration::from_secs(seconds)),
        }
    }

    /// A refusal in the headers, without a body ("Trailers-Only").
    fn into_response(self) -> Response<Body> {
        let status = refusal(self.error);
        let is_unauthenticated = status.code() == Code::Unauthenticated;
        let mut response = status.into_http();
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        }
        if is_unauthenticated {
            // RFC 6750 §3; REST passes it on.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
