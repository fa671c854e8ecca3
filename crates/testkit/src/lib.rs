//! The parts of integration tests: a real gateway on its own database, browsers, applications, and identity
//! providers that misbehave on demand.
//!
//! ```no_run
//! # async fn test() {
//! use genkan_testkit::Gateway;
//!
//! let gateway = Gateway::start().await;
//! gateway.organization("acme.test").with_oidc_connection().await;
//! let rp = gateway.client("rp").await;
//!
//! let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
//! let tokens = rp.redeem(&code).await.expect_tokens();
//! assert!(rp.introspect(&tokens.access_token).await.active);
//! # }
//! ```
//!
//! Everything panics instead of returning an error, because only tests call it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod attribute;
mod browser;
mod client;
mod clock;
mod engines;
mod gateway;
mod html;
mod identity_provider;
mod keys;
mod logs;
mod mail_server;
mod modules;
mod organization;
mod person;
mod receiver;
mod redact;
mod reply;
mod rp;
mod tokens;
mod world;

pub use browser::cookies::{Cookie, CookieJar, SameSite};
pub use browser::{Arrival, Browser, Callback, Page};
pub use client::ClientBuilder;
pub use clock::{BEGINNING, Clock};
pub use engines::{on_each_engine, on_each_engine_of};
pub use gateway::{Gateway, Setup};
pub use html::{Field, Form, Html};
pub use identity_provider::{Canned, IdentityProvider, Recorded};
pub use keys::{INSTANCE_KEY, Key, instance_key};
pub use logs::Logs;
pub use mail_server::{MailServer, Received};
pub use modules::Modules;
pub use organization::{Organization, OrganizationBuilder};
pub use person::Person;
pub use receiver::Receiver;
pub use reply::{Call, Reply};
pub use rp::{Authorize, Code, Introspection, Rp};
pub use tokens::Tokens;
