//! The built program against a real HTTPS server, byte for byte.

mod golden;
mod offers;
mod provider;
mod refusals;
