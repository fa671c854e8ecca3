//! Words: the stored words of a text, and the words of a query.
//!
//! Case, accents and width do not count: `Müller`, `MULLER` and `ｍｕｌｌｅｒ` are one word. Source: Unicode
//! Standard Annex #15 (compatibility decomposition).

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;

/// The longest word, in bytes. Of a longer one only the beginning is used.
const MAX_WORD: usize = 64;

/// The most words of one row. A name of a thousand words must not become a thousand rows.
const MAX_WORDS: usize = 24;

/// The most words of a query. The longest ones are used.
pub(super) const MAX_TERMS: usize = 4;

/// Text without blanks is found from each of its first characters, up to this many.
const MAX_SUFFIXES: usize = 12;

/// A query: words that must all be there, each as the beginning of a word.
///
/// Any text is a query. A text without letters and digits finds nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub(super) terms: Vec<Term>,
}

/// The beginning of a word, as the range of the words that begin with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) first: Vec<u8>,
    /// The first word after the range.
    pub(super) end: Vec<u8>,
}

impl Term {
    fn new(word: &str) -> Self {
        let first = word.as_bytes().to_vec();
        let mut end = first.clone();
        // UTF-8 has no byte 0xFF, so the last byte can always grow.
        *end.last_mut().expect("a word is not empty") += 1;
        Self { first, end }
    }
}

impl Query {
    pub fn parse(text: &str) -> Self {
        let text = fold(text);
        let words: BTreeSet<String> = pieces(&text).map(cut).collect();
        let mut words = without_prefixes(words);
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        words.truncate(MAX_TERMS);
        Self {
            terms: words.iter().map(|word| Term::new(word)).collect(),
        }
    }
}

/// The words of a row.
#[derive(Debug, Default)]
pub(crate) struct Words(BTreeSet<String>);

impl Words {
    /// Adds every piece between blanks, and the parts of a piece between signs. So `acme` and `corp` and
    /// the whole find `acme-corp.example`.
    pub(crate) fn text(&mut self, text: &str) {
        let text = fold(text);
        for piece in pieces(&text) {
            self.0.insert(cut(piece));
            let parts = piece.split(|c: char| !is_of_a_word(c));
            // One letter alone would find nearly everybody. The first part is found with the whole piece.
            for part in parts.skip(1).filter(|part| part.chars().nth(1).is_some()) {
                self.0.insert(cut(part));
            }
            if piece.chars().any(is_written_without_blanks) {
                let suffixes = piece.char_indices().skip(1).take(MAX_SUFFIXES);
                for (start, _) in suffixes.filter(|(_, c)| is_written_without_blanks(*c)) {
                    self.0.insert(cut(&piece[start..]));
                }
            }
        }
    }

    /// Adds an e-mail address: the whole, the parts before the `@`, and the whole domain, by which people
    /// search for colleagues.
    pub(crate) fn address(&mut self, address: &str) {
        self.0.insert(cut(&fold(address)));
        let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
        self.text(local);
        self.0.insert(cut(&fold(domain)));
    }

    /// The words to store.
    pub(super) fn limited(self) -> Vec<String> {
        let mut words = without_prefixes(self.0);
        words.truncate(MAX_WORDS);
        words
    }
}

/// If `anna` is stored, `ann` finds it, so `ann` need not be stored.
fn without_prefixes(words: BTreeSet<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(words.len());
    // In order, a word comes right before those that begin with it.
    for word in words {
        if kept.last().is_some_and(|last| word.starts_with(last.as_str())) {
            kept.pop();
        }
        kept.push(word);
    }
    kept
}

fn fold(text: &str) -> String {
    let is_accent = |c: &char| ('\u{300}'..='\u{36f}').contains(c);
    text.nfkd()
        .filter(|c| !is_accent(c))
        // Upper case first: `ß` becomes `ss`, as in upper case.
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// The pieces between blanks, without surrounding signs.
fn pieces(folded: &str) -> impl Iterator<Item = &str> {
    folded
        .split(|c: char| c.is_whitespace() || c.is_control())
        .map(|piece| piece.trim_matches(|c: char| !is_of_a_word(c)))
        .filter(|piece| !piece.is_empty())
}

/// Letters, digits, and the marks that decomposed letters of many scripts contain.
fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c)
}

