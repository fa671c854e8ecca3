//! Shows the progress of an import: a bar for people, occasional lines for logs.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a log gets a line.
const LINE_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Progress {
    what: String,
    size: Option<u64>,
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// `size` is the size of the file, in bytes.
    pub(super) fn new(what: &str, size: Option<u64>) -> Self {
        let bar = io::stderr().is_terminal().then(|| bar(what, size));
        let now = Instant::now();
        Self {
            what: what.to_owned(),
            size,
            bar,
            started: now,
            last_line: now,
        }
    }

    /// Shows that `read` bytes of the file were processed, with `imported` lines.
    pub(super) fn show(&mut self, read: u64, imported: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(read);
            let per_second = imported as f64 / self.started.elapsed().as_secs_f64().max(0.001);
            bar.set_message(format!("{imported} imported, {per_second:.0}/s"));
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let percent = self.size.filter(|size| *size > 0).map(|size| read * 100 / size);
            let percent = percent.map_or(String::new(), |percent| format!(" ({percent} %)"));
            self.say(&format!("{}: {imported} imported{percent}", self.what));
        }
    }

    /// Prints a line without damaging the bar.
    pub(super) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            // Printing fails only if nobody reads it.
            None => drop(writeln!(io::stderr(), "{text}")),
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(what: &str, size: Option<u64>) -> ProgressBar {
    let (bar, template) = match size {
        Some(size) => (
            ProgressBar::new(size),
            "{prefix} [{bar:40}] {percent:>3} %  {msg}  {eta} left",
        ),
        None => (ProgressBar::no_length(), "{prefix} {spinner}  {msg}"),
    };
    let style = ProgressStyle::with_template(template).expect("the templates above are templates");
    bar.with_style(style.progress_chars("=> "))
        .with_prefix(what.to_owned())
}
