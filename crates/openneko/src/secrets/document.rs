//! The file of the secrets: a section of strings for each plugin, and sections that are not ours.

use std::collections::BTreeMap;
use std::fmt;

use openneko_sandbox::Secret;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::seal::PREFIX;

/// The section of connectors for their users, which the host of the original writes.
const OPERATORS: &str = "_operators";

/// The parsed file.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// Sections whose values are all strings, other than `_operators`.
    pub(super) plugins: BTreeMap<String, BTreeMap<String, Value>>,
    /// Every other section, kept to the byte.
    pub(super) others: BTreeMap<String, Box<RawValue>>,
}

/// One value in the file.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Sealed(String),
    /// A value in the clear, by an older version; the next write seals it.
    Plain(Secret),
}

impl Value {
    fn of_file(text: String) -> Self {
        if text.starts_with(PREFIX) {
            Self::Sealed(text)
        } else {
            Self::Plain(Secret::new(text))
        }
    }
}

/// Where the file is malformed. It quotes nothing, because the text may be a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DocumentError {
    #[error("line {line} column {column}")]
    Syntax { line: usize, column: usize },
    #[error("two sections or keys are named {0:?}")]
    Duplicate(String),
    #[error("the value of {0:?} is not an object")]
    NotAnObject(String),
}

impl From<serde_json::Error> for DocumentError {
    fn from(error: serde_json::Error) -> Self {
        Self::Syntax {
            line: error.line(),
            column: error.column(),
        }
    }
}

impl Document {
    pub(super) fn parse(text: &str) -> Result<Self, DocumentError> {
        let root: Pairs<'_> = serde_json::from_str(text)?;
        let mut document = Self::default();
        for (name, section) in root.unique()? {
            if !section.get().trim_start().starts_with('{') {
                return Err(DocumentError::NotAnObject(name));
            }
            let pairs: Pairs<'_> = serde_json::from_str(section.get())?;
            let pairs = pairs.unique()?;
            let is_plugin = name != OPERATORS && pairs.values().all(|value| value.get().starts_with('"'));
            if is_plugin {
                let values = pairs
                    .into_iter()
                    .map(|(key, value)| Ok((key, Value::of_file(serde_json::from_str(value.get())?))))
                    .collect::<Result<_, serde_json::Error>>()?;
                document.plugins.insert(name, values);
            } else {
                document.others.insert(name, section.to_owned());
            }
        }
        Ok(document)
    }

    /// The strings of a section that is not ours.
    pub(super) fn strings_of_other(&self, name: &str) -> BTreeMap<String, Value> {
        let pairs = self.others.get(name).filter(|_| name != OPERATORS);
        let Some(pairs) = pairs.and_then(|raw| serde_json::from_str::<Pairs<'_>>(raw.get()).ok()) else {
            return BTreeMap::new();
        };
        let string = |value: &RawValue| serde_json::from_str(value.get()).ok();
        pairs
            .0
            .into_iter()
            .filter_map(|(key, value)| Some((key, Value::of_file(string(value)?))))
            .collect()
    }

    /// The text of the file, once every value is sealed: plugins by name, then other sections.
    pub(super) fn render(
        &self,
        sealed: &BTreeMap<&str, BTreeMap<&str, String>>,
    ) -> Result<String, serde_json::Error> {
        let mut sections = Vec::new();
        for (name, values) in sealed {
            sections.push((*name, indented(&serde_json::to_string_pretty(values)?)));
        }
        // `_operators` comes last, as the original writes it.
        for (name, raw) in self.others.iter().filter(|(name, _)| *name != OPERATORS) {
            sections.push((name, raw.get().to_owned()));
        }
        if let Some(raw) = self.others.get(OPERATORS) {
            sections.push((OPERATORS, raw.get().to_owned()));
        }
        let lines = sections
            .into_iter()
            .map(|(name, text)| Ok(format!("  {}: {text}", serde_json::to_string(name)?)))
            .collect::<Result<Vec<_>, serde_json::Error>>()?;
        Ok(match lines.as_slice() {
            [] => "{}\n".to_owned(),
            lines => format!("{{\n{}\n}}\n", lines.join(",\n")),
        })
    }
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n  ")
}

/// An object with its values unread, in the order of the file.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Pairs<'a> {
    /// Two readers would pick different values of two equal names.
    fn unique(self) -> Result<BTreeMap<String, &'a RawValue>, DocumentError> {
        let mut unique = BTreeMap::new();
        for (name, value) in self.0 {
            if unique.contains_key(&name) {
                return Err(DocumentError::Duplicate(name));
            }
            unique.insert(name, value);
        }
        Ok(unique)
    }
}

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                /// More sections than any real file has.
                const MAX_PAIRS: usize = 10_000;
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    if pairs.len() == MAX_PAIRS {
                        return Err(M::Error::custom("too many entries"));
                    }
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_sections_are_kept_to_the_byte_and_operators_come_last() {
        let text = r#"{"_operators": {"op-1":   {"p": "enc:v1:AA=="}},
            "mixed": {"A": "x", "n": 1.50e3 },
            "b": {"K": "enc:v1:BB=="}, "a": {}}"#;
        let document = Document::parse(text).unwrap();
        let sealed = BTreeMap::from([("b", BTreeMap::from([("K", "enc:v1:BB==".to_owned())]))]);
        assert_eq!(
            document.render(&sealed).unwrap(),
            "{\n  \"b\": {\n    \"K\": \"enc:v1:BB==\"\n  },\n  \"mixed\": {\"A\": \"x\", \"n\": 1.50e3 },\n  \
             \"_operators\": {\"op-1\":   {\"p\": \"enc:v1:AA==\"}}\n}\n"
        );
        assert_eq!(document.strings_of_other("mixed").len(), 1);
        assert!(document.strings_of_other("_operators").is_empty());
    }

    #[test]
    fn a_malformed_file_is_refused_without_quoting_it() {
        let cases = [
            ("", "line 1 column 0"),
            ("[]", "line 1 column 0"),
            (r#"{"p":{"K":"hunter2""#, "line 1 column 19"),
            (r#"{"p":"hunter2"}"#, r#"the value of "p" is not an object"#),
            (r#"{"p":{},"p":{}}"#, r#"two sections or keys are named "p""#),
            (
                r#"{"p":{"K":"hunter2","K":"x"}}"#,
                r#"two sections or keys are named "K""#,
            ),
            (r#"{"p":{"K":"hunter2\ud800"}}"#, "line 1 column "),
        ];
        for (text, expected) in cases {
            let message = Document::parse(text).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{text}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
