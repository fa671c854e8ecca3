//! The place where a page of hits ended.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::id::MAX_LEN;

/// A place in the index from which a search can continue, in one direction.
///
/// As text it goes to the caller, who sends it back. Its parts are used only as parameters of statements.
/// So a forged cursor merely finds other hits of the same query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The list along which the search reads.
    pub(super) lead: Lead,
    pub(super) direction: Direction,
    pub(super) word: Vec<u8>,
    pub(super) id: String,
}

/// The list along which a search reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// The words that begin with this term of the query.
    Term(usize),
    /// The members of the organization.
    Members,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Onwards,
    Back,
}

/// A text is not a [`Cursor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a place in a list of hits")]
pub struct ParseCursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            Direction::Onwards => '>',
            Direction::Back => '<',
        };
        match self.lead {
            Lead::Term(index) => write!(f, "{index}")?,
            Lead::Members => f.write_str("m")?,
        }
        let word = URL_SAFE_NO_PAD.encode(&self.word);
        write!(f, "{direction}{word}.{}", self.id)
    }
}

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, ParseCursorError> {
        let (lead, direction, rest) = if let Some((lead, rest)) = text.split_once('>') {
            (lead, Direction::Onwards, rest)
        } else if let Some((lead, rest)) = text.split_once('<') {
            (lead, Direction::Back, rest)
        } else {
            return Err(ParseCursorError);
        };
        let lead = match lead {
            "m" => Lead::Members,
            index => Lead::Term(index.parse().map_err(|_| ParseCursorError)?),
        };
        let (word, id) = rest.split_once('.').ok_or(ParseCursorError)?;
        let word = URL_SAFE_NO_PAD.decode(word).map_err(|_| ParseCursorError)?;
        let is_id = id.len() <= MAX_LEN
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if word.len() > 64 || !is_id {
            return Err(ParseCursorError);
        }
        Ok(Self {
            lead,
            direction,
            word,
            id: id.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for (lead, direction) in [
            (Lead::Term(2), Direction::Onwards),
            (Lead::Members, Direction::Back),
        ] {
            let cursor = Cursor {
                lead,
                direction,
                word: "é\0".as_bytes().to_vec(),
                id: "usr_1".to_owned(),
            };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }

    #[test]
    fn nonsense_is_no_cursor() {
        for text in [
            "",
            ">",
            "0>",
            "x>.",
            "0>ä.usr_1",
            "0>YQ.usr_1'",
            "0=YQ.usr_1",
            "0>YQ",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(ParseCursorError), "{text}");
        }
    }
}
