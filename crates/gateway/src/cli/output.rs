//! The output of commands: tables for people, one JSON document for scripts.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use genkan_protocol::{Timestamp, name};
use serde::Serialize;

use super::Failure;

/// The input and output of a command.
pub(super) struct Console {
    json: bool,
    out: Box<dyn Write>,
    /// Whether a person can answer questions.
    is_interactive: bool,
}

impl Console {
    pub(super) fn of_process(json: bool) -> Self {
        Self {
            json,
            out: Box::new(BufWriter::new(io::stdout())),
            is_interactive: io::stdin().is_terminal() && io::stderr().is_terminal(),
        }
    }

    /// Prints `document` as JSON if requested, else `text`.
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

    /// Prints `text` even if JSON was requested.
    pub(super) fn write(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.out.write_all(text.as_bytes())?)
    }

    /// Prints a note on standard error.
    pub(super) fn note(&mut self, text: &str) {
        // After the result, if both go to a terminal. A failure is reported at the end.
        let _ = self.out.flush();
        // Printing fails only if nobody reads it.
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Tells people where the next page starts. JSON has it in `next`.
    pub(super) fn tell_next(&mut self, next: Option<&str>) {
        if let (false, Some(next)) = (self.json, next) {
            self.note(&format!("There may be more: add --after {next}"));
        }
    }

    /// Asks before something is lost, unless the command line says `yes`.
    pub(super) fn confirm(&mut self, question: &str, yes: bool) -> Result<(), Failure> {
        if yes {
            return Ok(());
        }
        if !self.is_interactive {
            return Err(
                Failure::usage(format!("This would {question}, and there is nobody to ask."))
                    .remedy("Add --yes to do it."),
            );
        }
        write!(io::stderr(), "This will {question}. Go on? [y/N] ")?;
        io::stderr().flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::new("Nothing was changed.")),
        }
    }

    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}

/// Aligned columns under a heading. If there are no rows, `empty`.
pub(super) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]], empty: &str) -> String {
    if rows.is_empty() {
        return format!("{empty}\n");
    }
    let mut table = plain_table();
    table.set_header(heading);
    table.add_rows(rows.iter().map(|row| row.each_ref().map(|cell| printable(cell))));
    render(table)
}

/// The details of one object: a name and a value in each line.
pub(super) fn details(rows: &[(&str, String)]) -> String {
    let mut table = plain_table();
    for (label, value) in rows {
        table.add_row([
            printable(label),
            if value.is_empty() {
                "-".to_owned()
            } else {
                printable(value)
            },
        ]);
    }
    render(table)
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// Renders two blanks between columns, and none at the ends of a line.
fn render(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `text` without control characters and direction marks, because a name from an identity provider must not
/// move the cursor or recolour the terminal.
fn printable(text: &str) -> String {
    let replace = |c: char| {
        if name::is_plain(c.encode_utf8(&mut [0; 4])) {
            c
        } else {
            char::REPLACEMENT_CHARACTER
        }
    };
    text.chars().map(replace).collect()
}

/// `text` with line feeds and tabs, and without any other control character and without letters that nobody sees, for
/// text of many lines from a stranger.
pub(super) fn printable_lines(text: &str) -> String {
    let visible = |letter: char| match letter {
        '\n' | '\t' => letter,
        letter if letter.is_control() || name::is_invisible(letter) => char::REPLACEMENT_CHARACTER,
        letter => letter,
    };
    text.chars().map(visible).collect()
}

/// A time for scripts and people: `2026-11-22T08:15:00Z`.
pub(super) fn time(moment: Timestamp) -> String {
    let moment = jiff::Timestamp::from_second(moment.as_secs());
    moment.map_or_else(
        |_| "-".to_owned(),
        |moment| moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}

/// A duration in its largest whole unit, as in the configuration.
pub(super) fn duration(duration: Duration) -> String {
    let secs = duration.as_secs();
    let units = [("d", 86_400), ("h", 3_600), ("m", 60)];
    let whole = |(_, unit): &&(&str, u64)| secs > 0 && secs.is_multiple_of(*unit);
    match units.iter().find(whole) {
        Some((name, unit)) => format!("{}{name}", secs / unit),
        None => format!("{secs}s"),
    }
}

/// `yes` or `no`.
pub(super) fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_without_blanks() {
        let rows = vec![
            ["org_1".to_owned(), "Acme".to_owned()],
            ["org_22".to_owned(), String::new()],
        ];
        assert_eq!(
            table(["ID", "NAME"], &rows, ""),
            "ID      NAME\norg_1   Acme\norg_22\n"
        );
        assert_eq!(table(["ID"], &[], "None yet."), "None yet.\n");
    }

    #[test]
    fn a_name_cannot_command_the_terminal() {
        let rows = vec![["\u{1b}[2J\u{9b}31m\rAda\nLovelace".to_owned()]];
        let text = table(["NAME"], &rows, "");
        assert!(
            !text.trim_end().chars().skip(5).any(|c| c.is_control()),
            "{text:?}"
        );
        assert_eq!(text.lines().count(), 2, "{text:?}");
    }

    #[test]
    fn a_duration_is_shown_in_its_largest_whole_unit() {
        let cases = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (90, "90s"),
            (3_600, "1h"),
            (86_400, "1d"),
            (90_000, "25h"),
        ];
        for (secs, expected) in cases {
            assert_eq!(duration(Duration::from_secs(secs)), expected);
        }
    }

    #[test]
    fn a_moment_is_shown_in_whole_seconds_of_utc() {
        assert_eq!(
            time(Timestamp::from_micros(1_795_335_300_999_999)),
            "2026-11-22T08:15:00Z"
        );
    }
}
