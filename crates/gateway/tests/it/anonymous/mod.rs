//! What strangers may ask for, and what they leave behind.

mod answers;
mod budget;
mod flood;
