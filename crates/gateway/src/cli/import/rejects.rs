//! The file of lines with mistakes, to be corrected and imported.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, StringRecord};

use super::rows::Text;
use super::{FileArgs, Format};
use crate::cli::Failure;

/// The most earlier files beside the imported one.
const MOST_BESIDE: u32 = 999;

/// Lines with mistakes, in their own format.
///
/// The file is made before the first line is read, so that no import fails half-way because of it. If no
/// line is rejected, it is removed.
pub(super) struct Rejects {
    path: PathBuf,
    heading: Option<StringRecord>,
    file: BufWriter<File>,
    lines: u64,
    /// Whether it is a file that we made, and not a device.
    is_ours: bool,
}

impl Rejects {
    /// Makes the file: the named one, else one beside the imported file.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or was named and exists already.
    pub(super) fn create(
        args: &FileArgs,
        format: Format,
        heading: Option<StringRecord>,
    ) -> Result<Self, Failure> {
        let (path, file, is_ours) = match &args.rejects {
            Some(path) => {
                let (file, is_ours) = named(path, &args.file)?;
                (path.clone(), file, is_ours)
            }
            None => {
                let (path, file) = beside(args, format)?;
                (path, file, true)
            }
        };
        Ok(Self {
            path,
            heading,
            file: BufWriter::new(file),
            lines: 0,
            is_ours,
        })
    }

    /// The file and how many lines it has, if there is one.
    pub(super) fn written(&self) -> Option<(&Path, u64)> {
        (self.lines > 0).then_some((self.path.as_path(), self.lines))
    }

    /// Writes a line. Says whether that was possible.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(super) fn write(&mut self, text: &Text) -> Result<bool, Failure> {
        self.add(text)
            .map_err(|error| Failure::new(format!("{} cannot be written: {error}.", self.path.display())))
    }

    fn add(&mut self, text: &Text) -> io::Result<bool> {
        if matches!(text, Text::TooLong) {
            return Ok(false);
        }
        self.lines += 1;
        if let (1, Some(heading)) = (self.lines, &self.heading) {
            write_csv(&mut self.file, heading.as_byte_record())?;
        }
        match text {
            Text::Csv(record) => write_csv(&mut self.file, record)?,
            Text::Json(line) => {
                self.file.write_all(line)?;
                self.file.write_all(b"\n")?;
            }
            Text::TooLong => {}
        }
        self.file.flush()?;
        Ok(true)
    }
}

impl Drop for Rejects {
    fn drop(&mut self) {
        if self.is_ours && self.lines == 0 {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Makes a file that is not there yet. It holds personal data.
fn new_file(path: &Path) -> io::Result<File> {
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn named(path: &Path, imported: &Path) -> Result<(File, bool), Failure> {
    if is_same_file(path, imported) {
        return Err(
            Failure::usage("The file of the rejects is the file that is imported.")
                .remedy("Nothing was imported. Name another one: it is written while the file is read."),
        );
    }
    // Such as /dev/null.
    if path
        .metadata()
        .is_ok_and(|found| !found.is_file() && !found.is_dir())
    {
        let file = File::options().write(true).open(path);
        return file
            .map(|file| (file, false))
            .map_err(|error| not_made(path, &error));
    }
    match new_file(path) {
        Ok(file) => Ok((file, true)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Failure::usage(format!(
            "The file of the rejects is there already: {}.",
            path.display()
        ))
        .remedy("Nothing was imported. It may hold lines that somebody has corrected: move it away, or name another one.")),
        Err(error) => Err(not_made(path, &error)),
    }
}

/// Earlier files stay, because somebody may have corrected their lines.
fn beside(args: &FileArgs, format: Format) -> Result<(PathBuf, File), Failure> {
    for number in 1..=MOST_BESIDE {
        let path = name_beside(args, format, number);
        match new_file(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(not_made(&path, &error)),
        }
    }
    let last = name_beside(args, format, MOST_BESIDE);
    Err(not_made(&last, &io::ErrorKind::AlreadyExists.into()))
}

fn name_beside(args: &FileArgs, format: Format, number: u32) -> PathBuf {
    let number = if number == 1 {
        String::new()
    } else {
        format!("-{number}")
    };
    if args.file == Path::new("-") {
        return PathBuf::from(match format {
            Format::Csv => format!("stdin.rejects{number}.csv"),
            Format::Jsonl => format!("stdin.rejects{number}.jsonl"),
        });
    }
    let mut name = args.file.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".rejects{number}"));
    if let Some(extension) = args.file.extension() {
        name.push(".");
        name.push(extension);
    }
    args.file.with_file_name(name)
}

fn not_made(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!(
        "The file of the rejects cannot be made: {}: {error}.",
        path.display()
    ))
    .remedy("Nothing was imported. Name another one with --rejects FILE.")
}

/// Whether two names lead to the same file, even by links.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.metadata().ok().map(|file| (file.dev(), file.ino()));
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

fn write_csv(file: &mut impl Write, record: &ByteRecord) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(file);
    writer.write_byte_record(record)?;
    writer.flush()
}
