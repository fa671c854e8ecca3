//! What the kernel says about a process.
//!
//! Source: proc(5).

use crate::Failure;

/// Ticks of a second in `/proc/<pid>/stat`: the kernel tells user space 100 on every machine.
const TICKS: f64 = 100.0;

/// Processor seconds, user and system, of all threads since the start.
pub fn cpu_seconds(pid: u32) -> Result<f64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .map_err(|_| format!("there is no process {pid}"))?;
    // The name of the program may hold spaces; it ends at the last parenthesis.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = |index: usize| -> Result<f64, Failure> {
        let field = fields
            .split_ascii_whitespace()
            .nth(index)
            .ok_or("stat is too short")?;
        Ok(field.parse()?)
    };
    Ok((ticks(11)? + ticks(12)?) / TICKS)
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
