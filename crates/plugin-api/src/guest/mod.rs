//! The library for plugins written in Rust: implement [`Plugin`] and name it in
//! [`main!`](crate::main). The same code is then a program and a component.
//!
//! ```no_run
//! use openneko_plugin::guest::{Error, Plugin, Request, World};
//! use openneko_plugin::rpc::{BeginAuth, BeginAuthAnswer, CompleteAuth, CompleteAuthAnswer, Identity, Registration};
//!
//! struct Acme;
//!
//! impl Plugin for Acme {
//!     fn registration(&self) -> Registration {
//!         Registration::auth("@acme/plugin-sso", env!("CARGO_PKG_VERSION"), "Acme")
//!     }
//!
//!     fn begin_auth(&self, call: &BeginAuth, world: &mut World) -> Result<BeginAuthAnswer, Error> {
//!         let id = world.env("ACME_CLIENT_ID").ok_or("ACME_CLIENT_ID is not set")?;
//!         let authorization_url = format!("https://sso.acme.com/authorize?client_id={id}&state={}", call.state);
//!         Ok(BeginAuthAnswer { authorization_url, ..Default::default() })
//!     }
//!
//!     fn complete_auth(&self, call: &CompleteAuth, world: &mut World) -> Result<CompleteAuthAnswer, Error> {
//!         let answer = world.send(&Request::get(format!("https://sso.acme.com/who?code={}", call.code)))?;
//!         let identity: Identity = serde_json::from_slice(&answer.body)?;
//!         Ok(CompleteAuthAnswer { identity, ..Default::default() })
//!     }
//! }
//! ```

mod dispatch;
mod http;
pub mod schema;

#[cfg(target_family = "wasm")]
pub mod component;
#[cfg(not(target_family = "wasm"))]
pub mod native;

use std::collections::BTreeMap;
use std::fmt;

use crate::rpc::{BeginAuth, BeginAuthAnswer, CompleteAuth, CompleteAuthAnswer, Registration};

pub use dispatch::{Outcome, dispatch};
pub use http::{Http, HttpError, MAX_BODY, Request, Response, TIMEOUT, https_parts};

/// A plugin that signs people in.
///
/// Every call runs in an instance of its own, so the next call finds nothing that
/// this one kept in `self`.
pub trait Plugin {
    /// What this plugin is. Called without any environment values.
    fn registration(&self) -> Registration;

    /// Where the browser goes to sign in.
    ///
    /// # Errors
    ///
    /// A sentence for the operator's log.
    fn begin_auth(&self, call: &BeginAuth, world: &mut World) -> Result<BeginAuthAnswer, Error>;

    /// Who has come back from the provider.
    ///
    /// # Errors
    ///
    /// A sentence for the operator's log.
    fn complete_auth(&self, call: &CompleteAuth, world: &mut World) -> Result<CompleteAuthAnswer, Error>;
}

/// Everything that a plugin can use: its granted values, and HTTPS.
pub struct World {
    env: BTreeMap<String, String>,
    http: Box<dyn Http>,
}

impl World {
    /// A world of these values and this client, which tests can replace.
    pub fn new(env: impl IntoIterator<Item = (String, String)>, http: impl Http + 'static) -> Self {
        Self {
            env: env.into_iter().collect(),
            http: Box::new(http),
        }
    }

    /// A value of the environment; an empty one counts as none.
    pub fn env(&self, key: &str) -> Option<&str> {
        self.env
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    ///
    /// [`HttpError`]: also for an address that was not granted.
    pub fn send(&mut self, request: &Request) -> Result<Response, HttpError> {
        self.http.send(request)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets.
        f.debug_struct("World")
            .field("env", &self.env.keys())
            .finish_non_exhaustive()
    }
}

/// Why a method failed: a sentence for the operator's log.
///
/// The operator `?` makes one of a text or of another error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    /// The sentence.
    pub fn message(&self) -> &str {
        &self.0
    }
}

impl<T: fmt::Display> From<T> for Error {
    fn from(reason: T) -> Self {
        Self(reason.to_string())
    }
}

/// Makes the program or the component that a host starts.
///
/// In `src/lib.rs` of a crate with `crate-type = ["cdylib", "rlib"]` it makes
/// the component's export. A program's `src/main.rs` calls
/// [`guest::native::run`](crate::guest::native::run).
#[macro_export]
macro_rules! main {
    ($plugin:expr) => {
        #[cfg(target_family = "wasm")]
        mod openneko_component {
            use super::*;

            struct Component;

            impl $crate::guest::component::Guest for Component {
                fn call(
                    method: $crate::guest::component::Text,
                    params: $crate::guest::component::Text,
                ) -> (i32, $crate::guest::component::Text) {
                    $crate::guest::component::call(&$plugin, &method, &params)
                }
            }

            $crate::guest::component::export!(Component with_types_in $crate::guest::component::bindings);
        }
    };
}
