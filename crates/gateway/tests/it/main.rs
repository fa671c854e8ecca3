//! Integration tests: real sockets, real clients. The folders mirror `src`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod anonymous;
mod architecture;
mod cli;
mod connections;
mod failover;
mod grpc;
mod listener;
mod login;
mod mail;
mod management;
mod manifests;
mod net;
mod op;
mod store;
mod upgrade;
mod web;
