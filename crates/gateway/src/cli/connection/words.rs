//! What the command line has to say for every kind of connection.

use std::collections::BTreeMap;

/// What the command line says of a kind of connection.
pub(super) struct Words {
    /// The options by which the fields are entered.
    pub(super) options: &'static [(&'static str, &'static str)],
    /// What to do about options that another kind has not.
    pub(super) leave_out: &'static str,
    /// What the address at which answers come is called at the provider.
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
