//! The plugin's file system: its own file, what runs it, and a small `/tmp`.

use std::ffi::CString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};

use crate::jail::wire::Settings;

/// Where the new root is built: a directory that every machine has, and whose
/// content nothing below needs.
const NEW_ROOT: &str = "/proc";

/// Bytes of `/tmp`.
const TMP_BYTES: u64 = 16 << 20;

/// The devices that programs expect; none of them leads anywhere.
const DEVICES: [&str; 3] = ["/dev/null", "/dev/zero", "/dev/urandom"];

/// Builds the root and moves into it; the old one is then unreachable.
pub(super) fn build(settings: &Settings, artifact: OwnedFd) -> io::Result<()> {
    let small: usize = settings.files.iter().map(|(_, content)| content.len()).sum();
    // Room for page rounding; directories of a tmpfs take none of it.
    let bytes = settings.artifact_bytes + small as u64 + (1 << 20);
    mount_tmpfs(Path::new(NEW_ROOT), bytes, MountFlags::NOSUID | MountFlags::NODEV)?;

    let tmp = inside("/tmp")?;
    create_directories(&tmp)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount_tmpfs(&tmp, TMP_BYTES, flags)?;

    for bind in &settings.binds {
        show(Path::new(&bind.source), &inside(&bind.target)?, MountFlags::NODEV)?;
    }
    for device in DEVICES {
        show(Path::new(device), &inside(device)?, MountFlags::NOEXEC)?;
    }
    for (path, content) in &settings.files {
        let path = inside(path)?;
        create_directories(path.parent().unwrap_or(&path))?;
        fs::write(path, content)?;
    }
    write_artifact(&inside(&settings.artifact)?, artifact)?;

    std::env::set_current_dir(NEW_ROOT)?;
    // pivot_root(2): with one directory for both, the old root lies over the
    // new one and can be taken off without a place to put it.
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    std::env::set_current_dir("/")?;
    let read_only = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    mount_remount("/", read_only, "")?;
    std::env::set_current_dir("/sandbox")
}

fn mount_tmpfs(target: &Path, bytes: u64, flags: MountFlags) -> io::Result<()> {
    let options = CString::new(format!("size={bytes},nr_inodes=1024,mode=0755"))?;
    Ok(mount("tmpfs", target, "tmpfs", flags, options.as_c_str())?)
}

/// A path of the plugin, before its root is the root.
fn inside(path: &str) -> io::Result<PathBuf> {
    let relative = path.strip_prefix('/').filter(|rest| !rest.is_empty());
    let relative = Path::new(relative.ok_or(io::ErrorKind::InvalidInput)?);
    let plain = |part| matches!(part, std::path::Component::Normal(_));
    if !relative.components().all(plain) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(Path::new(NEW_ROOT).join(relative))
}

fn create_directories(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// Shows one file of the machine, read-only.
fn show(source: &Path, target: &Path, flags: MountFlags) -> io::Result<()> {
    let explain = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", source.display()));
    create_directories(target.parent().unwrap_or(target))?;
    OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o444)
        .open(target)?;
    mount_bind(source, target).map_err(|error| explain(error.into()))?;
    // Flags that the new user namespace locked must stay.
    let kept = rustix::fs::statvfs(target)?.f_flag;
    let mut flags = flags | MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID;
    for (was, flag) in [
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        if kept.contains(was) {
            flags |= flag;
        }
    }
    mount_remount(target, flags, "").map_err(|error| explain(error.into()))
}

/// Copies the sealed bytes that were checked.
fn write_artifact(path: &Path, artifact: OwnedFd) -> io::Result<()> {
    create_directories(path.parent().unwrap_or(path))?;
    let mut target = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o555)
        .open(path)?;
    // Every call shares one file; reading by position leaves the others alone.
    let source = File::from(artifact);
    let mut offset = 0;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = std::os::unix::fs::FileExt::read_at(&source, &mut buffer, offset)?;
        if count == 0 {
            return Ok(());
        }
        io::Write::write_all(&mut target, &buffer[..count])?;
        offset += count as u64;
    }
}
