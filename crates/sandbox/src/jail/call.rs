//! One call: starts the helper, serves its network, collects its output.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use super::cgroup::Group;
use super::control::{RUNTIME_BYTES, converse};
use super::wire::{self, Report, Settings, Step};
use super::{Program, RunnerKind, explain};
use crate::egress::{Denial, Gate};
use crate::output::collect;
use crate::{Call, CallFailure, CallOutcome, ParamsBy, SandboxError, Usage};

/// The path of a JavaScript plugin inside; its directory is the working directory.
pub(super) const BUNDLE: &str = "/sandbox/run.js";

/// The path of a native plugin inside.
pub(super) const NATIVE: &str = "/sandbox/plugin";

/// The argument of a native program whose parameters come on standard input.
const ON_INPUT: &str = "-";

/// Moves the parameters from standard input to `process.argv`, where a plugin
/// expects them, before its first line runs. Workers have arguments of their own.
const PARAMS_SCRIPT: &str = "\
if (require('node:worker_threads').isMainThread)
  process.argv.push(require('node:fs').readFileSync(0, 'utf8'));
";

/// The path of that script inside.
pub(super) const PARAMS_PATH: &str = "/etc/openneko/params.cjs";

/// The path of additional certificate authorities inside.
const AUTHORITIES: &str = "/etc/ssl/extra-authorities.pem";

/// execve(2): no argument may be longer, its zero byte included.
const LONGEST_ARGUMENT: usize = 128 << 10;

/// The reservations of thread stacks and of the allocator of a program.
const RESERVED_BYTES: u64 = 192 << 20;

/// The reservation of V8 for the machine code of each thread that runs JavaScript.
/// From Node.js 24 on all of it is writable at once, so the limit counts it.
const CODE_BYTES: u64 = 576 << 20;

/// The memory of `/tmp` and of the helper, which a control group counts as well.
const FILES_BYTES: u64 = 32 << 20;

/// The threads with JavaScript that such a Node.js can have.
const JS_THREADS: u64 = 4;

/// How long the processes of a jail may take to end after they were killed.
const VANISH: Duration = Duration::from_secs(5);

/// A call that has no outcome.
pub(super) struct InterruptedCall {
    pub(super) why: Interruption,
    denials: Vec<Denial>,
}

pub(super) enum Interruption {
    Error(SandboxError),
    /// The jail could not be built: the plugin did not run.
    NotBuilt(Step, String),
}

impl InterruptedCall {
    pub(super) fn into_failure(self) -> CallFailure {
        let error = match self.why {
            Interruption::Error(error) => error,
            Interruption::NotBuilt(step, error) => {
                let explained = explain::explain(step, &error);
                SandboxError::Unavailable(format!("{} {}", explained.reason, explained.fix))
            }
        };
        CallFailure {
            error,
            denials: self.denials,
        }
    }
}

impl From<SandboxError> for InterruptedCall {
    fn from(error: SandboxError) -> Self {
        Self {
            why: Interruption::Error(error),
            denials: Vec::new(),
        }
    }
}

/// Runs one call from beginning to end.
pub(super) async fn run(program: &Program, call: &Call<'_>) -> Result<CallOutcome, InterruptedCall> {
    let started = Instant::now();
    let settings = settings(program, call)?;
    let gate = Gate::new(Arc::clone(&program.egress), &program.limits);
    let (mut child, control) = start(program).map_err(|error| unavailable(&error))?;
    let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(SandboxError::Unavailable("the helper has no output".to_owned()).into());
    };
    // The helper does nothing until it has its settings.
    let group = group(program, &child);

    let limit = program.limits.output_bytes;
    let work = async {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (report, (), ()) = tokio::try_join!(
            converse(&control, program, &settings, &gate),
            collect(&mut stdout, &mut out, limit),
            collect(&mut stderr, &mut err, limit),
        )?;
        Ok((report, out, err))
    };
    let finished = tokio::time::timeout(call.timeout, work).await;
    drop(control);
    end(&mut child, &mut stdout).await;

    let result = match finished {
        Err(_) => Err(Interruption::Error(SandboxError::Timeout(call.timeout))),
        // The report was lost with the killed process.
        Ok(Err(_)) if group.is_some_and(|group| group.ran_out_of_memory()) => {
            Err(Interruption::Error(SandboxError::Memory))
        }
        Ok(Err(error)) => Err(Interruption::Error(error)),
        Ok(Ok((report, stdout, stderr))) => judge(report, stdout, stderr, program),
    };
    let denials = gate.take_denials();
    match result {
        Ok(mut outcome) => {
            outcome.denials = denials;
            outcome.usage.wall = started.elapsed();
            Ok(outcome)
        }
        Err(why) => Err(InterruptedCall { why, denials }),
    }
}

