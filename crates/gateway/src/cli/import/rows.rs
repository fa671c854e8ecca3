//! The lines of a file, as JSON objects, one after the other.

use std::io::{self, BufRead, BufReader, Read};

use csv::{ByteRecord, StringRecord};
use serde_json::{Map, Value};

use super::bound::{BoundedReader, RemovedParts};
use super::{Format, dialect};

/// A line or record that is longer than this is not one organization or user.
const MAX_LINE: u64 = 1024 * 1024;
const TOO_LONG: &str = "longer than 1 MiB";

/// Columns with several values, separated by `;` or, if the cells are separated by that, by `,`.
const LISTS: &[&str] = &["domains", "roles"];
/// Columns that hold yes or no.
const BOOLEANS: &[&str] = &["email_verified"];

/// A line of the file.
#[derive(Debug)]
pub(super) struct Line {
    /// The number, as editors count. In CSV, if empty lines come before it, that of the first of them.
    pub(super) number: u64,
    /// The bytes of the file up to its end.
    pub(super) read: u64,
    pub(super) text: Text,
    /// Its value, or why it cannot be parsed.
    pub(super) value: Result<Value, String>,
}

/// The text of a line in the file, to be written to another file.
#[derive(Debug)]
pub(super) enum Text {
    Csv(ByteRecord),
    Json(Vec<u8>),
    /// It was not kept, because it was too long.
    TooLong,
}

pub(super) enum Rows {
    Csv {
        reader: Box<csv::Reader<Box<dyn Read>>>,
        heading: StringRecord,
        end: EndMarker,
        taken_out: RemovedParts,
    },
    Json {
        reader: BufReader<Box<dyn Read>>,
        number: u64,
        read: u64,
    },
}

impl Rows {
    pub(super) fn new(format: Format, input: Box<dyn Read>) -> io::Result<Self> {
        match format {
            Format::Csv => {
                let (input, separator) = dialect::open_table(input)?;
                let (input, end) = EndMarker::after(input);
                let (input, taken_out) = BoundedReader::new(input, separator, MAX_LINE);
                let input: Box<dyn Read> = Box::new(input);
                let mut reader = csv::ReaderBuilder::new()
                    .flexible(true)
                    .trim(csv::Trim::All)
                    .delimiter(separator)
                    .from_reader(input);
                let heading = match reader.byte_headers()? {
                    heading if taken_out.is_in(heading) => {
                        return Err(io::Error::other(format!("the heading is {TOO_LONG}")));
                    }
                    heading if end.is(heading) => ByteRecord::new(),
                    heading if end.is_swallowed(heading) => {
                        return Err(io::Error::other(format!("the heading {NOT_CLOSED}")));
                    }
                    heading => heading.clone(),
                };
                let heading = StringRecord::from_byte_record(heading)
                    .map_err(|_| io::Error::other(format!("the heading {}", dialect::NOT_UTF8)))?;
                Ok(Self::Csv {
                    reader: Box::new(reader),
                    heading,
                    end,
                    taken_out,
                })
            }
            Format::Jsonl => Ok(Self::Json {
                reader: BufReader::new(dialect::open(input)?),
                number: 0,
                read: 0,
            }),
        }
    }

    pub(super) fn heading(&self) -> Option<StringRecord> {
        match self {
            Self::Csv { heading, .. } => Some(heading.clone()),
            Self::Json { .. } => None,
        }
    }

    /// The next line that is not empty.
    ///
    /// # Errors
    ///
    /// If the rest of the file cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        match self {
            Self::Csv {
                reader,
                heading,
                end,
                taken_out,
            } => next_csv(reader, heading, end, taken_out),
            Self::Json { reader, number, read } => next_json(reader, number, read),
        }
    }
}

fn next_csv(
    reader: &mut csv::Reader<Box<dyn Read>>,
    heading: &StringRecord,
    end: &EndMarker,
    taken_out: &RemovedParts,
) -> io::Result<Option<Line>> {
    let mut record = ByteRecord::new();
    if !reader.read_byte_record(&mut record)? || end.is(&record) {
        return Ok(None);
    }
    let seen = record.position().map_or(0, csv::Position::line);
    let number = taken_out.line(seen);
    let is_too_long = taken_out.is_in(&record);
    let value = if is_too_long {
        Err(format!(
            "it is {TOO_LONG}, perhaps because a quotation mark is opened and never closed"
        ))
    } else if end.is_swallowed(&record) {
        end.take_from(&mut record);
        Err(format!("it {NOT_CLOSED}"))
    } else {
        match StringRecord::from_byte_record(record.clone()) {
            Ok(record) if record.len() == heading.len() => object(heading, &record),
            Ok(record) => Err(format!(
                "it has {} cells, and the heading has {}",
                record.len(),
                heading.len()
            )),
            Err(_) => Err(format!("it {}", dialect::NOT_UTF8)),
        }
    };
    Ok(Some(Line {
        number,
        read: taken_out.bytes(reader.position().byte(), seen),
        text: if is_too_long {
            Text::TooLong
        } else {
            Text::Csv(record)
        },
        value,
    }))
}

