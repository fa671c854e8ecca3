//! Exclusive canonicalization without comments: the octets that a signature covers.
//!
//! A slip here refuses a sign-in and never lets one through, because the node that is
//! digested is the node that is read.
//!
//! Source: Exclusive XML Canonicalization 1.0, Canonical XML 1.0.

use super::document::{Element, QualifiedAttribute, Step};
use super::work::{self, Step as Work};

/// The canonical form is no longer, in octets. A long namespace that many elements use is
/// written at each of them.
const MAX_OCTETS: usize = 4 * 1024 * 1024;
/// A list names no more prefixes.
const MAX_PREFIXES: usize = 32;

/// The prefixes that are treated as inclusive canonicalization would (Exclusive C14N §2.1,
/// `InclusiveNamespaces PrefixList`). The empty one stands for `#default`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PrefixList<'d>(Vec<&'d str>);

/// There is no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum CanonicalError {
    #[error("a namespace is relative")]
    RelativeNamespace,
    #[error("the canonical form is too long")]
    TooLong,
    #[error("the PrefixList is too long")]
    PrefixList,
}

impl<'d> PrefixList<'d> {
    pub(super) fn parse(list: &'d str) -> Result<Self, CanonicalError> {
        let prefixes: Vec<&str> = list
            .split_ascii_whitespace()
            .map(|prefix| if prefix == "#default" { "" } else { prefix })
            .take(MAX_PREFIXES + 1)
            .collect();
        if prefixes.len() > MAX_PREFIXES {
            return Err(CanonicalError::PrefixList);
        }
        Ok(Self(prefixes))
    }
}

/// The canonical form of an element and of everything in it but `left_out`, which is the
/// signature that the element envelops (XML-DSig §6.6.4).
pub(super) fn canonicalize<'d>(
    element: Element<'d>,
    left_out: Option<Element<'d>>,
    inclusive: &PrefixList<'_>,
) -> Result<Vec<u8>, CanonicalError> {
    let mut writer = Writer {
        octets: Vec::with_capacity(element.source().len()),
        rendered: Vec::new(),
        levels: Vec::new(),
        attributes: Vec::new(),
        inclusive,
    };
    for step in element.walk(left_out) {
        match step {
            Step::Open(element) => writer.open(element)?,
            Step::Close(element) => writer.close(element),
            Step::Text(text) => writer.escaped(text, text_escape),
            Step::Instruction(target, content) => writer.instruction(target, content),
        }
        if writer.octets.len() > MAX_OCTETS {
            return Err(CanonicalError::TooLong);
        }
    }
    work::count(Work::Canonical, writer.octets.len());
    Ok(writer.octets)
}

struct Writer<'d, 'p> {
    octets: Vec<u8>,
    /// The declarations that are written and in force: prefix, namespace.
    rendered: Vec<(&'d str, &'d str)>,
    /// How many of them there were when an open element began.
    levels: Vec<usize>,
    /// Room for the attributes of one element.
    attributes: Vec<QualifiedAttribute<'d>>,
    inclusive: &'p PrefixList<'p>,
}

