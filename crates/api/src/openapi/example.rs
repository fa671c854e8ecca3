//! Example values for requests, which keep the rules: a test checks each of them.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value as Json, json};

use super::operation::{Operation, RequestBody};
use super::schema::{self, Side, WellKnown, is_required, is_shown, value_kind};
use crate::rules::{self, FieldRules, Rule};

/// Messages inside messages are shown so deep.
const DEEPEST: usize = 3;

/// The example body of an operation, if it has one.
pub fn body(operation: &Operation) -> Option<Json> {
    Some(match operation.body.as_ref()? {
        RequestBody::Field(field) => value(field, 0),
        RequestBody::Fields(fields) => object(fields.iter().cloned(), 0),
    })
}

/// An example of a field, in the shape of its JSON.
pub(crate) fn value(field: &FieldDescriptor, depth: usize) -> Json {
    let rules = rules::of(field);
    let nested = |pick: fn(&Rule) -> Option<&Vec<Rule>>| {
        rules
            .into_iter()
            .flat_map(FieldRules::rules)
            .find_map(pick)
            .map_or(&[][..], Vec::as_slice)
    };
    if field.is_map() {
        let values = nested(|rule| {
            if let Rule::Values(rules) = rule {
                Some(rules)
            } else {
                None
            }
        });
        let of = one(field, values, depth);
        let of = if of.is_string() { json!("emea") } else { of };
        return json!({ "region": of });
    }
    if field.is_list() {
        let items = nested(|rule| {
            if let Rule::Items(rules) = rule {
                Some(rules)
            } else {
                None
            }
        });
        return json!([one(field, items, depth)]);
    }
    one(field, rules.map_or(&[], FieldRules::rules), depth)
}

fn one(field: &FieldDescriptor, rules: &[Rule], depth: usize) -> Json {
    match value_kind(field) {
        Kind::Bool => json!(true),
        Kind::String => json!(text(field.name(), rules)),
        Kind::Bytes => json!("AAEC"),
        Kind::Float | Kind::Double => json!(1.5),
        Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => {
            json!(number(rules).to_string())
        }
        Kind::Enum(values) => {
            let forbidden = rules.iter().find_map(|rule| {
                if let Rule::NotIn(numbers) = rule {
                    Some(numbers)
                } else {
                    None
                }
            });
            let is_allowed =
                |number: i32| number != 0 && forbidden.is_none_or(|numbers| !numbers.contains(&number));
            let first = values.values().find(|value| is_allowed(value.number()));
            json!(first.unwrap_or_else(|| values.default_value()).name())
        }
        Kind::Message(message) => of_message(&message, rules, depth),
        _ => json!(number(rules)),
    }
}

fn of_message(message: &MessageDescriptor, rules: &[Rule], depth: usize) -> Json {
    match schema::well_known(message) {
        Some(WellKnown::Wraps(inner)) => one(&inner, rules, depth),
        Some(WellKnown::Schema(_)) => match message.name() {
            "Timestamp" => json!("2026-11-22T14:03:11Z"),
            "Duration" => json!(format!("{}s", number(rules) / 1_000_000_000)),
            "FieldMask" => json!(""),
            "ListValue" => json!([]),
            _ => json!({}),
        },
        None if depth >= DEEPEST => json!({}),
        None => object(message.fields(), depth + 1),
    }
}

/// The required fields, and those that make the example clear.
fn object(fields: impl Iterator<Item = FieldDescriptor>, depth: usize) -> Json {
    let mut object = Map::new();
    let mut choices = Vec::new();
    for field in fields.filter(|field| is_shown(field, Side::Request)) {
        let speaks = matches!(
            field.name(),
            "display_name"
                | "name"
                | "email"
                | "external_id"
                | "given_name"
                | "family_name"
                | "description"
                | "domain"
                | "roles"
                | "role_name"
                | "provider"
                | "type"
                | "scopes"
                | "audience"
                | "features"
                | "enabled"
                | "token"
        );
        let choice = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
        if let Some(choice) = choice {
            // Only the first member of a choice.
            if choices.contains(&choice.full_name().to_owned()) {
                continue;
            }
            choices.push(choice.full_name().to_owned());
        } else if !(is_required(&field) || speaks && depth < 2) {
            continue;
        }
        object.insert(field.name().to_owned(), value(&field, depth));
    }
    Json::Object(object)
}

fn number(rules: &[Rule]) -> i128 {
    let mut number = 10;
    for rule in rules {
        match rule {
            Rule::Gt(min) if number <= *min => number = min + 1,
            Rule::Gte(min) if number < *min => number = *min,
            Rule::Lte(max) if number > *max => number = *max,
            _ => {}
        }
    }
    number
}

fn text(name: &str, rules: &[Rule]) -> String {
    let mut candidates = vec![by_name(name).to_owned()];
    for rule in rules {
        match rule {
            Rule::Prefix(prefix) => candidates.insert(0, format!("{prefix}69615647365005430")),
            Rule::In(words) => candidates.extend(words.iter().find(|word| !word.is_empty()).cloned()),
            Rule::Email => candidates.insert(0, "ada@acme.com".to_owned()),
            Rule::Uri => candidates.insert(0, "https://app.acme.com/callback".to_owned()),
            _ => {}
        }
    }
    candidates.extend(
        [
            "acme",
            "acme.com",
            "https://app.acme.com",
            "notes:read",
            "123456",
            "editor",
            "A",
        ]
        .map(str::to_owned),
    );
    let keeps_all = |text: &String| {
        rules
            .iter()
            .all(|rule| rule.is_kept_by(&prost_reflect::Value::String(text.clone())))
    };
    candidates.into_iter().find(keeps_all).unwrap_or_default()
}

fn by_name(name: &str) -> &'static str {
    match name {
        "display_name" | "organization_name" => "Acme",
        "name" | "full_name" => "Ada Lovelace",
        "given_name" | "first_name" => "Ada",
        "family_name" | "last_name" => "Lovelace",
        "email" | "inviter_email" => "ada@acme.com",
        "external_id" => "acme-42",
        "domain" => "acme.com",
        "role_name" | "role" => "editor",
        "permission_name" => "notes:read",
        "description" => "What it is for",
        "code" => "123456",
        "query" => "acme",
        "id" => "69615647365005430",
        url if url.ends_with("_url") || url.ends_with("_uri") => "https://app.acme.com/callback",
        permission if permission.starts_with("permission") || permission.starts_with("scope") => "notes:read",
        id if id == "organization_id" || id == "org_id" => "org_69615647365005430",
        "user_id" => "usr_69615647365005430",
        "connection_id" => "conn_69615647365005430",
        "directory_id" => "dir_69615647365005430",
        "client_id" => "m2morg_69615647365005430",
        "secret_id" => "sks_69615647365005430",
        "session_id" => "ses_69615647365005430",
        _ => "acme",
    }
}
