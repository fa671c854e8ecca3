//! Values of registered attributes: as a provider sends them, as users keep them, and as tokens have them.

use serde_json::{Map, Value};

use super::{Datatype, UserAttribute};
use crate::mistake;

/// The most characters of a value, as in the contract. A longer one is left out, because half of it would be
/// another value.
pub const MAX_VALUE: usize = 256;
/// The most octets of a value. Letters of other alphabets have two to four, and a token with twenty values must
/// fit into an address.
const MAX_OCTETS: usize = 512;
/// How deep lists and objects may stand in each other in an object.
const MAX_DEPTH: usize = 8;

/// Why a value of a provider is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("is not of the type {0}")]
    OtherType(Datatype),
    #[error("is longer than {} characters, or {} octets", MAX_VALUE, MAX_OCTETS)]
    TooLong,
    #[error("holds control characters or marks that turn text around")]
    NotPlain,
}

/// The text that users keep for a value of a provider. `None` if it says nothing.
///
/// Providers send numbers and truth values as text, and SAML knows nothing else; so text counts if it is of
/// the type.
///
/// # Errors
///
/// [`Unfit`].
pub fn read_value(datatype: Datatype, value: &Value) -> Result<Option<String>, Unfit> {
    let wrong = Err(Unfit::OtherType(datatype));
    let value = match value {
        // One value in a list is that value.
        Value::Array(values) if datatype != Datatype::Array => match values.as_slice() {
            [] => return Ok(None),
            [one] => one,
            _ => return wrong,
        },
        value => value,
    };
    let is_scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    let text = match (datatype, value) {
        (_, Value::Null) => return Ok(None),
        (_, Value::String(text)) if text.trim().is_empty() => return Ok(None),
        (Datatype::String, Value::String(text)) => text.trim().to_owned(),
        (Datatype::String | Datatype::Number, Value::Number(number)) => number.to_string(),
        (Datatype::String | Datatype::Bool, Value::Bool(is_true)) => is_true.to_string(),
        (Datatype::Number, Value::String(text)) => match parse(text) {
            Some(Value::Number(number)) => number.to_string(),
            _ => return wrong,
        },
        (Datatype::Bool, Value::String(text)) => match text.trim().to_ascii_lowercase() {
            word if matches!(word.as_str(), "true" | "false") => word,
            _ => return wrong,
        },
        (Datatype::Array, Value::Array(values)) if values.iter().all(is_scalar) => {
            if values.is_empty() {
                return Ok(None);
            }
            value.to_string()
        }
        (Datatype::Array, one) if is_scalar(one) => Value::from(vec![one.clone()]).to_string(),
        (Datatype::Object, Value::Object(_)) if is_shallow(value, MAX_DEPTH) => value.to_string(),
        (Datatype::Object, Value::String(text)) => match parse(text) {
            Some(object @ Value::Object(_)) => object.to_string(),
            _ => return wrong,
        },
        _ => return wrong,
    };
    match mistake::text(&text, MAX_VALUE) {
        Ok(()) if text.len() > MAX_OCTETS => Err(Unfit::TooLong),
        Ok(()) => Ok(Some(text)),
        Err(mistake::Fault::TooLong { .. }) => Err(Unfit::TooLong),
        Err(_) => Err(Unfit::NotPlain),
    }
}

fn parse(text: &str) -> Option<Value> {
    let value = serde_json::from_str(text.trim()).ok()?;
    is_shallow(&value, MAX_DEPTH).then_some(value)
}

/// Whether no more than `levels` of lists and objects stand in each other. We refuse deep tokens, also our own.
fn is_shallow(value: &Value, levels: usize) -> bool {
    match (value, levels.checked_sub(1)) {
        (Value::Array(values), Some(levels)) => values.iter().all(|value| is_shallow(value, levels)),
        (Value::Object(members), Some(levels)) => members.values().all(|value| is_shallow(value, levels)),
        (Value::Array(_) | Value::Object(_), None) => false,
        _ => true,
    }
}

/// A user's registered attributes in their types, as claims. A value of another type is left out: an
/// application may have stored it.
pub fn token_claims(attributes: &[UserAttribute], values: &Map<String, Value>) -> Map<String, Value> {
    let claim = |attribute: &UserAttribute| {
        let value = values.get(&attribute.key)?;
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some((attribute.key.clone(), typed(attribute.datatype, text)?))
    };
    let enabled = attributes.iter().filter(|attribute| attribute.enabled);
    enabled.filter_map(claim).collect()
}

