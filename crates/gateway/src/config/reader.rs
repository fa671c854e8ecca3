//! Collects the values in the file and in the environment, their places, and all mistakes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::PREFIX;
use super::key::{Fallback, Key};
use super::mistake::{Mistake, Place};
use super::setting::{Form, Setting};

/// The value of a key, as it is written.
#[derive(Clone)]
pub(super) struct WrittenValue {
    /// It may be a secret.
    pub(super) items: Vec<String>,
    pub(super) place: Place,
}

impl std::fmt::Debug for WrittenValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Written at {}", self.place)
    }
}

/// The values, and the mistakes so far.
pub(super) struct Reader {
    keys: Vec<&'static Key>,
    pub(super) written: BTreeMap<&'static str, WrittenValue>,
    pub(super) mistakes: Vec<Mistake>,
    file: Option<PathBuf>,
    is_broken: bool,
}

impl Reader {
    pub(super) fn new(keys: Vec<&'static Key>) -> Self {
        Self {
            keys,
            written: BTreeMap::new(),
            mistakes: Vec::new(),
            file: None,
            is_broken: false,
        }
    }

    /// Reads the text of the file at `path`.
    pub(super) fn read_file(&mut self, path: &Path, text: &str) {
        self.file = Some(path.to_owned());
        let (table, errors) = DeTable::parse_recoverable(text);
        self.is_broken = !errors.is_empty();
        for error in errors {
            let place = Place::in_file(path, text, error.span().map_or(0, |span| span.start));
            self.mistakes.push(syntax_mistake(place, error.message()));
        }
        let source = Source { path, text };
        for (name, value) in table.get_ref() {
            match value.get_ref() {
                DeValue::Table(section) if self.is_section(name.get_ref()) => {
                    self.read_section(&source, name.get_ref(), section);
                }
                DeValue::Table(_) if self.find(name.get_ref()).is_none() => {
                    let mistake = self.unknown_section(source.place(&name.span()), name.get_ref());
                    self.mistakes.push(mistake);
                }
                _ => self.read_value(&source, name.get_ref(), name, value),
            }
        }
    }

