//! Addresses, names and networks: which are public, which are private, and which network
//! holds an address.
//!
//! Both guards of outgoing connections, the gateway's and that of the plugins, use these
//! rules. All lists of an operator's networks are parsed here. The crate does no I/O and
//! depends only on the standard library and `ipnet`.

mod address;
mod name;
mod network;

pub use address::{is_private, is_public};
pub use name::is_public_name;
pub use network::{InvalidNetwork, Network};
