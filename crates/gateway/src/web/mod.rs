//! Parts that the areas of the gateway share: pages, errors, forms, client authentication.

pub mod access_token;
pub mod api_reference;
pub mod client_auth;
pub mod cors;
pub mod cross_site;
pub mod cross_site_post;
pub mod error;
pub(crate) mod facts;
pub mod fallback;
pub mod form;
pub(crate) mod form_post;
pub mod id_token_hint;
pub(crate) mod memory;
pub mod moment;
pub mod oauth_error;
pub mod outage;
pub mod own_form;
pub mod own_names;
pub mod pages;
pub(crate) mod person;
mod refusals;
pub mod refused;
pub mod see_other;
pub mod static_files;
pub mod tls;
pub mod trace_request;
pub mod transport;
