//! Octets of a stranger, looked through once before anything builds a tree of them.
//!
//! The tree's memory and time grow with the square of attributes and the cube of
//! namespace declarations. So this pass, which is linear, refuses what no SAML
//! message needs. It also refuses what the tree builder would let through although
//! the standards forbid it.
//!
//! Source: XML 1.0 (Fifth Edition), Namespaces in XML 1.0 (Third Edition).

use std::borrow::Cow;

use super::work::{self, Step};

/// How large a document may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Its length in octets.
    pub bytes: usize,
    /// How deep elements are nested.
    pub depth: usize,
    /// Start tags, comments, processing instructions and CDATA sections.
    pub tags: usize,
    /// Attributes of one element.
    pub attributes: usize,
    /// Namespace declarations of the whole document. Okta and Shibboleth write two at each value.
    pub namespaces: usize,
    /// Namespace declarations that are in force at one element.
    pub in_force: usize,
    /// References to characters, `&amp;` and its likes among them.
    pub references: usize,
}

impl Limits {
    /// For a message: a response, a request, a decrypted assertion.
    pub const MESSAGE: Self = Self {
        bytes: 512 * 1024,
        depth: 48,
        tags: 20_000,
        attributes: 64,
        namespaces: 8192,
        in_force: 128,
        references: 20_000,
    };

    /// For the metadata of one provider.
    pub const METADATA: Self = Self {
        bytes: 1024 * 1024,
        ..Self::MESSAGE
    };
}

/// A name is no longer, in octets.
const MAX_NAME: usize = 1024;
/// The tree builder copies what is in force to each element that declares something, and
/// compares each with each: so many comparisons in all. A thousand values of Okta's need 50,000.
const MAX_COMPARISONS: usize = 4_000_000;

/// A document was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct XmlError {
    /// Which of the checks failed.
    pub kind: XmlErrorKind,
}

/// The checks that octets pass before they are a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlErrorKind {
    /// Not UTF-8, or declared to be something else.
    #[error("is not encoded in UTF-8")]
    Encoding,
    /// A document type can expand without end, and can name files.
    #[error("has a document type")]
    DocumentType,
    /// Larger than any message is. The field tells in which way.
    #[error("has too many or too long: {0}")]
    Limit(&'static str),
    /// Not well-formed, or its namespaces are not.
    #[error("is not well-formed XML: {0}")]
    Malformed(String),
    /// Two elements have the same identifier.
    #[error("has the identifier {0:?} twice")]
    DuplicateId(String),
}

impl From<XmlErrorKind> for XmlError {
    fn from(kind: XmlErrorKind) -> Self {
        Self { kind }
    }
}

pub(super) fn malformed(what: &str) -> XmlError {
    XmlErrorKind::Malformed(what.to_owned()).into()
}

fn limit(what: &'static str) -> XmlError {
    XmlErrorKind::Limit(what).into()
}

/// Looks octets through and gives the text that may be parsed: without byte order mark
/// and XML declaration, each line ended by a line feed.
///
/// # Errors
///
/// [`XmlError`] at the first thing that is refused.
///
/// ```
/// use genkan_protocol::saml::{Document, Limits, scan};
///
/// let text = scan(b"<?xml version='1.0'?>\r\n<a>1</a>", &Limits::MESSAGE)?;
/// assert_eq!(Document::parse(&text)?.root().text().as_deref(), Ok("1"));
///
/// assert!(scan(b"<!DOCTYPE a><a/>", &Limits::MESSAGE).is_err());
/// # Ok::<(), genkan_protocol::saml::XmlError>(())
/// ```
pub fn scan<'o>(octets: &'o [u8], limits: &Limits) -> Result<Cow<'o, str>, XmlError> {
    if octets.len() > limits.bytes {
        return Err(limit("octets"));
    }
    // XML appendix F.1: so begins UTF-16 or UTF-32 without its mark, which is UTF-8 as well.
    if octets.iter().take(4).any(|octet| *octet == 0) {
        return Err(XmlErrorKind::Encoding.into());
    }
    let text = std::str::from_utf8(octets).map_err(|_| XmlErrorKind::Encoding)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = line_ends(text);
    let start = declaration(&text)?;
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(start..).unwrap_or_default()),
        Cow::Owned(mut text) => {
            text.drain(..start);
            Cow::Owned(text)
        }
    };
    Scanner::new(&text, limits).document()?;
    Ok(text)
}

