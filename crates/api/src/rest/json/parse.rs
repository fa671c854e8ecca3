//! JSON values to messages.
//!
//! Source: Protocol Buffers, "ProtoJSON Format".

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};
use serde_json::{Map, Value as Json};

use super::time::{parse_duration, parse_timestamp};
use super::{At, Mistake};

/// Reads an object as a message. Fields that the message does not have are ignored;
/// `null` is the same as absent.
pub(crate) fn message(
    descriptor: &MessageDescriptor,
    json: Json,
    at: At<'_>,
) -> Result<DynamicMessage, Mistake> {
    if let Some(known) = well_known(descriptor, &json, at) {
        return known;
    }
    let Json::Object(object) = json else {
        return Err(unexpected("an object", &json, at));
    };
    let mut message = DynamicMessage::new(descriptor.clone());
    for (name, json) in object {
        let found = descriptor
            .get_field_by_name(&name)
            .or_else(|| descriptor.get_field_by_json_name(&name));
        let Some(descriptor) = found else { continue };
        let at = At::Field(&at, descriptor.name());
        if json.is_null() && !is_any_value(&descriptor.kind()) {
            continue;
        }
        refuse_second(&message, &descriptor, at)?;
        let value = field(&descriptor, json, at)?;
        message.set_field(&descriptor, value);
    }
    Ok(message)
}

/// Refuses one field under two spellings, and two members of one choice.
pub(crate) fn refuse_second(
    message: &DynamicMessage,
    field: &FieldDescriptor,
    at: At<'_>,
) -> Result<(), Mistake> {
    if message.has_field(field) {
        return Err(Mistake::new(at, "is given twice"));
    }
    let others = field
        .containing_oneof()
        .into_iter()
        .flat_map(|oneof| oneof.fields().collect::<Vec<_>>());
    match others.into_iter().find(|other| message.has_field(other)) {
        Some(other) => Err(Mistake::new(
            at,
            format!("cannot be given together with {}", other.name()),
        )),
        None => Ok(()),
    }
}

/// Reads the value of a field: one, a list, or a map.
pub(crate) fn field(field: &FieldDescriptor, json: Json, at: At<'_>) -> Result<Value, Mistake> {
    if field.is_map() {
        return map(field, json, at);
    }
    if !field.is_list() {
        return single(&field.kind(), json, at);
    }
    match json {
        Json::Array(items) => {
            let item = |(index, json)| single(&field.kind(), json, At::Index(&at, index));
            Ok(Value::List(
                items
                    .into_iter()
                    .enumerate()
                    .map(item)
                    .collect::<Result<_, _>>()?,
            ))
        }
        Json::Null => Ok(Value::List(Vec::new())),
        other => Err(unexpected("an array", &other, at)),
    }
}

fn map(field: &FieldDescriptor, json: Json, at: At<'_>) -> Result<Value, Mistake> {
    let object = match json {
        Json::Object(object) => object,
        Json::Null => Map::new(),
        other => return Err(unexpected("an object", &other, at)),
    };
    let Kind::Message(entry) = field.kind() else {
        return Err(Mistake::new(at, "is of a kind that JSON cannot carry"));
    };
    let (key_kind, value_kind) = (
        entry.map_entry_key_field().kind(),
        entry.map_entry_value_field().kind(),
    );
    let mut entries = HashMap::with_capacity(object.len());
    for (key, json) in object {
        let at = At::Field(&at, &key);
        let value = single(&value_kind, json, at)?;
        let key = map_key(&key_kind, &key).ok_or_else(|| Mistake::new(at, "is not a key of this map"))?;
        entries.insert(key, value);
    }
    Ok(Value::Map(entries))
}

