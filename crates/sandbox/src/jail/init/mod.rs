//! The inner side: builds the jail, then becomes the plugin.
//!
//! There are three processes with one thread each. The host starts the
//! *supervisor*, which makes the namespaces and waits. *Init* is process 1 of the
//! new process namespace: when it ends, for any reason, the kernel kills all other
//! processes inside. The *plugin* gives up its rights and executes.
//!
//! The supervisor ends when the host hangs up, and init when the supervisor ends.

mod confine;
mod files;
mod network;
mod sys;
mod syscalls;

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{
    DumpableBehavior, Gid, PidfdFlags, Signal, Uid, getegid, geteuid, getpid, pidfd_open,
    set_dumpable_behavior, set_parent_process_death_signal,
};
use rustix::thread::{UnshareFlags, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::artifact::SealedFile;
use super::wire::{self, Report, Settings, Step};

/// The user and the group inside.
const NOBODY: u32 = 65534;

/// Users that nobody hands out, not even for containers. A process number
/// added to it stays below the invalid user, 2^32 - 1.
///
/// Source: systemd's "Users, Groups, UIDs and GIDs".
const FIRST_UNUSED: u32 = 1 << 31;

/// The host name inside.
const HOSTNAME: &[u8] = b"sandbox";

/// The step that failed while the jail was built.
struct FailedStep(Step, io::Error);

/// Names the step that a failure belongs to.
trait At<T> {
    fn at(self, step: Step) -> Result<T, FailedStep>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, step: Step) -> Result<T, FailedStep> {
        self.map_err(|error| FailedStep(step, error.into()))
    }
}

/// The whole life of the helper that a [`Jail`](super::Jail) starts: call it
/// first in `main`, before any thread exists, and return what it returns.
pub fn init_main() -> ExitCode {
    // A plugin whose "native program" is this very binary, for `Jail::probe`.
    if super::probe::is_smoke_call(std::env::args_os()) {
        return super::probe::smoke_main();
    }
    let Ok(control) = take_control() else {
        return ExitCode::FAILURE;
    };
    match supervise(&control) {
        Ok(()) => ExitCode::SUCCESS,
        Err(FailedStep(step, error)) => {
            report_failure(&control, step, &error);
            ExitCode::FAILURE
        }
    }
}

fn report_failure(control: &UnixStream, step: Step, error: &io::Error) {
    let error = error.to_string();
    // If the host is gone, it needs no report.
    drop(wire::send_report(control, &Report::Failed { step, error }));
}

/// Moves the socket away from standard input, which becomes empty.
fn take_control() -> io::Result<UnixStream> {
    sys::close_from(3)?;
    let control = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
    let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(control.into())
}

fn supervise(control: &UnixStream) -> Result<(), FailedStep> {
    let (artifact, settings) = wire::receive_settings(control).at(Step::Settings)?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    drop_privileges().at(Step::Privileges)?;
    enter_user_namespace().at(Step::UserNamespace)?;
    let others = UnshareFlags::NEWNS
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    sys::unshare(others).at(Step::Namespaces)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).at(Step::Files)?;
    rustix::system::sethostname(HOSTNAME).at(Step::Namespaces)?;
    let sockets = network::set_up(&settings.ports).at(Step::Network)?;
    let fds: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
    wire::send_fds(control.as_fd(), wire::SOCKETS, &fds).at(Step::Network)?;
    drop(sockets);
    set_dumpable_behavior(DumpableBehavior::NotDumpable).at(Step::Privileges)?;

    let (alive, held) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).at(Step::Namespaces)?;
    match sys::fork().at(Step::Namespaces)? {
        Some(init) => {
            drop(alive);
            let init = pidfd_open(init, PidfdFlags::empty()).at(Step::Namespaces)?;
            drop(settings);
            confine::give_up_privileges().at(Step::Privileges)?;
            wait_for(&init, control).at(Step::Namespaces)?;
            drop(held);
            Ok(())
        }
        None => {
            drop(held);
            init(control, &alive, artifact, settings)
        }
    }
}

