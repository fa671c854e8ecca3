//! `openneko serve`: the sign-in, the gate behind it, and the dashboard.

pub mod admin_groups;
pub mod app;
mod door;
mod error;
mod gate;
mod host;
pub mod identity;
mod jar;
pub mod keys;
pub mod mistake;
mod own_form;
pub mod plugin;
pub mod problem;
mod query;
pub mod random;
mod reply;
pub mod return_path;
pub mod routes;
pub mod rules;
#[cfg(test)]
mod samples;
pub mod serve;
pub mod settings;
mod static_files;
pub mod store;

pub use store::audit;