const NOT_CLOSED: &str =
    "has a quotation mark that is opened and never closed, so everything after it would be one cell";

/// A row that we add after the last one of the file. If a quotation is never closed, this row becomes part
/// of the last cell, as the rows before it did. A CSV reader does not report that in another way.
pub(super) struct EndMarker(String);

impl EndMarker {
    fn after(input: Box<dyn Read>) -> (Box<dyn Read>, Self) {
        let end = genkan_store::Secret::generate().expose().to_owned();
        let row = io::Cursor::new(format!("\n{end}\n").into_bytes());
        (Box::new(input.chain(row)), Self(end))
    }

    fn is(&self, record: &ByteRecord) -> bool {
        record.len() == 1 && record.get(0) == Some(self.0.as_bytes())
    }

    fn is_swallowed(&self, record: &ByteRecord) -> bool {
        let last = record.iter().next_back().unwrap_or_default();
        last.trim_ascii_end().ends_with(self.0.as_bytes())
    }

    /// Leaves what stands in the file.
    fn take_from(&self, record: &mut ByteRecord) {
        let cells = record.iter().map(|cell| {
            let cell = cell.trim_ascii_end();
            let cell = cell.strip_suffix(self.0.as_bytes()).unwrap_or(cell);
            cell.trim_ascii_end().to_vec()
        });
        *record = cells.collect::<Vec<_>>().into();
    }
}

/// Skips the rest of a line, and counts its bytes.
fn skip_line(reader: &mut BufReader<Box<dyn Read>>) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let rest = reader.fill_buf()?;
        let end = rest.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let length = end.unwrap_or(rest.len());
        reader.consume(length);
        skipped += length as u64;
        if end.is_some() || length == 0 {
            return Ok(skipped);
        }
    }
}

/// Empty cells are left out.
fn object(heading: &StringRecord, record: &StringRecord) -> Result<Value, String> {
    let (mut object, mut metadata) = (Map::new(), Map::new());
    for (name, cell) in heading.iter().zip(record).filter(|(_, cell)| !cell.is_empty()) {
        if name.is_empty() {
            return Err(format!("the cell \"{cell}\" stands under no heading"));
        }
        if let Some(key) = name.strip_prefix("metadata.") {
            metadata.insert(key.to_owned(), cell.into());
            continue;
        }
        let value = if LISTS.contains(&name) {
            let items = cell
                .split([';', ','])
                .map(str::trim)
                .filter(|item| !item.is_empty());
            items.map(Value::from).collect()
        } else if BOOLEANS.contains(&name) {
            match cell.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => true.into(),
                "false" | "no" | "0" => false.into(),
                _ => return Err(format!("{name} is neither true nor false")),
            }
        } else {
            cell.into()
        };
        object.insert(name.to_owned(), value);
    }
    if !metadata.is_empty() {
        object.insert("metadata".to_owned(), metadata.into());
    }
    Ok(object.into())
}

