//! Reads answers from the terminal, shown or hidden.
//!
//! It reads byte by byte and unbuffered, so that text typed ahead answers the
//! next question. Hidden answers are read without the terminal's own line
//! editing: it would cut a long key off at 4096 characters.

use std::io;

use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::Failure;
use crate::secrets::Secret;

/// Made at once, so that no copy stays behind when it grows.
const MAX_BYTES: usize = 64 << 10;

const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const KILL_LINE: u8 = 0x15;
const DELETE: u8 = 0x7f;

/// Reads one line that the terminal shows.
pub(super) fn read_visible() -> Result<Secret, Failure> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
    while let Some(byte) = read_byte()? {
        if byte == b'\n' {
            break;
        }
        push(&mut line, byte)?;
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    text(&line)
}

/// Asks, and reads one line that the terminal does not show. It is hidden before
/// it is asked for, so that a secret that is pasted at once is not shown.
pub(super) fn read_hidden(ask: impl FnOnce() -> Result<(), Failure>) -> Result<Secret, Failure> {
    let _hidden = EchoGuard::begin()?;
    ask()?;
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
    while let Some(byte) = read_byte()? {
        match byte {
            b'\n' | b'\r' => break,
            INTERRUPT => return Err(Failure::interrupted()),
            END if line.is_empty() => break,
            BACKSPACE | DELETE => remove_character(&mut line),
            KILL_LINE => line.clear(),
            // What keys other than characters send.
            0..0x20 if byte != b'\t' => {}
            byte => push(&mut line, byte)?,
        }
    }
    text(&line)
}

fn push(line: &mut Vec<u8>, byte: u8) -> Result<(), Failure> {
    if line.len() == MAX_BYTES {
        return Err(Failure::new("the answer is too long: 64 KiB is the most"));
    }
    line.push(byte);
    Ok(())
}

/// A character may have several bytes.
fn remove_character(line: &mut Vec<u8>) {
    while let Some(byte) = line.pop() {
        if byte & 0xC0 != 0x80 {
            break;
        }
    }
}

fn text(line: &[u8]) -> Result<Secret, Failure> {
    let text = std::str::from_utf8(line).map_err(|_| Failure::new("the answer is not UTF-8"))?;
    Ok(Secret::new(text.to_owned()))
}

fn read_byte() -> io::Result<Option<u8>> {
    let mut byte = [0];
    loop {
        match rustix::io::read(rustix::stdio::stdin(), &mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(byte[0])),
            Err(Errno::INTR) => {}
            // The terminal is gone.
            Err(Errno::IO) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The terminal shows nothing until this is dropped.
struct EchoGuard(Termios);

impl EchoGuard {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(rustix::stdio::stdin())?;
        let mut hidden = before.clone();
        // Signals off as well: after Ctrl-C nobody else would show the characters again.
        hidden
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
        hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for EchoGuard {
    fn drop(&mut self) {
        // The terminal is gone if this fails.
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &self.0);
    }
}
