//! The attributes of a provider about a person, as far as they are stored with the identity.
//!
//! The administrator of a provider decides what it says and how many people it has, so each person's part
//! has a bound.

use genkan_protocol::Trace;
use serde_json::{Map, Value};

/// So much is stored of one person, as JSON. A thousand groups with long names are half of it.
const MAX_BYTES: usize = 64 * 1024;

/// So many names of what was left out stand in the trace.
const MAX_NAMES: usize = 10;

/// The names of what others decide by: the admission reads them again.
const FIRST: &[&str] = &["NameID", "iss", "sub", "email", "email_verified", "hd"];

/// All that fits, the short values first. The trace names the others, which `word` calls "attributes" or
/// "claims". Mapped values are not affected.
pub(super) fn bounded(said: Map<String, Value>, word: &str, trace: &mut Trace) -> Map<String, Value> {
    let bytes = |name: &str, value: &Value| Value::from(name).to_string().len() + value.to_string().len() + 2;
    let mut sized: Vec<(usize, String, Value)> = said
        .into_iter()
        .map(|(name, value)| (bytes(&name, &value), name, value))
        .collect();
    sized.sort_by(|(one, a, _), (other, b, _)| {
        let later = |name: &String| !FIRST.contains(&name.as_str());
        (later(a), one, a).cmp(&(later(b), other, b))
    });
    let (mut kept, mut left_out) = (Map::new(), Vec::new());
    let mut left = MAX_BYTES - "{}".len();
    for (bytes, name, value) in sized {
        match left.checked_sub(bytes) {
            Some(rest) => {
                left = rest;
                kept.insert(name, value);
            }
            None => left_out.push(name),
        }
    }
    if !left_out.is_empty() {
        let count = left_out.len();
        left_out.truncate(MAX_NAMES);
        let more = match count - left_out.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        // The end is cut if the names are long.
        let note = format!(
            "64 KiB of a person’s {word}, and not {}{more}. Let the provider send only what the application needs",
            left_out.join(", ")
        );
        trace.pass_over("Stored", note);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(bytes: usize) -> Value {
        Value::from("x".repeat(bytes))
    }

    #[test]
    fn what_is_stored_has_a_bound_and_the_trace_names_the_rest() {
        let mut said = Map::new();
        said.insert("zone".to_owned(), Value::from("Europe/Oslo"));
        said.insert("NameID".to_owned(), long(1024));
        for name in ["a", "b", "c"] {
            said.insert(name.to_owned(), long(30_000));
        }
        let mut trace = Trace::default();
        let kept = bounded(said.clone(), "attributes", &mut trace);
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["NameID", "a", "b", "zone"]);
        assert!(Value::from(kept).to_string().len() <= MAX_BYTES);
        let [check] = trace.checks() else {
            panic!("{trace:?}")
        };
        let note = check.note.as_deref().unwrap();
        assert!(
            note.starts_with("64 KiB of a person’s attributes, and not c. "),
            "{note}"
        );

        said.remove("c");
        let mut trace = Trace::default();
        assert_eq!(bounded(said.clone(), "attributes", &mut trace), said);
        assert!(trace.checks().is_empty());
    }

    #[test]
    fn a_flood_of_short_ones_leaves_the_subject_and_a_note_of_one_line() {
        let mut said: Map<String, Value> = (0..20_000)
            .map(|n| (format!("{n:05}"), Value::from("x")))
            .collect();
        said.insert("NameID".to_owned(), long(1024));
        let mut trace = Trace::default();
        let kept = bounded(said, "attributes", &mut trace);
        assert!(kept.contains_key("NameID"));
        assert!(Value::from(kept).to_string().len() <= MAX_BYTES);
        let note = trace.checks()[0].note.clone().unwrap();
        assert!(note.contains(" more. ") && note.chars().count() < 512, "{note}");
    }
}
