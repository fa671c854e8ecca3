//! The web app, through its router, on SQLite and on PostgreSQL.

mod arrival;
mod callback;
mod commands;
mod documents;
mod first_admin;
mod foreign;
mod gate;
mod listener;
#[cfg(feature = "jail")]
mod real_plugin;
mod sessions;
mod support;
mod upgrade;
mod users;
