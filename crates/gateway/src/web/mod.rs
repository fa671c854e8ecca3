//! What the areas of the gateway share: pages, errors and static files.

pub mod desks;
pub mod error;
pub mod page;
#[cfg(test)]
mod samples;
pub mod static_files;
pub mod templates;
