//! The stores of authorities of this user: those of browsers, and the keychain of macOS.
//!
//! The system's stores are not touched, so nothing here needs root. Each change is one run
//! of the store's own program, and is printed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The name of our authorities, before the hash of the key.
const NAME: &str = "Genkan development CA";

/// The stores of Chromium and its relatives, below the home folder.
const CHROMIUM: [&str; 3] = [
    ".pki/nssdb",
    ".local/share/pki/nssdb",
    "snap/chromium/current/.pki/nssdb",
];

/// The folders of Firefox's profiles.
const FIREFOX: [&str; 5] = [
    ".mozilla/firefox",
    ".config/mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
    "Library/Application Support/Firefox/Profiles",
];

/// Why a store was not changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "certutil is not installed (Debian and Ubuntu: `sudo apt install libnss3-tools`; macOS: `brew install nss`)"
    )]
    NoCertutil,
    #[error("{program} cannot be run: {source}")]
    Run {
        program: &'static str,
        source: io::Error,
    },
    #[error("{program} failed: {said}")]
    Failed { program: &'static str, said: String },
}

/// A store and its program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    pub of: &'static str,
    pub path: PathBuf,
    kind: StoreKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StoreKind {
    /// The database of NSS, the library of Firefox that Chromium uses on Linux as well.
    Nss,
    Keychain,
}

/// The stores of the user with this home folder. Chromium's is listed even if it does not exist yet.
pub fn find(home: &Path) -> Vec<Store> {
    let nss = |of, path| Store {
        of,
        path,
        kind: StoreKind::Nss,
    };
    let mut found = Vec::new();
    if cfg!(target_os = "macos") {
        found.push(Store {
            of: "Safari, Chrome, Go, curl",
            path: home.join("Library/Keychains/login.keychain-db"),
            kind: StoreKind::Keychain,
        });
    } else {
        let mut there = CHROMIUM
            .iter()
            .map(|path| home.join(path))
            .filter(|path| path.join("cert9.db").exists())
            .peekable();
        if there.peek().is_none() {
            found.push(nss("Chromium, Chrome", home.join(CHROMIUM[0])));
        }
        found.extend(there.map(|path| nss("Chromium, Chrome", path)));
    }
    for profiles in FIREFOX {
        let Ok(entries) = std::fs::read_dir(home.join(profiles)) else {
            continue;
        };
        let mut profiles: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|profile| profile.join("cert9.db").exists())
            .collect();
        profiles.sort();
        found.extend(profiles.into_iter().map(|path| nss("Firefox", path)));
    }
    found
}

impl Store {
    /// Lets this store trust the authority called `name`, whose certificate is in `ca_file`.
    ///
    /// # Errors
    ///
    /// [`StoreError`], with the message of the store's program.
    pub fn install(&self, name: &str, ca_file: &Path) -> Result<(), StoreError> {
        match self.kind {
            StoreKind::Nss => {
                if !self.path.join("cert9.db").exists() {
                    std::fs::create_dir_all(&self.path).map_err(|source| StoreError::Run {
                        program: "certutil",
                        source,
                    })?;
                    self.certutil(&["-N", "--empty-password"], None)?;
                }
                // `C`: may vouch only for servers.
                self.certutil(&["-A", "-t", "C,,", "-n", name, "-i"], Some(ca_file))?;
            }
            StoreKind::Keychain => {
                let mut command = Command::new("security");
                command
                    .args(["add-trusted-cert", "-r", "trustRoot", "-p", "ssl", "-k"])
                    .arg(&self.path)
                    .arg(ca_file);
                run("security", &mut command)?;
            }
        }
        Ok(())
    }

    /// Removes every development authority of ours, also those of data folders that are gone.
    /// Returns how many.
    ///
    /// # Errors
    ///
    /// [`StoreError`], with the message of the store's program.
    pub fn uninstall(&self) -> Result<usize, StoreError> {
        if self.kind == StoreKind::Nss && !self.path.join("cert9.db").exists() {
            return Ok(0);
        }
        let names = self.names()?;
        for name in &names {
            match self.kind {
                StoreKind::Nss => drop(self.certutil(&["-D", "-n", name], None)?),
                StoreKind::Keychain => {
                    let mut command = Command::new("security");
                    command
                        .args(["delete-certificate", "-c", name, "-t"])
                        .arg(&self.path);
                    run("security", &mut command)?;
                }
            }
        }
        Ok(names.len())
    }

    /// The names of our authorities here.
    fn names(&self) -> Result<Vec<String>, StoreError> {
        let listed = match self.kind {
            StoreKind::Nss => self.certutil(&["-L"], None)?,
            StoreKind::Keychain => {
                let mut command = Command::new("security");
                command
                    .args(["find-certificate", "-a", "-c", NAME])
                    .arg(&self.path);
                run("security", &mut command)?
            }
        };
        let name = |line: &str| {
            let hash = line.get(line.find(NAME)? + NAME.len() + 1..)?;
            let hash = hash.split(|c: char| !c.is_ascii_hexdigit()).next()?;
            (hash.len() == 8).then(|| format!("{NAME} {hash}"))
        };
        let mut names: Vec<_> = listed.lines().filter_map(name).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn certutil(&self, args: &[&str], file: Option<&Path>) -> Result<String, StoreError> {
        let mut command = Command::new("certutil");
        let mut database = std::ffi::OsString::from("sql:");
        database.push(&self.path);
        command.arg("-d").arg(database).args(args).args(file);
        run("certutil", &mut command)
    }
}

/// The output of the program, if it succeeds.
fn run(program: &'static str, command: &mut Command) -> Result<String, StoreError> {
    // A store with a password of its own would ask at the terminal.
    let output = command.stdin(Stdio::null()).output().map_err(|source| {
        if source.kind() == io::ErrorKind::NotFound && program == "certutil" {
            StoreError::NoCertutil
        } else {
            StoreError::Run { program, source }
        }
    })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or_default().to_owned();
        Err(StoreError::Failed { program, said })
    }
}
