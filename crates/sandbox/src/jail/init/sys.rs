//! The system calls that no crate wraps safely, each in one small function.

use std::io;

use rustix::process::Pid;
use rustix::thread::UnshareFlags;

/// Closes every file descriptor from `first` on.
///
/// That also closes files that a library of the host opened without `O_CLOEXEC`.
pub(super) fn close_from(first: u32) -> io::Result<()> {
    #[expect(unsafe_code, reason = "no safe wrapper of close_range exists")]
    // SAFETY: called first of all, when nothing in this process owns such a descriptor.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Moves this process into new namespaces.
pub(super) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    #[expect(unsafe_code, reason = "unsafe because of UnshareFlags::FILES alone")]
    // SAFETY: no caller passes FILES, and the process has one thread.
    let result = unsafe { rustix::thread::unshare_unsafe(flags) };
    Ok(result?)
}

/// Forks; `None` in the child.
pub(super) fn fork() -> io::Result<Option<Pid>> {
    #[expect(unsafe_code, reason = "no safe wrapper of fork exists")]
    // SAFETY: the process has one thread (the kernel refuses a new user
    // namespace otherwise), so the child's memory is whole.
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Pid::from_raw(pid))
}

/// A child that ended.
pub(super) struct ExitedChild {
    pub(super) pid: i32,
    pub(super) exit: Option<i32>,
    pub(super) signal: Option<i32>,
    pub(super) cpu_micros: u64,
    pub(super) memory_bytes: u64,
}

/// Waits for any child.
pub(super) fn wait() -> io::Result<ExitedChild> {
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    #[expect(unsafe_code, reason = "no safe wrapper of wait4 exists")]
    // SAFETY: both pointers are to live values of the right type.
    let pid = unsafe { libc::wait4(-1, &raw mut status, 0, usage.as_mut_ptr()) };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    #[expect(unsafe_code, reason = "see above")]
    // SAFETY: zero is a value of every field, and the kernel has filled them in.
    let usage = unsafe { usage.assume_init() };
    let micros = |time: libc::timeval| {
        u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
    };
    Ok(ExitedChild {
        pid,
        exit: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        cpu_micros: micros(usage.ru_utime) + micros(usage.ru_stime),
        // In KiB: getrusage(2).
        memory_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    })
}
