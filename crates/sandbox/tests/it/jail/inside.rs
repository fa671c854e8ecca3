//! System calls that JavaScript cannot make: this very test program becomes
//! the plugin and tries them.

#![expect(unsafe_code, reason = "system calls by number are what is tried")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use super::support::Plugin;

/// The number that x32 programs would use.
const X32: i64 = 0x4000_0000;

fn call(number: i64, arguments: [i64; 5]) -> io::Result<i64> {
    let [a, b, c, d, e] = arguments;
    // SAFETY: what is tried takes no pointers but null and addresses of live values.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, 0_i64) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn socket(family: i32, kind: i32, protocol: i32) -> io::Result<i64> {
    call(
        libc::SYS_socket,
        [family.into(), kind.into(), protocol.into(), 0, 0],
    )
}

/// Forbidden system calls, and whether they succeeded.
fn attempts() -> Vec<(&'static str, io::Result<i64>)> {
    let zero = [0; 5];
    let path = c"/tmp".as_ptr() as i64;
    let anonymous = i64::from(libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    vec![
        ("fork", call(libc::SYS_clone, [libc::SIGCHLD.into(), 0, 0, 0, 0])),
        ("clone3", call(libc::SYS_clone3, zero)),
        #[cfg(target_arch = "x86_64")]
        ("old fork", call(libc::SYS_fork, zero)),
        #[cfg(target_arch = "x86_64")]
        ("vfork", call(libc::SYS_vfork, zero)),
        (
            "unshare",
            call(libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0, 0, 0]),
        ),
        (
            "user namespace thread",
            call(
                libc::SYS_clone,
                [(libc::CLONE_NEWUSER | libc::SIGCHLD).into(), 0, 0, 0, 0],
            ),
        ),
        ("setns", call(libc::SYS_setns, zero)),
        (
            "mount",
            call(libc::SYS_mount, [path, path, path, libc::MS_BIND as i64, 0]),
        ),
        ("new mount", call(libc::SYS_fsopen, [path, 0, 0, 0, 0])),
        ("umount", call(libc::SYS_umount2, [path, 0, 0, 0, 0])),
        ("chroot", call(libc::SYS_chroot, [path, 0, 0, 0, 0])),
        ("pivot_root", call(libc::SYS_pivot_root, [path, path, 0, 0, 0])),
        (
            "ptrace",
            call(libc::SYS_ptrace, [libc::PTRACE_TRACEME.into(), 0, 0, 0, 0]),
        ),
        (
            "read of memory",
            call(libc::SYS_process_vm_readv, [1, 0, 0, 0, 0]),
        ),
        ("pidfd", call(libc::SYS_pidfd_open, [1, 0, 0, 0, 0])),
        ("bpf", call(libc::SYS_bpf, zero)),
        ("perf", call(libc::SYS_perf_event_open, zero)),
        ("io_uring", call(libc::SYS_io_uring_setup, [1, path, 0, 0, 0])),
        ("keys", call(libc::SYS_keyctl, zero)),
        ("add a key", call(libc::SYS_add_key, zero)),
        ("userfaultfd", call(libc::SYS_userfaultfd, zero)),
        ("memfd", call(libc::SYS_memfd_create, [path, 0, 0, 0, 0])),
        ("shared memory", call(libc::SYS_mmap, [0, 4096, 3, anonymous, -1])),
        ("segment", call(libc::SYS_shmget, [0, 4096, 0o1600, 0, 0])),
        ("message queue", call(libc::SYS_msgget, [0, 0o1600, 0, 0, 0])),
        ("file by handle", call(libc::SYS_open_by_handle_at, zero)),
        ("personality", call(libc::SYS_personality, zero)),
        ("kernel log", call(libc::SYS_syslog, [10, 0, 0, 0, 0])),
        ("another filter", call(libc::SYS_seccomp, [1, 0, 0, 0, 0])),
        (
            "landlock",
            call(libc::SYS_landlock_create_ruleset, [0, 0, 1, 0, 0]),
        ),
        ("session", call(libc::SYS_setsid, zero)),
        ("user", call(libc::SYS_setuid, zero)),
        ("reboot", call(libc::SYS_reboot, zero)),
        ("module", call(libc::SYS_init_module, zero)),
        ("clock", call(libc::SYS_clock_settime, zero)),
    ]
}

