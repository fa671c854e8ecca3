//! Removes secrets from the messages of plugins before anybody reads them.

use openneko_plugin::rpc::{Failure, RpcError};
use openneko_sandbox::{SandboxError, Secret};

/// Shorter values occur in any text, and are no secrets.
const SHORTEST: usize = 6;
const REDACTED: &str = "[REDACTED]";

/// Replaces every value, in the clear, in form encoding and in base64.
pub(super) fn text(text: &str, env: &[(String, Secret)]) -> String {
    let mut needles: Vec<String> = Vec::new();
    for (_, value) in env {
        let value = value.expose();
        if value.len() >= SHORTEST {
            needles.push(value.to_owned());
            needles.push(url::form_urlencoded::byte_serialize(value.as_bytes()).collect());
            needles.push(value.bytes().map(percent).collect());
            needles.extend((0..3).flat_map(|offset| in_base64(value, offset)));
        }
    }
    // The longest first, so that a value inside another leaves no rest of that one.
    needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
    needles
        .iter()
        .fold(text.to_owned(), |text, needle| text.replace(needle, REDACTED))
}

/// As `encodeURIComponent` writes a byte.
fn percent(byte: u8) -> String {
    match byte {
        b if b.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&b) => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    }
}

/// The base64 characters of a value inside a longer text, with `offset` bytes, modulo 3,
/// before it. Characters that it shares with its neighbours are left out.
fn in_base64(value: &str, offset: usize) -> [String; 2] {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

    let mut bytes = vec![0; offset];
    bytes.extend_from_slice(value.as_bytes());
    let whole = (offset * 8).div_ceil(6)..bytes.len() * 8 / 6;
    [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)]
        .map(|text| text[whole.clone()].to_owned())
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

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_value_is_found_wherever_it_stands_in_base64() {
        let env = [("KEY".to_owned(), Secret::new("s3cret+/value".to_owned()))];
        for before in ["", "i", "id", "id:", "id:1"] {
            let encoded = STANDARD.encode(format!("{before}s3cret+/value{before}"));
            let shown = text(&format!("Basic {encoded}"), &env);
            assert!(shown.contains(REDACTED), "{shown}");
            let rest = shown.replace(REDACTED, "").replace("Basic ", "");
            assert!(rest.len() <= encoded.len() - 15, "{shown}");
        }
    }

    #[test]
    fn short_values_are_left_in() {
        let env = [("KEY".to_owned(), Secret::new("id".to_owned()))];
        assert_eq!(text("invalid", &env), "invalid");
    }
}