fn map_key(kind: &Kind, text: &str) -> Option<MapKey> {
    Some(match kind {
        Kind::String => MapKey::String(text.to_owned()),
        Kind::Bool => MapKey::Bool(text.parse().ok()?),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => MapKey::I32(text.parse().ok()?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => MapKey::I64(text.parse().ok()?),
        Kind::Uint32 | Kind::Fixed32 => MapKey::U32(text.parse().ok()?),
        Kind::Uint64 | Kind::Fixed64 => MapKey::U64(text.parse().ok()?),
        _ => return None,
    })
}

pub(super) fn single(kind: &Kind, json: Json, at: At<'_>) -> Result<Value, Mistake> {
    Ok(match (kind, json) {
        (Kind::String, Json::String(text)) => Value::String(text),
        (Kind::String, other) => return Err(unexpected("a string", &other, at)),
        (Kind::Bool, Json::Bool(value)) => Value::Bool(value),
        (Kind::Bool, other) => return Err(unexpected("true or false", &other, at)),
        (Kind::Int32 | Kind::Sint32 | Kind::Sfixed32, json) => Value::I32(integer(&json, at)?),
        (Kind::Int64 | Kind::Sint64 | Kind::Sfixed64, json) => Value::I64(integer(&json, at)?),
        (Kind::Uint32 | Kind::Fixed32, json) => Value::U32(integer(&json, at)?),
        (Kind::Uint64 | Kind::Fixed64, json) => Value::U64(integer(&json, at)?),
        (Kind::Double, json) => Value::F64(float(&json, at)?),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float field holds what a float can"
        )]
        (Kind::Float, json) => Value::F32(float(&json, at)? as f32),
        (Kind::Bytes, Json::String(text)) => Value::Bytes(bytes(&text, at)?.into()),
        (Kind::Bytes, other) => return Err(unexpected("bytes in base64", &other, at)),
        (Kind::Enum(values), Json::String(name)) => match values.get_value_by_name(&name) {
            Some(value) => Value::EnumNumber(value.number()),
            None => return Err(not_one_of(values, at)),
        },
        (Kind::Enum(values), json) => match json
            .as_i64()
            .and_then(|number| values.get_value(number.try_into().ok()?))
        {
            Some(value) => Value::EnumNumber(value.number()),
            None => return Err(not_one_of(values, at)),
        },
        (Kind::Message(descriptor), json) => Value::Message(message(descriptor, json, at)?),
    })
}

fn not_one_of(values: &prost_reflect::EnumDescriptor, at: At<'_>) -> Mistake {
    let names: Vec<String> = values.values().map(|value| value.name().to_owned()).collect();
    Mistake::new(at, format!("must be one of {}", names.join(", ")))
}

/// A whole number, in digits or as text of digits.
fn integer<T: TryFrom<i128>>(json: &Json, at: At<'_>) -> Result<T, Mistake> {
    let number = match json {
        Json::Number(number) => number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from))
            .or_else(|| number.as_f64().and_then(whole)),
        Json::String(text) => digits(text),
        _ => None,
    };
    let number = number.ok_or_else(|| unexpected("a whole number", json, at))?;
    T::try_from(number).map_err(|_| Mistake::new(at, "is out of range"))
}

/// The whole number of a float. Beyond 2⁵³ it may already differ from the text.
fn whole(number: f64) -> Option<i128> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and inside 2^53")]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i128)
}

/// `-12`: no plus sign, no spaces, no underscores.
pub(super) fn digits(text: &str) -> Option<i128> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let is_number = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn float(json: &Json, at: At<'_>) -> Result<f64, Mistake> {
    let number = match json {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => text.parse().ok().filter(|number: &f64| number.is_finite()),
        },
        _ => None,
    };
    number.ok_or_else(|| unexpected("a number", json, at))
}

/// Both alphabets, padded or not, as the format requires of receivers.
fn bytes(text: &str, at: At<'_>) -> Result<Vec<u8>, Mistake> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);
    let decoded = if text.contains(['-', '_']) {
        URL_SAFE.decode(text)
    } else {
        STANDARD.decode(text)
    };
    decoded.map_err(|_| Mistake::new(at, "must be bytes in base64"))
}

