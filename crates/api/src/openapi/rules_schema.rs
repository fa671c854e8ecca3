//! Rules of fields as JSON Schema, and in words.

use prost_reflect::Kind;
use serde_json::{Value as Json, json};

use crate::rules::{FieldRules, Rule};

/// Adds the rules of a field to its schema.
pub(crate) fn apply(rules: Option<&FieldRules>, kind: &Kind, schema: &mut Json) {
    for rule in rules.into_iter().flat_map(FieldRules::rules) {
        rule_into(rule, kind, schema);
    }
}

fn rule_into(rule: &Rule, kind: &Kind, schema: &mut Json) {
    // The schema of 64-bit numbers and of durations is text.
    let is_number = matches!(kind, Kind::Int32 | Kind::Uint32 | Kind::Double | Kind::Float);
    let number = |number: &i128| i64::try_from(*number).unwrap_or(i64::MAX);
    match rule {
        Rule::MinLen(min) => schema["minLength"] = json!(min),
        Rule::MaxLen(max) | Rule::MaxBytes(max) => schema["maxLength"] = json!(max),
        Rule::Prefix(prefix) => pattern(schema, &format!("^{}", regex::escape(prefix))),
        Rule::Pattern(regex) => pattern(schema, regex.as_str()),
        Rule::In(words) => schema["enum"] = json!(words),
        Rule::Email => schema["format"] = json!("email"),
        Rule::Uri => schema["format"] = json!("uri"),
        Rule::Gt(min) if is_number => schema["exclusiveMinimum"] = json!(number(min)),
        Rule::Gte(min) if is_number => schema["minimum"] = json!(number(min)),
        Rule::Lte(max) if is_number => schema["maximum"] = json!(number(max)),
        Rule::NotIn(numbers) => {
            if let Kind::Enum(values) = kind {
                let names: Vec<String> = values
                    .values()
                    .filter(|value| !numbers.contains(&value.number()))
                    .map(|value| value.name().to_owned())
                    .collect();
                *schema = json!({ "type": "string", "enum": names });
            }
        }
        Rule::MinItems(min) => schema["minItems"] = json!(min),
        Rule::MaxItems(max) => schema["maxItems"] = json!(max),
        Rule::Unique => schema["uniqueItems"] = json!(true),
        Rule::MaxPairs(max) => schema["maxProperties"] = json!(max),
        Rule::Items(rules) => rules
            .iter()
            .for_each(|rule| rule_into(rule, kind, &mut schema["items"])),
        Rule::Values(rules) => rules
            .iter()
            .for_each(|rule| rule_into(rule, kind, &mut schema["additionalProperties"])),
        Rule::Keys(rules) => {
            schema["propertyNames"] = json!({ "type": "string" });
            rules
                .iter()
                .for_each(|rule| rule_into(rule, kind, &mut schema["propertyNames"]));
        }
        Rule::Gt(_) | Rule::Gte(_) | Rule::Lte(_) | Rule::Defined(_) | Rule::Unknown(_) => {}
    }
}

/// Adds a pattern. A second one goes into `allOf`, because a schema has only one.
fn pattern(schema: &mut Json, regex: &str) {
    if schema.get("pattern").is_none() {
        schema["pattern"] = json!(regex);
        return;
    }
    match schema.get_mut("allOf").and_then(Json::as_array_mut) {
        Some(all) => all.push(json!({ "pattern": regex })),
        None => schema["allOf"] = json!([{ "pattern": regex }]),
    }
}

/// The rules of a field for people: `at most 200 characters`.
pub(crate) fn in_words(rules: Option<&FieldRules>) -> Vec<String> {
    let rules = rules.into_iter().flat_map(FieldRules::rules);
    rules.flat_map(|rule| words(rule, "")).collect()
}

fn words(rule: &Rule, of: &str) -> Vec<String> {
    let nested = |rules: &[Rule], of| rules.iter().flat_map(|rule| words(rule, of)).collect();
    vec![match rule {
        Rule::MinLen(0 | 1) | Rule::Defined(_) | Rule::NotIn(_) | Rule::Unknown(_) => return Vec::new(),
        Rule::MinLen(min) => format!("{of}at least {min} characters"),
        Rule::MaxLen(max) => format!("{of}at most {max} characters"),
        Rule::MaxBytes(max) => format!("{of}at most {max} bytes"),
        Rule::Prefix(prefix) => format!("{of}starts with {prefix}"),
        Rule::Pattern(regex) => format!("{of}matches {}", regex.as_str()),
        Rule::In(words) => {
            let named: Vec<&str> = words
                .iter()
                .map(String::as_str)
                .filter(|word| !word.is_empty())
                .collect();
            format!("{of}one of {}", named.join(", "))
        }
        Rule::Email => format!("{of}an e-mail address"),
        Rule::Uri => format!("{of}an absolute URI"),
        // Durations count in nanoseconds.
        Rule::Gt(number) if *number < 1_000_000_000 => format!("{of}more than {number}"),
        Rule::Gte(number) if *number < 1_000_000_000 => format!("{of}at least {number}"),
        Rule::Lte(number) if *number < 1_000_000_000_000 => format!("{of}at most {number}"),
        Rule::Gt(nanos) => format!("{of}longer than {} s", nanos / 1_000_000_000),
        Rule::Gte(nanos) => format!("{of}at least {} s", nanos / 1_000_000_000),
        Rule::Lte(nanos) => format!("{of}at most {} s", nanos / 1_000_000_000),
        Rule::MinItems(min) => format!("at least {min} items"),
        Rule::MaxItems(max) => format!("at most {max} items"),
        Rule::Unique => "no item twice".to_owned(),
        Rule::MaxPairs(max) => format!("at most {max} entries"),
        Rule::Items(rules) => return nested(rules, "items: "),
        Rule::Keys(rules) => return nested(rules, "keys: "),
        Rule::Values(rules) => return nested(rules, "values: "),
    }]
}
