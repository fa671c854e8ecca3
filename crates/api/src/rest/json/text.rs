//! One value written as text: in a path or a query.
//!
//! Source: `google/api/http.proto`, "HTTP query parameters".

use prost_reflect::{DynamicMessage, Kind, Value};
use serde_json::Value as Json;

use super::{At, Mistake, parse};

/// Reads `text` as a value of `kind`.
pub(crate) fn text(kind: &Kind, text: &str, at: At<'_>) -> Result<Value, Mistake> {
    let json = match kind {
        Kind::Bool => match text {
            "true" | "1" => Json::Bool(true),
            "false" | "0" => Json::Bool(false),
            _ => return Err(Mistake::new(at, "must be true or false")),
        },
        Kind::Enum(values) => {
            let number = parse::digits(text).and_then(|number| i32::try_from(number).ok());
            match number.and_then(|number| values.get_value(number)) {
                Some(value) => Json::from(value.number()),
                None => Json::from(text),
            }
        }
        Kind::Message(descriptor) => {
            let name = descriptor.full_name().strip_prefix("google.protobuf.");
            let is_wrapper =
                name.is_some_and(|name| name.ends_with("Value") && name != "Value" && name != "ListValue");
            match descriptor.get_field(1).filter(|_| is_wrapper) {
                Some(inner) => {
                    let mut message = DynamicMessage::new(descriptor.clone());
                    message.set_field(&inner, self::text(&inner.kind(), text, at)?);
                    return Ok(Value::Message(message));
                }
                None if matches!(name, Some("Timestamp" | "Duration" | "FieldMask")) => Json::from(text),
                None => return Err(Mistake::new(at, "holds several values: name one of its fields")),
            }
        }
        _ => Json::from(text),
    };
    parse::single(kind, json, at)
}
