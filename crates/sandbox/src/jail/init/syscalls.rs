//! The system calls that a plugin may make: all others do not exist for it.
//!
//! It is an allow list, so unknown numbers, such as those of the x32 ABI, are
//! refused. It has the calls of Node.js 20 to 24 and of ordinary native programs,
//! without processes, listening, mounting, tracing, io_uring, BPF, keys and other
//! namespaces.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Error = seccompiler::BackendError;

/// Allowed with any arguments.
const ALLOWED: &[i64] = &[
    // Files: the mounts and Landlock decide which ones.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_openat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_lseek,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_ftruncate,
    libc::SYS_truncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_utimensat,
    libc::SYS_umask,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    // Memory.
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_msync,
    libc::SYS_brk,
    libc::SYS_membarrier,
    libc::SYS_pkey_alloc,
    libc::SYS_pkey_free,
    libc::SYS_pkey_mprotect,
    // Waiting.
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_times,
    libc::SYS_getitimer,
    libc::SYS_setitimer,
    // Its own threads, and signals among them.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_getcpu,
    libc::SYS_getpriority,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Executing: Landlock decides which programs.
    libc::SYS_execve,
    // Questions.
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_getgroups,
    libc::SYS_getpgid,
    libc::SYS_getsid,
    libc::SYS_capget,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_getrlimit,
    libc::SYS_setrlimit,
    libc::SYS_prlimit64,
    // Outgoing connections; datagrams are bound before they are sent.
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvmmsg,
];

/// The older forms of calls, which newer architectures never had.
#[cfg(target_arch = "x86_64")]
const LEGACY: &[i64] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_chmod,
    libc::SYS_getdents,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_time,
    libc::SYS_alarm,
    libc::SYS_pause,
    libc::SYS_getpgrp,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const LEGACY: &[i64] = &[];

