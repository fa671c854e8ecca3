//! What a connection must be like: to be stored, and to be used.
//!
//! The API and the command line hold to the same rules.

use url::Url;

use super::settings::Settings;
use super::{Connection, Status};

/// The reason to refuse an address that needs TLS.
pub const WITHOUT_TLS: &str = "is not https: anybody on the way could sign in as anybody";

/// The most attributes that can be mapped, as in the contract.
const MAX_ATTRIBUTES: usize = 30;
const MAX_ATTRIBUTE_NAME: usize = 100;
const MAX_ATTRIBUTE_VALUE: usize = 256;
/// Longer addresses meet limits of browsers and servers.
const MAX_URL: usize = 2048;
pub(super) const MAX_TEXT: usize = 256;

/// A value that cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The field as the contract calls it.
    pub field: &'static str,
    /// It is one of the protocol's settings, not of the connection itself.
    pub in_settings: bool,
    /// What is wrong with it, to stand after its name: "is not an address …".
    pub reason: String,
}

impl Mistake {
    pub(super) fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self {
            field,
            in_settings: true,
            reason: reason.into(),
        }
    }

    pub(super) fn of_connection(field: &'static str, reason: impl Into<String>) -> Self {
        Self {
            in_settings: false,
            ..Self::new(field, reason)
        }
    }
}

/// What was found, at most one mistake for each field: the first.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(super) fn add(&mut self, mistake: Mistake) {
        let is_known =
            |known: &Mistake| (known.field, known.in_settings) == (mistake.field, mistake.in_settings);
        if !self.0.iter().any(is_known) {
            self.0.push(mistake);
        }
    }

    /// Adds what a check has found.
    pub(super) fn note<T>(&mut self, checked: Result<T, Mistake>) {
        if let Err(mistake) = checked {
            self.add(mistake);
        }
    }

    pub(super) fn into_result(self) -> Result<(), Vec<Mistake>> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(self.0),
        }
    }
}

impl Connection {
    /// Checks the form of everything that is entered; whether it suffices is
    /// [`Self::missing`]. Without `http_allowed` a provider needs TLS, unless the
    /// connection itself does without.
    ///
    /// # Errors
    ///
    /// One [`Mistake`] for each field that has one.
    pub fn check(&self, http_allowed: bool) -> Result<(), Vec<Mistake>> {
        let mut mistakes = Mistakes::default();
        self.look_for_mistakes(http_allowed, &mut mistakes);
        mistakes.into_result()
    }

    pub(super) fn look_for_mistakes(&self, http_allowed: bool, mistakes: &mut Mistakes) {
        mistakes.note(short("name", &self.name, MAX_TEXT).map_err(of_connection));
        for (field, text) in [
            ("ui_button_title", &self.ui_button_title),
            ("key_id", &self.key_id),
        ] {
            let text = text.as_deref().unwrap_or_default();
            mistakes.note(short(field, text, 300).map_err(of_connection));
        }
        mistakes.note(check_mapping(&self.settings));
        let rules = self.settings.protocol.rules();
        rules.check(http_allowed || self.settings.common.insecure_http, mistakes);
        mistakes.note(rules.check_use());
    }

    /// What must be entered before people can sign in through it, as the
    /// contract calls the fields; empty if nothing is missing.
    pub fn missing(&self) -> Vec<&'static str> {
        let from = self.settings.configuration_type();
        let required = self
            .settings
            .protocol
            .rules()
            .required(self.client_secret_sealed.is_some(), from);
        let missing = required.into_iter().filter(|(_, is_there)| !is_there);
        missing.map(|(field, _)| field).collect()
    }

    /// How far the set-up has come.
    pub fn status(&self) -> Status {
        let common = &self.settings.common;
        // A mapping alone is nothing that a provider could be reached by.
        let is_touched = common.insecure_http
            || common.configuration_type.is_some()
            || self.client_secret_sealed.is_some()
            || self.settings.protocol.rules().is_touched();
        match (self.missing().is_empty(), is_touched) {
            (true, _) => Status::Completed,
            (false, true) => Status::InProgress,
            (false, false) => Status::Draft,
        }
    }
}

fn of_connection(mistake: Mistake) -> Mistake {
    Mistake {
        in_settings: false,
        ..mistake
    }
}

fn check_mapping(settings: &Settings) -> Result<(), Mistake> {
    const FIELD: &str = "attribute_mapping";
    let mapping = &settings.common.attribute_mapping;
    if mapping.len() > MAX_ATTRIBUTES {
        let reason = format!("maps more than {MAX_ATTRIBUTES} attributes");
        return Err(Mistake::of_connection(FIELD, reason));
    }
    for (ours, theirs) in mapping {
        let fits = |text: &str, max: usize| (1..=max).contains(&text.len()) && is_printable(text);
        if !fits(ours, MAX_ATTRIBUTE_NAME) || !fits(theirs, MAX_ATTRIBUTE_VALUE) {
            let reason = format!(
                "has a name that is empty, longer than {MAX_ATTRIBUTE_NAME} (ours) or {MAX_ATTRIBUTE_VALUE} \
                 (theirs) bytes, or not printable"
            );
            return Err(Mistake::of_connection(FIELD, reason));
        }
    }
    Ok(())
}

fn is_printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

pub(super) fn short(field: &'static str, text: &str, max_bytes: usize) -> Result<(), Mistake> {
    if text.len() > max_bytes {
        return Err(Mistake::new(field, format!("is longer than {max_bytes} bytes")));
    }
    if !is_printable(text) {
        return Err(Mistake::new(field, "has characters that cannot be printed"));
    }
    Ok(())
}

/// An address that we or a browser may call.
pub(super) fn address(field: &'static str, text: &str, http_allowed: bool) -> Result<Url, Mistake> {
    let refuse = |reason: &str| Err(Mistake::new(field, reason));
    if text.len() > MAX_URL {
        return Err(Mistake::new(field, format!("is longer than {MAX_URL} bytes")));
    }
    // The parser would quietly drop what stands around and between.
    if text
        .chars()
        .any(|letter| letter.is_control() || letter.is_whitespace())
    {
        return refuse("has a space or a character that cannot be printed");
    }
    let Ok(url) = Url::parse(text) else {
        return refuse("is not an address such as https://login.example.com");
    };
    if url.host().is_none() || !url.username().is_empty() || url.password().is_some() {
        return refuse("must be https, a host and perhaps a path, without a user");
    }
    if url.fragment().is_some() {
        return refuse("must not have a fragment");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if http_allowed => Ok(url),
        "http" => refuse(WITHOUT_TLS),
        _ => refuse("must begin with https://"),
    }
}
