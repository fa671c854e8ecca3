//! Genkan: the gateway as a library.

pub mod grpc;
pub mod listener;
pub mod web;
