//! The rules that `proto/` writes beside fields, checked on a message.
//!
//! Source: protovalidate (`buf/validate/validate.proto`), of which only the rules in
//! `proto/` are implemented. If `proto/` begins to use another, a test fails.

mod rule;

use std::collections::HashMap;
use std::sync::LazyLock;

use genkan_protocol::name;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value};
use regex::Regex;

pub(crate) use self::rule::Rule;
use self::rule::number;
use crate::descriptors;
use crate::error::Violation;

static RULES: LazyLock<HashMap<String, Vec<FieldRules>>> = LazyLock::new(|| {
    let messages = descriptors::pool().all_messages();
    messages
        .filter(|message| message.full_name().starts_with("scalekit."))
        .map(|message| {
            (
                message.full_name().to_owned(),
                message.fields().map(read_field).collect(),
            )
        })
        .collect()
});

/// The rules that `message` breaks.
pub(crate) fn check(message: &DynamicMessage) -> Vec<Violation> {
    let mut broken = Vec::new();
    check_message(message, "", &mut broken);
    broken
}

/// More violations than this are not reported.
const ENOUGH: usize = 20;

#[derive(Debug)]
pub(crate) struct FieldRules {
    field: FieldDescriptor,
    required: bool,
    ignore_zero: bool,
    rules: Vec<Rule>,
}

/// The rules of a field; absent outside of the contract.
pub(crate) fn of(field: &FieldDescriptor) -> Option<&'static FieldRules> {
    let of_message = RULES.get(field.parent_message().full_name())?;
    of_message.iter().find(|rules| rules.field == *field)
}

impl FieldRules {
    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether a message without the field is refused: by `required`, or because the
    /// default of the field breaks a rule.
    pub(crate) fn is_required(&self) -> bool {
        if self.required {
            return true;
        }
        if self.field.supports_presence() || self.ignore_zero {
            return false;
        }
        let mut broken = Vec::new();
        let absent = Value::default_value_for_field(&self.field);
        check_value(&absent, &self.rules, "", &mut broken);
        !broken.is_empty()
    }
}

fn read_field(field: FieldDescriptor) -> FieldRules {
    let extension = descriptors::pool()
        .get_extension_by_name("buf.validate.field")
        .expect("validate.proto declares it");
    let options = field.options();
    let mut read = FieldRules {
        required: false,
        ignore_zero: false,
        rules: Vec::new(),
        field,
    };
    if !options.has_extension(&extension) {
        return read;
    }
    let rules = options.get_extension(&extension);
    let rules = rules.as_message().expect("it is a message");
    for (rule, value) in rules.fields() {
        match (rule.name(), value) {
            ("required", value) => read.required = value.as_bool() == Some(true),
            // IGNORE_IF_ZERO_VALUE
            ("ignore", Value::EnumNumber(1)) => read.ignore_zero = true,
            (_, Value::Message(of_type)) => read.rules.extend(read_rules(of_type, &read.field)),
            (name, _) => read.rules.push(Rule::Unknown(name.to_owned())),
        }
    }
    read
}

fn read_rules(rules: &DynamicMessage, field: &FieldDescriptor) -> Vec<Rule> {
    let nested = |value: &Value| {
        let rules = value.as_message().expect("rules of items are a message");
        let of_type: Vec<DynamicMessage> = rules
            .fields()
            .filter_map(|(_, value)| value.as_message().cloned())
            .collect();
        of_type
            .iter()
            .flat_map(|rules| read_rules(rules, field))
            .collect()
    };
    rules
        .fields()
        .map(|(rule, value)| {
            let name = format!("{}.{}", rule.parent_message().name(), rule.name());
            match rule.name() {
                "min_len" => Rule::MinLen(count(value)),
                "max_len" => Rule::MaxLen(count(value)),
                "max_bytes" => Rule::MaxBytes(count(value)),
                "prefix" => Rule::Prefix(text(value)),
                "pattern" => Regex::new(&text(value)).map_or(Rule::Unknown(name), Rule::Pattern),
                "in" => Rule::In(value.as_list().unwrap_or_default().iter().map(text).collect()),
                "email" => Rule::Email,
                "uri" => Rule::Uri,
                "gt" => Rule::Gt(number(value)),
                "gte" => Rule::Gte(number(value)),
                "lte" => Rule::Lte(number(value)),
                "defined_only" => match element(field) {
                    Kind::Enum(of) => Rule::Defined(of),
                    _ => Rule::Unknown(format!("{name} of {}", field.full_name())),
                },
                "not_in" => Rule::NotIn(
                    value
                        .as_list()
                        .unwrap_or_default()
                        .iter()
                        .filter_map(Value::as_i32)
                        .collect(),
                ),
                "min_items" => Rule::MinItems(count(value)),
                "max_items" => Rule::MaxItems(count(value)),
                "unique" => Rule::Unique,
                "items" => Rule::Items(nested(value)),
                "max_pairs" => Rule::MaxPairs(count(value)),
                "keys" => Rule::Keys(nested(value)),
                "values" => Rule::Values(nested(value)),
                _ => Rule::Unknown(name),
            }
        })
        .collect()
}

