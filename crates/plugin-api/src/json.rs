//! JSON that keeps the order of keys, for texts of strangers: it refuses duplicate keys,
//! and limits the depth and the number of values.
//!
//! `serde_json` can keep the order too, but its feature for that would change every
//! program that uses this crate.

use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Number;

/// Levels of arrays and objects.
const MAX_DEPTH: usize = 32;
/// Values of any kind. A text of `0,` would otherwise take many times its size in memory.
const MAX_VALUES: usize = 250_000;
/// The most members of one object. No file of ours has more.
const MAX_MEMBERS: usize = 2000;

/// A JSON value whose objects keep their order.
///
/// Reading one refuses duplicate keys, more than 32 levels and more than 250,000
/// values. Read a stranger's text as this first, and then as a type by
/// [`to`](Self::to): a type alone ignores unknown members.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Json {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number
    Number(Number),
    /// A string
    String(String),
    /// An array
    Array(Vec<Json>),
    /// An object
    Object(Object),
}

impl Json {
    /// The object, if this is one.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value as any type that can be read from JSON.
    ///
    /// # Errors
    ///
    /// Those of `T`.
    pub fn to<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&serde_json::to_string(self)?)
    }

    /// Any serializable value as JSON.
    ///
    /// # Errors
    ///
    /// Those of `T`, and maps whose keys are no strings.
    pub fn from<T: Serialize>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&serde_json::to_string(value)?)
    }

    fn become_like(&mut self, new: Self) {
        match (self, new) {
            (Self::Object(old), Self::Object(new)) => old.become_like(new),
            (Self::Array(old), Self::Array(new)) => {
                let mut olds = std::mem::take(old).into_iter();
                old.extend(new.into_iter().map(|new| match olds.next() {
                    Some(mut value) => {
                        value.become_like(new);
                        value
                    }
                    None => new,
                }));
            }
            (old, new) => *old = new,
        }
    }

    /// The form of the files: indented by two spaces, and a newline at the end.
    /// It escapes only what JSON requires.
    ///
    /// ```
    /// use openneko_plugin::json::Json;
    ///
    /// let json: Json = serde_json::from_str(r#"{"b":"<&>","a":[]}"#)?;
    /// assert_eq!(json.to_file(), "{\n  \"b\": \"<&>\",\n  \"a\": []\n}\n");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn to_file(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("keys are strings and numbers are finite");
        text.push('\n');
        text
    }
}

/// The members of a JSON object in their order. A key occurs once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object(Vec<(String, Json)>);

impl Object {
    /// No members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Sets a value, in the place of the old one if there is one.
    pub fn insert(&mut self, key: impl Into<String>, value: Json) {
        let key = key.into();
        match self.0.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }

    /// Takes a member out.
    pub fn remove(&mut self, key: &str) -> Option<Json> {
        let at = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(at).1)
    }

    /// The members in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Takes the content of `new` and keeps this object's order, also in nested
    /// objects. New keys come last.
    pub(crate) fn become_like(&mut self, new: Self) {
        self.0.retain(|(key, _)| new.get(key).is_some());
        for (key, value) in new.0 {
            match self.0.iter_mut().find(|(name, _)| *name == key) {
                Some((_, old)) => old.become_like(value),
                None => self.0.push((key, value)),
            }
        }
    }
}

impl FromIterator<(String, Json)> for Object {
    fn from_iter<I: IntoIterator<Item = (String, Json)>>(members: I) -> Self {
        let mut object = Self::new();
        for (key, value) in members {
            object.insert(key, value);
        }
        object
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => value.serialize(serializer),
            Self::String(value) => serializer.serialize_str(value),
            Self::Array(values) => {
                let mut sequence = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    sequence.serialize_element(value)?;
                }
                sequence.end()
            }
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut left = MAX_VALUES;
        Limited::new(&mut left).deserialize(deserializer)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// Reads one value within the rest of the limits.
struct Limited<'l> {
    /// Levels that may follow.
    depth: usize,
    /// Values that may follow, in the whole text.
    left: &'l mut usize,
}

impl<'l> Limited<'l> {
    fn new(left: &'l mut usize) -> Self {
        Self {
            depth: MAX_DEPTH,
            left,
        }
    }