/// The same for limits, sockets and programs.
fn more_attempts() -> Vec<(&'static str, io::Result<i64>)> {
    let zero = [0; 5];
    vec![
        ("more files", raise(libc::RLIMIT_NOFILE)),
        ("more memory", raise(libc::RLIMIT_DATA)),
        ("unix socket", socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)),
        ("netlink", socket(libc::AF_NETLINK, libc::SOCK_RAW, 0)),
        ("packets", socket(libc::AF_PACKET, libc::SOCK_RAW, 0)),
        ("raw IP", socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_TCP)),
        (
            "ping",
            socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP),
        ),
        ("sctp", socket(libc::AF_INET, libc::SOCK_STREAM, 132)),
        ("vsock", socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0)),
        ("kernel crypto", socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0)),
        ("bluetooth", socket(libc::AF_BLUETOOTH, libc::SOCK_RAW, 0)),
        #[cfg(target_arch = "x86_64")]
        ("x32 getpid", call(libc::SYS_getpid | X32, zero)),
        #[cfg(target_arch = "x86_64")]
        ("x32 ptrace", call(521 | X32, zero)),
        ("number out of range", call(100_000, zero)),
        (
            "exec of another",
            Err(Command::new("/sandbox/package.json").exec()),
        ),
        (
            "exec of the loader",
            Err(Command::new("/lib64/ld-linux-x86-64.so.2")
                .arg("/tmp/none")
                .exec_error()),
        ),
    ]
}

/// Sets an option of a socket to the number 1.
fn set(socket: i64, level: i32, option: i32) -> io::Result<i64> {
    let one = 1_i32;
    let value = (&raw const one) as i64;
    call(
        libc::SYS_setsockopt,
        [socket, level.into(), option.into(), value, 4],
    )
}

/// Options that put something of the kernel's own on a connection, choose an
/// algorithm or a device, pin memory, or mark packets.
const OPTIONS: &[(&str, i32, i32)] = &[
    ("TCP_ULP", libc::IPPROTO_TCP, libc::TCP_ULP),
    ("TCP_CONGESTION", libc::IPPROTO_TCP, libc::TCP_CONGESTION),
    ("TCP_REPAIR", libc::IPPROTO_TCP, libc::TCP_REPAIR),
    ("TCP_FASTOPEN", libc::IPPROTO_TCP, libc::TCP_FASTOPEN),
    ("TCP_ZEROCOPY_RECEIVE", libc::IPPROTO_TCP, 35),
    ("TCP_MD5SIG", libc::IPPROTO_TCP, libc::TCP_MD5SIG),
    ("SO_ZEROCOPY", libc::SOL_SOCKET, libc::SO_ZEROCOPY),
    ("SO_BINDTODEVICE", libc::SOL_SOCKET, libc::SO_BINDTODEVICE),
    ("SO_ATTACH_FILTER", libc::SOL_SOCKET, libc::SO_ATTACH_FILTER),
    ("SO_ATTACH_BPF", libc::SOL_SOCKET, libc::SO_ATTACH_BPF),
    ("SO_MARK", libc::SOL_SOCKET, libc::SO_MARK),
    ("SO_BUSY_POLL", libc::SOL_SOCKET, libc::SO_BUSY_POLL),
    ("SO_REUSEPORT", libc::SOL_SOCKET, libc::SO_REUSEPORT),
    ("IP_TRANSPARENT", libc::IPPROTO_IP, libc::IP_TRANSPARENT),
    ("IP_OPTIONS", libc::IPPROTO_IP, libc::IP_OPTIONS),
    ("IPT_SO_SET_REPLACE", libc::IPPROTO_IP, 64),
    ("IPV6_HOPOPTS", libc::IPPROTO_IPV6, libc::IPV6_HOPOPTS),
    ("UDP_SEGMENT", libc::IPPROTO_UDP, libc::UDP_SEGMENT),
    ("SOL_TLS", 282, 1),
    // The levels and options that are allowed, put together otherwise.
    ("level 6, option 11", libc::IPPROTO_TCP, libc::IP_RECVERR),
];