/// The kind of a field's values; for a map, of its values.
fn element(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    }
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn check_message(message: &DynamicMessage, path: &str, broken: &mut Vec<Violation>) {
    let Some(fields) = RULES.get(message.descriptor().full_name()) else {
        // A well-known type has no rules, but may hold text.
        for (_, value) in message.fields() {
            descend(value, path, broken);
        }
        return;
    };
    for rules in fields {
        if broken.len() >= ENOUGH {
            return;
        }
        let field = &rules.field;
        let path = join(path, field.name());
        let is_set = message.has_field(field);
        if !is_set {
            if rules.required {
                push(broken, &path, "is required", "required");
            } else if !field.supports_presence() && !rules.ignore_zero {
                check_value(&message.get_field(field), &rules.rules, &path, broken);
            }
            continue;
        }
        let value = message.get_field(field);
        let is_limit = |rule: &&Rule| matches!(rule, Rule::MaxItems(_) | Rule::MaxPairs(_));
        let mut limits = rules.rules.iter().filter(is_limit);
        if let Some(limit) = limits.find(|limit| !limit.is_kept_by(&value)) {
            // Its elements are not checked: there may be very many.
            push(broken, &path, &limit.sentence(&value), limit.name());
            continue;
        }
        check_value(&value, &rules.rules, &path, broken);
        if is_name(field) && value.as_str().is_some_and(is_command) {
            push(broken, &path, NOT_PLAIN, "string");
        }
        descend(&value, &path, broken);
    }
}

const NOT_PLAIN: &str = "must not contain control characters or marks that turn text around";

/// Whether people read the field's text as the name of something.
fn is_name(field: &FieldDescriptor) -> bool {
    field.name().ends_with("name") || field.name() == "ui_button_title"
}

/// Whether a text has control characters other than NUL, which has a message of its own.
fn is_command(text: &str) -> bool {
    !text.contains('\0') && !name::is_plain(text)
}

/// Checks the messages inside `value`, and text: no database keeps NUL.
fn descend(value: &Value, path: &str, broken: &mut Vec<Violation>) {
    const NO_NUL: &str = "must not contain the NUL character";
    match value {
        Value::String(text) if text.contains('\0') => push(broken, path, NO_NUL, "string"),
        Value::Message(message) => check_message(message, path, broken),
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                descend(item, &format!("{path}[{index}]"), broken);
            }
        }
        Value::Map(entries) => {
            for (key, value) in entries {
                if key_text(key).contains('\0') {
                    push(broken, path, NO_NUL, "string");
                    continue;
                }
                descend(value, &format!("{path}[{}]", key_text(key)), broken);
            }
        }
        _ => {}
    }
}

fn check_value(value: &Value, rules: &[Rule], path: &str, broken: &mut Vec<Violation>) {
    for rule in rules {
        match (rule, value) {
            (Rule::Items(rules), Value::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    check_value(item, rules, &format!("{path}[{index}]"), broken);
                }
            }
            (Rule::Keys(rules), Value::Map(entries)) => {
                for key in entries.keys() {
                    let text = key_text(key);
                    check_value(
                        &Value::String(text.clone()),
                        rules,
                        &format!("{path} key {text:?}"),
                        broken,
                    );
                }
            }
            (Rule::Values(rules), Value::Map(entries)) => {
                for (key, value) in entries {
                    check_value(value, rules, &format!("{path}[{}]", key_text(key)), broken);
                }
            }
            (rule, value) => {
                if !rule.is_kept_by(value) {
                    push(broken, path, &rule.sentence(value), rule.name());
                }
            }
        }
        if broken.len() >= ENOUGH {
            return;
        }
    }
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::String(text) => text.clone(),
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
    }
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() {
        field.to_owned()
    } else {
        format!("{path}.{field}")
    }
}

