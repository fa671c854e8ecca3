//! The OpenID Provider, from outside.

mod authorization_code;
mod authorize;
mod back_channel_logout;
mod back_channel_logout_to_many;
mod client_authentication;
mod client_credentials;
mod cors;
mod cross_site_posts;
mod discovery;
mod end_session;
mod ended_places;
mod introspect;
mod keys;
mod meanwhile;
mod refresh_token;
mod refused;
mod revoke;
mod tokens;
mod traps;
mod userinfo;
