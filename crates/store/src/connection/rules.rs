//! What each kind of connection answers for, and how it names what is wrong.
//!
//! The API and the command line hold to the same rules.

use url::Url;

use crate::row::words;

/// The reason to refuse an address that needs TLS.
pub const WITHOUT_TLS: &str = "is not https: anybody on the way could sign in as anybody";

/// Longer addresses meet limits of browsers and servers.
const MAX_URL: usize = 2048;
pub(super) const MAX_TEXT: usize = 256;

words! {
    /// Where the provider's endpoints are known from.
    pub enum ConfigurationType {
        /// From its discovery document or metadata.
        Discovery = "DISCOVERY",
        /// Entered one by one.
        Manual = "MANUAL",
    }
}

/// Which e-mail addresses of a provider count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailTrust {
    /// Those that it marks as verified.
    Verified,
    /// Those that it does not mark as unverified.
    NotDoubted,
    /// All of them.
    Any,
}

/// What each kind of connection knows of its own settings.
pub(super) trait Rules {
    /// Where the endpoints are known from, if nobody chose.
    fn implied_configuration(&self) -> ConfigurationType;

    /// Looks at the form of everything that is entered.
    fn check(&self, http_allowed: bool, mistakes: &mut Mistakes);

    /// Whether people could sign in by it at all, however complete it is.
    ///
    /// # Errors
    ///
    /// The first [`Mistake`].
    fn check_use(&self) -> Result<(), Mistake> {
        Ok(())
    }

    /// What must be entered before people can sign in, as the contract calls the
    /// fields, and whether it is.
    fn required(&self, has_secret: bool, from: ConfigurationType) -> Vec<(&'static str, bool)>;

    /// Whether anything is entered.
    fn is_touched(&self) -> bool;

    /// Whose names for people are believed. Two providers may call different
    /// people the same.
    fn authority(&self) -> &str;

    /// Forgets what was only right for the authority of before.
    fn meet_another_authority(&mut self) {}

    /// What our secret's way to the provider leads over.
    fn way_of_secret(&self) -> Vec<Option<&str>> {
        Vec::new()
    }

    /// Which of the provider's e-mail addresses count. Most protocols know none that are
    /// unverified.
    fn email_trust(&self) -> EmailTrust {
        EmailTrust::NotDoubted
    }

    /// The attributes with a place of their own beside the mapping, and what they are read from.
    fn own_attributes(&self) -> Vec<(&'static str, Option<&str>)> {
        Vec::new()
    }

    /// Names what one of [`Self::own_attributes`] is read from, or nothing; says whether
    /// it is one of them.
    fn name_attribute(&mut self, _attribute: &str, _source: Option<&str>) -> bool {
        false
    }
}

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

pub(super) fn is_printable(text: &str) -> bool {
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