fn push(broken: &mut Vec<Violation>, path: &str, sentence: &str, constraint: &str) {
    broken.push(Violation {
        field: path.to_owned(),
        description: sentence.to_owned(),
        constraint: constraint.to_owned(),
    });
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use prost_reflect::MessageDescriptor;

    use super::*;

    fn unknown(rules: &[Rule], found: &mut Vec<String>) {
        for rule in rules {
            match rule {
                Rule::Unknown(name) => found.push(name.clone()),
                Rule::Items(rules) | Rule::Keys(rules) | Rule::Values(rules) => unknown(rules, found),
                _ => {}
            }
        }
    }

    #[test]
    fn every_rule_of_the_contract_is_understood() {
        let mut found = Vec::new();
        for rules in RULES.values().flatten() {
            unknown(&rules.rules, &mut found);
        }
        assert_eq!(found, Vec::<String>::new());
        assert!(
            RULES
                .values()
                .flatten()
                .filter(|field| !field.rules.is_empty())
                .count()
                > 300
        );
        let on_messages = descriptors::pool()
            .get_extension_by_name("buf.validate.message")
            .unwrap();
        let mut messages = descriptors::pool().all_messages();
        assert!(!messages.any(|message| message.options().has_extension(&on_messages)));
    }

    /// The lists and maps inside `message` that may be as long as they like.
    fn endless(message: &MessageDescriptor, seen: &mut HashSet<String>, found: &mut Vec<String>) {
        let is_ours = message.full_name().starts_with("scalekit.");
        if !is_ours || !seen.insert(message.full_name().to_owned()) {
            return;
        }
        for field in message.fields() {
            let is_limit = |rule: &Rule| matches!(rule, Rule::MaxItems(_) | Rule::MaxPairs(_));
            let has_limit = of(&field).is_some_and(|rules| rules.rules.iter().any(is_limit));
            if (field.is_list() || field.is_map()) && !has_limit {
                found.push(field.full_name().to_owned());
            }
            if let Kind::Message(inner) = element(&field) {
                endless(&inner, seen, found);
            }
        }
    }

    #[test]
    fn every_list_that_a_caller_sends_has_an_end() {
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
        for (_, method) in crate::methods::all() {
            endless(&method.descriptor.input(), &mut seen, &mut found);
        }
        assert!(seen.len() > 200, "{}", seen.len());
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn what_stands_in_a_list_that_is_too_long_is_not_looked_at() {
        let assign = "scalekit.v1.users.AssignUserRolesRequest";
        let nameless = vec!["{}"; 101].join(",");
        let json = format!(r#"{{"organization_id":"org_1","user_id":"usr_1","roles":[{nameless}]}}"#);
        assert_eq!(broken(assign, &json), ["roles: must have at most 100 items"]);
    }

    fn broken(message: &str, json: &str) -> Vec<String> {
        let descriptor = descriptors::pool().get_message_by_name(message).unwrap();
        let mut json = serde_json::Deserializer::from_str(json);
        let message = DynamicMessage::deserialize(descriptor, &mut json).unwrap();
        check(&message)
            .into_iter()
            .map(|violation| format!("{}: {}", violation.field, violation.description))
            .collect()
    }

    #[test]
    fn the_message_names_the_field_and_the_rule() {
        let create = "scalekit.v1.organizations.CreateOrganizationRequest";
        assert_eq!(broken(create, "{}"), ["organization: is required"]);
        assert_eq!(
            broken(create, r#"{"organization":{"display_name":""}}"#),
            ["organization.display_name: must have at least 1 characters"]
        );
        assert_eq!(
            broken(
                create,
                r#"{"organization":{"display_name":"A","metadata":{"ab":"x"}}}"#
            ),
            [r#"organization.metadata key "ab": must have at least 3 characters"#]
        );
        assert!(broken(create, r#"{"organization":{"display_name":"A"}}"#).is_empty());
    }

    #[test]
    fn nul_is_refused_wherever_text_is() {
        let create = "scalekit.v1.organizations.CreateOrganizationRequest";
        for (json, field) in [
            (
                r#"{"organization":{"display_name":"A\u0000"}}"#,
                "organization.display_name",
            ),
            (
                r#"{"organization":{"display_name":"A","metadata":{"abc":"\u0000"}}}"#,
                "organization.metadata[abc]",
            ),
            (
                r#"{"organization":{"display_name":"A","metadata":{"abc\u0000":"x"}}}"#,
                "organization.metadata",
            ),
        ] {
            let expected = format!("{field}: must not contain the NUL character");
            assert_eq!(broken(create, json), [expected]);
        }
        let connection = "scalekit.v1.connections.OIDCConnectionConfig";
        let wrapped = broken(connection, r#"{"issuer":"\u0000"}"#);
        assert_eq!(wrapped, ["issuer: must not contain the NUL character"]);
    }

    #[test]
    fn names_are_letters_and_no_commands() {
        let create = "scalekit.v1.organizations.CreateOrganizationRequest";
        for name in [r"A\u001b[31m", r"A\u202e", r"A\u2066", r"A\nB", r"A\u0085"] {
            let json = format!(r#"{{"organization":{{"display_name":"{name}"}}}}"#);
            let found = broken(create, &json);
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert!(
                found[0].starts_with("organization.display_name: must not contain"),
                "{found:?}"
            );
        }
        // Other texts may have lines.
        let organization = r#"{"organization":{"display_name":"شركة","metadata":{"note":"a\nb"}}}"#;
        assert!(broken(create, organization).is_empty());
    }

    #[test]
    fn characters_are_counted_and_not_bytes() {
        let create = "scalekit.v1.organizations.CreateOrganizationRequest";
        let name = |length: usize| {
            format!(
                r#"{{"organization":{{"display_name":"{}"}}}}"#,
                "ß".repeat(length)
            )
        };
        assert!(broken(create, &name(200)).is_empty());
        assert_eq!(broken(create, &name(201)).len(), 1);
    }
}
