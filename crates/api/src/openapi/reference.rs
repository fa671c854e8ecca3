//! An operation on the reference page: tables and a command to copy.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::operation::{Operation, Place, RequestBody};
use super::schema::{self, Side, WellKnown, is_required, is_shown, value_kind};
use super::{comments, example, rules_schema};
use crate::rules;

/// Nested messages are shown to this depth.
const DEEPEST: usize = 4;

/// A line of a table: a parameter or a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `organization.metadata`.
    pub name: String,
    /// `string`, `list of objects`, `timestamp`.
    pub kind: String,
    pub is_required: bool,
    pub is_deprecated: bool,
    /// `at most 200 characters`.
    pub rules: Vec<String>,
    /// The values of an enum.
    pub values: Vec<String>,
    pub description: &'static str,
}

/// The parameters of the path, then of the query.
pub fn parameter_rows(operation: &Operation) -> (Vec<Row>, Vec<Row>) {
    let row = |place| {
        let parameters = operation
            .parameters
            .iter()
            .filter(move |parameter| parameter.place == place);
        parameters
            .map(|parameter| {
                let mut row = Row::new(parameter.name.clone(), &parameter.field, Side::Request);
                row.is_required = place == Place::Path || (row.is_required && !parameter.name.contains('.'));
                row
            })
            .collect()
    };
    (row(Place::Path), row(Place::Query))
}

/// The fields of the body.
pub fn body_rows(operation: &Operation) -> Vec<Row> {
    let mut rows = Vec::new();
    match &operation.body {
        None => {}
        Some(RequestBody::Fields(fields)) => add(
            fields.iter().cloned(),
            "",
            Side::Request,
            &mut Vec::new(),
            &mut rows,
        ),
        Some(RequestBody::Field(field)) => match field.kind() {
            Kind::Message(message) if !field.is_list() && schema::well_known(&message).is_none() => {
                add(
                    message.fields(),
                    "",
                    Side::Request,
                    &mut vec![message.full_name().to_owned()],
                    &mut rows,
                );
            }
            _ => rows.push(Row::new("(the body)".to_owned(), field, Side::Request)),
        },
    }
    rows
}

/// The fields of the answer.
pub fn answer_rows(operation: &Operation) -> Vec<Row> {
    let mut rows = Vec::new();
    add(
        operation.answer.fields(),
        "",
        Side::Answer,
        &mut Vec::new(),
        &mut rows,
    );
    rows
}

/// A path with its query, as an example.
pub fn example_target(operation: &Operation) -> String {
    let mut path = operation.path.clone();
    let mut query = Vec::new();
    for parameter in &operation.parameters {
        let example = example::value(&parameter.field, 0);
        let example = example.get(0).unwrap_or(&example);
        let text = example
            .as_str()
            .map_or_else(|| example.to_string(), str::to_owned);
        match parameter.place {
            Place::Path => path = path.replace(&format!("{{{}}}", parameter.name), &text),
            Place::Query if is_required(&parameter.field) || parameter.name == "page_size" => {
                query.push(format!("{}={text}", parameter.name));
            }
            Place::Query => {}
        }
    }
    if query.is_empty() {
        path
    } else {
        format!("{path}?{}", query.join("&"))
    }
}

/// A command that calls the operation; it takes the token from `$TOKEN`.
pub fn curl(operation: &Operation, public_url: &str) -> String {
    let mut command = String::from("curl");
    if operation.verb != http::Method::GET {
        command.push_str(&format!(" -X {}", operation.verb));
    }
    command.push_str(&format!(" '{public_url}{}'", example_target(operation)));
    if !operation.is_open {
        command.push_str(" \\\n  -H \"Authorization: Bearer $TOKEN\"");
    }
    if let Some(body) = example::body(operation) {
        let body = serde_json::to_string_pretty(&body)
            .unwrap_or_default()
            .replace('\'', "'\\''");
        command.push_str(&format!(
            " \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
        ));
    }
    command
}

/// Adds the fields and their nested fields. `open` are the messages around: a message that
/// holds itself is shown once.
fn add(
    fields: impl Iterator<Item = FieldDescriptor>,
    prefix: &str,
    side: Side,
    open: &mut Vec<String>,
    rows: &mut Vec<Row>,
) {
    for field in fields.filter(|field| is_shown(field, side)) {
        let mut name = format!("{prefix}{}", field.name());
        if field.is_list() {
            name.push_str("[]");
        }
        rows.push(Row::new(name.clone(), &field, side));
        let Kind::Message(inner) = value_kind(&field) else {
            continue;
        };
        let is_plain = schema::well_known(&inner).is_none() && !field.is_map();
        if is_plain && open.len() < DEEPEST && !open.contains(&inner.full_name().to_owned()) {
            open.push(inner.full_name().to_owned());
            add(inner.fields(), &format!("{name}."), side, open, rows);
            open.pop();
        }
    }
}

impl Row {
    fn new(name: String, field: &FieldDescriptor, side: Side) -> Self {
        let kind = value_kind(field);
        let is_request = side == Side::Request;
        let values = match &kind {
            Kind::Enum(values) => values.values().map(|value| value.name().to_owned()).collect(),
            _ => Vec::new(),
        };
        Self {
            name,
            kind: kind_in_words(field, &kind),
            is_required: is_request && is_required(field),
            is_deprecated: field
                .field_descriptor_proto()
                .options
                .as_ref()
                .is_some_and(prost_types::FieldOptions::deprecated),
            rules: if is_request {
                rules_schema::in_words(rules::of(field))
            } else {
                Vec::new()
            },
            values,
            description: comments::at(&field.parent_message().parent_file(), field.path()),
        }
    }
}

fn kind_in_words(field: &FieldDescriptor, kind: &Kind) -> String {
    let (one, many) = words(kind);
    if field.is_map() {
        return format!("map to {many}");
    }
    if field.is_list() {
        return format!("list of {many}");
    }
    one.to_owned()
}

/// The words for one value of a kind, and for several.
fn words(kind: &Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Bool => ("boolean", "booleans"),
        Kind::String => ("string", "strings"),
        Kind::Bytes => ("base64", "base64 strings"),
        Kind::Float | Kind::Double => ("number", "numbers"),
        Kind::Enum(_) => ("enum", "enum values"),
        Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => {
            ("integer as string", "integers as strings")
        }
        Kind::Message(message) => of_message(message),
        _ => ("integer", "integers"),
    }
}

fn of_message(message: &MessageDescriptor) -> (&'static str, &'static str) {
    match schema::well_known(message) {
        Some(WellKnown::Wraps(inner)) => words(&inner.kind()),
        Some(WellKnown::Schema(_)) => match message.name() {
            "Timestamp" => ("timestamp", "timestamps"),
            "Duration" => ("duration", "durations"),
            "FieldMask" => ("names of fields", "names of fields"),
            "Value" => ("anything", "anything"),
            "ListValue" => ("list", "lists"),
            _ => ("object", "objects"),
        },
        None => ("object", "objects"),
    }
}
