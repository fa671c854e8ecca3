//! `prompt`: what the user must or must not be asked.
//!
//! Source: OIDC Core §3.1.2.1, Initiating User Registration 1.0 §4.1 (`create`).

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the user must or must not be asked (OIDC Core §3.1.2.1). If all are false: what is needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Prompt {
    /// Nothing at all: an error instead of a page. Stands alone.
    pub none: bool,
    /// Authenticate again.
    pub login: bool,
    /// Choose among accounts or organizations.
    pub select_account: bool,
    /// Begin at the page for signing up ("Initiating User Registration" 1.0).
    pub create: bool,
    /// Ask for consent.
    pub consent: bool,
}

/// Why a `prompt` is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// OIDC Core §3.1.2.1: `none` with any other word is an error.
    #[error("prompt=none must stand alone")]
    NoneWithOthers,
    /// A word that is not known.
    #[error("prompt must be none, login, select_account, create or consent")]
    Unknown,
}

impl FromStr for Prompt {
    type Err = PromptError;

    /// Words separated by spaces, case-sensitive.
    fn from_str(text: &str) -> Result<Self, PromptError> {
        let mut prompt = Self::default();
        let words = text.split(' ').filter(|word| !word.is_empty());
        for word in words.clone() {
            match word {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "select_account" => prompt.select_account = true,
                "create" => prompt.create = true,
                "consent" => prompt.consent = true,
                _ => return Err(PromptError::Unknown),
            }
        }
        if prompt.none && words.count() > 1 {
            return Err(PromptError::NoneWithOthers);
        }
        Ok(prompt)
    }
}