fn next_json(
    reader: &mut BufReader<Box<dyn Read>>,
    number: &mut u64,
    read: &mut u64,
) -> io::Result<Option<Line>> {
    loop {
        let mut bytes = Vec::new();
        let length = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes)?;
        if length == 0 {
            return Ok(None);
        }
        *number += 1;
        *read += length as u64;
        if length as u64 == MAX_LINE && bytes.last() != Some(&b'\n') {
            *read += skip_line(reader)?;
            return Ok(Some(Line {
                number: *number,
                read: *read,
                text: Text::TooLong,
                value: Err(format!("it is {TOO_LONG}")),
            }));
        }
        let text = bytes.trim_ascii().to_vec();
        if text.is_empty() {
            continue;
        }
        let value = match std::str::from_utf8(&bytes) {
            // It uses the reader for untrusted JSON, because a line could contain two addresses.
            Ok(text) => genkan_protocol::json::read(text.as_bytes())
                .map_err(|error| format!("it is no JSON object: {error}")),
            Err(_) => Err(format!("it {}", dialect::NOT_UTF8)),
        };
        return Ok(Some(Line {
            number: *number,
            read: *read,
            text: Text::Json(text),
            value,
        }));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(format: Format, text: &'static str) -> Vec<(u64, Result<Value, String>)> {
        let mut rows = Rows::new(format, Box::new(text.as_bytes())).unwrap();
        let mut lines = Vec::new();
        while let Some(line) = rows.next().unwrap() {
            lines.push((line.number, line.value));
        }
        lines
    }

    #[test]
    fn a_csv_line_becomes_an_object_without_its_empty_cells() {
        let text = "\u{feff}email,roles,email_verified,metadata.plan,name\n\
                    ada@acme.test, admin; member ,yes,gold,\"King, Ada\"\nbob@acme.test,,,,\nx\n";
        let lines = lines(Format::Csv, text);
        assert_eq!(
            lines[0],
            (
                2,
                Ok(
                    json!({"email": "ada@acme.test", "roles": ["admin", "member"], "email_verified": true,
                          "metadata": {"plan": "gold"}, "name": "King, Ada"})
                )
            )
        );
        assert_eq!(lines[1], (3, Ok(json!({"email": "bob@acme.test"}))));
        assert!(lines[2].1.as_ref().unwrap_err().contains("1 cells"));
    }

    #[test]
    fn what_spreadsheets_write_is_read() {
        let expected = json!({"email": "ada@acme.test", "roles": ["admin", "member"], "name": "King, Ada"});
        for text in [
            "\u{feff}email;roles;name\r\nada@acme.test;\"admin;member\";King, Ada\r\n",
            "email;roles;name\r\nada@acme.test;admin,member;King, Ada\r\n",
            "email\troles\tname\nada@acme.test\tadmin;member\tKing, Ada\n",
            "\u{feff}email,roles,name,,\r\nada@acme.test,\"admin, member\",\"King, Ada\",,\r\n",
        ] {
            assert_eq!(lines(Format::Csv, text), [(2, Ok(expected.clone()))], "{text:?}");
        }
        let under_none = lines(Format::Csv, "email,\nada@acme.test,x\n");
        assert!(under_none[0].1.as_ref().unwrap_err().contains("no heading"));
    }

    #[test]
    fn lines_are_counted_as_editors_count_them() {
        let text = "email,name\r\na@acme.test,\"two\r\nlines\"\r\nb@acme.test,B\r\nc@acme.test,C\r\n";
        let numbers: Vec<_> = lines(Format::Csv, text).iter().map(|line| line.0).collect();
        assert_eq!(numbers, [2, 4, 5]);
        let unix: Vec<_> = lines(Format::Csv, "email\na@acme.test\nb@acme.test\n")
            .iter()
            .map(|line| line.0)
            .collect();
        assert_eq!(unix, [2, 3]);
    }

    #[test]
    fn a_quotation_that_is_never_closed_is_a_mistake_and_no_cell() {
        let text = "email,metadata.note\nq1@acme.test,\"open\nq2@acme.test,x\nq3@acme.test,y";
        let mut rows = Rows::new(Format::Csv, Box::new(text.as_bytes())).unwrap();
        let line = rows.next().unwrap().unwrap();
        assert_eq!(line.number, 2);
        assert!(line.value.unwrap_err().contains("never closed"));
        let Text::Csv(record) = line.text else {
            panic!("it is CSV")
        };
        assert_eq!(&record[1], b"open\nq2@acme.test,x\nq3@acme.test,y");
        assert!(rows.next().unwrap().is_none());

        let closed = lines(Format::Csv, "email,name\na@acme.test,\"5\"\" pipe\"");
        assert_eq!(
            closed[0].1,
            Ok(json!({"email": "a@acme.test", "name": "5\" pipe"}))
        );
        let bare = lines(Format::Csv, "email,name\na@acme.test,5\" pipe\nb@acme.test,B\n");
        assert_eq!(bare.len(), 2);
        let heading = Rows::new(Format::Csv, Box::new(&b"email,\"name\na@acme.test,A\n"[..])).err();
        assert!(heading.unwrap().to_string().contains("never closed"));
    }

    #[test]
    fn a_json_line_that_is_too_long_holds_up_no_other() {
        let long = format!("{{\"name\":\"{}\"}}", "x".repeat(2 << 20));
        let fits = format!("{{\"name\":\"{}\"}}", "x".repeat(1_000_000));
        let text: &'static str = format!("{{}}\n{long}\n{fits}\n\n{long}\n{{}}\n{long}").leak();
        let lines = lines(Format::Jsonl, text);
        let numbers: Vec<_> = lines.iter().map(|line| (line.0, line.1.is_ok())).collect();
        assert_eq!(
            numbers,
            [
                (1, true),
                (2, false),
                (3, true),
                (5, false),
                (6, true),
                (7, false)
            ]
        );
        assert!(lines[1].1.as_ref().unwrap_err().contains("1 MiB"));
    }

    #[test]
    fn a_record_of_csv_that_is_too_long_holds_up_no_other_and_hides_none() {
        let long = "x".repeat(3 << 20);
        let lines_of = "in a quotation\r\nevil@acme.test,E,\r\n".repeat(60_000);
        let text = format!(
            "email,name,note\r\na@acme.test,{long},\"\"\r\nb@acme.test,B,\r\n\
             c@acme.test,\"{lines_of}\"\"\",\r\nd@acme.test,D,\r\n\
             e@acme.test,E,\"{long}\"\r\nf@acme.test,F,\r\n{long}\r\ng@acme.test,G,\r\n\
             h@acme.test,\"{long}\r\nevil@acme.test,E,\r\n"
        );
        let found = lines(Format::Csv, text.leak());
        let numbers: Vec<_> = found.iter().map(|line| (line.0, line.1.is_ok())).collect();
        let d = 4 + 2 * 60_000 + 1;
        assert_eq!(
            numbers,
            [
                (2, false),
                (3, true),
                (4, false),
                (d, true),
                (d + 1, false),
                (d + 2, true),
                (d + 3, false),
                (d + 4, true),
                (d + 5, false)
            ]
        );
        for (_, value) in found.iter().filter(|line| line.1.is_err()) {
            assert!(value.as_ref().unwrap_err().contains("1 MiB"), "{value:?}");
        }
        let heading = Rows::new(Format::Csv, Box::new(io::repeat(b'x').take(3 << 20))).err();
        assert!(heading.unwrap().to_string().contains("1 MiB"));
    }

    #[test]
    fn a_reject_is_kept_byte_for_byte() {
        let mut rows = Rows::new(Format::Csv, Box::new(&b"email,name\na@acme.test,J\xfcrgen\n"[..])).unwrap();
        let Text::Csv(record) = rows.next().unwrap().unwrap().text else {
            panic!("it is CSV")
        };
        assert_eq!(&record[1], b"J\xfcrgen");
        let mut rows = Rows::new(Format::Jsonl, Box::new(&b"{\"name\":\"J\xfcrgen\"}\n"[..])).unwrap();
        let Text::Json(line) = rows.next().unwrap().unwrap().text else {
            panic!("it is JSON")
        };
        assert_eq!(line, b"{\"name\":\"J\xfcrgen\"}");
    }

    #[test]
    fn another_encoding_is_told() {
        let mut rows = Rows::new(Format::Csv, Box::new(&b"email,name\na@acme.test,J\xfcrgen\n"[..])).unwrap();
        let mistake = rows.next().unwrap().unwrap().value.unwrap_err();
        assert!(
            mistake.contains("not UTF-8") && mistake.contains("save"),
            "{mistake}"
        );
        let heading = Rows::new(Format::Csv, Box::new(&b"email,gr\xf6\xdfe\n"[..]))
            .err()
            .unwrap();
        assert!(heading.to_string().contains("not UTF-8"), "{heading}");
        for format in [Format::Csv, Format::Jsonl] {
            for bytes in [&b"\xff\xfee\0m\0"[..], b"\xfe\xff\0e\0m"] {
                let utf16 = Rows::new(format, Box::new(bytes)).err().unwrap();
                assert!(utf16.to_string().contains("UTF-16"), "{utf16}");
            }
        }
    }

    #[test]
    fn a_line_that_says_two_things_is_a_mistake() {
        let text =
            "{\"email\":\"ada@acme.test\",\"email\":\"eve@evil.test\"}\n[]\n{\"email\":\"bob@acme.test\"}\n";
        let lines = lines(Format::Jsonl, text);
        for (line, expected) in [(0, "a name occurs twice"), (1, "not a JSON object")] {
            let mistake = lines[line].1.as_ref().unwrap_err();
            assert!(mistake.contains(expected), "{mistake}");
        }
        assert_eq!(lines[2], (3, Ok(json!({"email": "bob@acme.test"}))));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_json_line() {
        let lines = lines(
            Format::Jsonl,
            "\u{feff}{\"email\":\"ada@acme.test\"}\r\n{\"email\":\"bob@acme.test\"}\r\n",
        );
        assert_eq!(lines[0], (1, Ok(json!({"email": "ada@acme.test"}))));
        assert_eq!(lines[1], (2, Ok(json!({"email": "bob@acme.test"}))));
    }

    #[test]
    fn a_json_line_is_read_with_its_number() {
        let lines = lines(Format::Jsonl, "{\"email\":\"ada@acme.test\"}\n\n{nonsense\n");
        assert_eq!(lines[0], (1, Ok(json!({"email": "ada@acme.test"}))));
        assert_eq!(lines[1].0, 3);
        assert!(lines[1].1.is_err());
    }
}
