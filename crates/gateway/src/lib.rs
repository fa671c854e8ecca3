//! Genkan: the front door for B2B software.

pub mod anonymous;
pub mod answer;
pub mod app;
pub mod budget;
pub mod cache;
pub mod cli;
pub mod config;
pub mod configuration;
pub mod connections;
pub mod context;
pub mod cookies;
pub mod demo;
pub mod dev;
pub mod dev_ca;
pub mod documents;
pub mod failure;
pub mod grpc;
pub mod health;
pub mod jobs;
pub mod keys;
pub mod letters;
pub mod lines;
pub mod logging;
pub mod login;
pub mod mail;
pub mod management;
pub mod node;
pub mod op;
pub mod opened_keys;
pub mod outbound;
pub mod portal;
#[cfg(test)]
mod samples;
pub mod serve;
pub mod server;
pub mod simulator;
pub mod tally;
pub mod web;

use axum::Router;
use axum::middleware::from_fn_with_state;

use app::App;
use web::{fallback, static_files, trace_request, transport};

/// Every area of the gateway, mounted on one screen. Each knows its own routes.
pub fn router(app: &App) -> Router {
    Router::new()
        .merge(op::router(app))
        .merge(login::router(app))
        .merge(portal::router(app))
        .merge(health::router())
        .merge(static_files::router())
        .fallback(fallback::not_found)
        .method_not_allowed_fallback(fallback::method_not_allowed)
        .layer(from_fn_with_state(app.clone(), transport::require_tls))
        .layer(from_fn_with_state(app.clone(), trace_request::trace_request))
        .with_state(app.clone())
}
