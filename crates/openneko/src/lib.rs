//! openneko: a plugin host whose sign-in is a sandboxed plugin.

pub mod file;
pub mod paths;
pub mod secrets;
pub mod web;
