//! Reads the variants of files that programs write: byte order marks, encodings, separators.

use std::io::{self, BufRead, BufReader, Read};

/// The message if the text is in another encoding.
pub(super) const NOT_UTF8: &str =
    "is not UTF-8, perhaps Latin-1: save the file as UTF-8 (in Excel \"CSV UTF-8\")";

/// How much of a heading is read to find the separator of its cells.
const LOOK_BYTES: usize = 64 * 1024;

/// Skips the byte order mark that some programs write.
///
/// # Errors
///
/// If it cannot be read, or its mark names another encoding.
pub(super) fn open(input: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    let mut start = Vec::new();
    let mut input = input;
    input.by_ref().take(3).read_to_end(&mut start)?;
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Err(io::Error::other(
            "it is UTF-16: save the file as UTF-8 (in Excel \"CSV UTF-8\")",
        ));
    }
    if start == b"\xef\xbb\xbf" {
        start.clear();
    }
    Ok(Box::new(io::Cursor::new(start).chain(input)))
}

/// Reads a table. Line ends become one character, and the separator is found, because spreadsheets write
/// semicolons if the comma is for decimals.
///
/// # Errors
///
/// As [`open`].
pub(super) fn open_table(input: Box<dyn Read>) -> io::Result<(Box<dyn Read>, u8)> {
    let mut input = BufReader::new(Lines(BufReader::new(open(input)?)));
    let mut start = Vec::new();
    while !is_heading(&start) && start.len() < LOOK_BYTES {
        let left = (LOOK_BYTES - start.len()) as u64;
        if input.by_ref().take(left).read_until(b'\n', &mut start)? == 0 {
            break;
        }
    }
    let separator = separator(&start);
    Ok((Box::new(io::Cursor::new(start).chain(input)), separator))
}

/// Whether the first line with text is complete.
fn is_heading(start: &[u8]) -> bool {
    let quotes = start.iter().filter(|byte| **byte == b'"').count();
    !start.trim_ascii().is_empty() && quotes.is_multiple_of(2)
}

/// The most frequent separator in the heading, outside quotes.
fn separator(start: &[u8]) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in start.iter().copied().skip_while(|byte| *byte == b'\n') {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            byte if !quoted => {
                for (separator, count) in &mut counts {
                    *count += usize::from(byte == *separator);
                }
            }
            _ => {}
        }
    }
    // If several are equally frequent, the first one.
    counts
        .iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map_or(b',', |(separator, _)| *separator)
}

/// Replaces a carriage return with a line feed by a single line feed. So lines are counted as in editors.
/// The parser counts line feeds, and would count one after a carriage return as part of the next line.
struct Lines<R>(BufReader<R>);

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let available = self.0.fill_buf()?;
            let Some(first) = available.first().copied() else {
                return Ok(0);
            };
            if first != b'\r' {
                let end = available
                    .iter()
                    .position(|byte| *byte == b'\r')
                    .unwrap_or(available.len());
                let length = end.min(buffer.len());
                buffer[..length].copy_from_slice(&available[..length]);
                self.0.consume(length);
                return Ok(length);
            }
            self.0.consume(1);
            if self.0.fill_buf()?.first() != Some(&b'\n') && !buffer.is_empty() {
                buffer[0] = b'\r';
                return Ok(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_read_from_the_heading() {
        for (heading, expected) in [
            ("email,name\n", b','),
            ("email;name;roles\na,b,c,d\n", b';'),
            ("email\tname\n", b'\t'),
            ("email\n", b','),
            ("\n\nemail;name\n", b';'),
            ("\"a;b;c\",name\n", b','),
            ("a,b;c\n", b','),
            ("", b','),
        ] {
            assert_eq!(separator(heading.as_bytes()), expected, "{heading:?}");
        }
    }

    #[test]
    fn only_a_carriage_return_before_a_line_feed_is_cut() {
        for size in [1, 2, 3, 64] {
            let mut lines = BufReader::with_capacity(
                size,
                Lines(BufReader::with_capacity(size, &b"a\r\nb\rc\r\r\n\r"[..])),
            );
            let mut text = Vec::new();
            lines.read_to_end(&mut text).unwrap();
            assert_eq!(text, b"a\nb\rc\r\n\r", "{size}");
        }
    }
}
