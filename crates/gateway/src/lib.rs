//! Genkan: the gateway as a library.

pub mod cli;
pub mod config;
pub mod dev;
pub mod dev_ca;
pub mod grpc;
pub mod listener;
pub mod logging;
pub mod serve;
pub mod simulator;
pub mod web;
