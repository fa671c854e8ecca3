//! The services behind their checks, on a database of their own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod changes;
mod clients;
mod connections;
mod contract;
mod directories;
mod domains;
mod logs;
mod machine_clients;
mod organizations;
mod passwordless;
mod rest;
mod roles;
mod sessions;
mod stack;
mod support;
mod tokens;
mod user_attributes;
mod user_lists;
mod users;
mod webauthn;
