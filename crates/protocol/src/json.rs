//! The one reader of JSON that strangers send. It refuses duplicate names, and limits the
//! depth and the number of values. The receiver limits the size of the text.
//!
//! Source: RFC 7515 §4, RFC 7519 §4, RFC 8259 §4 and §9.

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The limits of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Levels of arrays and objects.
    pub depth: usize,
    /// Values of any kind. Four mebibytes of `0,` would otherwise take sixty in memory.
    pub values: usize,
}

/// For the documents and tokens of the standards: they are flat, and their longest part
/// is a list of groups.
const STANDARD: Limits = Limits {
    depth: 32,
    values: 20_000,
};

/// Parses a text and refuses duplicate names, at any depth.
///
/// Two parsers that choose differently would see two different texts (RFC 8259 §4).
///
/// # Errors
///
/// If it is no JSON, a name occurs twice, or it is beyond the limits.
pub fn value(bytes: &[u8], limits: Limits) -> Result<Value, serde_json::Error> {
    let mut left = limits.values;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let seed = Limited {
        limits,
        depth: limits.depth,
        left: &mut left,
    };
    let value = seed.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Reads an object of one of the standards as a type of ours.
///
/// # Errors
///
/// As [`value`], and those of `T`.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_value(Value::Object(object(bytes)?))
}

/// Parses an object of one of the standards.
///
/// RFC 7519 §4 lets a parser either refuse duplicates or take the last one.
/// Two parsers that choose differently see two different tokens behind one
/// signature, so they are refused.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    match value(bytes, STANDARD)? {
        Value::Object(map) => Ok(map),
        _ => Err(serde_json::Error::custom("not a JSON object")),
    }
}

struct Limited<'l> {
    limits: Limits,
    /// Levels that may follow.
    depth: usize,
    /// Values that may follow, in the whole document.
    left: &'l mut usize,
}

impl<'de> DeserializeSeed<'de> for Limited<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        *self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| D::Error::custom(format!("more than {} values", self.limits.values)))?;
        deserializer.deserialize_any(self)
    }
}

impl Limited<'_> {
    fn deeper<E: Error>(&mut self) -> Result<Limited<'_>, E> {
        let most = self.limits.depth;
        let too_deep = || E::custom(format!("nested more than {most} levels deep"));
        Ok(Limited {
            limits: self.limits,
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

    #[test]
    fn an_ordinary_object_is_what_serde_json_says() {
        let text = br#"{"a":[1,-2,3.5,null,true,{"b":"c"}],"d":{}, "e":18446744073709551615}"#;
        assert_eq!(
            Value::Object(object(text).unwrap()),
            serde_json::from_slice::<Value>(text).unwrap()
        );
    }

    #[test]
    fn a_name_occurs_once_at_any_depth() {
        for text in [
            r#"{"sub":"a","sub":"b"}"#,
            r#"{"sub":"a","s\u0075b":"b"}"#,
            r#"{"x":[{"y":1,"y":1}]}"#,
            r#"{"x":{"y":{"z":1,"z":2}}}"#,
        ] {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn only_one_object_and_nothing_after_it() {
        for text in [
            "",
            "[]",
            "1",
            "\"a\"",
            "null",
            "{}{}",
            "{} x",
            "{\"a\":1,}",
            "\u{feff}{}",
        ] {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(object(deep(31).as_bytes()).is_ok());
        for levels in [32, 100_000] {
            let error = object(deep(levels).as_bytes()).unwrap_err().to_string();
            assert!(error.contains("nested more than 32 levels deep"), "{error}");
        }
        let flood = |values: usize| format!("{{\"groups\":[0{}]}}", ",0".repeat(values));
        assert!(object(flood(10_000).as_bytes()).is_ok());
        let error = object(flood(1_000_000).as_bytes()).unwrap_err().to_string();
        assert!(error.contains("more than 20000 values"), "{error}");
    }
}
