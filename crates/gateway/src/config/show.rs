//! Shows the effective configuration: each value with its origin.

use std::fmt::Write as _;

use serde::Serialize;

use super::keys::SECTIONS;
use super::reader::{WrittenValue, default_items};
use super::{Config, Fallback, Form, Key, Place};

/// The effective value of a key.
#[derive(Debug, Serialize)]
pub struct EffectiveValue {
    key: &'static str,
    /// Redacted. `None` if the key is not set.
    value: Option<serde_json::Value>,
    /// `file:line:column`, a variable, `default`, or `development` if `genkan dev` sets it.
    origin: String,
}

impl Config {
    /// The effective configuration as TOML, each value with its origin. Secrets are hidden.
    pub fn show(&self) -> String {
        let mut text = String::new();
        for (section, _, keys) in SECTIONS {
            if !section.is_empty() {
                let _ = writeln!(text, "\n[{section}]");
            }
            for key in *keys {
                let name = key.name.rsplit('.').next().unwrap_or(key.name);
                let _ = match self.in_force(key) {
                    // Texts, numbers, booleans and lists of texts have the same form in JSON and in TOML.
                    EffectiveValue {
                        value: Some(value),
                        origin,
                        ..
                    } => writeln!(text, "{name} = {value}  # {origin}"),
                    EffectiveValue { value: None, .. } => writeln!(text, "# {name} is not set"),
                };
            }
        }
        text
    }

    /// The effective configuration, for scripts.
    pub fn to_json(&self) -> Vec<EffectiveValue> {
        super::keys().map(|key| self.in_force(key)).collect()
    }

    fn in_force(&self, key: &Key) -> EffectiveValue {
        let (items, origin) = match (self.written.get(key.name), key.fallback) {
            (
                Some(WrittenValue {
                    items,
                    place: Place::Default,
                }),
                _,
            ) => (items.clone(), "development".to_owned()),
            (Some(WrittenValue { items, place }), _) => (items.clone(), place.to_string()),
            (None, Fallback::Text(text)) => (default_items(key.form, text), "default".to_owned()),
            (None, Fallback::Absent | Fallback::Required) if key.name == "database.url" => {
                (vec![self.database_url().to_string()], "default".to_owned())
            }
            (None, Fallback::Absent | Fallback::Required) => {
                return EffectiveValue {
                    key: key.name,
                    value: None,
                    origin: "default".to_owned(),
                };
            }
        };
        EffectiveValue {
            key: key.name,
            value: Some(value(key, &items)),
            origin,
        }
    }
}

fn value(key: &Key, items: &[String]) -> serde_json::Value {
    let redacted = items.iter().map(|item| (key.redact)(item));
    match key.form {
        Form::Text => redacted.collect::<String>().into(),
        Form::List => redacted.collect::<Vec<_>>().into(),
        Form::Number | Form::Boolean => {
            serde_json::from_str(&items.concat()).unwrap_or(serde_json::Value::Null)
        }
    }
}
