//! The list of facts on a page.

/// A line of `facts.html`: when, who, under which reference.
#[derive(Debug, Clone)]
pub(crate) struct Fact<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: String,
    /// An exact value that people copy.
    pub(crate) is_code: bool,
}

/// The facts of the samples.
#[cfg(test)]
pub(crate) fn samples() -> [Fact<'static>; 4] {
    [
        ("Who", "ada@acme.com", false),
        ("When", "22 November 2026, 14:03:11 UTC", false),
        ("Reference", "err_000729104662551804313", true),
        ("Cause", "id_token_audience", true),
    ]
    .map(|(name, value, is_code)| Fact {
        name,
        value: value.to_owned(),
        is_code,
    })
}
