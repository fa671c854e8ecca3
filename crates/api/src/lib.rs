//! The management API: one implementation of each service, reached by gRPC,
//! gRPC-Web and REST.
//!
//! Every call passes [`GrpcStack`] first. It checks the caller, their permissions and
//! their rate, and the rules that `proto/` writes beside the fields of the message. A
//! service checks the rest.

mod call;
mod caller;
pub mod descriptors;
pub mod dns;
mod error;
mod extent;
mod frame;
mod host;
mod mask;
pub mod methods;
pub mod openapi;
mod paging;
mod rate_limit;
mod render;
mod rest;
mod rules;
mod services;
mod stack;
mod totals;

use std::sync::Arc;

use genkan_db::Tx;
use genkan_store::InstanceKey;
use genkan_store::id::Id;

pub use call::Call;
pub use caller::{Caller, Credential, Permissions};
pub use error::{Error, refusal};
pub use host::{Host, HostError, Simulator, Unreadable};
pub use rate_limit::RateLimit;
pub use rest::Rest;
pub use stack::{Gate, GrpcStack};

/// The result of a service method.
pub type Answer<T> = Result<tonic::Response<T>, tonic::Status>;

/// The services. Cloning is cheap.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    host: Box<dyn Host>,
    totals: totals::Totals,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Api").field(&self.public_url()).finish()
    }
}

impl Api {
    pub fn new(host: impl Host) -> Self {
        Self(Arc::new(Inner {
            host: Box::new(host),
            totals: totals::Totals::default(),
        }))
    }

    pub(crate) fn host(&self) -> &dyn Host {
        &*self.0.host
    }

    /// Reads in one snapshot.
    pub(crate) async fn read<T>(
        &self,
        f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, Error> + Clone,
    ) -> Result<T, Error> {
        self.host().db().read(f).await
    }

    /// Changes in one transaction, which may run again: see [`genkan_db::Db::tx`].
    pub(crate) async fn tx<T>(
        &self,
        f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, Error> + Clone,
    ) -> Result<T, Error> {
        let done = self.host().db().tx(f).await;
        if done.as_ref().err().is_none_or(Error::may_be_done) {
            self.host().changed();
        }
        done
    }

    /// As [`Api::tx`], each statement seeing what others have committed: see
    /// [`genkan_db::Db::tx_read_committed`].
    pub(crate) async fn tx_read_committed<T>(
        &self,
        f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, Error> + Clone,
    ) -> Result<T, Error> {
        let done = self.host().db().tx_read_committed(f).await;
        self.host().changed();
        done
    }

    /// The public URL, without a trailing slash.
    pub(crate) fn public_url(&self) -> &str {
        self.host().public_url()
    }

    pub(crate) fn instance_key(&self) -> &InstanceKey {
        self.host().instance_key()
    }

    /// Refuses a call that needs mail if none can be sent.
    pub(crate) fn require_mail(&self) -> Result<(), Error> {
        if self.host().sends_mail() {
            return Ok(());
        }
        Err(Error::precondition(
            "mail is not configured: name a mail server in [mail] of the configuration",
        ))
    }

    /// Splits a request into the call and the message. The layer before has
    /// authenticated the caller and checked the message.
    pub(crate) fn accept<M>(&self, request: tonic::Request<M>) -> (Call<'_>, M) {
        let (_, extensions, message) = request.into_parts();
        let caller = extensions.get::<Caller>().cloned();
        (Call::new(self.host(), caller), message)
    }
}

/// The identifier in `text`. If it is malformed, it names nothing.
pub(crate) fn id<I: Id>(what: &'static str, text: &str) -> Result<I, Error> {
    I::parse(text).map_err(|_| Error::not_found(what))
}
