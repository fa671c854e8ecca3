//! The texts of the command line that differ between kinds of connections.

use std::collections::BTreeMap;

/// The texts for a kind of connection.
pub(super) struct Words {
    /// The options for the fields.
    pub(super) options: &'static [(&'static str, &'static str)],
    /// What to do about options that other kinds lack.
    pub(super) leave_out: &'static str,
    /// The provider's name for the address of its answers.
    pub(super) address: &'static str,
}

/// `--x on|off`, or `--no-x`.
pub(super) fn switch(chosen: Option<bool>, no: bool) -> Option<bool> {
    if no { Some(false) } else { chosen }
}

pub(super) fn optional(value: &Option<String>) -> String {
    value.clone().unwrap_or_default()
}

pub(super) fn pairs(mapping: &BTreeMap<String, String>) -> String {
    let pairs = mapping.iter().map(|(ours, theirs)| format!("{ours}={theirs}"));
    pairs.collect::<Vec<_>>().join(", ")
}
