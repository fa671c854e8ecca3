//! Messages that keep the rules of `proto/`, with any content.

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};
use regex::Regex;

/// Deeper than this a sample leaves messages empty.
const DEPTH: usize = 5;

/// Gives texts to fields by their name, before the rules apply.
pub(crate) type Texts<'a> = &'a dyn Fn(&FieldDescriptor) -> Option<String>;

/// Which member of a oneof a sample fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arm {
    First,
    Last,
}

/// A message with every field filled; of a oneof the first.
pub(crate) fn message(descriptor: &MessageDescriptor, texts: Texts<'_>) -> DynamicMessage {
    fill(descriptor, texts, 0)
}

/// The same with another member of each oneof at the top.
pub(crate) fn message_with(descriptor: &MessageDescriptor, arm: Arm, texts: Texts<'_>) -> DynamicMessage {
    let mut message = fill(descriptor, texts, 0);
    if arm == Arm::Last {
        for oneof in descriptor.oneofs() {
            if let Some(field) = oneof.fields().last()
                && let Some(value) = value(&field, texts, 0)
            {
                message.set_field(&field, value);
            }
        }
    }
    message
}

fn fill(descriptor: &MessageDescriptor, texts: Texts<'_>, depth: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        let is_later_of_oneof = field.containing_oneof().is_some_and(|oneof| {
            !field.supports_presence() || oneof.fields().next().is_some_and(|first| first != field)
        });
        // Where a list goes on, and what is left alone, is for other tests.
        let is_left_out = matches!(field.name(), "page_token" | "mask" | "update_mask" | "field_mask")
            // Only directories that are not SCIM take it.
            || field.full_name() == "scalekit.v1.directories.UpdateDirectory.groups";
        if is_later_of_oneof || is_left_out {
            continue;
        }
        if let Some(value) = value(&field, texts, depth) {
            message.set_field(&field, value);
        }
    }
    message
}

fn value(field: &FieldDescriptor, texts: Texts<'_>, depth: usize) -> Option<Value> {
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else {
            return None;
        };
        let of_values = single(
            &entry.map_entry_value_field(),
            &DynamicMessage::new(entry.clone()),
            texts,
            depth,
        )?;
        return Some(Value::Map(HashMap::from([(
            MapKey::String("sample".to_owned()),
            of_values,
        )])));
    }
    let rules = rules(field);
    if field.is_list() {
        let of_items = rules
            .as_ref()
            .and_then(|rules| nested(rules, "repeated"))
            .and_then(|repeated| nested(&repeated, "items"));
        let of_items = of_items.unwrap_or_else(|| rules_type().map(DynamicMessage::new).unwrap());
        return Some(Value::List(vec![single(field, &of_items, texts, depth)?]));
    }
    let rules = rules.unwrap_or_else(|| rules_type().map(DynamicMessage::new).unwrap());
    single(field, &rules, texts, depth)
}

fn single(field: &FieldDescriptor, rules: &DynamicMessage, texts: Texts<'_>, depth: usize) -> Option<Value> {
    Some(match field.kind() {
        Kind::Bool => Value::Bool(true),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(1),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(1),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(1),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(100),
        Kind::Float => Value::F32(1.0),
        Kind::Double => Value::F64(1.0),
        Kind::Bytes => Value::Bytes(bytes::Bytes::from_static(b"sample")),
        Kind::Enum(of) => {
            let second = of.values().find(|value| value.number() != 0);
            Value::EnumNumber(second.map_or(0, |value| value.number()))
        }
        Kind::String => Value::String(texts(field).unwrap_or_else(|| text(rules))),
        Kind::Message(of) if of.full_name() == "google.protobuf.Duration" => {
            let mut duration = DynamicMessage::new(of);
            duration.set_field_by_name("seconds", Value::I64(300));
            Value::Message(duration)
        }
        Kind::Message(of) if of.full_name().starts_with("google.protobuf.") => {
            Value::Message(DynamicMessage::new(of))
        }
        Kind::Message(_) if depth >= DEPTH => return None,
        Kind::Message(of) => Value::Message(fill(&of, texts, depth + 1)),
    })
}

fn rules_type() -> Option<MessageDescriptor> {
    genkan_api::descriptors::pool().get_message_by_name("buf.validate.FieldRules")
}

fn rules(field: &FieldDescriptor) -> Option<DynamicMessage> {
    let extension = genkan_api::descriptors::pool().get_extension_by_name("buf.validate.field")?;
    let options = field.options();
    options
        .has_extension(&extension)
        .then(|| options.get_extension(&extension).as_message().cloned())
        .flatten()
}

fn nested(rules: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    rules.get_field_by_name(name)?.as_message().cloned()
}

/// A text that keeps `rules`.
fn text(rules: &DynamicMessage) -> String {
    let Some(rules) = nested(rules, "string") else {
        return "sample".to_owned();
    };
    let set = |name: &str| {
        rules
            .has_field_by_name(name)
            .then(|| rules.get_field_by_name(name).unwrap().into_owned())
    };
    let count = |name: &str| {
        set(name)
            .and_then(|value| value.as_u64())
            .and_then(|value| usize::try_from(value).ok())
    };
    let min = count("min_len").unwrap_or(0);
    if let Some(Value::List(words)) = set("in") {
        let word = words
            .iter()
            .filter_map(Value::as_str)
            .find(|word| !word.is_empty());
        return word.unwrap_or_default().to_owned();
    }
    if set("email").is_some() {
        return "sample@acme.test".to_owned();
    }
    if set("uri").is_some() {
        return "https://acme.test/sample".to_owned();
    }
    if let Some(Value::String(prefix)) = set("prefix") {
        let digits = if prefix.ends_with('_') { "" } else { "_" };
        return format!("{prefix}{digits}{}", "1".repeat(20));
    }
    if let Some(Value::String(pattern)) = set("pattern") {
        let pattern = Regex::new(&pattern).unwrap();
        let candidates = [
            "sample",
            "acme.test",
            "usr_111111111111111111111",
            "ses_111111111111111111111",
        ];
        let fitting = candidates
            .iter()
            .find(|candidate| pattern.is_match(candidate) && candidate.len() >= min);
        return fitting
            .unwrap_or_else(|| panic!("no candidate for {pattern}"))
            .to_string();
    }
    let max = count("max_len").unwrap_or(usize::MAX);
    let mut text = "sample".to_owned();
    while text.len() < min {
        text.push('e');
    }
    text.truncate(max.max(1));
    text
}
