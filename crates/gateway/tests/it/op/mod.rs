//! The OpenID Provider, from outside.

mod authorization_code;
mod traps;
