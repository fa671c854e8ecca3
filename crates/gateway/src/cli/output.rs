//! What a command prints: tables for people, one JSON document for scripts.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::Failure;

/// Where a command reads and prints.
pub(super) struct Console {
    json: bool,
    out: Box<dyn Write>,
}

impl Console {
    pub(super) fn of_process(json: bool) -> Self {
        Self {
            json,
            out: Box::new(BufWriter::new(io::stdout())),
        }
    }

    /// Prints `document` as JSON if it was asked for, else `text`.
    pub(super) fn print(
        &mut self,
        document: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json {
            serde_json::to_writer_pretty(&mut self.out, document).map_err(io::Error::from)?;
            self.out.write_all(b"\n")?;
        } else {
            self.out.write_all(text().as_bytes())?;
        }
        Ok(())
    }

    /// Prints `text` whether or not JSON was asked for.
    pub(super) fn write(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.out.write_all(text.as_bytes())?)
    }

    /// Says something beside the answer, on standard error.
    pub(super) fn note(&mut self, text: &str) {
        // Printing fails only if nobody listens.
        let _ = writeln!(io::stderr(), "{text}");
    }

    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}
