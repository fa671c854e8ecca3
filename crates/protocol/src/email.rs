//! E-mail addresses: the name that a person enters first.
//!
//! Source: RFC 5321 §4.1.2 and §4.5.3.1, RFC 6531 §3.3 (internationalized), RFC 6530
//! §10.1 (normalization), UTS #39 §5.4 (combining marks).

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::Domain;

/// UTS #39 §5.4: no language writes more marks than this upon one letter.
const MAX_MARKS: usize = 4;

/// An e-mail address in the one form that finds users: lower case, composed (NFC),
/// the domain in A-labels.
///
/// Quoted local parts, comments, address literals and white space are refused. They
/// are legal, but nobody uses them, and with them two parsers can see two domains.
///
/// ```
/// use genkan_protocol::EmailAddress;
///
/// let ada = EmailAddress::parse("Ada.Lovelace@Example.COM").unwrap();
/// assert_eq!(ada.as_str(), "ada.lovelace@example.com");
/// assert_eq!(ada.domain().as_str(), "example.com");
/// assert!(EmailAddress::parse("\"@evil.com\"@example.com").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress {
    address: String,
    domain: Domain,
}

/// Why a text is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailAddressError {
    /// Longer than 254 octets, or the part before the @ longer than 64.
    #[error("an e-mail address has at most 64 characters before the @ and 254 in all")]
    Length,
    /// No @ or more than one.
    #[error("an e-mail address has one @")]
    At,
    /// A character that the part before the @ cannot have, or a dot at an end.
    #[error("the part before the @ has a character that an e-mail address cannot have")]
    LocalPart,
    /// The part after the @ is not a domain name.
    #[error("the part after the @ is not a domain name, such as example.com")]
    Domain,
}

impl EmailAddress {
    /// Parses and normalizes an address.
    ///
    /// # Errors
    ///
    /// An [`EmailAddressError`] in words that can be shown beside the field.
    pub fn parse(text: &str) -> Result<Self, EmailAddressError> {
        // RFC 5321 §4.5.3.1.3, as corrected by RFC 3696 erratum 1690: a path of
        // 256 octets is an address of 254.
        if text.len() > 254 {
            return Err(EmailAddressError::Length);
        }
        let (local, domain) = text.split_once('@').ok_or(EmailAddressError::At)?;
        if domain.contains('@') {
            return Err(EmailAddressError::At);
        }
        if local.len() > 64 {
            return Err(EmailAddressError::Length);
        }
        let local = lower_case_local_part(local).ok_or(EmailAddressError::LocalPart)?;
        let domain = Domain::parse_as_written(domain).map_err(|_| EmailAddressError::Domain)?;
        let address = format!("{local}@{domain}");
        // A-labels and lower case may be longer than what was typed.
        if address.len() > 254 || local.len() > 64 {
            return Err(EmailAddressError::Length);
        }
        Ok(Self { address, domain })
    }

    /// The normalized address.
    pub fn as_str(&self) -> &str {
        &self.address
    }

    /// The part after the @.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }
}

/// The `Dot-string` of RFC 5321 §4.1.2, extended by RFC 6531 §3.3, in lower case.
/// RFC 6530 §10.1: in NFC, so that é is one address, however it was typed.
fn lower_case_local_part(local: &str) -> Option<String> {
    // NFC turns the Kelvin sign into a k, and the grave accent of Greek into a `. An
    // attacker could use them to write another person's address, so they are refused.
    let spells_ascii = |c: char| !c.is_ascii() && std::iter::once(c).nfc().any(|c| c.is_ascii());
    if local.chars().any(spells_ascii) {
        return None;
    }
    let mut lower = String::with_capacity(local.len());
    for c in local.nfc() {
        if c.is_ascii() {
            let is_atext = c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
            lower.push(is_atext.then(|| c.to_ascii_lowercase())?);
        } else {
            // Letters, digits and their marks only: no invisible, bidirectional or
            // spacing characters, and none that has an ASCII letter in lower case.
            let is_letter = (c.is_alphanumeric() || is_combining_mark(c)) && !is_no_letter(c);
            let is_own_letter = is_letter && c.to_lowercase().all(|c| !c.is_ascii());
            lower.extend(is_own_letter.then(|| c.to_lowercase())?);
        }
    }
    let lower: String = lower.nfc().collect();
    let is_written = lower
        .split('.')
        .all(|atom| !atom.is_empty() && marks_stand_upon_letters(atom));
    is_written.then_some(lower)
}

/// Whether every mark follows a letter of its own script: Hindi, Tamil, Thai and
/// others write vowels so. A mark on ASCII, at the beginning, twice in a row or in a
/// pile only makes an address look like another one (UTS #39 §5.4).
fn marks_stand_upon_letters(atom: &str) -> bool {
    let mut marks = MAX_MARKS;
    let mut before = None;
    for c in atom.chars() {
        if is_combining_mark(c) {
            marks += 1;
            if marks > MAX_MARKS || before == Some(c) {
                return false;
            }
        } else {
            // ASCII takes no mark at all.
            marks = if c.is_ascii() { MAX_MARKS } else { 0 };
        }
        before = Some(c);
    }
    true
}

