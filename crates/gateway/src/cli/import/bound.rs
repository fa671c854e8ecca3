//! A bound on the length of a CSV record, before the parser collects it.
//!
//! The parser keeps a whole record in memory, and a quotation that is never closed makes the rest of the file
//! one cell. So [`BoundedReader`] removes the part of a record beyond the bound while the file is read, and
//! puts a marker cell in its place. It finds the end of the record as the parser does. Otherwise a line
//! within a long quotation would become a record.

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

use csv::ByteRecord;

/// The place of the parser in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    CellBegins,
    Cell,
    Quotation,
    /// After a quotation mark in a quotation. The mark ends the quotation, or is the first of two.
    Mark,
}

impl State {
    /// The state after `byte`, and whether `byte` ends the record.
    const fn after(self, byte: u8, separator: u8) -> (Self, bool) {
        match (self, byte) {
            (Self::CellBegins | Self::Mark, b'"') => (Self::Quotation, false),
            (Self::Quotation, b'"') => (Self::Mark, false),
            (Self::Quotation, _) => (Self::Quotation, false),
            (_, b'\n' | b'\r') => (Self::CellBegins, true),
            (_, byte) if byte == separator => (Self::CellBegins, false),
            _ => (Self::Cell, false),
        }
    }
}

/// The parts of records that were removed from the file.
#[derive(Debug, Clone)]
pub(super) struct RemovedParts {
    /// The marker: the last cell of a record that was cut.
    cell: Rc<str>,
    gaps: Rc<RefCell<Vec<Gap>>>,
}

#[derive(Debug, Clone, Copy)]
struct Gap {
    /// The number of line feeds that the parser has seen before the gap.
    after_lines: u64,
    lines: u64,
    bytes: u64,
}

impl RemovedParts {
    pub(super) fn is_in(&self, record: &ByteRecord) -> bool {
        record.iter().next_back() == Some(self.cell.as_bytes())
    }

    /// The number of a line in the file, from the number that the parser counts.
    pub(super) fn line(&self, seen: u64) -> u64 {
        let gaps = self.gaps.borrow();
        let before = gaps.iter().filter(|gap| gap.after_lines < seen);
        seen + before.map(|gap| gap.lines).sum::<u64>()
    }

    /// The number of bytes of the file up to `line`, at which the parser has read `seen` bytes.
    pub(super) fn bytes(&self, seen: u64, line: u64) -> u64 {
        let gaps = self.gaps.borrow();
        let before = gaps.iter().filter(|gap| gap.after_lines < line);
        seen + before.map(|gap| gap.bytes).sum::<u64>()
    }
}

/// The file without the parts of records that are too long.
pub(super) struct BoundedReader {
    input: Box<dyn Read>,
    separator: u8,
    longest: u64,
    state: State,
    /// The length of the record so far, in bytes.
    length: u64,
    gap: Option<Gap>,
    lines: u64,
    ready: Vec<u8>,
    given: usize,
    taken_out: RemovedParts,
}

impl BoundedReader {
    pub(super) fn new(input: Box<dyn Read>, separator: u8, longest: u64) -> (Self, RemovedParts) {
        let taken_out = RemovedParts {
            cell: genkan_store::Secret::generate().expose().into(),
            gaps: Rc::default(),
        };
        let bounded = Self {
            input,
            separator,
            longest,
            state: State::CellBegins,
            length: 0,
            gap: None,
            lines: 0,
            ready: Vec::new(),
            given: 0,
            taken_out: taken_out.clone(),
        };
        (bounded, taken_out)
    }

    fn take(&mut self, byte: u8) {
        let (state, ends) = self.state.after(byte, self.separator);
        let is_line = u64::from(byte == b'\n');
        self.state = state;
        match &mut self.gap {
            Some(gap) => {
                gap.bytes += 1;
                gap.lines += is_line;
                if ends {
                    let mut gap = *gap;
                    // The marker has a line feed of its own.
                    gap.lines = gap.lines.saturating_sub(1);
                    self.end_gap(gap);
                    self.length = 0;
                }
            }
            None => {
                self.ready.push(byte);
                self.lines += is_line;
                self.length = if ends { 0 } else { self.length + 1 };
                if self.length >= self.longest {
                    self.begin_gap();
                }
            }
        }
    }

    fn begin_gap(&mut self) {
        if self.state == State::Quotation {
            self.ready.push(b'"');
        }
        self.ready.push(self.separator);
        self.ready.extend_from_slice(self.taken_out.cell.as_bytes());
        self.ready.push(b'\n');
        self.lines += 1;
        self.gap = Some(Gap {
            after_lines: self.lines,
            lines: 0,
            bytes: 0,
        });
    }

    fn end_gap(&mut self, gap: Gap) {
        self.gap = None;
        self.taken_out.gaps.borrow_mut().push(gap);
    }
}

impl Read for BoundedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() {
            self.ready.clear();
            self.given = 0;
            let mut chunk = [0; 8 * 1024];
            let length = self.input.read(&mut chunk)?;
            for byte in &chunk[..length] {
                self.take(*byte);
            }
            if length == 0 {
                if let Some(gap) = self.gap {
                    self.end_gap(gap);
                }
                return Ok(0);
            }
        }
        let length = buffer.len().min(self.ready.len() - self.given);
        buffer[..length].copy_from_slice(&self.ready[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}
