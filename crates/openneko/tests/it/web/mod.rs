//! The web app, through its router, on SQLite and on PostgreSQL.

mod arrival;
mod callback;
mod gate;
mod sessions;
mod support;
mod users;
