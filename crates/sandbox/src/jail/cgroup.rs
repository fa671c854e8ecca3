//! A control group per call, if a part of the tree is delegated to this process.
//!
//! Resource limits then apply to the call as a whole, kernel memory included.
//! The parent of this process's own group must be marked as delegated
//! (systemd's `Delegate=` with `DelegateSubgroup=`). Without that, only limits
//! per process apply.
//!
//! Source: the kernel's cgroup-v2.rst; systemd's CGROUP_DELEGATION.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Processes and threads: the helper's two, and the plugin's threads.
const MOST_TASKS: u64 = 160;

/// How long the kernel may take to empty a group whose processes were killed.
const ATTEMPTS: u32 = 50;

/// A group that goes away with the value.
#[derive(Debug)]
pub(super) struct Group(PathBuf);

/// The group in which groups for calls may be made, if there is one.
pub(super) fn delegated() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own_group(&mounts, &groups)?;
    let parent = own.parent()?;
    let marked = ["user.delegate", "trusted.delegate"].iter().any(|name| {
        let mut value = [0; 8];
        rustix::fs::getxattr(parent, *name, &mut value[..]).is_ok_and(|length| value[..length] == *b"1")
    });
    if marked && !passes_on(parent) {
        // It was delegated whole, so we may enable the controllers for children.
        drop(fs::write(parent.join("cgroup.subtree_control"), "+memory +pids"));
    }
    (marked && passes_on(parent)).then(|| parent.to_owned())
}

/// This process's group in the version 2 tree.
fn own_group(mounts: &str, groups: &str) -> Option<PathBuf> {
    // mountinfo: … root mountpoint options … - type source options.
    let mount = mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut fields = left.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        (right.starts_with("cgroup2 ") && root == "/").then_some(point)
    })?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    if group.is_empty() || group.split('/').any(|part| part == "..") {
        return None;
    }
    Some(Path::new(mount).join(group))
}

/// Whether children of a group can be limited.
fn passes_on(group: &Path) -> bool {
    let control = fs::read_to_string(group.join("cgroup.subtree_control")).unwrap_or_default();
    let has = |name| control.split_whitespace().any(|given| given == name);
    has("memory") && has("pids")
}

impl Group {
    /// Makes a group with limits under a delegated one.
    pub(super) fn new(parent: &Path, memory_bytes: u64) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("openneko-{}-{number}", std::process::id()));
        fs::create_dir(&path)?;
        let group = Self(path);
        group.set("memory.max", &memory_bytes.to_string())?;
        group.set("pids.max", &MOST_TASKS.to_string())?;
        group.set("memory.oom.group", "1")?;
        // Absent if the kernel was built without swap.
        drop(group.set("memory.swap.max", "0"));
        Ok(group)
    }

    /// Puts a process, and all that it will start, into the group.
    pub(super) fn add(&self, process: u32) -> io::Result<()> {
        self.set("cgroup.procs", &process.to_string())
    }

    /// Whether the kernel killed a process in it because memory ran out.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.0.join("memory.events")).unwrap_or_default();
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.is_some_and(|count| count != "0")
    }

    fn set(&self, name: &str, value: &str) -> io::Result<()> {
        fs::write(self.0.join(name), value)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.0);
        let remove = move || {
            drop(fs::write(path.join("cgroup.kill"), "1"));
            for _ in 0..ATTEMPTS {
                if fs::remove_dir(&path).is_ok() {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            tracing::warn!(group = %path.display(), "a control group could not be removed");
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
24 30 0:22 / /proc rw,nosuid - proc proc rw
35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
";

    #[test]
    fn the_own_group_is_found_in_the_second_tree_only() {
        let own = own_group(
            MOUNTS,
            "4:memory:/other\n0::/system.slice/openneko.service/main\n",
        );
        assert_eq!(
            own.unwrap(),
            Path::new("/sys/fs/cgroup/system.slice/openneko.service/main")
        );
        assert_eq!(own_group(MOUNTS, "4:memory:/other\n"), None);
        assert_eq!(own_group(MOUNTS, "0::/\n"), None);
        assert_eq!(own_group(MOUNTS, "0::/../../outside\n"), None);
        assert_eq!(own_group("", "0::/a\n"), None);
    }

    #[test]
    fn a_group_gets_its_limits_and_reads_its_events() {
        let parent = tempfile::tempdir().unwrap();
        std::fs::write(parent.path().join("cgroup.subtree_control"), "cpu memory pids\n").unwrap();
        assert!(passes_on(parent.path()));
        let group = Group::new(parent.path(), 1 << 20).unwrap();
        group.add(7).unwrap();
        let path = group.0.clone();
        let read = |name| std::fs::read_to_string(path.join(name)).unwrap();
        assert_eq!(
            (read("memory.max").as_str(), read("cgroup.procs").as_str()),
            ("1048576", "7")
        );
        assert!(!group.ran_out_of_memory());
        std::fs::write(path.join("memory.events"), "max 3\noom 1\noom_kill 1\n").unwrap();
        assert!(group.ran_out_of_memory());
        // A real group removes its own files; this one is a plain directory.
        std::fs::remove_dir_all(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        drop(group);
    }

    #[test]
    fn a_group_that_passes_nothing_on_is_not_used() {
        let parent = tempfile::tempdir().unwrap();
        std::fs::write(parent.path().join("cgroup.subtree_control"), "cpu\n").unwrap();
        assert!(!passes_on(parent.path()));
    }
}