/// The messages that JSON does not write as an object of their fields.
fn well_known(
    descriptor: &MessageDescriptor,
    json: &Json,
    at: At<'_>,
) -> Option<Result<DynamicMessage, Mistake>> {
    let name = descriptor.full_name().strip_prefix("google.protobuf.")?;
    let text = |what, parse: fn(&str) -> Option<(i64, i32)>| {
        let read = json.as_str().and_then(parse);
        let (seconds, nanos) = read.ok_or_else(|| unexpected(what, json, at))?;
        let mut message = DynamicMessage::new(descriptor.clone());
        message.set_field_by_number(1, Value::I64(seconds));
        message.set_field_by_number(2, Value::I32(nanos));
        Ok(message)
    };
    Some(match name {
        "Timestamp" => text("a timestamp such as 2026-11-22T14:03:11Z", parse_timestamp),
        "Duration" => text("a duration such as 3.5s", parse_duration),
        "FieldMask" => match json {
            Json::String(paths) => Ok(field_mask(descriptor, paths)),
            other => Err(unexpected("names of fields, separated by commas", other, at)),
        },
        "Struct" | "ListValue" | "Value" => free(descriptor, json, at),
        "Any" => Err(Mistake::new(at, "is of a kind that JSON cannot carry")),
        wrapper if wrapper.ends_with("Value") => {
            let inner = descriptor.get_field(1)?;
            single(&inner.kind(), json.clone(), at).map(|value| {
                let mut message = DynamicMessage::new(descriptor.clone());
                message.set_field(&inner, value);
                message
            })
        }
        _ => return None,
    })
}

/// A field mask of `a,b.c`, in the names of the contract or in camel case.
pub(crate) fn field_mask(descriptor: &MessageDescriptor, paths: &str) -> DynamicMessage {
    let paths = paths.split(',').map(str::trim).filter(|path| !path.is_empty());
    let paths = paths.map(|path| Value::String(snake_case(path))).collect();
    let mut mask = DynamicMessage::new(descriptor.clone());
    mask.set_field_by_number(1, Value::List(paths));
    mask
}

fn snake_case(path: &str) -> String {
    let mut snake = String::with_capacity(path.len() + 4);
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// `Struct`, `ListValue` and `Value`: any JSON.
fn free(descriptor: &MessageDescriptor, json: &Json, at: At<'_>) -> Result<DynamicMessage, Mistake> {
    let member = |number| descriptor.get_field(number).map(|field| field.kind());
    let inner = |number, json: &Json| {
        let kind = member(number);
        let message = kind
            .as_ref()
            .and_then(Kind::as_message)
            .expect("google.protobuf.Value has these members");
        free(message, json, at).map(Value::Message)
    };
    let mut message = DynamicMessage::new(descriptor.clone());
    match (descriptor.full_name(), json) {
        ("google.protobuf.Struct", Json::Object(object)) => {
            let entry = member(1);
            let value = entry
                .as_ref()
                .and_then(Kind::as_message)
                .map(|entry| entry.map_entry_value_field().kind());
            let value = value
                .as_ref()
                .and_then(Kind::as_message)
                .expect("the values of a Struct are messages");
            let entries = object.iter().map(|(key, json)| {
                Ok((
                    MapKey::String(key.clone()),
                    Value::Message(free(value, json, At::Field(&at, key))?),
                ))
            });
            message.set_field_by_number(1, Value::Map(entries.collect::<Result<_, Mistake>>()?));
        }
        ("google.protobuf.Struct", other) => return Err(unexpected("an object", other, at)),
        ("google.protobuf.ListValue", Json::Array(items)) => {
            let items = items
                .iter()
                .map(|json| inner(1, json))
                .collect::<Result<_, _>>()?;
            message.set_field_by_number(1, Value::List(items));
        }
        ("google.protobuf.ListValue", other) => return Err(unexpected("an array", other, at)),
        (_, Json::Null) => message.set_field_by_number(1, Value::EnumNumber(0)),
        (_, Json::Number(number)) => {
            message.set_field_by_number(2, Value::F64(number.as_f64().unwrap_or_default()));
        }
        (_, Json::String(text)) => message.set_field_by_number(3, Value::String(text.clone())),
        (_, Json::Bool(value)) => message.set_field_by_number(4, Value::Bool(*value)),
        (_, Json::Object(_)) => message.set_field_by_number(5, inner(5, json)?),
        (_, Json::Array(_)) => message.set_field_by_number(6, inner(6, json)?),
    }
    Ok(message)
}

/// Whether `null` is a value of this kind.
fn is_any_value(kind: &Kind) -> bool {
    kind.as_message()
        .is_some_and(|message| message.full_name() == "google.protobuf.Value")
}

/// Names only the kind of the unexpected value: the value itself may be a secret.
fn unexpected(expected: &str, found: &Json, at: At<'_>) -> Mistake {
    let found = match found {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    };
    let same = expected.starts_with(found);
    let description = if same {
        format!("must be {expected}")
    } else {
        format!("must be {expected}, not {found}")
    };
    Mistake::new(at, description)
}
