//! Parameters of a query or of a form.
//!
//! Source: RFC 6749 §3.1, §3.2 and appendix B; the form encoding of the WHATWG
//! URL standard §5.1, read strictly.

/// The most parameters that are read.
const MAX_COUNT: usize = 64;
/// The longest name, in bytes after decoding.
const MAX_NAME_BYTES: usize = 128;
/// The longest value, in bytes after decoding. Every rule allows less, so the rule
/// refuses a value that is too long, and sends the refusal to the right place.
const MAX_VALUE_BYTES: usize = 16 * 1024;
/// The longest encoded text, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Decoded parameters in their order, duplicates included.
///
/// The form decoding of browsers never fails: it guesses at bad escapes and replaces
/// bad UTF-8. Here such input is refused, so no other component can read a different
/// value from the same request.
///
/// ```
/// use genkan_protocol::oauth::Parameters;
///
/// let parameters = Parameters::parse(b"client_id=skc_1&state=a+b%26&prompt=").unwrap();
/// assert_eq!(parameters.one("state"), Ok(Some("a b&")));
/// assert_eq!(parameters.one("prompt"), Ok(None));
/// assert!(Parameters::parse(b"state=%zz").is_err());
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    pairs: Vec<(String, String)>,
}

/// Why a query or form is refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// Longer than 64 KiB, more than 64 parameters, or one of them too long.
    #[error("there are too many parameters, or one of them is too long")]
    TooLong,
    /// A percent sign without two hexadecimal digits.
    #[error("a percent sign is not followed by two hexadecimal digits")]
    Escape,
    /// Octets that are not UTF-8 (RFC 6749 appendix B).
    #[error("a parameter is not valid UTF-8")]
    Utf8,
    /// NUL, a line break or another control character.
    #[error("a parameter has a control character")]
    Control,
}

/// A parameter that stands twice in a request (RFC 6749 §3.1 forbids it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the parameter {0} is repeated")]
pub struct Duplicate(pub &'static str);

impl Parameters {
    /// Decodes a query (without `?`) or the body of a form.
    ///
    /// # Errors
    ///
    /// A [`ParametersError`]; nothing is repaired.
    pub fn parse(raw: &[u8]) -> Result<Self, ParametersError> {
        Self::read(raw, |_| false)
    }

    /// Decodes the answer of an identity provider to an authorization request.
    ///
    /// As [`Parameters::parse`], but a control character counts as a space, except in what
    /// decides (`code`, `state`, `iss`, `error`). RFC 6749 §4.1.2.1 forbids them in
    /// `error_description` too; Entra ID writes line breaks there all the same.
    ///
    /// # Errors
    ///
    /// As [`Parameters::parse`].
    pub fn parse_answer(raw: &[u8]) -> Result<Self, ParametersError> {
        Self::read(raw, |name| !["code", "state", "iss", "error"].contains(&name))
    }

    /// `takes_controls`: of which parameters a control character is made a space.
    fn read(raw: &[u8], takes_controls: impl Fn(&str) -> bool) -> Result<Self, ParametersError> {
        if raw.len() > MAX_BYTES {
            return Err(ParametersError::TooLong);
        }
        let mut pairs = Vec::new();
        for pair in raw.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if pairs.len() == MAX_COUNT {
                return Err(ParametersError::TooLong);
            }
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            let name = without_controls(text(name, MAX_NAME_BYTES)?)?;
            let value = text(value, MAX_VALUE_BYTES)?;
            let value = match takes_controls(&name) {
                true => value.replace(char::is_control, " "),
                false => without_controls(value)?,
            };
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// The value of a parameter; one without a value counts as omitted (RFC 6749 §3.1).
    ///
    /// # Errors
    ///
    /// [`Duplicate`] if the parameter is repeated, even with the same value or with
    /// none: a reader of the first and a reader of the last must not see different
    /// requests.
    pub fn one(&self, name: &'static str) -> Result<Option<&str>, Duplicate> {
        let mut values = self
            .pairs
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Duplicate(name)),
            (value, None) => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// The name of the first parameter that is repeated.
    ///
    /// `resource` may be repeated (RFC 8707 §2).
    pub fn first_duplicate(&self) -> Option<&str> {
        let repeated = |at: usize, name: &str| self.pairs[..at].iter().any(|(earlier, _)| earlier == name);
        let mut names = self.pairs.iter().map(|(name, _)| name.as_str()).enumerate();
        names
            .find(|(at, name)| *name != "resource" && repeated(*at, name))
            .map(|(_, name)| name)
    }

    /// All names and values in their order, as they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The parameters in the form encoding.
    pub fn render(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(self.iter())
            .finish()
    }
}

/// Shows the names only: values are codes, tokens and secrets.
impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.pairs.iter().map(|(name, _)| name))
            .finish()
    }
}

fn text(encoded: &[u8], max_bytes: usize) -> Result<String, ParametersError> {
    // Every decoded octet takes one to three encoded ones.
    if encoded.len() > max_bytes.saturating_mul(3) {
        return Err(ParametersError::TooLong);
    }
    let octets = form_decode(encoded).ok_or(ParametersError::Escape)?;
    if octets.len() > max_bytes {
        return Err(ParametersError::TooLong);
    }
    // RFC 3629 §10: overlong forms and surrogates are not UTF-8.
    String::from_utf8(octets).map_err(|_| ParametersError::Utf8)
}

fn without_controls(text: String) -> Result<String, ParametersError> {
    match text.contains(char::is_control) {
        true => Err(ParametersError::Control),
        false => Ok(text),
    }
}

/// Undoes `application/x-www-form-urlencoded`; `None` at a bad escape.
pub(super) fn form_decode(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter();
    while let Some(byte) = rest.next() {
        octets.push(match byte {
            b'+' => b' ',
            b'%' => hex(*rest.next()?)? * 16 + hex(*rest.next()?)?,
            other => *other,
        });
    }
    Some(octets)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}
