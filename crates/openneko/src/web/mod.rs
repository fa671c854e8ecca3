//! `openneko serve`: the sign-in, the gate behind it, and the dashboard.

pub mod admin_groups;
pub mod app;
pub mod client_ip;
mod cookie;
mod cross_site;
mod door;
mod gate;
mod host_name;
pub mod identity;
pub mod keys;
pub mod listener;
mod page;
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
mod templates;

pub use store::audit;
