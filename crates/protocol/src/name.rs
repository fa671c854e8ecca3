//! Names that people read: of organizations, people and applications.
//!
//! Source: Unicode Standard Annex #9 (bidirectional formatting), ECMA-48 (control
//! functions of terminals).

/// How much of a name a mail or a sign-in page shows, in characters.
const LONGEST_SHOWN: usize = 80;

/// Whether a name has no control characters: `ESC` moves the cursor of a terminal, and
/// U+202E turns the rest of a line around.
///
/// Marks that scripts need inside words stay: U+200C, U+200D, U+200E, U+200F, U+061C.
///
/// ```
/// assert!(genkan_protocol::name::is_plain("شركة Acme"));
/// assert!(!genkan_protocol::name::is_plain("Acme\u{202e}moc.live"));
/// ```
#[must_use]
pub fn is_plain(name: &str) -> bool {
    !name.contains(is_command)
}

/// Whether nobody sees a character: two texts that differ by it look the same.
///
/// Source: Unicode, `Default_Ignorable_Code_Point`, and the separators of lines and paragraphs.
///
/// ```
/// assert!(genkan_protocol::name::is_invisible('\u{200b}'));
/// assert!(!genkan_protocol::name::is_invisible('é'));
/// ```
#[must_use]
pub const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// The name without control characters.
///
/// ```
/// assert_eq!(genkan_protocol::name::clean("Ada \u{1b}[31mLovelace"), "Ada [31mLovelace");
/// ```
#[must_use]
pub fn clean(name: &str) -> String {
    name.replace(is_command, "")
}

/// The name as mails and sign-in pages show it: one line, 80 characters, and nothing
/// that a mail program makes a link of. Otherwise an attacker could write a phishing
/// mail into the name of an organization and invite people to it.
///
/// A single word with a dot stays, because companies have such names: `Booking.com`.
///
/// ```
/// use genkan_protocol::name::shown;
/// assert_eq!(shown("Acme. Renew your password: https://phish.test/renew"), "Acme. Renew your password: https phish test renew");
/// assert_eq!(shown("Booking.com"), "Booking.com");
/// ```
#[must_use]
pub fn shown(name: &str) -> String {
    let mut words: Vec<String> = name
        .split(|c: char| is_command(c) || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let is_one_word = words.len() == 1;
    for word in &mut words {
        let is_path = word.contains(['/', '\\', '@', ':']) && is_dotted(word);
        let has_scheme = word.contains("://");
        if has_scheme || is_path || (is_dotted(word) && !is_one_word) {
            *word = without_links(word);
        }
    }
    words.retain(|word| !word.is_empty());
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST_SHOWN) {
        None => line,
        Some(_) => {
            let kept: String = line.chars().take(LONGEST_SHOWN - 1).collect();
            format!("{}…", kept.trim_end())
        }
    }
}

/// Whether a dot stands between letters, as in a host's name.
fn is_dotted(word: &str) -> bool {
    let mut parts = word.split(is_dot).peekable();
    let mut found = false;
    while let Some(part) = parts.next() {
        let ends = part.ends_with(char::is_alphanumeric);
        found |= ends
            && parts
                .peek()
                .is_some_and(|next| next.starts_with(char::is_alphanumeric));
    }
    found
}

/// The pieces of an address as words.
fn without_links(word: &str) -> String {
    let pieces =
        word.split(|c: char| is_dot(c) || matches!(c, '/' | '\\' | ':' | '@' | '?' | '#' | '&' | '='));
    pieces
        .filter(|piece| !piece.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// What domain names take for a dot (UTS #46 §2.3).
const fn is_dot(c: char) -> bool {
    matches!(c, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}')
}

const fn is_command(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        // Lines and paragraphs.
        | '\u{2028}' | '\u{2029}'
        // UAX #9 §2.1, §2.2 and §2.4: embeddings, overrides and isolates.
        | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Deprecated format characters, the byte order mark, annotations.
        | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_no_part_of_a_name() {
        for command in [
            '\u{1b}', '\n', '\r', '\t', '\0', '\u{7f}', '\u{9b}', '\u{202a}', '\u{202e}', '\u{2066}',
            '\u{2069}', '\u{2028}', '\u{feff}',
        ] {
            let name = format!("Ac{command}me");
            assert!(!is_plain(&name), "{:x}", command as u32);
            assert_eq!(clean(&name), "Acme");
            assert!(is_plain(&shown(&name)), "{:x}", command as u32);
        }
        for name in [
            "Acme",
            "Ünïcödé & Söhne",
            "شركة\u{200f}",
            "नेपाली\u{200d}",
            "株式会社",
            "👩‍💻",
        ] {
            assert!(is_plain(name), "{name}");
            assert_eq!((clean(name), shown(name)), (name.to_owned(), name.to_owned()));
        }
    }

    #[test]
    fn an_address_in_a_name_becomes_words() {
        for (name, expected) in [
            ("https://phish.test/renew", "https phish test renew"),
            ("Acme http://a.test", "Acme http a test"),
            ("Go to phish.test now", "Go to phish test now"),
            ("phish.test/renew", "phish test renew"),
            ("www.phish.test", "www.phish.test"),
            ("mail me@phish.test", "mail me phish test"),
            ("see phish\u{3002}test", "see phish test"),
            ("ftp://x", "ftp x"),
            ("A.\u{202e}C/D: E & F", "A. C/D: E & F"),
            ("Dr. Oetker GmbH & Co. KG", "Dr. Oetker GmbH & Co. KG"),
            ("S/4 Ltd.", "S/4 Ltd."),
        ] {
            assert_eq!(shown(name), expected, "{name}");
        }
    }

    #[test]
    fn a_long_name_is_cut() {
        assert_eq!(shown(&"a".repeat(80)), "a".repeat(80));
        assert_eq!(shown(&"ß".repeat(81)), format!("{}…", "ß".repeat(79)));
    }
}
