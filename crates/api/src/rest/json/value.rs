//! JSON text to values, with limits.
//!
//! Source: RFC 8259.

use genkan_protocol::json::{self, Limits};
use serde_json::{Map, Value};

use super::Mistake;

/// A message of the contract needs five levels; free-form values take the rest. One
/// level of these costs three in protobuf, whose decoder stops at a hundred.
const LIMITS: Limits = Limits {
    depth: 24,
    values: 100_000,
};

/// Parses a document. An empty one, or only spaces, counts as `{}`.
///
/// A duplicate name is refused: two parsers that choose differently would see two
/// different requests (RFC 8259 §4).
pub(crate) fn document(bytes: &[u8]) -> Result<Value, Mistake> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    json::value(bytes, LIMITS)
        .map_err(|error| Mistake::new("", format!("the body is not valid JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(text: &str) -> String {
        document(text.as_bytes()).unwrap_err().description
    }

    #[test]
    fn a_document_is_read_as_it_stands() {
        let text = r#" {"a":[1,-2,3.5,1e3,true,null,"x\u00fc"],"b":{}} "#;
        let expected = json!({"a": [1, -2, 3.5, 1000.0, true, null, "xü"], "b": {}});
        assert_eq!(document(text.as_bytes()), Ok(expected));
        assert_eq!(document(b"  \r\n"), Ok(json!({})));
    }

    #[test]
    fn depth_ends_long_before_the_stack_does() {
        for deep in ["[".repeat(5_000), "{\"a\":".repeat(5_000), "[".repeat(2_000_000)] {
            assert!(refusal(&deep).contains("nested more than 24 levels deep"));
        }
        let deepest = format!("{}{}", "[".repeat(24), "]".repeat(24));
        assert!(document(deepest.as_bytes()).is_ok());
    }

    #[test]
    fn a_flood_of_small_values_is_refused() {
        let flood = format!("[0{}]", ",0".repeat(1_000_000));
        assert!(refusal(&flood).contains("more than 100000 values"));
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        assert!(refusal(r#"{"a":1,"a":2}"#).contains("occurs twice"));
        assert!(refusal(r#"{"x":{"a":1,"\u0061":2}}"#).contains("occurs twice"));
        for broken in [
            "{} x",
            "{}{}",
            "{'a':1}",
            "{\"a\":1,}",
            "{\"a\":NaN}",
            "{\"a\":01}",
            "nul",
            "\"\\ud800\"",
            "\u{feff}{}",
        ] {
            assert!(
                refusal(broken).starts_with("the body is not valid JSON: "),
                "{broken}"
            );
        }
        assert!(document(b"{\"a\":\"\xff\"}").is_err());
    }
}
