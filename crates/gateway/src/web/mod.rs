//! What the areas of the gateway share: pages, errors, cookies, the way out.

pub mod access_token;
pub mod api_reference;
pub mod client_auth;
pub mod context;
pub mod cookie;
pub mod cors;
pub mod cross_site;
pub mod cross_site_post;
pub mod csrf;
pub mod desks;
pub mod error;
pub mod form;
pub mod id_token_hint;
pub(crate) mod memory;
pub mod oauth_error;
pub mod outbound;
pub mod own_names;
pub mod page;
mod refusals;
pub mod refused;
#[cfg(test)]
mod samples;
pub mod static_files;
pub mod templates;
pub mod tls;
pub mod trace_request;
pub mod transport;
