//! The content of the database, through the gateway.

mod flat;
mod nodes;
mod other_process;
mod outage;
