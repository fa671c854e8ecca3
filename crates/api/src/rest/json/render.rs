//! Messages to JSON: the names of the contract, fields by number, map keys sorted.
//!
//! Source: Protocol Buffers, "ProtoJSON Format".

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value};
use serde::ser::{Error, Serialize, SerializeMap as _, Serializer};

use super::time::{render_duration, render_timestamp};

/// A message that serializes as its JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rendered<'m> {
    pub(crate) message: &'m DynamicMessage,
    pub(crate) defaults: Defaults,
}

/// Whether fields are written that hold the default and look like unset ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defaults {
    /// Written, so that readers need not know them.
    Shown,
    Left,
}

impl Serialize for Rendered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let descriptor = self.message.descriptor();
        if let Some(name) = descriptor.full_name().strip_prefix("google.protobuf.") {
            return self.well_known(name, serializer);
        }
        self.fields(serializer)
    }
}

impl Rendered<'_> {
    fn fields<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for field in self.message.descriptor().fields() {
            let is_shown = self.defaults == Defaults::Shown && !field.supports_presence();
            if is_shown || self.message.has_field(&field) {
                let value = self.message.get_field(&field);
                map.serialize_entry(
                    field.name(),
                    &Field {
                        field: &field,
                        value: &value,
                        defaults: self.defaults,
                    },
                )?;
            }
        }
        map.end()
    }

    fn well_known<S: Serializer>(&self, name: &str, serializer: S) -> Result<S::Ok, S::Error> {
        let field = |number| self.message.get_field_by_number(number);
        let i64_of = |number| field(number).and_then(|value| value.as_i64()).unwrap_or_default();
        let i32_of = |number| field(number).and_then(|value| value.as_i32()).unwrap_or_default();
        let text =
            |text: Option<String>| text.ok_or_else(|| S::Error::custom(format!("a {name} is out of range")));
        match name {
            "Timestamp" => serializer.serialize_str(&text(render_timestamp(i64_of(1), i32_of(2)))?),
            "Duration" => serializer.serialize_str(&text(render_duration(i64_of(1), i32_of(2)))?),
            "FieldMask" => {
                let paths = field(1);
                let paths = paths.as_deref().and_then(Value::as_list).unwrap_or_default();
                let paths: Vec<&str> = paths.iter().filter_map(Value::as_str).collect();
                serializer.serialize_str(&paths.join(","))
            }
            "Value" => self.free_value(serializer),
            "Struct" | "ListValue" => self.only_field(serializer),
            wrapper if wrapper.ends_with("Value") => self.only_field(serializer),
            _ => self.fields(serializer),
        }
    }

    /// Wrappers, `Struct` and `ListValue` are written as their one field.
    fn only_field<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let field = self.message.descriptor().get_field(1);
        let field = field.ok_or_else(|| S::Error::custom("a well-known type without its field"))?;
        let value = self.message.get_field(&field);
        Field {
            field: &field,
            value: &value,
            defaults: self.defaults,
        }
        .serialize(serializer)
    }

    fn free_value<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.message.fields().next() {
            Some((_, Value::F64(number))) => free_number(*number, serializer),
            Some((field, value)) if field.number() > 1 => Field {
                field: &field,
                value,
                defaults: self.defaults,
            }
            .serialize(serializer),
            _ => serializer.serialize_unit(),
        }
    }
}

/// A number of a `Struct`: protobuf has only doubles there, but people write whole numbers.
fn free_number<S: Serializer>(number: f64, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and inside 2^53")]
        return serializer.serialize_i64(number as i64);
    }
    float(number, serializer)
}

fn float<S: Serializer>(number: f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.is_finite() {
        return serializer.serialize_f64(number);
    }
    serializer.serialize_str(match number {
        n if n.is_nan() => "NaN",
        n if n > 0.0 => "Infinity",
        _ => "-Infinity",
    })
}

struct Field<'f> {
    field: &'f FieldDescriptor,
    value: &'f Value,
    defaults: Defaults,
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = self.field.kind();
        match self.value {
            Value::List(items) => serializer.collect_seq(items.iter().map(|value| self.one(&kind, value))),
            Value::Map(entries) => {
                let kind = kind
                    .as_message()
                    .map(|entry| entry.map_entry_value_field().kind())
                    .unwrap_or(kind);
                let sorted: BTreeMap<String, &Value> = entries
                    .iter()
                    .map(|(key, value)| (key_text(key), value))
                    .collect();
                serializer.collect_map(sorted.iter().map(|(key, value)| (key, self.one(&kind, value))))
            }
            value => self.one(&kind, value).serialize(serializer),
        }
    }
}

impl Field<'_> {
    fn one<'v>(&self, kind: &'v Kind, value: &'v Value) -> One<'v> {
        One {
            kind,
            value,
            defaults: self.defaults,
        }
    }
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}

/// A value that is neither a list nor a map.
struct One<'v> {
    kind: &'v Kind,
    value: &'v Value,
    defaults: Defaults,
}

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::I32(value) => serializer.serialize_i32(*value),
            Value::U32(value) => serializer.serialize_u32(*value),
            // As text: JavaScript's whole numbers are exact up to 2^53.
            Value::I64(value) => serializer.collect_str(value),
            Value::U64(value) => serializer.collect_str(value),
            Value::F32(value) => float(f64::from(*value), serializer),
            Value::F64(value) => float(*value, serializer),
            Value::String(value) => serializer.serialize_str(value),
            Value::Bytes(value) => serializer.serialize_str(&STANDARD.encode(value)),
            Value::EnumNumber(number) => {
                match self.kind.as_enum().and_then(|values| values.get_value(*number)) {
                    Some(value) => serializer.serialize_str(value.name()),
                    None => serializer.serialize_i32(*number),
                }
            }
            Value::Message(message) => Rendered {
                message,
                defaults: self.defaults,
            }
            .serialize(serializer),
            Value::List(_) | Value::Map(_) => Err(S::Error::custom("a list inside of a list")),
        }
    }
}
