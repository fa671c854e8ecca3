//! The jail of an ordinary user is as tight as that of root.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::support::{INIT_VARIABLE, init_program};

/// A user that nothing belongs to.
const NOBODY_ELSE: u32 = 54321;

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
    std::fs::set_permissions(to, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn all_of_it_holds_for_an_ordinary_user_too() {
    if !rustix::process::geteuid().is_root() {
        // Then every other test has shown it.
        return;
    }
    // The build directory may lie where only root can go.
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let (tests, init) = (directory.path().join("it"), directory.path().join("init"));
    copy(&std::env::current_exe().unwrap(), &tests);
    copy(&init_program(), &init);
    let output = Command::new(&tests)
        .args([
            "jail::escape",
            "jail::inside",
            "jail::network::names",
            "jail::network::addresses",
            "jail::process",
        ])
        .env(INIT_VARIABLE, &init)
        .env("TMPDIR", "/tmp")
        .current_dir("/")
        .uid(NOBODY_ELSE)
        .gid(NOBODY_ELSE)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(!stdout.contains("running 0 tests"), "{stdout}");
}
