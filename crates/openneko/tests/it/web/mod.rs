//! The web app, through its router, on SQLite and on PostgreSQL.

mod arrival;
mod callback;
mod gate;
mod listener;
mod real_plugin;
mod sessions;
mod support;
mod users;