/// Root becomes another user, for good and before anything else.
///
/// If possible, that is not the user 65534: daemons run as that one, too, and a
/// process of the same user could read the environment. Each helper takes a number
/// of its own from [`FIRST_UNUSED`] on.
fn drop_privileges() -> io::Result<()> {
    if geteuid() != Uid::ROOT {
        return Ok(());
    }
    set_thread_groups(&[])?;
    let own = FIRST_UNUSED + getpid().as_raw_nonzero().get().unsigned_abs();
    match become_user(own) {
        // A container may not have that many users.
        Err(Errno::INVAL) => Ok(become_user(NOBODY)?),
        result => Ok(result?),
    }
}

fn become_user(number: u32) -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(number), Gid::from_raw(number));
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)
}

/// A user namespace in which this process may build the others.
fn enter_user_namespace() -> io::Result<()> {
    // After the change of user, the files below would belong to root without this.
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    sys::unshare(UnshareFlags::NEWUSER)?;
    // user_namespaces(7): a process may map groups only if it cannot change them.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{NOBODY} {uid} 1\n"))?;
    fs::write("/proc/self/gid_map", format!("{NOBODY} {gid} 1\n"))
}

/// Waits until init ends or the host hangs up. After a hang-up it is enough to end.
fn wait_for(init: &OwnedFd, control: &UnixStream) -> io::Result<()> {
    loop {
        // The host sends nothing more, so only its end is an event.
        let mut events = [
            PollFd::new(init, PollFlags::IN),
            PollFd::new(control, PollFlags::RDHUP),
        ];
        match poll(&mut events, None) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Process 1: builds the file system, starts the plugin, reaps, reports.
fn init(
    control: &UnixStream,
    alive: &OwnedFd,
    artifact: OwnedFd,
    settings: Settings,
) -> Result<(), FailedStep> {
    set_parent_process_death_signal(Some(Signal::KILL)).at(Step::Namespaces)?;
    // If the supervisor ended before that, nobody sends the signal.
    let mut gone = [PollFd::new(alive, PollFlags::IN)];
    let at_once = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    if poll(&mut gone, Some(&at_once)).at(Step::Namespaces)? != 0 {
        return Ok(());
    }
    rustix::process::setsid().at(Step::Namespaces)?;
    files::build(&settings, artifact).at(Step::Files)?;
    let Some(plugin) = sys::fork().at(Step::Execute)? else {
        let FailedStep(step, error) = match become_plugin(control, settings) {
            Ok(never) => match never {},
            Err(failed) => failed,
        };
        report_failure(control, step, &error);
        return Ok(());
    };
    drop(settings);
    confine::give_up_privileges().at(Step::Privileges)?;
    loop {
        let ended = sys::wait().at(Step::Execute)?;
        if ended.pid == plugin.as_raw_nonzero().get() {
            let report = Report::Ended {
                exit: ended.exit,
                signal: ended.signal,
                cpu_micros: ended.cpu_micros,
                memory_bytes: ended.memory_bytes,
            };
            return wire::send_report(control, &report).at(Step::Execute);
        }
    }
}

/// Puts a text on standard input. It is sealed, because no limit counts this memory,
/// so the plugin must not write to it.
fn give_input(text: &str) -> io::Result<()> {
    let mut sealed = SealedFile::copy(text.as_bytes())?;
    io::Seek::rewind(&mut sealed.file)?;
    Ok(rustix::stdio::dup2_stdin(&sealed.file)?)
}

/// Gives up all rights and executes. Every other descriptor closes by itself.
fn become_plugin(control: &UnixStream, settings: Settings) -> Result<Infallible, FailedStep> {
    wire::send_fds(control.as_fd(), wire::PLUGIN, &[]).at(Step::Limits)?;
    confine::limit(&settings).at(Step::Limits)?;
    confine::give_up_privileges().at(Step::Privileges)?;
    let allowed = confine::landlock(&settings);
    allowed.map_err(|error| FailedStep(Step::Landlock, io::Error::other(error)))?;
    if let Some(input) = &settings.input {
        give_input(input).at(Step::Execute)?;
    }
    let mut command = Command::new(&settings.argv[0]);
    command.args(&settings.argv[1..]).env_clear().envs(settings.env);
    syscalls::filter().map_err(|error| FailedStep(Step::Seccomp, io::Error::other(error)))?;
    Err(FailedStep(Step::Execute, command.exec()))
}