impl<'d> Writer<'d, '_> {
    fn open(&mut self, element: Element<'d>) -> Result<(), CanonicalError> {
        let level = self.rendered.len();
        self.levels.push(level);
        self.attributes.clear();
        self.attributes.extend(element.attributes());
        // Canonical XML §2.2: by namespace and local name, those without namespace first.
        self.attributes
            .sort_unstable_by_key(|attribute| (attribute.namespace, attribute.local));

        // Exclusive C14N §2, "visibly utilizes": the element's prefix and its attributes'.
        self.declare(element.prefix(), element.namespace())?;
        for at in 0..self.attributes.len() {
            let Some(attribute) = self.attributes.get(at).copied() else {
                break;
            };
            if let Some((prefix, _)) = attribute.name.split_once(':') {
                self.declare(prefix, attribute.namespace)?;
            }
        }
        for prefix in &self.inclusive.0 {
            match element.namespaces().find(|(declared, _)| declared == prefix) {
                Some((prefix, namespace)) => self.declare(prefix, namespace)?,
                None if prefix.is_empty() => self.declare("", "")?,
                None => {}
            }
        }

        self.octets.push(b'<');
        self.octets.extend_from_slice(element.name().as_bytes());
        // Canonical XML §2.2: the default namespace first, then by prefix.
        let mut declarations = self.rendered.split_off(level);
        declarations.sort_unstable();
        for (prefix, namespace) in &declarations {
            self.octets.extend_from_slice(b" xmlns");
            if !prefix.is_empty() {
                self.octets.push(b':');
                self.octets.extend_from_slice(prefix.as_bytes());
            }
            self.value(namespace);
        }
        self.rendered.append(&mut declarations);
        for at in 0..self.attributes.len() {
            let Some(attribute) = self.attributes.get(at).copied() else {
                break;
            };
            self.octets.push(b' ');
            self.octets.extend_from_slice(attribute.name.as_bytes());
            self.value(attribute.value);
        }
        self.octets.push(b'>');
        Ok(())
    }

    fn close(&mut self, element: Element<'d>) {
        self.rendered.truncate(self.levels.pop().unwrap_or_default());
        self.octets.extend_from_slice(b"</");
        self.octets.extend_from_slice(element.name().as_bytes());
        self.octets.push(b'>');
    }

    /// Notes that a prefix must be declared, unless it already is with this namespace.
    fn declare(&mut self, prefix: &'d str, namespace: &'d str) -> Result<(), CanonicalError> {
        // Canonical XML §2.3: the prefix xml is never declared.
        if prefix == "xml" {
            return Ok(());
        }
        let declared = self.rendered.iter().rev().position(|(known, _)| *known == prefix);
        work::count(Work::Compared, declared.unwrap_or(self.rendered.len()) + 1);
        let in_force = declared
            .and_then(|from_end| self.rendered.iter().rev().nth(from_end))
            .map_or("", |(_, known)| known);
        // Exclusive C14N §3 step 3.2: xmlns="" only where a default namespace is in force.
        if in_force == namespace {
            return Ok(());
        }
        // Canonical XML §1.3: relative namespaces have no canonical form.
        if !namespace.is_empty() && !is_absolute(namespace) {
            return Err(CanonicalError::RelativeNamespace);
        }
        self.rendered.push((prefix, namespace));
        Ok(())
    }

    fn instruction(&mut self, target: &str, content: Option<&str>) {
        self.octets.extend_from_slice(b"<?");
        self.octets.extend_from_slice(target.as_bytes());
        if let Some(content) = content {
            self.octets.push(b' ');
            self.octets.extend_from_slice(content.as_bytes());
        }
        self.octets.extend_from_slice(b"?>");
    }

    fn value(&mut self, value: &str) {
        self.octets.extend_from_slice(b"=\"");
        self.escaped(value, attribute_escape);
        self.octets.push(b'"');
    }

    fn escaped(&mut self, text: &str, escape: fn(u8) -> &'static str) {
        let mut rest = text.as_bytes();
        while let Some(at) = rest.iter().position(|octet| !escape(*octet).is_empty()) {
            let (plain, special) = rest.split_at(at);
            self.octets.extend_from_slice(plain);
            let Some((special, after)) = special.split_first() else {
                break;
            };
            self.octets.extend_from_slice(escape(*special).as_bytes());
            rest = after;
        }
        self.octets.extend_from_slice(rest);
    }
}

/// Canonical XML §2.3, text nodes.
const fn text_escape(octet: u8) -> &'static str {
    match octet {
        b'&' => "&amp;",
        b'<' => "&lt;",
        b'>' => "&gt;",
        b'\r' => "&#xD;",
        _ => "",
    }
}

/// Canonical XML §2.3, attribute nodes and namespace nodes.
const fn attribute_escape(octet: u8) -> &'static str {
    match octet {
        b'&' => "&amp;",
        b'<' => "&lt;",
        b'"' => "&quot;",
        b'\t' => "&#x9;",
        b'\n' => "&#xA;",
        b'\r' => "&#xD;",
        _ => "",
    }
}

/// The value of an attribute, as the canonical form writes it.
pub(super) fn escaped_attribute(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for letter in value.chars() {
        match u8::try_from(letter).map(attribute_escape) {
            Ok(escape) if !escape.is_empty() => text.push_str(escape),
            _ => text.push(letter),
        }
    }
    text
}

/// RFC 3986 §4.3: begins with a scheme.
fn is_absolute(uri: &str) -> bool {
    let Some((scheme, _)) = uri.split_once(':') else {
        return false;
    };
    scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.'))
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
