//! Rules for all areas: pages, cookies, errors, and secrets that never leak.

mod cookies;
mod escaping;
mod methods;
mod pages;
mod parameters;
mod secrets;