/// Chinese and Japanese.
fn is_written_without_blanks(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{2fdf}' | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fc}' | '\u{3400}'..='\u{9fff}')
}

fn cut(word: &str) -> String {
    word[..word.floor_char_boundary(MAX_WORD)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organization(name: &str) -> Vec<String> {
        let mut words = Words::default();
        words.text(name);
        words.limited()
    }

    fn terms(text: &str) -> Vec<String> {
        let read = |term: &Term| String::from_utf8(term.first.clone()).unwrap();
        Query::parse(text).terms.iter().map(read).collect()
    }

    #[test]
    fn case_accents_and_width_do_not_count() {
        for text in ["Müller", "MULLER", "ｍｕｌｌｅｒ", "Mu\u{308}ller"] {
            assert_eq!(terms(text), ["muller"], "{text}");
        }
        assert_eq!(terms("Straße"), terms("STRASSE"));
        assert_eq!(terms("İstanbul"), ["istanbul"]);
        assert_eq!(terms("ΣΊΣΥΦΟΣ"), terms("σίσυφος"));
    }

    #[test]
    fn a_name_is_found_by_its_words_and_their_parts() {
        assert_eq!(organization("Acme, Inc."), ["acme", "inc"]);
        assert_eq!(organization("Acme-Corp (UK)"), ["acme-corp", "corp", "uk"]);
        assert_eq!(organization("O'Brien & Sons"), ["brien", "o'brien", "sons"]);
        assert_eq!(organization("株式会社アクメ").len(), 7);
        assert!(organization("!!!").is_empty());
    }

    #[test]
    fn a_user_is_found_by_name_and_address() {
        let mut words = Words::default();
        words.address("ada.lovelace@acme.test");
        for text in ["Ada", "King", "HR-4711"] {
            words.text(text);
        }
        assert_eq!(
            words.limited(),
            [
                "4711",
                "acme.test",
                "ada.lovelace@acme.test",
                "hr-4711",
                "king",
                "lovelace"
            ]
        );
    }

    #[test]
    fn a_query_is_its_longest_words() {
        assert_eq!(terms("  ada   LOVELACE ada lovel "), ["lovelace", "ada"]);
        assert_eq!(terms("@acme.test"), ["acme.test"]);
        assert_eq!(terms("a bb ccc dddd eeeee"), ["eeeee", "dddd", "ccc", "bb"]);
    }

    #[test]
    fn a_hostile_query_is_a_small_one() {
        for text in ["", "%%%", "___", "\0\0\0", "'; --", "\u{202e}", "\u{fffd}"] {
            assert!(terms(text).len() <= 1, "{text:?}");
        }
        assert_eq!(terms("a\0b%"), ["a", "b"]);
        let long = "ä".repeat(100_000);
        assert_eq!(terms(&long)[0].len(), MAX_WORD);
        assert_eq!(terms(&"ab cd ".repeat(50_000)).len(), 2);
        let many: String = (0..10_000).map(|number| format!("w{number} ")).collect();
        assert_eq!(organization(&many).len(), MAX_WORDS);
    }

    #[test]
    fn a_range_holds_what_begins_with_its_word() {
        let Query { terms } = Query::parse("été");
        let term = &terms[0];
        for word in ["ete", "etes", "ete\u{10ffff}"] {
            assert!(
                (&term.first[..]..&term.end[..]).contains(&word.as_bytes()),
                "{word}"
            );
        }
        for word in ["et", "etf", "eta"] {
            assert!(
                !(&term.first[..]..&term.end[..]).contains(&word.as_bytes()),
                "{word}"
            );
        }
    }
}
