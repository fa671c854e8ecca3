//! openneko: a plugin host whose sign-in is a sandboxed plugin.

pub mod cli;
pub mod clock;
pub mod file;
pub mod host;
pub mod http;
pub mod id_token;
pub mod manifest;
pub mod marketplace;
pub mod package;
pub mod paths;
pub mod policy;
pub mod registry;
pub mod secrets;
pub mod web;
