//! JSON text to values, with limits.
//!
//! Source: RFC 8259.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::Mistake;

/// Deepest nesting. A message of the contract needs five; free-form values take the
/// rest. One level of them costs three in protobuf, whose decoder stops at a hundred.
const DEEPEST: usize = 24;

/// Most values in one document. Four mebibytes of `0,` would otherwise take sixty in memory.
const MOST_VALUES: usize = 100_000;

/// Parses a document. Nothing but spaces counts as `{}`.
///
/// A name that occurs twice is refused: two parsers that choose differently would see
/// two different requests (RFC 8259 §4).
pub(crate) fn document(bytes: &[u8]) -> Result<Value, Mistake> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    let mut left = MOST_VALUES;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let seed = Limited {
        depth: DEEPEST,
        left: &mut left,
    };
    seed.deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| Mistake::new("", format!("the body is not valid JSON: {error}")))
}

struct Limited<'l> {
    depth: usize,
    left: &'l mut usize,
}

impl<'de> DeserializeSeed<'de> for Limited<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        *self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| D::Error::custom(format!("more than {MOST_VALUES} values")))?;
        deserializer.deserialize_any(self)
    }
}

impl Limited<'_> {
    fn deeper<E: Error>(&mut self) -> Result<Limited<'_>, E> {
        let too_deep = || E::custom(format!("nested more than {DEEPEST} levels deep"));
        Ok(Limited {
            depth: self.depth.checked_sub(1).ok_or_else(too_deep)?,
            left: self.left,
        })
    }
}

impl<'de> Visitor<'de> for Limited<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(self.deeper()?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom("a name occurs twice in one object"));
            }
            let value = access.next_value_seed(self.deeper()?)?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
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