    fn deeper<E: de::Error>(&mut self) -> Result<Limited<'_>, E> {
        let depth = self.depth.checked_sub(1);
        Ok(Limited {
            depth: depth
                .ok_or_else(|| E::custom(format_args!("it is nested more than {MAX_DEPTH} levels deep")))?,
            left: self.left,
        })
    }

    fn object<'de, A: MapAccess<'de>>(mut self, mut map: A) -> Result<Object, A::Error> {
        // A set beside the list would be quicker; `HashMap` would cost more than
        // it saves for the few members that these files have.
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if members.len() >= MAX_MEMBERS {
                return Err(de::Error::custom("an object has too many members"));
            }
            // Two readers may choose different values, so a duplicate is refused.
            if members.iter().any(|(name, _)| *name == key) {
                return Err(de::Error::custom(format_args!("the key {key:?} occurs twice")));
            }
            let value = map.next_value_seed(self.deeper()?)?;
            members.push((key, value));
        }
        Ok(Object(members))
    }
}

impl<'de> DeserializeSeed<'de> for Limited<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        let left = self.left.checked_sub(1);
        *self.left =
            left.ok_or_else(|| de::Error::custom(format_args!("it has more than {MAX_VALUES} values")))?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Limited<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Json, E> {
        Number::from_f64(value)
            .map(Json::Number)
            .ok_or_else(|| E::custom("a number is too large"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(self.deeper()?)? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Json, A::Error> {
        self.object(map).map(Json::Object)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object, A::Error> {
        let mut left = MAX_VALUES;
        Limited::new(&mut left).object(map)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            any::<i64>().prop_map(|n| Json::Number(n.into())),
            any::<u64>().prop_map(|n| Json::Number(n.into())),
            ".*".prop_map(Json::String),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
                prop::collection::vec((".*", inner), 0..5)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again_in_the_same_order(json in json()) {
            prop_assert_eq!(&serde_json::from_str::<Json>(&json.to_file()).unwrap(), &json);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".*") {
            let _ = serde_json::from_str::<Json>(&text);
        }
    }

    #[test]
    fn a_key_that_occurs_twice_is_refused() {
        assert!(serde_json::from_str::<Json>(r#"{"a":1,"a":2}"#).is_err());
    }

    #[test]
    fn a_key_occurs_once_at_any_depth_and_however_it_is_written() {
        for text in [
            r#"{"a":1,"\u0061":2}"#,
            r#"[{"x":[{"y":1,"y":1}]}]"#,
            r#"{"x":{"y":{"z":1,"z":2}}}"#,
        ] {
            assert!(serde_json::from_str::<Json>(text).is_err(), "{text}");
        }
        assert!(serde_json::from_str::<Object>(r#"{"x":{"y":1,"y":2}}"#).is_err());
    }

    #[test]
    fn a_deep_value_is_refused_without_a_crash() {
        assert!(serde_json::from_str::<Json>(&"[".repeat(100_000)).is_err());
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(serde_json::from_str::<Json>(&nested(MAX_DEPTH)).is_ok());
        let error = serde_json::from_str::<Json>(&nested(MAX_DEPTH + 1)).unwrap_err();
        assert!(error.to_string().contains("32 levels"), "{error}");
        let member = |levels| format!("{{\"a\":{}}}", nested(levels));
        assert!(serde_json::from_str::<Object>(&member(MAX_DEPTH - 1)).is_ok());
        assert!(serde_json::from_str::<Object>(&member(MAX_DEPTH)).is_err());
    }

    #[test]
    fn a_flood_of_values_is_refused() {
        let flood = |values: usize| format!("{{\"groups\":[0{}]}}", ",0".repeat(values - 1));
        assert!(serde_json::from_str::<Object>(&flood(MAX_VALUES - 1)).is_ok());
        let error = serde_json::from_str::<Object>(&flood(MAX_VALUES)).unwrap_err();
        assert!(error.to_string().contains("more than 250000 values"), "{error}");
    }

    #[test]
    fn becoming_like_another_object_keeps_the_order() {
        let object = |text: &str| serde_json::from_str::<Object>(text).unwrap();
        let mut old = object(r#"{"z":1,"gone":0,"o":{"b":1,"a":2},"a":1}"#);
        old.become_like(object(r#"{"a":2,"o":{"a":3,"b":1,"c":0},"new":1,"z":1}"#));
        assert_eq!(
            serde_json::to_string(&old).unwrap(),
            r#"{"z":1,"o":{"b":1,"a":3,"c":0},"a":2,"new":1}"#
        );
    }
}
