//! What the kernel says about a process.
//!
//! Source: proc(5).

use std::collections::BTreeMap;

use crate::Failure;

/// Ticks of a second in `/proc/<pid>/stat`: the kernel tells user space 100 on every machine.
const TICKS: f64 = 100.0;

/// Processor seconds, user and system, of all threads since the start.
pub fn cpu_seconds(pid: u32) -> Result<f64, Failure> {
    Ok(Stat::read(pid)?.own)
}

/// Processor seconds of a process, of all that it started, and of those of them that have ended.
pub fn family_cpu_seconds(pid: u32) -> Result<f64, Failure> {
    let mut children = BTreeMap::<u32, Vec<u32>>::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(child) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // It may have ended since.
        if let Ok(stat) = Stat::read(child) {
            children.entry(stat.parent).or_default().push(child);
        }
    }
    let (mut seconds, mut left) = (0.0, vec![pid]);
    while let Some(next) = left.pop() {
        if let Ok(stat) = Stat::read(next) {
            seconds += stat.own + stat.ended;
            left.extend(children.remove(&next).unwrap_or_default());
        }
    }
    Ok(seconds)
}

struct Stat {
    parent: u32,
    /// Seconds.
    own: f64,
    /// Seconds of children that have ended.
    ended: f64,
}

impl Stat {
    fn read(pid: u32) -> Result<Self, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .map_err(|_| format!("there is no process {pid}"))?;
        // The name of the program may hold spaces; it ends at the last parenthesis.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let ticks = |index: usize| -> Result<f64, Failure> {
            Ok(fields.get(index).ok_or("stat is too short")?.parse()?)
        };
        Ok(Self {
            parent: fields.get(1).ok_or("stat is too short")?.parse()?,
            own: (ticks(11)? + ticks(12)?) / TICKS,
            ended: (ticks(13)? + ticks(14)?) / TICKS,
        })
    }
}

/// Memory that is resident, in KiB, and how much of it belongs to no file.
pub fn memory_kib(pid: u32) -> Result<(u64, u64), Failure> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> Result<u64, Failure> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.split_ascii_whitespace().next());
        Ok(number.ok_or_else(|| format!("status has no {name}"))?.parse()?)
    };
    Ok((field("VmRSS:")?, field("RssAnon:")?))
}
