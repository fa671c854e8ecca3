//! Text in the form of `application/x-www-form-urlencoded`.
//!
//! Source: the URL Standard §5.2.

use std::fmt::Write as _;

/// Pairs, written as they come.
pub(crate) struct Form(String);

impl Form {
    pub(crate) fn new() -> Self {
        Self(String::new())
    }

    pub(crate) fn push(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.encode(name);
        self.0.push('=');
        self.encode(value);
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn encode(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                    self.0.push(char::from(byte))
                }
                b' ' => self.0.push('+'),
                other => write!(self.0, "%{other:02X}").expect("a string takes everything"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_written_as_browsers_do() {
        let mut form = Form::new();
        form.push("a b", "~*-._ +&=%\n");
        form.push("ü", "");
        assert_eq!(form.as_str(), "a+b=%7E*-._+%2B%26%3D%25%0A&%C3%BC=");
    }
}
