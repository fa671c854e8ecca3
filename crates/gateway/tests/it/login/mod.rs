//! Hosted login, from outside.

mod at_once;
mod disabled;
mod entering;
mod expiry;
mod forced;
mod foreign;
mod forgery;
mod init;
mod invitation;
mod max_age;
mod organizations;
mod prompt;
mod proofs;
mod random_walk;
mod routing;
mod shared_session;
mod statements;
mod test_connection;
mod two_tabs;
mod way_on;
