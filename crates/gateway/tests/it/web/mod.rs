//! What all areas share: pages, cookies, errors, and what never leaks.

mod cookies;
mod escaping;
mod methods;
mod pages;
mod parameters;
mod secrets;
