//! Text inside XML that we write.
//!
//! Source: XML 1.0 §2.2, §2.4, §3.3.3.

/// Escapes a value for an element or an attribute in double quotes. White space other
/// than a blank is written as a reference, so that no parser changes it; a character
/// that XML cannot carry becomes the replacement character.
pub(super) fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\t' => text.push_str("&#9;"),
            '\n' => text.push_str("&#10;"),
            '\r' => text.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => text.push(char::REPLACEMENT_CHARACTER),
            _ => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_breaks_out_of_a_value() {
        assert_eq!(
            super::escape("a\"><b>&\r\n\t'\u{0}\u{ffff}é"),
            "a&quot;&gt;&lt;b&gt;&amp;&#13;&#10;&#9;'\u{fffd}\u{fffd}é"
        );
    }
}
