//! Takes secrets out of what plugins say before anybody reads it.

use openneko_plugin::rpc::{Failure, RpcError};
use openneko_sandbox::{SandboxError, Secret};

/// Shorter values are found in any text, and are no secrets.
const SHORTEST: usize = 6;
const REDACTED: &str = "[REDACTED]";

/// Replaces every value, as it is and as forms and Basic credentials carry it.
pub(super) fn text(text: &str, env: &[(String, Secret)]) -> String {
    let mut needles: Vec<String> = Vec::new();
    for (_, value) in env {
        let value = value.expose();
        if value.len() >= SHORTEST {
            needles.push(value.to_owned());
            needles.push(url::form_urlencoded::byte_serialize(value.as_bytes()).collect());
        }
    }
    for (_, first) in env {
        for (_, second) in env {
            if second.expose().len() >= SHORTEST {
                needles.push(base64(&format!("{}:{}", first.expose(), second.expose())));
            }
        }
    }
    // The longest first, so that a value within another leaves no rest of it.
    needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
    needles
        .iter()
        .fold(text.to_owned(), |text, needle| text.replace(needle, REDACTED))
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

pub(super) fn rpc_error(error: RpcError, env: &[(String, Secret)]) -> RpcError {
    match error {
        RpcError::Plugin(failure) => RpcError::Plugin(Failure {
            code: text(&failure.code, env),
            message: text(&failure.message, env),
        }),
        RpcError::NotAnAnswer(line) => RpcError::NotAnAnswer(text(&line, env)),
        RpcError::Shape(reason) => RpcError::Shape(text(&reason, env)),
        error @ (RpcError::Empty | RpcError::TooLong) => error,
    }
}

pub(super) fn sandbox_error(error: SandboxError, env: &[(String, Secret)]) -> SandboxError {
    match error {
        SandboxError::Crashed(reason) => SandboxError::Crashed(text(&reason, env)),
        error => error,
    }
}

/// A registration that failed, with what the plugin wrote for its author.
/// There were no values in its environment.
pub(super) fn described(error: RpcError, stderr: &[u8]) -> super::Error {
    let noted: String = String::from_utf8_lossy(&stderr[..stderr.len().min(500)])
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match noted.trim() {
        "" => super::Error::Rpc(error),
        noted => super::Error::Registration(format!("{error} ({noted})")),
    }
}
