//! The rules that each kind of connection implements, and the mistakes that they find.
//!
//! The API and the command line use the same rules.

use url::Url;

use crate::row::words;

/// The reason to refuse an address that needs TLS.
pub const WITHOUT_TLS: &str = "is not https: anybody on the way could sign in as anybody";

/// Some browsers and servers do not take longer addresses.
const MAX_URL: usize = 2048;
pub(super) const MAX_TEXT: usize = 256;

words! {
    /// Where the provider's endpoints come from.
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

/// What each kind of connection says about its own settings.
pub(super) trait Rules {
    /// Where the endpoints come from, if nobody chose it.
    fn implied_configuration(&self) -> ConfigurationType;

    /// Checks the form of every value.
    fn check(&self, http_allowed: bool, mistakes: &mut Mistakes);

    /// Whether people could sign in with these settings, even if nothing is missing.
    ///
    /// # Errors
    ///
    /// The first [`Mistake`].
    fn check_use(&self) -> Result<(), Mistake> {
        Ok(())
    }

    /// The fields that are needed before people can sign in, by their names in the contract, and whether
    /// each is set.
    fn required(&self, has_secret: bool, from: ConfigurationType) -> Vec<(&'static str, bool)>;

    /// Whether anything is entered.
    fn is_touched(&self) -> bool;

    /// The authority for subjects. Two providers may use one subject for different people.
    fn authority(&self) -> &str;

    /// Resets the settings that belonged to the former authority.
    fn meet_another_authority(&mut self) {}

    /// The addresses to which our secret is sent.
    fn way_of_secret(&self) -> Vec<Option<&str>> {
        Vec::new()
    }

    /// Which of the provider's e-mail addresses count. Most protocols have no unverified addresses.
    fn email_trust(&self) -> EmailTrust {
        EmailTrust::NotDoubted
    }

    /// The attributes that have a setting of their own, and their claims.
    fn own_attributes(&self) -> Vec<(&'static str, Option<&str>)> {
        Vec::new()
    }

    /// Sets the claim of one of [`Self::own_attributes`]. Says whether it is one of them.
    fn name_attribute(&mut self, _attribute: &str, _source: Option<&str>) -> bool {
        false
    }
}

/// A value that cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The field, by its name in the contract.
    pub field: &'static str,
    /// It is a setting of the protocol, not of the connection itself.
    pub in_settings: bool,
    /// What is wrong with it, as text to put after its name: "is not an address …".
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

/// The mistakes that were found: for each field the first.
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

/// An address that we or a browser may request.
pub(super) fn address(field: &'static str, text: &str, http_allowed: bool) -> Result<Url, Mistake> {
    let refuse = |reason: &str| Err(Mistake::new(field, reason));
    if text.len() > MAX_URL {
        return Err(Mistake::new(field, format!("is longer than {MAX_URL} bytes")));
    }
    // The parser would silently drop characters around and between.
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
