//! The listener, from outside.

mod client_ip;
mod drain;
mod floods;
mod protocols;
mod size_limits;
mod time_limits;
mod tls;
mod unread;
