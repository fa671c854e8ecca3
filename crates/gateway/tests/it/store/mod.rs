//! What lies in the database, seen through the gateway.

mod flat;
mod nodes;
mod other_process;
mod outage;