/// Only what cannot succeed without replacing this process.
trait ExecError {
    fn exec_error(&mut self) -> io::Error;
}

impl ExecError for Command {
    /// A child would have to be made first.
    fn exec_error(&mut self) -> io::Error {
        match self.status() {
            Ok(status) => io::Error::other(format!("ran: {status}")),
            Err(error) => error,
        }
    }
}

fn raise(limit: u32) -> io::Result<i64> {
    let most = libc::rlimit {
        rlim_cur: u64::MAX,
        rlim_max: u64::MAX,
    };
    let most = (&raw const most) as i64;
    call(libc::SYS_prlimit64, [0, limit.into(), most, 0, 0])
}

/// Runs as the plugin.
#[test]
#[ignore = "runs inside of the jail"]
fn attempts_from_inside() {
    // Any other error would mean that it was tried in a wrong way.
    let refused = [libc::EPERM, libc::EACCES, libc::ENOSYS].map(Some);
    for (name, result) in attempts().into_iter().chain(more_attempts()) {
        let error = result.expect_err(name).raw_os_error();
        assert!(refused.contains(&error), "{name}: {error:?}");
    }
    // Positive controls: what programs need is there.
    std::thread::spawn(|| ()).join().unwrap();
    std::fs::write("/tmp/x", "x").unwrap();
    let stream = socket(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
    for (name, level, option) in OPTIONS {
        let error = set(stream, *level, *option).expect_err(name);
        assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{name}");
    }
    set(stream, libc::IPPROTO_TCP, libc::TCP_NODELAY).unwrap();
    set(stream, libc::SOL_SOCKET, libc::SO_KEEPALIVE).unwrap();
    let datagrams = socket(libc::AF_INET, libc::SOCK_DGRAM, 0).unwrap();
    set(datagrams, libc::IPPROTO_IP, libc::IP_RECVERR).unwrap();
    assert!(call(libc::SYS_getpid, [0; 5]).unwrap() == 2);
}

#[tokio::test]
async fn no_system_call_leads_out() {
    let program = std::env::current_exe().unwrap();
    let plugin = Plugin::native(&program)
        .timeout(Duration::from_secs(60))
        .limited(|limits| limits.memory_bytes = 512 << 20);
    let outcome = plugin.call("attempts_from_inside", "--ignored").await.unwrap();
    let stdout = String::from_utf8_lossy(&outcome.stdout);
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    assert!(
        outcome.exit == 0 && stdout.contains("1 passed"),
        "{stdout}\n{stderr}"
    );
}

/// The attempts mean something: outside, harmless ones succeed.
#[test]
fn outside_the_same_calls_succeed() {
    socket(libc::AF_UNIX, libc::SOCK_STREAM, 0).unwrap();
    socket(libc::AF_NETLINK, libc::SOCK_RAW, 0).unwrap();
    call(libc::SYS_memfd_create, [c"x".as_ptr() as i64, 0, 0, 0, 0]).unwrap();
    let anonymous = i64::from(libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    call(libc::SYS_mmap, [0, 4096, 3, anonymous, -1]).unwrap();
    let stream = socket(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
    for option in [libc::SO_ZEROCOPY, libc::SO_REUSEPORT] {
        set(stream, libc::SOL_SOCKET, option).unwrap();
    }
    assert!(Command::new("/bin/true").status().unwrap().success());
}
