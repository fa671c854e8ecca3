//! The output of a command, and its questions.

use std::io::{self, BufWriter, IsTerminal, Write};

use serde::Serialize;

use super::printable::printable;
use super::{Failure, terminal};
use crate::secrets::Secret;

/// The output of a command, and the terminal for its questions.
pub struct Console {
    out: BufWriter<io::Stdout>,
    is_interactive: bool,
}

impl Console {
    pub(super) fn of_process() -> Self {
        Self {
            out: BufWriter::new(io::stdout()),
            is_interactive: io::stdin().is_terminal() && io::stdout().is_terminal(),
        }
    }

    /// Whether a person can be asked: both ends are a terminal.
    pub fn is_interactive(&self) -> bool {
        self.is_interactive
    }

    /// Prints a line of the answer. Control characters do not get through:
    /// names come from files that others write.
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{}", printable(text))?)
    }

    /// Prints text of several lines as it is.
    pub fn text(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.out.write_all(text.as_bytes())?)
    }

    /// Prints a document for scripts.
    pub fn json(&mut self, document: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer_pretty(&mut self.out, document).map_err(io::Error::from)?;
        Ok(self.out.write_all(b"\n")?)
    }

    /// Says something beside the answer, on standard error.
    pub fn note(&mut self, text: &str) {
        // After the answer, where both go to a terminal; a failure comes up at the end.
        let _ = self.out.flush();
        // Printing fails only if nobody listens.
        let _ = writeln!(io::stderr(), "{}", printable(text));
    }

    /// Asks a question whose answer is shown while it is typed. Blanks are kept.
    pub fn ask(&mut self, prompt: &str) -> Result<Secret, Failure> {
        self.prompt(prompt)?;
        terminal::read_visible()
    }

    /// Asks for something that is not shown.
    pub fn ask_hidden(&mut self, prompt: &str) -> Result<Secret, Failure> {
        let answer = terminal::read_hidden(|| self.prompt(prompt));
        writeln!(self.out)?;
        self.out.flush()?;
        answer
    }

    /// Asks before something is done that the person may not expect; `yes` has
    /// said so on the command line.
    pub fn confirm(&mut self, question: &str, yes: bool) -> Result<(), Failure> {
        if yes {
            return Ok(());
        }
        if !self.is_interactive {
            return Err(Failure::usage(format!(
                "{question}\nThere is nobody to ask: add --yes to go on."
            )));
        }
        for line in question.lines() {
            self.line(line)?;
        }
        self.prompt("Go on? [y/N] ")?;
        let answer = terminal::read_visible()?;
        match answer.expose().trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::new("nothing was changed")),
        }
    }

    fn prompt(&mut self, prompt: &str) -> Result<(), Failure> {
        self.out.write_all(printable(prompt).as_bytes())?;
        Ok(self.out.flush()?)
    }

    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}
