//! The files of the machine that a plugin's program needs.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::elf::Elf;
use super::wire::Bind;

/// The default search path of loaders, most specific first.
const LIBRARY_DIRECTORIES: &[&str] = &[
    #[cfg(target_arch = "x86_64")]
    "/lib/x86_64-linux-gnu",
    #[cfg(target_arch = "x86_64")]
    "/usr/lib/x86_64-linux-gnu",
    #[cfg(target_arch = "aarch64")]
    "/lib/aarch64-linux-gnu",
    #[cfg(target_arch = "aarch64")]
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib64",
    "/usr/local/lib",
];

/// The libraries that a C library loads when a name is looked up or a thread ends.
const LOADED_LATER: &[&str] = &[
    "libnss_files.so.2",
    "libnss_dns.so.2",
    "libresolv.so.2",
    "libgcc_s.so.1",
];

/// The certificate authorities of the machine, which some programs need.
const AUTHORITIES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

/// A program and everything beside it.
#[derive(Debug, Clone, Default)]
pub(super) struct Needs {
    pub(super) binds: Vec<Bind>,
    /// Paths inside that the kernel executes: the loader.
    pub(super) loaders: Vec<String>,
}

/// The path of Node.js inside.
pub(super) const NODE: &str = "/usr/bin/node";

/// Finds Node.js on a search path (`PATH`): the program itself, not a script
/// in its place.
pub fn find_node(path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join("node"))
        .filter_map(|candidate| candidate.canonicalize().ok())
        .find(|candidate| File::open(candidate).and_then(|file| Elf::read(&file)).is_ok())
}

/// The major version of Node.js; the newest if it does not say.
pub(super) fn node_major(path: &Path) -> u32 {
    let mut command = Command::new(path);
    let output = command.arg("--version").env_clear().stdin(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let major = text
        .ok()
        .and_then(|text| text.strip_prefix('v')?.split('.').next()?.parse().ok());
    major.unwrap_or(u32::MAX)
}

/// The files that Node.js needs, itself included.
pub(super) fn node(path: &Path) -> Result<Needs, String> {
    let explain = |error| format!("{} cannot be read: {error}", path.display());
    let file = File::open(path).map_err(explain)?;
    let mut needs = of(&file, path.parent())?;
    needs.binds.push(Bind {
        source: utf8(path)?,
        target: NODE.to_owned(),
    });
    Ok(needs)
}

/// The files that a program needs, without itself.
///
/// Only a trusted program may have a search path of its own; then `home` is its directory.
pub(super) fn of(file: &File, home: Option<&Path>) -> Result<Needs, String> {
    let elf = Elf::read(file).map_err(|error| error.to_string())?;
    let mut needs = Needs::default();
    for path in AUTHORITIES.iter().filter(|path| Path::new(path).is_file()) {
        needs.binds.push(Bind {
            source: (*path).to_owned(),
            target: (*path).to_owned(),
        });
    }
    let Some(loader) = elf.interpreter.clone() else {
        return Ok(needs);
    };
    // A plugin must not choose a file that is shown to it.
    let name = Path::new(&loader)
        .file_name()
        .and_then(OsStr::to_str)
        .unwrap_or_default();
    if !name.starts_with("ld-") || !(loader.starts_with("/lib") || home.is_some()) || loader.contains("..") {
        return Err(format!(
            "it asks for an unusual loader, {}",
            crate::egress::shown(&loader)
        ));
    }
    if !Path::new(&loader).is_file() {
        return Err(format!("its loader {loader} is not on this machine"));
    }
    let mut libraries = find_libraries(elf, home)?;
    // musl's loader is its C library.
    libraries.remove(name);
    needs.binds.push(Bind {
        source: loader.clone(),
        target: loader.clone(),
    });
    needs.loaders.push(loader);

    // Without the machine's cache a loader knows only the plain directories, so
    // libraries from elsewhere are put beside the C library.
    let standard = |path: &Path| {
        let directory = path.parent()?.to_str()?;
        let known = LIBRARY_DIRECTORIES.iter().find(|known| **known == directory)?;
        (!known.contains("local")).then_some(*known)
    };
    let c_library = libraries.iter().find(|(name, _)| name.starts_with("libc."));
    let fallback = c_library.and_then(|(_, path)| standard(path)).unwrap_or("/lib");
    for (name, path) in libraries {
        needs.binds.push(Bind {
            source: utf8(&path)?,
            target: format!("{}/{name}", standard(&path).unwrap_or(fallback)),
        });
    }
    Ok(needs)
}

/// Every library by its name, also those that other libraries need.
fn find_libraries(program: Elf, home: Option<&Path>) -> Result<BTreeMap<String, PathBuf>, String> {
    const MOST: usize = 256;
    let mut found = BTreeMap::new();
    let mut open = VecDeque::from([(program, home.map(Path::to_owned))]);
    while let Some((elf, home)) = open.pop_front() {
        let search = home
            .as_deref()
            .map(|home| search_path(&elf, home))
            .unwrap_or_default();
        for name in elf.needed {
            if found.contains_key(&name) {
                continue;
            }
            let (path, library) = find_library(&name, &search).ok_or_else(|| {
                format!(
                    "its library {} is not on this machine",
                    crate::egress::shown(&name)
                )
            })?;
            let from = home.as_ref().and(path.parent()).map(Path::to_owned);
            found.insert(name, path);
            if found.len() > MOST {
                return Err("it needs too many libraries".to_owned());
            }
            open.push_back((library, from));
        }
    }
    if found.keys().any(|name| name.starts_with("libc.so")) {
        for name in LOADED_LATER {
            if let Some((path, _)) = find_library(name, &[]) {
                found.entry((*name).to_owned()).or_insert(path);
            }
        }
    }
    Ok(found)
}

fn find_library(name: &str, search: &[PathBuf]) -> Option<(PathBuf, Elf)> {
    if name.is_empty() || name.contains('/') || name.contains("..") {
        return None;
    }
    let directories = search
        .iter()
        .map(PathBuf::as_path)
        .chain(LIBRARY_DIRECTORIES.iter().map(Path::new));
    directories
        .map(|directory| directory.join(name))
        // A library for another kind of machine is skipped, as loaders do.
        .find_map(|path| Some((path.clone(), Elf::read(&File::open(path).ok()?).ok()?)))
}

fn search_path(elf: &Elf, home: &Path) -> Vec<PathBuf> {
    let home = home.to_string_lossy();
    let parts = elf.search.iter().flat_map(|search| search.split(':'));
    parts
        .map(|part| PathBuf::from(part.replace("${ORIGIN}", &home).replace("$ORIGIN", &home)))
        .filter(|path| path.is_absolute())
        .collect()
}

fn utf8(path: &Path) -> Result<String, String> {
    let text = path
        .to_str()
        .ok_or_else(|| format!("{} is not UTF-8", path.display()))?;
    Ok(text.to_owned())
}
