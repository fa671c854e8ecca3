//! One rule, and whether a value keeps it.

use std::sync::LazyLock;

use prost_reflect::{EnumDescriptor, Value};
use regex::Regex;

/// A rule of protovalidate that `proto/` uses.
#[derive(Debug)]
pub(crate) enum Rule {
    MinLen(u64),
    MaxLen(u64),
    MaxBytes(u64),
    Prefix(String),
    Pattern(Regex),
    In(Vec<String>),
    Email,
    Uri,
    Gt(i128),
    Gte(i128),
    Lte(i128),
    Defined(EnumDescriptor),
    NotIn(Vec<i32>),
    MinItems(u64),
    MaxItems(u64),
    Unique,
    Items(Vec<Rule>),
    MaxPairs(u64),
    Keys(Vec<Rule>),
    Values(Vec<Rule>),
    /// An unknown rule: every value breaks it. A test finds it first.
    Unknown(String),
}

impl Rule {
    /// Whether `value` keeps the rule. Rules about items, keys and values apply to each of
    /// them instead.
    pub(crate) fn is_kept_by(&self, value: &Value) -> bool {
        let text = value.as_str().unwrap_or_default();
        match self {
            Self::MinLen(min) => chars(text) >= *min,
            Self::MaxLen(max) => chars(text) <= *max,
            Self::MaxBytes(max) => len(text) <= *max,
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::Pattern(pattern) => pattern.is_match(text),
            Self::In(words) => words.iter().any(|word| word == text),
            Self::Email => is_email(text),
            Self::Uri => url::Url::parse(text).is_ok(),
            Self::Gt(min) => number(value) > *min,
            Self::Gte(min) => number(value) >= *min,
            Self::Lte(max) => number(value) <= *max,
            Self::Defined(of) => value
                .as_enum_number()
                .is_some_and(|number| of.get_value(number).is_some()),
            Self::NotIn(numbers) => !value
                .as_enum_number()
                .is_some_and(|number| numbers.contains(&number)),
            Self::MinItems(min) => items(value) >= *min,
            Self::MaxItems(max) | Self::MaxPairs(max) => items(value) <= *max,
            Self::Unique => is_unique(value),
            Self::Items(_) | Self::Keys(_) | Self::Values(_) => true,
            Self::Unknown(_) => false,
        }
    }

    /// The requirement on `value`, in words.
    pub(super) fn sentence(&self, value: &Value) -> String {
        match self {
            Self::MinLen(min) => format!("must have at least {min} characters"),
            Self::MaxLen(max) => format!("must have at most {max} characters"),
            Self::MaxBytes(max) => format!("must have at most {max} bytes"),
            Self::Prefix(prefix) => format!("must start with {prefix}"),
            Self::Pattern(pattern) => format!("must match {}", pattern.as_str()),
            Self::In(words) => {
                let named = words.iter().map(String::as_str).filter(|word| !word.is_empty());
                format!("must be one of {}", named.collect::<Vec<_>>().join(", "))
            }
            Self::Email => "must be an e-mail address".to_owned(),
            Self::Uri => "must be an absolute URI".to_owned(),
            Self::Gt(min) => format!("must be greater than {}", shown(value, *min)),
            Self::Gte(min) => format!("must be at least {}", shown(value, *min)),
            Self::Lte(max) => format!("must be at most {}", shown(value, *max)),
            Self::Defined(of) => format!("must be a value of {}", of.name()),
            Self::NotIn(_) => "must be given".to_owned(),
            Self::MinItems(min) => format!("must have at least {min} items"),
            Self::MaxItems(max) => format!("must have at most {max} items"),
            Self::Unique => "must not repeat an item".to_owned(),
            Self::MaxPairs(max) => format!("must have at most {max} entries"),
            Self::Items(_) | Self::Keys(_) | Self::Values(_) => String::new(),
            Self::Unknown(name) => format!("cannot be checked: {name} is not understood"),
        }
    }

    /// The name of the rule in protovalidate.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::MinLen(_) => "string.min_len",
            Self::MaxLen(_) => "string.max_len",
            Self::MaxBytes(_) => "string.max_bytes",
            Self::Prefix(_) => "string.prefix",
            Self::Pattern(_) => "string.pattern",
            Self::In(_) => "string.in",
            Self::Email => "string.email",
            Self::Uri => "string.uri",
            Self::Gt(_) => "gt",
            Self::Gte(_) => "gte",
            Self::Lte(_) => "lte",
            Self::Defined(_) => "enum.defined_only",
            Self::NotIn(_) => "enum.not_in",
            Self::MinItems(_) => "repeated.min_items",
            Self::MaxItems(_) => "repeated.max_items",
            Self::Unique => "repeated.unique",
            Self::MaxPairs(_) => "map.max_pairs",
            Self::Items(_) => "repeated.items",
            Self::Keys(_) => "map.keys",
            Self::Values(_) => "map.values",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// A number; for a duration, its nanoseconds.
pub(super) fn number(value: &Value) -> i128 {
    match value {
        Value::I32(number) | Value::EnumNumber(number) => i128::from(*number),
        Value::I64(number) => i128::from(*number),
        Value::U32(number) => i128::from(*number),
        Value::U64(number) => i128::from(*number),
        Value::Message(duration) => {
            let part = |name| duration.get_field_by_name(name).map_or(0, |part| number(&part));
            part("seconds") * 1_000_000_000 + part("nanos")
        }
        _ => 0,
    }
}

fn chars(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}

fn len(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

/// A limit as people write it: nanoseconds of a duration as seconds.
fn shown(value: &Value, limit: i128) -> String {
    match value {
        Value::Message(_) => format!("{} s", limit / 1_000_000_000),
        _ => limit.to_string(),
    }
}

fn items(value: &Value) -> u64 {
    let count = match value {
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        _ => 0,
    };
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Whether all items differ. The number of items is limited before, so a slow comparison
/// is enough.
fn is_unique(value: &Value) -> bool {
    let items = value.as_list().unwrap_or_default();
    items.len() <= 1_000
        && items
            .iter()
            .enumerate()
            .all(|(index, item)| !items.iter().take(index).any(|before| before == item))
}

/// HTML, "valid e-mail address", as protovalidate requires.
fn is_email(text: &str) -> bool {
    static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            "^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\
             (?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$",
        )
        .expect("it is a constant")
    });
    EMAIL.is_match(text)
}
