//! Reads the registered custom attributes of a person from what a provider sent.
//!
//! The kinds of connections differ in how they look for a value, and not in what it becomes.

use std::collections::BTreeMap;

use genkan_protocol::Trace;
use genkan_store::connection::{AttributeSource, Connection};
use genkan_store::user_attribute::{Datatype, MAX_VALUE, Unfit, read_value};
use serde_json::Value;

use super::SignInFailure;
use super::cause::Cause;

/// The values by key. `None`: the provider says that there is none.
pub(super) type CustomAttributes = BTreeMap<String, Option<String>>;

/// How one kind of connection speaks of attributes.
#[derive(Debug)]
pub(super) struct Vocabulary {
    /// The kind's word for what carries a value.
    pub(super) word: &'static str,
    pub(super) missing: Cause,
    pub(super) malformed: Cause,
}

/// The value that a provider sent under one name.
#[derive(Debug)]
pub(super) enum ProviderValue {
    Value(Value),
    Absent,
    /// A part of the answer could not be read, so nobody knows. The cause is that of a sign-in that needs it.
    Unknown(Cause),
}

/// A required attribute has no value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the required attribute {key} has no value")]
pub struct MissingAttribute {
    key: String,
    datatype: Datatype,
    /// The provider's name for it, if anybody has named one.
    source_name: Option<String>,
    lack: Lack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    Absent,
    /// See [`ProviderValue::Unknown`].
    Unread(Cause),
    Unfit(Unfit),
}

/// Reads each attribute that has a source. `word`: see [`Vocabulary`].
///
/// # Errors
///
/// The first required attribute without a value.
pub(super) fn read<'a>(
    sources: impl Iterator<Item = AttributeSource<'a>>,
    find: impl Fn(&str) -> ProviderValue,
    (word, trace): (&str, &mut Trace),
) -> Result<CustomAttributes, MissingAttribute> {
    let mut attributes = CustomAttributes::new();
    for source in sources {
        let attribute = source.attribute;
        let lacks = |lack| MissingAttribute {
            key: attribute.key.clone(),
            datatype: attribute.datatype,
            source_name: source.name.map(str::to_owned),
            lack,
        };
        let Some(name) = source.name else {
            if attribute.required {
                return Err(lacks(Lack::Absent));
            }
            continue;
        };
        let check = format!("Attribute {}", attribute.key);
        let lack = match find(name) {
            ProviderValue::Unknown(cause) => Lack::Unread(cause),
            ProviderValue::Absent => Lack::Absent,
            ProviderValue::Value(value) => match read_value(attribute.datatype, &value) {
                Ok(Some(text)) => {
                    trace.pass(&check, format!("in the {word} {name}"));
                    attributes.insert(attribute.key.clone(), Some(text));
                    continue;
                }
                Ok(None) => Lack::Absent,
                Err(unfit) => Lack::Unfit(unfit),
            },
        };
        if attribute.required {
            return Err(lacks(lack));
        }
        match lack {
            Lack::Unread(_) => {
                let note = format!(
                    "stays as it was: the {word} {name} is not in the ID token, and userinfo is unread"
                );
                trace.pass_over(check, note);
                continue;
            }
            Lack::Unfit(unfit) => {
                trace.pass_over(check, format!("the {word} {name} {unfit}, so it is left out"));
            }
            // A source of the register is a guess. The value that an application has stored stays.
            Lack::Absent if !source.is_named => continue,
            Lack::Absent => trace.pass(check, format!("none: there is no {word} {name}")),
        }
        attributes.insert(attribute.key.clone(), None);
    }
    Ok(attributes)
}

/// The failure of a sign-in without a required attribute. `received` are the names that came.
pub(super) fn failure(
    connection: &Connection,
    missing: &MissingAttribute,
    (vocabulary, received): (&Vocabulary, &str),
    mut trace: Trace,
) -> SignInFailure {
    let word = vocabulary.word;
    let MissingAttribute {
        key,
        datatype,
        source_name: source,
        lack,
    } = missing;
    let expected = match source {
        Some(source) => format!("a value of the type {datatype} in the {word} {source}"),
        None => format!("the {word} of the provider that carries it"),
    };
    let received = match (source, lack) {
        (None, _) => format!("none is named; {word}s: {received}"),
        (Some(_), Lack::Absent) => format!("not there; {word}s: {received}"),
        (Some(_), Lack::Unread(_)) => {
            format!("userinfo could not be read; {word}s of the ID token: {received}")
        }
        (Some(_), Lack::Unfit(unfit)) => format!("a value that {unfit}"),
    };
    trace.fail(format!("Attribute {key}"), expected, received);
    let (cause, remedy) = match (source, lack) {
        (None, _) => (
            vocabulary.missing,
            format!(
                "Every person must have the attribute {key}, and the connection does not know what the provider calls \
                 it: `genkan connection update CONNECTION --attribute custom.{key}=NAME`."
            ),
        ),
        (Some(_), Lack::Unread(cause)) => (
            *cause,
            format!(
                "Release the attribute {key} into the ID token, or check that this application may call the provider's \
                 userinfo endpoint."
            ),
        ),
        (Some(source), Lack::Absent) => (
            vocabulary.missing,
            format!(
                "Let the provider send {source} to this application, or name what carries the attribute: `genkan \
                 connection update CONNECTION --attribute custom.{key}=NAME`. If people may be without it: `genkan \
                 attribute update {key} --required off`."
            ),
        ),
        (Some(source), Lack::Unfit(unfit)) => (vocabulary.malformed, correct(key, source, *unfit)),
    };
    // The contract has one code for the application.
    SignInFailure::new(connection, cause, remedy, trace).named(match lack {
        Lack::Unread(_) => "user_info_retrieve_failed",
        Lack::Absent | Lack::Unfit(_) => "mandatory_attribute_missing",
    })
}

/// The remedy for a value that cannot be kept.
fn correct(key: &str, source: &str, unfit: Unfit) -> String {
    let other_source = format!(
        "or name what else carries the attribute: `genkan connection update CONNECTION --attribute custom.{key}=NAME`."
    );
    match unfit {
        Unfit::OtherType(_) => format!(
            "Correct the value of {source} at the provider, or change the type of the attribute: `genkan attribute \
             update {key} --type TYPE`."
        ),
        Unfit::TooLong => {
            format!("Shorten the value of {source} to {MAX_VALUE} characters at the provider, {other_source}")
        }
        Unfit::NotPlain => format!(
            "Remove the control characters from the value of {source} at the provider, {other_source}"
        ),
    }
}