/// Installs the filter; from here on only its calls work.
pub(super) fn filter() -> Result<(), String> {
    let programs = programs().map_err(|error| error.to_string())?;
    for program in &programs {
        apply_filter(program).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn programs() -> Result<[BpfProgram; 2], Error> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let refused = |errno: i32| SeccompAction::Errno(errno.unsigned_abs());
    // `ENOSYS` rather than `EPERM`: C libraries then try the old call. There are
    // two filters, because one has a single answer for all that it refuses. The
    // list comes second, because it refuses to install another; and it lets these
    // pass, because of two refusals the newer counts.
    let absent: Rules = ABSENT.iter().map(|&call| (call, Vec::new())).collect();
    let newer = SeccompFilter::new(absent, SeccompAction::Allow, refused(libc::ENOSYS), arch)?;
    let list = SeccompFilter::new(allowed()?, refused(libc::EPERM), SeccompAction::Allow, arch)?;
    Ok([newer.try_into()?, list.try_into()?])
}

/// Calls whose arguments lie in memory, which a filter cannot read.
const ABSENT: &[i64] = &[libc::SYS_clone3, libc::SYS_openat2, libc::SYS_io_uring_setup];

fn allowed() -> Result<Rules, Error> {
    let mut rules: Rules = ALLOWED
        .iter()
        .chain(LEGACY)
        .chain(ABSENT)
        .map(|&call| (call, Vec::new()))
        .collect();
    for (call, list) in conditional()? {
        rules.insert(call, list);
    }
    Ok(rules)
}

/// Allowed with certain arguments only.
fn conditional() -> Result<Vec<(i64, Vec<SeccompRule>)>, Error> {
    let bits = |value: i32| u64::from(value.unsigned_abs());
    // A thread shares everything; with less it would be a process.
    let thread =
        bits(libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_FILES | libc::CLONE_SIGHAND | libc::CLONE_THREAD);
    let spaces = bits(
        libc::CLONE_NEWNS
            | libc::CLONE_NEWCGROUP
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUSER
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWNET,
    );
    // Shared memory without a file is not counted, so it would evade the limit.
    let (anonymous, shared) = (bits(libc::MAP_ANONYMOUS), bits(libc::MAP_SHARED));
    let ioctls = [
        libc::FIONBIO,
        libc::FIONREAD,
        libc::FIOCLEX,
        libc::FIONCLEX,
        libc::TCGETS,
        libc::TIOCGWINSZ,
    ];
    let names = [
        libc::PR_SET_NAME,
        libc::PR_GET_NAME,
        libc::PR_GET_DUMPABLE,
        libc::PR_SET_DUMPABLE,
        libc::PR_CAPBSET_READ,
        libc::PR_GET_NO_NEW_PRIVS,
        libc::PR_SET_VMA,
    ];
    Ok(vec![
        (
            libc::SYS_clone,
            vec![rule(&[masked(0, thread | spaces, thread)?])?],
        ),
        (
            libc::SYS_mmap,
            vec![
                rule(&[masked(3, anonymous, 0)?])?,
                rule(&[masked(3, anonymous | shared, anonymous)?])?,
            ],
        ),
        (libc::SYS_ioctl, any_of(1, ioctls.into_iter())?),
        (libc::SYS_prctl, any_of(0, names.iter().map(|&name| bits(name)))?),
        (libc::SYS_setsockopt, socket_options()?),
        (libc::SYS_socket, sockets()?),
        (
            libc::SYS_socketpair,
            vec![rule(&[equals(0, bits(libc::AF_UNIX))?])?],
        ),
    ])
}

/// The options that Node.js, C libraries and ordinary programs need on a
/// connection: glibc looks up no name without `IP_RECVERR`.
///
/// Each option is listed, not only its level: other options put a protocol of the
/// kernel on the connection (`TCP_ULP`), choose an algorithm or a device, or pin
/// memory.
const SOCKET_OPTIONS: &[(i32, i32)] = &[
    (libc::SOL_SOCKET, libc::SO_REUSEADDR),
    (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
    (libc::SOL_SOCKET, libc::SO_BROADCAST),
    (libc::SOL_SOCKET, libc::SO_LINGER),
    (libc::SOL_SOCKET, libc::SO_SNDBUF),
    (libc::SOL_SOCKET, libc::SO_RCVBUF),
    (libc::SOL_SOCKET, libc::SO_RCVTIMEO),
    (libc::SOL_SOCKET, libc::SO_SNDTIMEO),
    (libc::IPPROTO_TCP, libc::TCP_NODELAY),
    (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE),
    (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL),
    (libc::IPPROTO_TCP, libc::TCP_KEEPCNT),
    (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT),
    (libc::IPPROTO_IP, libc::IP_RECVERR),
    (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY),
];

fn socket_options() -> Result<Vec<SeccompRule>, Error> {
    let bits = |value: i32| u64::from(value.unsigned_abs());
    let rules = SOCKET_OPTIONS
        .iter()
        .map(|&(level, option)| rule(&[equals(1, bits(level))?, equals(2, bits(option))?]));
    rules.collect()
}

/// TCP and UDP; nothing raw, no other family.
fn sockets() -> Result<Vec<SeccompRule>, Error> {
    let bits = |value: i32| u64::from(value.unsigned_abs());
    let kind = !bits(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) & u64::from(u32::MAX);
    let mut rules = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        for (socket, protocol) in [
            (libc::SOCK_STREAM, libc::IPPROTO_TCP),
            (libc::SOCK_DGRAM, libc::IPPROTO_UDP),
        ] {
            for protocol in [0, protocol] {
                rules.push(rule(&[
                    equals(0, bits(family))?,
                    masked(1, kind, bits(socket))?,
                    equals(2, bits(protocol))?,
                ])?);
            }
        }
    }
    Ok(rules)
}

fn any_of(argument: u8, values: impl Iterator<Item = u64>) -> Result<Vec<SeccompRule>, Error> {
    values.map(|value| rule(&[equals(argument, value)?])).collect()
}

fn rule(conditions: &[SeccompCondition]) -> Result<SeccompRule, Error> {
    SeccompRule::new(conditions.to_vec())
}

/// The kernel takes these arguments as 32 bits, so the upper half must not count.
fn equals(argument: u8, value: u64) -> Result<SeccompCondition, Error> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, Error> {
    SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::MaskedEq(mask),
        value,
    )
}
