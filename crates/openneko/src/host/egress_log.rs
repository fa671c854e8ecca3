//! The refused attempts of plugins, as lines of JSON in a file.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use openneko_sandbox::egress::Denial;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Past this size the file is renamed to the old one, and a new one starts: a plugin
/// that tries in a loop must not fill the disk.
const MAX_BYTES: u64 = 1 << 20;

/// One refused attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub at: Timestamp,
    pub plugin: String,
    /// The method that was running.
    pub method: String,
    pub host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    pub reason: String,
}

/// The file. Writers in other processes may append at the same time.
#[derive(Debug)]
pub struct EgressLog {
    path: PathBuf,
    writing: Mutex<()>,
}

impl EgressLog {
    pub fn new(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join("egress.jsonl"),
            writing: Mutex::new(()),
        }
    }

    /// Appends the denials of one call, and writes each to the log of the process too.
    ///
    /// If the file cannot be written, that log says so, and nothing stops: the
    /// attempts were already refused.
    pub fn record(&self, at: Timestamp, plugin: &str, method: &str, denials: &[Denial]) {
        let mut text = String::new();
        for denial in denials {
            let line = Line {
                at,
                plugin: plugin.to_owned(),
                method: method.to_owned(),
                host: denial.host.clone(),
                port: denial.port,
                reason: denial.reason.to_string(),
            };
            tracing::warn!(
                plugin,
                method,
                host = line.host,
                port = line.port,
                reason = line.reason,
                "egress refused"
            );
            text.push_str(&serde_json::to_string(&line).expect("plain fields are JSON"));
            text.push('\n');
        }
        if text.is_empty() {
            return;
        }
        if let Err(error) = self.append(text.as_bytes()) {
            tracing::error!(path = %self.path.display(), %error, "cannot write the egress log");
        }
    }

    fn append(&self, lines: &[u8]) -> io::Result<()> {
        let _writing = self.writing.lock();
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        if std::fs::metadata(&self.path).is_ok_and(|file| file.len() > MAX_BYTES) {
            std::fs::rename(&self.path, self.old())?;
        }
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.path)?;
        // One write, so that lines of several processes do not mix.
        file.write_all(lines)
    }

    fn old(&self) -> PathBuf {
        self.path.with_extension("1.jsonl")
    }

    /// The newest `count` attempts, oldest first; lines that cannot be read are left out.
    ///
    /// # Errors
    ///
    /// If a file exists and cannot be read.
    pub fn recent(&self, count: usize) -> io::Result<Vec<Line>> {
        let mut lines = Vec::new();
        for path in [self.old(), self.path.clone()] {
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for line in BufReader::new(file).lines() {
                lines.extend(serde_json::from_str::<Line>(&line?).ok());
            }
        }
        lines.drain(..lines.len().saturating_sub(count));
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use openneko_sandbox::egress::Reason;

    use super::*;

    fn denial(host: &str) -> Denial {
        Denial {
            host: host.to_owned(),
            port: Some(443),
            reason: Reason::NotGranted,
        }
    }

    #[test]
    fn the_newest_attempts_are_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let log = EgressLog::new(&directory.path().join("state"));
        assert_eq!(log.recent(5).unwrap(), []);
        let at = Timestamp::from_second(1_790_000_000).unwrap();
        for n in 0..7 {
            log.record(at, "@a/b", "begin_auth", &[denial(&format!("h{n}.test"))]);
        }
        let hosts: Vec<String> = log.recent(2).unwrap().into_iter().map(|line| line.host).collect();
        assert_eq!(hosts, ["h5.test", "h6.test"]);
        assert_eq!(log.recent(1).unwrap()[0].reason, "the host is not granted");
    }

    #[test]
    fn the_file_does_not_grow_without_end_and_loses_nothing_recent() {
        let directory = tempfile::tempdir().unwrap();
        let log = EgressLog::new(directory.path());
        let at = Timestamp::UNIX_EPOCH;
        let many: Vec<Denial> = (0..5_000).map(|n| denial(&format!("{n}.test"))).collect();
        for _ in 0..6 {
            log.record(at, "@a/b", "begin_auth", &many);
        }
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(size(&log.path) + size(&log.old()) < 4 * MAX_BYTES);
        assert_eq!(log.recent(5_000).unwrap().len(), 5_000);
    }

    #[test]
    fn a_torn_line_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let log = EgressLog::new(directory.path());
        std::fs::write(&log.path, "{\"at\":").unwrap();
        log.append(b"\n").unwrap();
        log.record(Timestamp::UNIX_EPOCH, "p", "m", &[denial("a.test")]);
        assert_eq!(log.recent(9).unwrap().len(), 1);
    }
}