/// XML §2.11: the two kinds of foreign line ends are read as a line feed.
///
/// The tree builder does it as well, but leaves a lone carriage return that stands
/// beside a character reference.
fn line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// XML §2.8: reads the XML declaration, if there is one, and tells where it ends.
fn declaration(text: &str) -> Result<usize, XmlError> {
    let Some(rest) = text.strip_prefix("<?xml") else {
        return Ok(0);
    };
    if !rest.starts_with(is_space) {
        return Ok(0);
    }
    let wrong = || malformed("the XML declaration");
    let (version, rest) = pseudo_attribute(rest, "version").ok_or_else(wrong)?;
    // XML 1.1 knows other line ends and other names; no SAML message is written in it.
    if version != "1.0" {
        return Err(malformed("a version of XML that is not 1.0"));
    }
    let (encoding, rest) = pseudo_attribute(rest, "encoding").unwrap_or(("utf-8", rest));
    if !encoding.eq_ignore_ascii_case("utf-8") {
        return Err(XmlErrorKind::Encoding.into());
    }
    let (standalone, rest) = pseudo_attribute(rest, "standalone").unwrap_or(("no", rest));
    let rest = rest.trim_start_matches(is_space).strip_prefix("?>");
    let rest = rest.filter(|_| matches!(standalone, "yes" | "no"));
    Ok(text.len() - rest.ok_or_else(wrong)?.len())
}

/// `name="value"` after white space, and what follows.
fn pseudo_attribute<'t>(text: &'t str, name: &str) -> Option<(&'t str, &'t str)> {
    let rest = text.strip_prefix(is_space)?.trim_start_matches(is_space);
    let rest = rest.strip_prefix(name)?.trim_start_matches(is_space);
    let rest = rest.strip_prefix('=')?.trim_start_matches(is_space);
    let quote = rest
        .chars()
        .next()
        .filter(|letter| matches!(letter, '"' | '\''))?;
    rest.strip_prefix(quote)?.split_once(quote)
}

/// XML §2.3, production S.
pub(super) const fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
}

/// Goes forward over a text and counts.
struct Scanner<'s> {
    rest: &'s str,
    limits: &'s Limits,
    /// For each open element, the declarations in force in it.
    open: Vec<usize>,
    roots: usize,
    tags: usize,
    namespaces: usize,
    comparisons: usize,
    references: usize,
}

impl<'s> Scanner<'s> {
    const fn new(text: &'s str, limits: &'s Limits) -> Self {
        Self {
            rest: text,
            limits,
            open: Vec::new(),
            roots: 0,
            tags: 0,
            namespaces: 0,
            comparisons: 0,
            references: 0,
        }
    }

    fn document(&mut self) -> Result<(), XmlError> {
        loop {
            let text = self.until_byte(b'<');
            self.character_data(text)?;
            if self.rest.is_empty() {
                break;
            }
            self.markup()?;
        }
        if !self.open.is_empty() {
            return Err(malformed("an element without an end"));
        }
        // XML §2.1: exactly one root.
        if self.roots == 0 {
            return Err(malformed("no element"));
        }
        Ok(())
    }

    fn character_data(&mut self, text: &str) -> Result<(), XmlError> {
        if self.open.is_empty() && !text.bytes().all(|byte| is_space(byte.into())) {
            return Err(malformed("text outside the root element"));
        }
        self.references_in(text)
    }

