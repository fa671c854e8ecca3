//! The library for OpenNeko plugins, and for hosts that read their files.
//!
//! - [`rpc`]: the calls between a host and a plugin, protocol 1.
//! - [`manifest`]: `openneko.plugins.json`, what is installed.
//! - [`marketplace`]: the catalog of a marketplace, what can be installed.
//! - `guest` (with the feature of that name): a plugin as a Rust type with two methods.
//! - [`json`]: JSON that keeps the order of keys, so that files survive being edited.
//!
//! Files are read leniently and written without loss. Unknown fields stay in their
//! place. A bad entry is reported, and the good ones keep working.

#![warn(missing_docs)]

mod base64;
pub mod capability;
#[cfg(feature = "guest")]
pub mod guest;
pub mod json;
pub mod manifest;
pub mod marketplace;
mod name;
pub mod permission;
pub mod rpc;
mod text;
mod version;

pub use name::{PackageName, plugin_id};
pub use text::Invalid;
pub use version::Version;
