//! Unusable settings, and how lists of words are read.

use std::collections::BTreeSet;

/// An unusable setting: which, why, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} cannot be used: {why}")]
pub struct Mistake {
    pub name: &'static str,
    pub why: String,
}

pub(super) fn mistake(name: &'static str, why: impl Into<String>) -> Mistake {
    Mistake {
        name,
        why: why.into(),
    }
}

pub(super) fn non_empty(name: &'static str, words: Vec<String>) -> Result<Vec<String>, Mistake> {
    if words.iter().any(|word| word.trim().is_empty()) {
        return Err(mistake(name, "an entry is empty"));
    }
    Ok(words)
}

pub(super) fn lower(words: &[String]) -> BTreeSet<String> {
    words.iter().map(|word| word.trim().to_lowercase()).collect()
}
