//! Checks a connection: whether it can be stored, and whether it can be used.

use super::rules::{MAX_TEXT, Mistake, Mistakes, is_printable, short};
use super::settings::Settings;
use super::{Connection, Status};

/// The most attributes that can be mapped, as in the contract.
const MAX_ATTRIBUTES: usize = 30;
const MAX_ATTRIBUTE_NAME: usize = 100;
const MAX_ATTRIBUTE_VALUE: usize = 256;

impl Connection {
    /// Checks the form of every value. Whether the values are enough is said by [`Self::missing`]. Without
    /// `http_allowed` a provider needs TLS, unless the connection itself allows plain HTTP.
    ///
    /// # Errors
    ///
    /// One [`Mistake`] for each wrong field.
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

    /// The fields that are missing before people can sign in, by their names in the contract.
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
        // A mapping alone does not count, because it reaches no provider.
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
