//! Addresses, names and networks: what is public, what is private, what lies in what.
//!
//! Every guard of an outgoing connection asks here, the gateway's and that of the
//! plugins, and every list of an operator's networks is read here. There is no I/O,
//! and nothing but the standard library and `ipnet` is needed to decide.

mod address;
mod name;
mod network;

pub use address::{is_private, is_public};
pub use name::is_public_name;
pub use network::{InvalidNetwork, Network};
