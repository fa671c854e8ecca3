//! What two web servers share: the gateway and the plugin host.
//!
//! It knows no domain: no user, no client, no plugin. Each server brings its own
//! templates, texts and routes. This crate holds the rules of which two copies would be
//! dangerous: which headers a page carries, which form is our own, which address a request
//! comes from, how long a connection may take.

pub mod cookie;
pub mod form;
pub mod host_name;
pub mod listener;
pub mod origin;
pub mod page;
#[cfg(feature = "testing")]
pub mod samples;
pub mod static_files;
pub mod text;