/// The settings of the inner side, encoded for the socket.
fn settings(program: &Program, call: &Call<'_>) -> Result<Zeroizing<Vec<u8>>, SandboxError> {
    let refuse = |text: &str| Err(SandboxError::Refused(text.to_owned()));
    if call.params_json.len() >= LONGEST_ARGUMENT || call.method.len() >= LONGEST_ARGUMENT {
        return refuse("the call's parameters are longer than 128 KiB");
    }
    // Every user of the machine can read the arguments of a process, and
    // parameters hold codes of sign-ins.
    let by_input = match program.kind {
        RunnerKind::JsBundle => true,
        RunnerKind::Native => call.params_by == ParamsBy::Input,
    };
    let params = call.params_json.to_owned();
    let mut argv = program.command.clone();
    argv.push(call.method.to_owned());
    let input = if by_input {
        if matches!(program.kind, RunnerKind::Native) {
            argv.push(ON_INPUT.to_owned());
        }
        Some(params)
    } else {
        argv.push(params);
        None
    };
    let mut env: Vec<(String, String)> = Vec::new();
    for (key, value) in call.env {
        if key.is_empty() || key.contains('=') || value.expose().len() >= LONGEST_ARGUMENT {
            return refuse("a value of its environment cannot be passed on");
        }
        env.push((key.clone(), value.expose().to_owned()));
    }
    let files = files(program, &mut env);
    let texts = argv
        .iter()
        .chain(&input)
        .chain(env.iter().flat_map(|(key, value)| [key, value]));
    if texts.into_iter().any(|text| text.contains('\0')) {
        return refuse("a zero byte cannot be passed to a plugin");
    }
    let mut executables = program.needs.loaders.clone();
    executables.push(program.command[0].clone());
    let cpu = program.limits.cpu;
    let settings = Settings {
        artifact: program.command.last().cloned().unwrap_or_default(),
        argv,
        env,
        input,
        artifact_bytes: program.artifact.bytes,
        binds: program.needs.binds.clone(),
        files,
        executables,
        ports: program.ports.clone(),
        cpu_seconds: (cpu.as_secs() + u64::from(cpu.subsec_nanos() > 0)).max(1),
        data_bytes: program.limits.memory_bytes.saturating_add(match program.kind {
            RunnerKind::Native => RESERVED_BYTES,
            RunnerKind::JsBundle if program.node_major < 23 => RESERVED_BYTES,
            RunnerKind::JsBundle => RESERVED_BYTES + JS_THREADS * CODE_BYTES,
        }),
    };
    let encoded = wire::encode(&settings).map(Zeroizing::new);
    for value in settings
        .env
        .into_iter()
        .map(|(_, value)| value)
        .chain(settings.input)
    {
        drop(Zeroizing::new(value));
    }
    encoded.map_err(|error| unavailable(&error))
}

/// The small files that a program finds, and the variables that name them.
fn files(program: &Program, env: &mut Vec<(String, String)>) -> Vec<(String, String)> {
    let mut files = vec![
        (
            "/sandbox/package.json".to_owned(),
            "{\"type\":\"module\"}\n".to_owned(),
        ),
        // No search domain, so that a name of one label is looked up unchanged.
        (
            "/etc/resolv.conf".to_owned(),
            "nameserver 127.0.0.1\nsearch .\n".to_owned(),
        ),
        ("/etc/nsswitch.conf".to_owned(), "hosts: files dns\n".to_owned()),
        ("/etc/hosts".to_owned(), String::new()),
    ];
    if matches!(program.kind, RunnerKind::JsBundle) {
        files.push((PARAMS_PATH.to_owned(), PARAMS_SCRIPT.to_owned()));
    }
    if let Some(pem) = &program.machine.options.extra_authorities {
        files.push((AUTHORITIES.to_owned(), pem.clone()));
        for key in ["NODE_EXTRA_CA_CERTS", "OPENNEKO_EXTRA_CA_CERTS"] {
            if env.iter().all(|(name, _)| name != key) {
                env.push((key.to_owned(), AUTHORITIES.to_owned()));
            }
        }
    }
    files
}