    fn markup(&mut self) -> Result<(), XmlError> {
        if self.skip("</") {
            return self.end_tag();
        }
        self.tags += 1;
        if self.tags > self.limits.tags {
            return Err(limit("tags"));
        }
        if self.skip("<!--") {
            self.past("-->", "a comment without an end")
        } else if self.skip("<![CDATA[") {
            if self.open.is_empty() {
                return Err(malformed("text outside the root element"));
            }
            self.past("]]>", "a CDATA section without an end")
        } else if self.skip("<?") {
            self.instruction()
        } else if self.skip("<!") {
            // XML §2.8: nothing else begins so outside a document type.
            if self.rest.starts_with("DOCTYPE") {
                return Err(XmlErrorKind::DocumentType.into());
            }
            Err(malformed("a declaration"))
        } else {
            self.skip("<");
            self.start_tag()
        }
    }

    /// XML §2.6: the target `xml` in any letter case is reserved.
    fn instruction(&mut self) -> Result<(), XmlError> {
        let target = self.name()?;
        if target.eq_ignore_ascii_case("xml") || target.contains(':') {
            return Err(malformed("a processing instruction with a reserved name"));
        }
        self.past("?>", "a processing instruction without an end")
    }

    fn end_tag(&mut self) -> Result<(), XmlError> {
        self.name()?;
        self.skip_spaces();
        if !self.skip(">") {
            return Err(malformed("an end tag"));
        }
        match self.open.pop() {
            Some(_) => Ok(()),
            None => Err(malformed("an end tag without its start")),
        }
    }

    fn start_tag(&mut self) -> Result<(), XmlError> {
        if self.open.is_empty() {
            self.roots += 1;
            if self.roots > 1 {
                return Err(malformed("a second root element"));
            }
        }
        if self.open.len() >= self.limits.depth {
            return Err(limit("nested elements"));
        }
        qualified(self.name()?)?;
        let around = self.open.last().copied().unwrap_or_default();
        let mut declared = 0;
        let mut attributes = 0;
        let mut declares_default = false;
        loop {
            let had_space = self.skip_spaces();
            if self.skip(">") {
                self.open.push(around + declared);
                return self.compare(around, declared);
            }
            if self.skip("/>") {
                return self.compare(around, declared);
            }
            if !had_space {
                return Err(malformed("a start tag"));
            }
            let (name, value) = self.attribute()?;
            if declaration_of_namespace(name, value, &mut declares_default)? {
                declared += 1;
                self.namespaces += 1;
                if self.namespaces > self.limits.namespaces || around + declared > self.limits.in_force {
                    return Err(limit("namespace declarations"));
                }
            } else {
                attributes += 1;
                if attributes > self.limits.attributes {
                    return Err(limit("attributes of one element"));
                }
            }
        }
    }

    /// Counts what the tree builder will do for an element that declares namespaces.
    fn compare(&mut self, around: usize, declared: usize) -> Result<(), XmlError> {
        if declared > 0 {
            self.comparisons += (around + declared) * (around + declared);
        }
        if self.comparisons > MAX_COMPARISONS {
            return Err(limit("namespace declarations"));
        }
        Ok(())
    }

    fn attribute(&mut self) -> Result<(&'s str, &'s str), XmlError> {
        let name = self.name()?;
        self.skip_spaces();
        if !self.skip("=") {
            return Err(malformed("an attribute without a value"));
        }
        self.skip_spaces();
        let quote = match self.rest.as_bytes().first() {
            Some(quote @ (b'"' | b'\'')) => *quote,
            _ => return Err(malformed("an attribute without quotes")),
        };
        self.forward(1);
        let value = self.until_byte(quote);
        if self.rest.is_empty() {
            return Err(malformed("an attribute without an end"));
        }
        self.forward(1);
        // XML §3.1, well-formedness constraint "No < in Attribute Values".
        if value.contains('<') {
            return Err(malformed("a < in an attribute"));
        }
        self.references_in(value)?;
        Ok((name, value))
    }

