//! Every function of the store, on SQLite and on PostgreSQL.

#![expect(clippy::unwrap_used, reason = "tests fail where something is missing")]

mod admission;
mod api_token;
mod auth_log;
mod back_channel_logout;
mod claims_upgrade;
mod client;
mod connection;
mod connection_change;
mod connection_settings;
mod directory;
mod durability;
mod environment;
mod event;
mod event_object;
mod familiar;
mod grant;
mod interaction;
mod invitation;
mod janitor;
mod machine_client;
mod mail;
mod member;
mod membership;
mod mere_claim;
mod organization;
mod outbox;
mod parked_answer;
mod passwordless;
mod permission;
mod portal_link;
mod proof;
mod proofs_upgrade;
mod refresh_token;
mod role;
mod role_upgrade;
mod search;
mod session;
mod session_place;
mod session_policy;
mod signing_key;
mod support;
mod user;
mod webauthn;
mod whose_word;