    fn read_section(&mut self, source: &Source<'_>, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            self.read_value(source, &format!("{section}.{}", name.get_ref()), name, value);
        }
    }

    fn read_value(
        &mut self,
        source: &Source<'_>,
        path: &str,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let Some(key) = self.find(path) else {
            let mistake = self.unknown_key(source.place(&name.span()), path);
            self.mistakes.push(mistake);
            return;
        };
        let place = source.place(&value.span());
        match items(key.form, value.get_ref()) {
            Ok(items) => {
                self.written.insert(key.name, WrittenValue { items, place });
            }
            // A line that is not TOML is reported already.
            Err(_) if self.has_syntax_mistake(&place) => {}
            Err(found) => {
                let found = (key.redact)(&found);
                let remedy = match key.form {
                    Form::Text => "Put the value in double quotes.",
                    Form::Number => "Write digits without quotes.",
                    Form::Boolean => "Write true or false, without quotes.",
                    Form::List => "Write a list of texts such as [\"10.0.0.0/8\"].",
                };
                let problem = format!("must be {}, not {found}", key.expected);
                self.mistake_at(place, key.name, problem, remedy);
            }
        }
    }

    /// Reads environment variables. A variable has precedence over the file. An empty one counts as not
    /// set, because templates write it for a missing value. White space around a value, such as the final
    /// newline of a secret's file, is ignored.
    pub(super) fn read_environment(&mut self, variables: &[(String, String)]) {
        for (variable, value) in variables {
            let Some(key) = self.keys.iter().copied().find(|key| key.variable() == *variable) else {
                self.check_stray_variable(variable);
                continue;
            };
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            let items = match key.form {
                Form::List => value.split(',').map(|item| item.trim().to_owned()).collect(),
                Form::Text | Form::Number | Form::Boolean => vec![value.to_owned()],
            };
            let place = Place::Variable(variable.clone());
            self.written.insert(key.name, WrittenValue { items, place });
        }
    }

    /// If a variable nearly has the name of a key, that is a mistake. Other variables are not, because a
    /// container platform adds variables for a service with this program's name.
    fn check_stray_variable(&mut self, variable: &str) {
        let names: Vec<String> = self.keys.iter().map(|key| key.variable()).collect();
        if let Some(nearest) = nearest(variable, names.iter().map(String::as_str)) {
            self.mistakes.push(Mistake {
                place: Place::Variable(variable.to_owned()),
                key: None,
                problem: "names no key".to_owned(),
                remedy: format!("Did you mean {nearest}?"),
            });
        }
    }

    /// The value of `key`, or its default. `None`, with a mistake noted, if the value is wrong, or missing
    /// and required.
    pub(super) fn read<T: Setting>(&mut self, key: &'static Key) -> Option<T> {
        if let Some(written) = self.written.get(key.name) {
            match T::parse(&written.items) {
                Ok(value) => return Some(value),
                Err(remedy) => {
                    let problem = format!("must be {}, not {}", T::EXPECTED, quote::<T>(&written.items));
                    let place = written.place.clone();
                    self.mistake_at(place, key.name, problem, remedy);
                    return None;
                }
            }
        }
        match key.fallback {
            Fallback::Absent => None,
            Fallback::Text(text) => {
                Some(T::parse(&default_items(key.form, text)).expect("a test parses every default"))
            }
            Fallback::Required => {
                if !self.is_broken && !self.has_mistake(key.name) {
                    let remedy = format!("Write {} = {}, or set {}.", key.name, key.example, key.variable());
                    self.mistake(key.name, "is missing", remedy);
                }
                None
            }
        }
    }

    /// As [`Self::read`], for a key without a default.
    pub(super) fn read_optional<T: Setting>(&mut self, key: &'static Key) -> Option<Option<T>> {
        let value = self.read::<T>(key);
        let is_wrong = value.is_none() && self.has_mistake(key.name);
        (!is_wrong).then_some(value)
    }

    /// The value of the key `name`, if it is correct.
    pub(super) fn peek<T: Setting>(&self, name: &str) -> Option<T> {
        let key = self.find(name).expect("a rule names a key");
        let items = match (self.written.get(name), key.fallback) {
            (Some(written), _) => written.items.clone(),
            (None, Fallback::Text(text)) => default_items(key.form, text),
            (None, Fallback::Absent | Fallback::Required) => return None,
        };
        if self.has_mistake(name) {
            None
        } else {
            T::parse(&items).ok()
        }
    }

    pub(super) fn is_written(&self, name: &str) -> bool {
        self.written.contains_key(name)
    }

    fn has_syntax_mistake(&self, place: &Place) -> bool {
        let line = |place: &Place| match place {
            Place::File { line, .. } => Some(*line),
            Place::Default | Place::WholeFile(_) | Place::Variable(_) => None,
        };
        let is_syntax = |mistake: &&Mistake| mistake.key.is_none();
        self.mistakes
            .iter()
            .filter(is_syntax)
            .any(|mistake| line(&mistake.place) == line(place))
    }

    /// Whether the file is not TOML. Then a missing key may only be unreadable.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    pub(super) fn has_mistake(&self, key: &str) -> bool {
        self.mistakes
            .iter()
            .any(|mistake| mistake.key.as_deref() == Some(key))
    }

    /// Notes a mistake at the place of `key`, or where it should be.
    pub(super) fn mistake(
        &mut self,
        key: &'static str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let place = match self.written.get(key) {
            Some(written) => written.place.clone(),
            None => self.file.clone().map_or(Place::Default, Place::WholeFile),
        };
        self.mistake_at(place, key, problem, remedy);
    }

    fn mistake_at(&mut self, place: Place, key: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        let (problem, remedy) = (problem.into(), remedy.into());
        self.mistakes.push(Mistake {
            place,
            key: Some(key.to_owned()),
            problem,
            remedy,
        });
    }

    fn find(&self, path: &str) -> Option<&'static Key> {
        self.keys.iter().copied().find(|key| key.name == path)
    }

    fn sections(&self) -> impl Iterator<Item = &'static str> {
        self.keys
            .iter()
            .filter_map(|key| key.name.split_once('.'))
            .map(|(section, _)| section)
    }

    fn is_section(&self, name: &str) -> bool {
        self.sections().any(|section| section == name)
    }

    fn unknown_section(&self, place: Place, name: &str) -> Mistake {
        let remedy = match nearest(name, self.sections()) {
            Some(section) => format!("Did you mean [{section}]?"),
            None => {
                let mut sections: Vec<_> = self.sections().map(|section| format!("[{section}]")).collect();
                sections.dedup();
                format!("The sections are {}.", sections.join(", "))
            }
        };
        Mistake {
            place,
            key: Some(format!("[{name}]")),
            problem: "is not a section".to_owned(),
            remedy,
        }
    }

    fn unknown_key(&self, place: Place, path: &str) -> Mistake {
        let last = path.rsplit('.').next().unwrap_or(path);
        let moved = || {
            let ends_so = |key: &&&Key| key.name.rsplit('.').next() == Some(last);
            self.keys.iter().find(ends_so).map(|key| key.name)
        };
        let guess = nearest(path, self.keys.iter().map(|key| key.name)).or_else(moved);
        let remedy = if self.is_section(path) {
            format!("[{path}] is a section: write its keys in it.")
        } else {
            match guess {
                Some(name) => format!("Did you mean {name}?"),
                None => "Remove it, or look it up in docs/reference/configuration.md.".to_owned(),
            }
        };
        Mistake {
            place,
            key: Some(path.to_owned()),
            problem: "is not a key".to_owned(),
            remedy,
        }
    }
}

struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn place(&self, span: &std::ops::Range<usize>) -> Place {
        Place::in_file(self.path, self.text, span.start)
    }
}

fn syntax_mistake(place: Place, message: &str) -> Mistake {
    let remedy = if message.contains("duplicate key") {
        "Keep one of the two."
    } else {
        "A line is `key = value`, text is in double quotes, a section starts with [name]."
    };
    let problem = format!("the file is not TOML here: {}", message.replace('\n', ", "));
    Mistake {
        place,
        key: None,
        problem,
        remedy: remedy.to_owned(),
    }
}

/// The items of a TOML value. If it does not have the `form`, what it is instead.
fn items(form: Form, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let unexpected = || match value {
        DeValue::String(text) => format!("the text \"{text}\""),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a section".to_owned(),
    };
    match (form, value) {
        (Form::Text, DeValue::String(text)) => Ok(vec![text.to_string()]),
        (Form::Number, DeValue::Integer(number)) if number.radix() == 10 => Ok(vec![number.to_string()]),
        (Form::Boolean, DeValue::Boolean(value)) => Ok(vec![value.to_string()]),
        (Form::List, DeValue::Array(array)) => {
            let text = |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned);
            let items: Option<Vec<_>> = array.iter().map(text).collect();
            items.ok_or_else(|| "a list of other things".to_owned())
        }
        _ => Err(unexpected()),
    }
}

pub(super) fn default_items(form: Form, text: &str) -> Vec<String> {
    if form == Form::List && text.is_empty() {
        Vec::new()
    } else {
        vec![text.to_owned()]
    }
}

fn quote<T: Setting>(items: &[String]) -> String {
    let quoted: Vec<_> = items
        .iter()
        .map(|item| format!("\"{}\"", T::redact(item)))
        .collect();
    match quoted.as_slice() {
        [single] => single.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// The candidate that was probably meant by `name`.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Two typing errors, or three in a long name. The common prefix of variables does not count.
    let length = name.trim_start_matches(PREFIX).len();
    let tolerance = if length > 12 { 3 } else { (length / 3).min(2) };
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
