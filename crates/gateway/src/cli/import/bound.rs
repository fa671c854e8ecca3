//! A bound on the length of a record of CSV, before a parser collects it.
//!
//! The parser keeps a whole record, and in a quotation everything is one cell. So what is
//! beyond the bound is taken out of the file as it is read, up to the end of the record, and a cell
//! of ours says so. The end is where the parser would find it: a line within a quotation must not
//! become a record because the cell is long.

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

use csv::ByteRecord;

/// Where the parser is in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    CellBegins,
    Cell,
    Quotation,
    /// After a quotation mark in a quotation: it ends it, or is the first of two.
    Mark,
}

impl State {
    /// After this byte, and whether it ends the record.
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

/// What was taken out of the file.
#[derive(Debug, Clone)]
pub(super) struct RemovedLines {
    /// The last cell of a record that was cut.
    cell: Rc<str>,
    gaps: Rc<RefCell<Vec<Gap>>>,
}

#[derive(Debug, Clone, Copy)]
struct Gap {
    /// How many line feeds the parser has seen before it.
    after_lines: u64,
    lines: u64,
    bytes: u64,
}

impl RemovedLines {
    pub(super) fn is_in(&self, record: &ByteRecord) -> bool {
        record.iter().next_back() == Some(self.cell.as_bytes())
    }

    /// The number of a line in the file, from that of the parser.
    pub(super) fn line(&self, seen: u64) -> u64 {
        let gaps = self.gaps.borrow();
        let before = gaps.iter().filter(|gap| gap.after_lines < seen);
        seen + before.map(|gap| gap.lines).sum::<u64>()
    }

    /// How much of the file is read where the parser has read `seen` bytes, up to a line.
    pub(super) fn bytes(&self, seen: u64, line: u64) -> u64 {
        let gaps = self.gaps.borrow();
        let before = gaps.iter().filter(|gap| gap.after_lines < line);
        seen + before.map(|gap| gap.bytes).sum::<u64>()
    }
}

/// The file without what is too long.
pub(super) struct BoundedReader {
    input: Box<dyn Read>,
    separator: u8,
    longest: u64,
    state: State,
    /// Of the record so far.
    length: u64,
    gap: Option<Gap>,
    lines: u64,
    ready: Vec<u8>,
    given: usize,
    taken_out: RemovedLines,
}

impl BoundedReader {
    pub(super) fn new(input: Box<dyn Read>, separator: u8, longest: u64) -> (Self, RemovedLines) {
        let taken_out = RemovedLines {
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
                    // One was given in its place.
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
