//! JSON Schemas of messages.
//!
//! Requests and answers have schemas of their own: a request must keep rules, and an
//! answer always has certain fields.
//!
//! Source: OpenAPI 3.1 §4.8.24, JSON Schema 2020-12.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value as Json, json};

use super::{comments, operation, rules_schema};
use crate::rules;

/// The direction of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Request,
    Answer,
}

/// The schemas that operations refer to, made on demand.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    made: BTreeMap<String, Json>,
    /// The messages of answers: as a request, such a message needs another name.
    answered: BTreeSet<String>,
}

impl Schemas {
    /// `answers` are the messages that operations answer with.
    pub(crate) fn new<'m>(answers: impl Iterator<Item = &'m MessageDescriptor>) -> Self {
        let mut schemas = Self::default();
        for answer in answers {
            schemas.mark_answered(answer);
        }
        schemas
    }

    fn mark_answered(&mut self, message: &MessageDescriptor) {
        if !self.answered.insert(message.full_name().to_owned()) {
            return;
        }
        for field in message.fields() {
            if let Kind::Message(inner) = value_kind(&field) {
                self.mark_answered(&inner);
            }
        }
    }

    pub(crate) fn into_json(self) -> Map<String, Json> {
        self.made.into_iter().collect()
    }

    /// The schema of a field, with its rules and its text.
    pub(crate) fn field(&mut self, field: &FieldDescriptor, side: Side) -> Json {
        let kind = value_kind(field);
        let one = self.kind(&kind, side);
        let mut schema = if field.is_map() {
            json!({ "type": "object", "additionalProperties": one })
        } else if field.is_list() {
            json!({ "type": "array", "items": one })
        } else {
            one
        };
        if side == Side::Request {
            rules_schema::apply(rules::of(field), &kind, &mut schema);
        }
        let comment = comments::at(&field.parent_message().parent_file(), field.path());
        if !comment.is_empty() {
            schema["description"] = Json::from(comment);
        }
        if field
            .field_descriptor_proto()
            .options
            .as_ref()
            .is_some_and(prost_types::FieldOptions::deprecated)
        {
            schema["deprecated"] = Json::Bool(true);
        }
        schema
    }

    /// An object of `fields`.
    pub(crate) fn object<'f>(
        &mut self,
        fields: impl Iterator<Item = &'f FieldDescriptor>,
        side: Side,
    ) -> Json {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in fields.filter(|field| is_shown(field, side)) {
            let is_required = match side {
                Side::Request => is_required(field),
                Side::Answer => !field.supports_presence(),
            };
            if is_required {
                required.push(field.name().to_owned());
            }
            properties.insert(field.name().to_owned(), self.field(field, side));
        }
        let mut schema = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            schema["required"] = Json::from(required);
        }
        schema
    }

    fn kind(&mut self, kind: &Kind, side: Side) -> Json {
        match kind {
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({ "type": "integer", "format": "int32" }),
            Kind::Uint32 | Kind::Fixed32 => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
            // JavaScript's whole numbers are exact up to 2^53, so these are text.
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                json!({ "type": "string", "format": "int64", "pattern": "^-?[0-9]{1,18}$" })
            }
            Kind::Uint64 | Kind::Fixed64 => {
                json!({ "type": "string", "format": "uint64", "pattern": "^[0-9]{1,19}$" })
            }
            Kind::Float | Kind::Double => json!({ "type": "number" }),
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Enum(values) => self.enumeration(values),
            Kind::Message(message) => match well_known(message) {
                Some(WellKnown::Schema(schema)) => schema,
                Some(WellKnown::Wraps(inner)) => self.kind(&inner.kind(), side),
                None => self.message(message, side),
            },
        }
    }

    fn enumeration(&mut self, values: &EnumDescriptor) -> Json {
        let name = short(values.full_name());
        let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
        let mut names: Vec<String> = values.values().map(|value| value.name().to_owned()).collect();
        names.dedup();
        self.made
            .entry(name)
            .or_insert_with(|| json!({ "type": "string", "enum": names }));
        reference
    }

    /// A reference to the schema of a message.
    pub(crate) fn message(&mut self, message: &MessageDescriptor, side: Side) -> Json {
        let mut name = short(message.full_name());
        if side == Side::Request && self.answered.contains(message.full_name()) {
            name.push_str("Input");
        }
        let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
        if !self.made.contains_key(&name) {
            // A placeholder first, for messages that hold themselves.
            self.made.insert(name.clone(), Json::Null);
            let fields: Vec<FieldDescriptor> = message.fields().collect();
            let mut schema = self.object(fields.iter(), side);
            let comment = comments::at(&message.parent_file(), message.path());
            if !comment.is_empty() {
                schema["description"] = Json::from(comment);
            }
            self.made.insert(name, schema);
        }
        reference
    }
}

/// Whether a field is shown in this direction.
pub(crate) fn is_shown(field: &FieldDescriptor, side: Side) -> bool {
    if operation::is_internal(field) {
        return false;
    }
    let behaviour = super::behaviours(field);
    match side {
        Side::Request => !behaviour.contains(&"OUTPUT_ONLY"),
        Side::Answer => !behaviour.contains(&"INPUT_ONLY"),
    }
}

/// Whether a request without the field is refused.
pub(crate) fn is_required(field: &FieldDescriptor) -> bool {
    rules::of(field).is_some_and(rules::FieldRules::is_required)
}

/// The kind of a field's values: of a map's, not of its entries.
pub(crate) fn value_kind(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    }
}

/// `organizations.Organization` of `scalekit.v1.organizations.Organization`.
fn short(full_name: &str) -> String {
    full_name.trim_start_matches("scalekit.v1.").to_owned()
}

pub(crate) enum WellKnown {
    Schema(Json),
    /// JSON writes the message as its one field.
    Wraps(FieldDescriptor),
}

pub(crate) fn well_known(message: &MessageDescriptor) -> Option<WellKnown> {
    let name = message.full_name().strip_prefix("google.protobuf.")?;
    Some(WellKnown::Schema(match name {
        "Timestamp" => json!({ "type": "string", "format": "date-time" }),
        "Duration" => json!({ "type": "string", "pattern": "^-?[0-9]{1,12}([.][0-9]{1,9})?s$" }),
        "FieldMask" => json!({ "type": "string" }),
        "Struct" | "Empty" => json!({ "type": "object" }),
        "ListValue" => json!({ "type": "array" }),
        "Value" => json!({}),
        wrapper if wrapper.ends_with("Value") => return message.get_field(1).map(WellKnown::Wraps),
        _ => json!({ "type": "object" }),
    }))
}