/// A control group for the call, if this process has a delegated one.
fn group(program: &Program, child: &Child) -> Option<Group> {
    let parent = program.machine.delegated.as_deref()?;
    let bytes = program.limits.memory_bytes + RUNTIME_BYTES + program.artifact.bytes + FILES_BYTES;
    let made = Group::new(parent, bytes).and_then(|group| {
        group.add(child.id().ok_or(io::ErrorKind::NotFound)?)?;
        Ok(group)
    });
    // The other limits hold without it.
    made.inspect_err(|error| tracing::debug!(%error, "no control group for a plugin"))
        .ok()
}

/// Starts the helper; its settings are sent later.
fn start(program: &Program) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let init = &program.machine.options.init;
    let child = Command::new(&init.program)
        .args(&init.args)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .current_dir("/")
        .kill_on_drop(true)
        .spawn()?;
    rustix::net::sockopt::set_socket_passcred(&ours, true)?;
    wire::send_fds(ours.as_fd(), wire::SOCKETS, &[program.artifact.file.as_fd()])?;
    ours.set_nonblocking(true)?;
    Ok((child, UnixStream::from_std(ours)?))
}

/// Kills the remaining processes and waits for their end: every process of the
/// jail holds the other end of this pipe.
async fn end(child: &mut Child, stdout: &mut (impl AsyncRead + Unpin)) {
    let gone = async {
        // It may have ended; then there is nothing to kill.
        drop(child.start_kill());
        drop(child.wait().await);
        let mut rest = vec![0; 64 << 10];
        while stdout.read(&mut rest).await.is_ok_and(|count| count > 0) {}
    };
    if tokio::time::timeout(VANISH, gone).await.is_err() {
        tracing::error!("the processes of a plugin's jail are still there after they were killed");
    }
}

/// Makes an outcome or an error of a report.
fn judge(
    report: Report,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    program: &Program,
) -> Result<CallOutcome, Interruption> {
    let (exit, signal, cpu_micros, memory_bytes) = match report {
        Report::Failed { step, error } => return Err(Interruption::NotBuilt(step, error)),
        Report::Ended {
            exit,
            signal,
            cpu_micros,
            memory_bytes,
        } => (exit, signal, cpu_micros, memory_bytes),
    };
    let limits = &program.limits;
    let cpu = Duration::from_micros(cpu_micros);
    let stopped = |signal| signal == libc::SIGXCPU || (signal == libc::SIGKILL && cpu >= limits.cpu);
    if signal.is_some_and(stopped) {
        return Err(Interruption::Error(SandboxError::Cpu));
    }
    let failed = signal.is_some() || (exit != Some(0) && stdout.is_empty());
    if failed && (says_out_of_memory(&stderr) || memory_bytes >= limits.memory_bytes) {
        return Err(Interruption::Error(SandboxError::Memory));
    }
    if let Some(signal) = signal {
        let crash = format!("signal {signal}{}", told(&stderr));
        return Err(Interruption::Error(SandboxError::Crashed(crash)));
    }
    Ok(CallOutcome {
        stdout,
        stderr,
        exit: exit.unwrap_or(-1),
        denials: Vec::new(),
        usage: Usage {
            cpu: Some(cpu),
            memory_bytes: Some(memory_bytes),
            ..Usage::default()
        },
    })
}

/// Whether V8, Rust or a C++ program reported that it got no memory.
fn says_out_of_memory(stderr: &[u8]) -> bool {
    let text = String::from_utf8_lossy(stderr);
    [
        "out of memory",
        "Array buffer allocation failed",
        "memory allocation of",
        "std::bad_alloc",
        "OOM",
    ]
    .iter()
    .any(|part| text.contains(part))
}

/// The first line of standard error, for a message.
fn told(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    match text.lines().find(|line| !line.trim().is_empty()) {
        Some(line) => {
            let line: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
            format!(": {line}")
        }
        None => String::new(),
    }
}

fn unavailable(error: &io::Error) -> SandboxError {
    SandboxError::Unavailable(error.to_string())
}