/// Invisible letters and marks (`Default_Ignorable_Code_Point`), and marks that
/// belong to symbols, not to letters.
fn is_no_letter(c: char) -> bool {
    matches!(c,
        '\u{34f}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}'
        | '\u{e0100}'..='\u{e01ef}')
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

impl std::str::FromStr for EmailAddress {
    type Err = EmailAddressError;

    fn from_str(text: &str) -> Result<Self, EmailAddressError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = EmailAddressError;

    fn try_from(text: String) -> Result<Self, EmailAddressError> {
        Self::parse(&text)
    }
}

impl From<EmailAddress> for String {
    fn from(email: EmailAddress) -> Self {
        email.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_text() {
        for (text, address) in [
            ("ada@example.com", "ada@example.com"),
            ("ADA@EXAMPLE.COM", "ada@example.com"),
            ("o'brien+tag@example.com", "o'brien+tag@example.com"),
            ("a.b_c-d@bücher.example", "a.b_c-d@xn--bcher-kva.example"),
            ("ÉMILE@example.com", "émile@example.com"),
            ("玄関@example.com", "玄関@example.com"),
            ("संपर्क@example.com", "संपर्क@example.com"),
            ("தமிழ்@example.com", "தமிழ்@example.com"),
            ("ติดต่อ@example.com", "ติดต่อ@example.com"),
            ("ক্ষমা.দেব@example.com", "ক্ষমা.দেব@example.com"),
            // However it was typed, é is é.
            ("E\u{301}MILE@example.com", "émile@example.com"),
            ("a\u{301}@example.com", "á@example.com"),
            ("!#$%&'*/=?^`{|}~@example.com", "!#$%&'*/=?^`{|}~@example.com"),
        ] {
            assert_eq!(EmailAddress::parse(text).unwrap().as_str(), address);
        }
    }

    /// A provider compares octets: to it each of these is an address of its own.
    #[test]
    fn a_domain_that_would_become_another_is_refused() {
        for domain in [
            "acme.test\u{200b}",
            "ac\u{ad}me.test",
            "acme\u{2060}.test",
            "acme.test\u{fe0f}",
            "\u{ff41}cme.test",
            "acme\u{3002}test",
            "acme\u{ff0e}test",
            "\u{1d41a}cme.test",
            "acme.te\u{17f}t",
            "\u{212a}elvin.test",
            "acme.tes\u{24e3}",
        ] {
            assert_eq!(
                EmailAddress::parse(&format!("ada@{domain}")),
                Err(EmailAddressError::Domain),
                "{domain:?}"
            );
        }
        for domain in [
            "bücher.example",
            "BÜCHER.example",
            "玄関.example",
            "संगठन.भारत",
            "مثال.إختبار",
        ] {
            let email = EmailAddress::parse(&format!("ada@{domain}")).unwrap();
            assert!(email.domain().as_str().starts_with("xn--"), "{domain}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        use EmailAddressError as Error;
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long = format!("a@{}example", "abcdefgh.".repeat(28));
        for (text, error) in [
            ("", Error::At),
            ("ada", Error::At),
            ("ada@b@example.com", Error::At),
            ("ada@evil.example@example.com", Error::At),
            ("@example.com", Error::LocalPart),
            (".ada@example.com", Error::LocalPart),
            ("ada.@example.com", Error::LocalPart),
            ("a..da@example.com", Error::LocalPart),
            (" ada@example.com", Error::LocalPart),
            ("ada @example.com", Error::LocalPart),
            ("\"ada\"@example.com", Error::LocalPart),
            ("ada(comment)@example.com", Error::LocalPart),
            ("Ada<ada@example.com", Error::LocalPart),
            ("a,b@example.com", Error::LocalPart),
            ("a;b@example.com", Error::LocalPart),
            ("a:b@example.com", Error::LocalPart),
            ("a\\b@example.com", Error::LocalPart),
            ("a\r\nBcc:b@example.com", Error::LocalPart),
            ("a\0@example.com", Error::LocalPart),
            ("a\u{202e}b@example.com", Error::LocalPart),
            ("a\u{200b}b@example.com", Error::LocalPart),
            ("x\u{301}@example.com", Error::LocalPart),
            ("ada\u{94d}@example.com", Error::LocalPart),
            ("\u{94d}क@example.com", Error::LocalPart),
            ("क.\u{94d}क@example.com", Error::LocalPart),
            ("क\u{94d}\u{94d}@example.com", Error::LocalPart),
            (
                "क\u{93c}\u{94d}\u{951}\u{952}\u{953}@example.com",
                Error::LocalPart,
            ),
            ("क\u{200d}ष@example.com", Error::LocalPart),
            ("玄\u{fe00}関@example.com", Error::LocalPart),
            ("é\u{34f}@example.com", Error::LocalPart),
            ("क\u{20dd}@example.com", Error::LocalPart),
            ("\u{3164}@example.com", Error::LocalPart),
            ("\u{ffa0}a@example.com", Error::LocalPart),
            ("ada@", Error::Domain),
            ("ada@localhost", Error::Domain),
            ("ada@[127.0.0.1]", Error::Domain),
            ("ada@127.0.0.1", Error::Domain),
            ("ada@example.com ", Error::Domain),
            ("ada@example.com\n", Error::Domain),
            ("ada@example.com.", Error::Domain),
            ("ada@exam%70le.com", Error::Domain),
            (&long_local, Error::Length),
            (&long, Error::Length),
        ] {
            assert_eq!(EmailAddress::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn no_other_letters_spell_somebody_elses_address() {
        // The Kelvin sign and the dotted capital I have ASCII letters in lower case,
        // the Greek grave accent is an ASCII character when it is composed.
        for text in [
            "mi\u{212a}e@example.com",
            "M\u{130}KE@example.com",
            "a\u{1fef}@example.com",
        ] {
            assert_eq!(
                EmailAddress::parse(text),
                Err(EmailAddressError::LocalPart),
                "{text}"
            );
        }
        // The long s and the dotless i have them in upper case only, and stay themselves.
        assert_ne!(
            EmailAddress::parse("ſam@example.com"),
            EmailAddress::parse("sam@example.com")
        );
        assert_ne!(
            EmailAddress::parse("mıke@example.com"),
            EmailAddress::parse("mike@example.com")
        );
    }
}
