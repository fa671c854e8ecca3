//! The jail of an ordinary user is as tight as that of root.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::support::{INIT_VARIABLE, Plugin, init_program};

/// A user that nothing belongs to.
const NOBODY_ELSE: u32 = 54321;

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
    std::fs::set_permissions(to, PermissionsExt::from_mode(0o755)).unwrap();
}

/// The process that has the text in its environment.
fn process(marker: &str) -> Option<std::path::PathBuf> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.map(|entry| entry.path()).find(|path| {
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        environment
            .windows(marker.len())
            .any(|text| text == marker.as_bytes())
    })
}

#[tokio::test]
async fn other_users_of_the_machine_cannot_read_a_plugins_environment_or_parameters() {
    if !rustix::process::geteuid().is_root() {
        // An ordinary user's plugins are that user's own.
        return;
    }
    let marker = format!("s3cret-{}", std::process::id());
    let secret = marker.clone();
    let call = tokio::spawn(async move {
        let plugin = Plugin::js("setInterval(() => {}, 10)").env("SECRET", &secret);
        plugin.call("run", "{\"code\":1}").await.is_ok()
    });
    let process = loop {
        match process(&marker) {
            Some(path) => break path,
            None => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    };
    assert_eq!(std::fs::read(process.join("fd/0")).unwrap(), b"{\"code\":1}");
    // 65534 is what it sees itself as, and what daemons run as.
    for user in [65534, NOBODY_ELSE] {
        for file in ["environ", "fd/0"] {
            let read = Command::new("/bin/cat")
                .arg(process.join(file))
                .uid(user)
                .gid(user)
                .output()
                .unwrap();
            assert!(
                !read.status.success() && read.stdout.is_empty(),
                "{file} {user}: {read:?}"
            );
        }
    }
    call.abort();
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
            "jail::arguments",
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
