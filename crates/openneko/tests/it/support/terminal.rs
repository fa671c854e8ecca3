//! A terminal with a person at it.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

/// A program that runs in a terminal.
pub(crate) struct Terminal {
    master: File,
    /// Kept open, so that what the program wrote can be read after its end.
    slave: File,
    child: Child,
    shown: Arc<Mutex<String>>,
}

impl Terminal {
    /// Runs a command whose input, output and errors are a terminal.
    pub(crate) fn run(mut command: Command) -> Self {
        let (master, slave) = open();
        let child = command
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stdout(Stdio::from(slave.try_clone().unwrap()))
            .stderr(Stdio::from(slave.try_clone().unwrap()))
            .spawn()
            .unwrap();
        let shown = Arc::<Mutex<String>>::default();
        let (mut reader, text) = (master.try_clone().unwrap(), Arc::clone(&shown));
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut chunk) {
                bytes.extend_from_slice(&chunk[..count]);
                *text.lock() = String::from_utf8_lossy(&bytes).into_owned();
            }
        });
        Self {
            master,
            slave,
            child,
            shown,
        }
    }

    /// What the screen shows so far.
    pub(crate) fn shown(&self) -> String {
        self.shown.lock().clone()
    }

    /// Waits until the screen ends with `text`.
    #[track_caller]
    pub(crate) fn expect(&self, text: &str) {
        let start = Instant::now();
        while !self.shown().ends_with(text) {
            let shown = self.shown();
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "{text:?} is not at the end of {shown:?}"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until what is typed is not shown: a person waits for the prompt, a test for the mode.
    #[track_caller]
    pub(crate) fn expect_hidden(&self) {
        let start = Instant::now();
        while self.echoes() {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "the terminal still shows what is typed"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the terminal shows what is typed.
    pub(crate) fn echoes(&self) -> bool {
        tcgetattr(&self.slave)
            .unwrap()
            .local_modes
            .contains(LocalModes::ECHO)
    }

    /// Waits until the screen shows `text` anywhere.
    #[track_caller]
    pub(crate) fn expect_within(&self, text: &str, patience: Duration) {
        let start = Instant::now();
        while !self.shown().contains(text) {
            let shown = self.shown();
            assert!(start.elapsed() < patience, "{text:?} is not in {shown:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What a supervisor does.
    pub(crate) fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Waits for the end; gives the exit code and everything that was shown.
    pub(crate) fn finish(mut self) -> (Option<i32>, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if start.elapsed() > Duration::from_secs(30) {
                self.child.kill().unwrap();
            }
            thread::sleep(Duration::from_millis(5));
        };
        assert!(self.echoes(), "the terminal was left hiding what is typed");
        // What was written last may still be on its way to the reader.
        let mut shown = self.shown();
        loop {
            thread::sleep(Duration::from_millis(100));
            let now = self.shown();
            if now == shown {
                return (status.code(), shown);
            }
            shown = now;
        }
    }
}

/// The two ends of a terminal: the person's and the program's.
pub(crate) fn open() -> (File, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(name.as_c_str(), flags, Mode::empty()).unwrap();
    (File::from(master), File::from(slave))
}
