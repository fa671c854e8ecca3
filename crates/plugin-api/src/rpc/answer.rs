//! The envelope of an answer.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::Json;

/// Longest standard output that is read, in bytes.
pub const MAX_STDOUT: usize = 1 << 20;

/// What a plugin says when a method fails: a code and a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Any text, such as those in [`code`](super::code).
    pub code: String,
    /// What happened. It may hold anything, so it goes to logs and not to browsers.
    #[serde(default)]
    pub message: String,
}

/// Why a call gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The plugin wrote nothing.
    #[error("the plugin answered nothing")]
    Empty,
    /// The plugin wrote more than [`MAX_STDOUT`] bytes.
    #[error("the plugin answered more than {MAX_STDOUT} bytes")]
    TooLong,
    /// The last line is not a JSON answer. This is its beginning.
    #[error("the plugin's last line is no answer: {0:?}")]
    NotAnAnswer(String),
    /// The answer does not have the form of the method.
    #[error("the plugin's answer is not as it should be: {0}")]
    Shape(String),
    /// The plugin says that it failed.
    #[error("{} {}", .0.code, .0.message)]
    Plugin(Failure),
}

impl RpcError {
    /// The plugin's own code, if the plugin reported the failure.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Plugin(failure) => Some(&failure.code),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct Envelope {
    ok: bool,
    #[serde(default)]
    result: Json,
    error: Option<Failure>,
}

/// Reads standard output: the last line is the answer, lines before it are the
/// plugin's own notes.
///
/// # Errors
///
/// [`RpcError::Plugin`] when the plugin says that it failed, the other cases
/// when the answer cannot be read.
///
/// ```
/// use openneko_plugin::rpc::{RpcError, parse_answer};
///
/// assert_eq!(parse_answer(b"note\n{\"ok\":true,\"result\":7}\n"), Ok(7.into()));
/// assert_eq!(parse_answer(b" \n"), Err(RpcError::Empty));
/// ```
pub fn parse_answer(stdout: &[u8]) -> Result<Value, RpcError> {
    result(stdout)?
        .to()
        .map_err(|error| RpcError::Shape(error.to_string()))
}

pub(super) fn result(stdout: &[u8]) -> Result<Json, RpcError> {
    if stdout.len() > MAX_STDOUT {
        return Err(RpcError::TooLong);
    }
    let trimmed = stdout.trim_ascii();
    let line = trimmed
        .rsplit(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    if line.is_empty() {
        return Err(RpcError::Empty);
    }
    let not_an_answer = || {
        let beginning: String = String::from_utf8_lossy(&line[..line.len().min(400)])
            .chars()
            .take(200)
            .collect();
        RpcError::NotAnAnswer(beginning)
    };
    // As JSON first: the envelope alone would ignore an unknown member.
    let json: Json = serde_json::from_slice(line).map_err(|_| not_an_answer())?;
    let envelope: Envelope = json.to().map_err(|_| not_an_answer())?;
    match envelope {
        Envelope { ok: true, result, .. } => Ok(result),
        Envelope {
            error: Some(failure), ..
        } => Err(RpcError::Plugin(failure)),
        Envelope { .. } => Err(not_an_answer()),
    }
}

pub(super) fn typed<T: DeserializeOwned>(json: &Json) -> Result<T, RpcError> {
    json.to().map_err(|error| RpcError::Shape(error.to_string()))
}

/// The answer of a method that succeeded, as a plugin writes it.
///
/// # Errors
///
/// Those of `T`.
pub fn success<T: Serialize>(result: &T) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Success<'a, T> {
        ok: bool,
        result: &'a T,
    }
    serde_json::to_string(&Success { ok: true, result })
}

/// The answer of a method that failed, as a plugin writes it.
pub fn failure(code: &str, message: &str) -> String {
    #[derive(Serialize)]
    struct Failed<'a> {
        ok: bool,
        error: Error<'a>,
    }
    #[derive(Serialize)]
    struct Error<'a> {
        code: &'a str,
        message: &'a str,
    }
    let failed = Failed {
        ok: false,
        error: Error { code, message },
    };
    serde_json::to_string(&failed).expect("two strings are always JSON")
}
