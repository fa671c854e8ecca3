//! Text that may be shown in a terminal.

/// `text` without characters that command a terminal.
pub(super) fn printable(text: &str) -> String {
    let is_command = |c: char| {
        c.is_control()
            // Those that turn the direction of what follows: a name could be made to look like another.
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let replace = |c| {
        if is_command(c) {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().map(replace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_command_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[2J\u{9b}\r\n\u{202e}ä"),
            "a\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}\u{fffd}ä"
        );
    }
}