fn typed(datatype: Datatype, text: String) -> Option<Value> {
    if datatype == Datatype::String {
        return Some(Value::String(text));
    }
    let value = parse(&text)?;
    let fits = match datatype {
        Datatype::String => true,
        Datatype::Number => value.is_number(),
        Datatype::Bool => value.is_boolean(),
        Datatype::Array => value.is_array(),
        Datatype::Object => value.is_object(),
    };
    fits.then_some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Timestamp;

    fn kept(text: &str) -> Result<Option<String>, Unfit> {
        Ok(Some(text.to_owned()))
    }

    /// Our own tokens are read with a limit of depth, so a deeper one would be refused at the sign-out.
    #[test]
    fn a_deep_object_is_no_value() {
        let nested = |levels| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        for (levels, is_value) in [(7, true), (8, false), (60, false)] {
            let text = nested(levels);
            let sent: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read_value(Datatype::Object, &sent).is_ok(), is_value, "{levels}");
            assert_eq!(
                read_value(Datatype::Object, &json!(text)).is_ok(),
                is_value,
                "{levels}"
            );
            // An application may have stored it.
            assert_eq!(typed(Datatype::Object, text).is_some(), is_value, "{levels}");
        }
    }

    #[test]
    fn a_value_is_kept_as_text_of_its_type() {
        use Datatype::{Array, Bool, Number, Object, String};
        for (datatype, value, text) in [
            (String, json!(" R&D "), "R&D"),
            (String, json!(4711), "4711"),
            (String, json!(["R&D"]), "R&D"),
            (Number, json!(4711), "4711"),
            (Number, json!(" 4711 "), "4711"),
            (Number, json!("-1.5"), "-1.5"),
            (Bool, json!(true), "true"),
            (Bool, json!("False"), "false"),
            (Array, json!(["a", 1, true]), r#"["a",1,true]"#),
            (Array, json!("a"), r#"["a"]"#),
            (Object, json!({"a": [1]}), r#"{"a":[1]}"#),
            (Object, json!(r#" {"a": 1} "#), r#"{"a":1}"#),
        ] {
            assert_eq!(read_value(datatype, &value), kept(text), "{datatype} {value}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_left_out() {
        use Datatype::{Array, Bool, Number, Object, String};
        for (datatype, value) in [
            (String, json!({"a": 1})),
            (String, json!(["a", "b"])),
            (Number, json!("seven")),
            (Number, json!("0x10")),
            (Number, json!("NaN")),
            (Number, json!(true)),
            (Bool, json!("yes")),
            (Bool, json!(1)),
            (Array, json!({"a": 1})),
            (Array, json!([["nested"]])),
            (Array, json!([null])),
            (Object, json!("[]")),
            (Object, json!("text")),
            (Object, json!(7)),
        ] {
            let refused = Err(Unfit::OtherType(datatype));
            assert_eq!(read_value(datatype, &value), refused, "{datatype} {value}");
        }
    }

    #[test]
    fn nothing_is_no_value_and_half_a_value_is_none() {
        for value in [json!(null), json!(""), json!("  "), json!([])] {
            for datatype in Datatype::ALL {
                assert_eq!(read_value(*datatype, &value), Ok(None), "{datatype} {value}");
            }
        }
        assert_eq!(
            read_value(Datatype::String, &json!("ä".repeat(256))),
            kept(&"ä".repeat(256))
        );
        for long in [json!("ä".repeat(257)), json!("1".repeat(257))] {
            assert_eq!(read_value(Datatype::String, &long), Err(Unfit::TooLong));
        }
        assert_eq!(
            read_value(Datatype::Array, &json!(["x".repeat(250), "y"])),
            Err(Unfit::TooLong)
        );
        assert_eq!(
            read_value(Datatype::String, &json!("a\u{202e}b")),
            Err(Unfit::NotPlain)
        );
        // A joiner that nobody sees is part of words in some scripts, and of emoji.
        for joined in ["a\u{200b}b", "می\u{200c}خواهم", "👩\u{200d}💻"] {
            assert_eq!(read_value(Datatype::String, &json!(joined)), kept(joined));
        }
    }

    #[test]
    fn tokens_have_what_is_registered_and_of_its_type() {
        let attribute = |key: &str, datatype, enabled| UserAttribute {
            key: key.to_owned(),
            label: key.to_owned(),
            datatype,
            enabled,
            required: false,
            oidc_claim: None,
            saml_attribute: None,
            created_at: Timestamp::from_secs(1),
            updated_at: Timestamp::from_secs(1),
        };
        let attributes = [
            attribute("department", Datatype::String, true),
            attribute("level", Datatype::Number, true),
            attribute("remote", Datatype::Bool, true),
            attribute("teams", Datatype::Array, true),
            attribute("desk", Datatype::Object, true),
            attribute("secret", Datatype::String, false),
            attribute("absent", Datatype::String, true),
            attribute("broken", Datatype::Number, true),
        ];
        let values = json!({
            "department": "7", "level": "7", "remote": "true", "teams": "[\"a\"]", "desk": "{\"floor\":3}",
            "secret": "x", "broken": "seven", "unregistered": "y"
        });
        let claims = token_claims(&attributes, values.as_object().unwrap());
        assert_eq!(
            Value::from(claims),
            json!({"department": "7", "level": 7, "remote": true, "teams": ["a"], "desk": {"floor": 3}})
        );
    }
}