    /// XML §4.1: the references of a text.
    fn references_in(&mut self, text: &str) -> Result<(), XmlError> {
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('&') {
            work::count(Step::Scanned, before.len() + 12);
            self.references += 1;
            if self.references > self.limits.references {
                return Err(limit("references"));
            }
            // The end is sought near its start, or many references without one cost their square.
            let near = after.as_bytes().iter().take(12).position(|byte| *byte == b';');
            let name = near.and_then(|end| after.get(..end)).unwrap_or_default();
            if !is_reference(name) {
                return Err(malformed("a reference"));
            }
            rest = after.get(name.len()..).unwrap_or_default();
        }
        Ok(())
    }

    /// Everything up to a white space or a mark. The tree builder looks at each letter.
    fn name(&mut self) -> Result<&'s str, XmlError> {
        let marks = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'/' | b'>' | b'=' | b'<' | b'?');
        let end = self.rest.bytes().position(|byte| marks(&byte));
        let end = end.unwrap_or(self.rest.len());
        if end > MAX_NAME {
            return Err(limit("letters of a name"));
        }
        if end == 0 {
            return Err(malformed("a name"));
        }
        Ok(self.forward(end))
    }

    fn until_byte(&mut self, wanted: u8) -> &'s str {
        let end = self.rest.bytes().position(|byte| byte == wanted);
        self.forward(end.unwrap_or(self.rest.len()))
    }

    fn past(&mut self, mark: &str, missing: &'static str) -> Result<(), XmlError> {
        let (skipped, rest) = self.rest.split_once(mark).ok_or_else(|| malformed(missing))?;
        work::count(Step::Scanned, skipped.len());
        self.rest = rest;
        Ok(())
    }

    fn skip(&mut self, mark: &str) -> bool {
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_spaces(&mut self) -> bool {
        let rest = self.rest.trim_start_matches(is_space);
        let skipped = rest.len() < self.rest.len();
        self.rest = rest;
        skipped
    }

    /// Steps over octets. They end at an ASCII letter, so at the border of a letter.
    fn forward(&mut self, length: usize) -> &'s str {
        work::count(Step::Scanned, length);
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }
}

/// Whether an attribute declares a namespace.
///
/// The tree builder accepts four things that Namespaces in XML forbids: no prefix before
/// the colon (§4), a prefix bound to nothing (§5), the default namespace declared twice
/// (XML §3.1), and the prefix or local name `xmlns` in other places (§3), which it takes
/// for a declaration.
fn declaration_of_namespace(name: &str, value: &str, declares_default: &mut bool) -> Result<bool, XmlError> {
    match qualified(name)? {
        (None, "xmlns") => {
            if std::mem::replace(declares_default, true) {
                return Err(malformed("the default namespace declared twice"));
            }
            Ok(true)
        }
        (_, "xmlns") => Err(malformed("a declaration of the prefix xmlns")),
        (Some("xmlns"), _) if value.is_empty() => Err(malformed("a prefix bound to no namespace")),
        (Some("xmlns"), _) => Ok(true),
        _ => Ok(false),
    }
}

/// Namespaces §4: the prefix and the local name.
fn qualified(name: &str) -> Result<(Option<&str>, &str), XmlError> {
    match name.split_once(':') {
        None => Ok((None, name)),
        Some((prefix, local)) if prefix.is_empty() || local.is_empty() || local.contains(':') => {
            Err(malformed("a colon in a name"))
        }
        Some((prefix, local)) => Ok((Some(prefix), local)),
    }
}

/// XML §4.1 and §4.6: a character that XML allows, or one of the five names.
///
/// The tree builder reads a reference to half a surrogate pair as U+FFFD.
fn is_reference(name: &str) -> bool {
    let Some(number) = name.strip_prefix('#') else {
        return matches!(name, "amp" | "lt" | "gt" | "quot" | "apos");
    };
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    digits.bytes().all(|digit| char::from(digit).is_digit(radix))
        && u32::from_str_radix(digits, radix)
            .ok()
            .and_then(char::from_u32)
            .is_some_and(is_xml_character)
}

/// XML §2.2, production Char.
const fn is_xml_character(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests;
