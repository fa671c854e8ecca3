//! One call, from a fresh instance to its outcome.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use wasmtime::component::InstancePre;
use wasmtime::{Store, Trap, UpdateDeadline};
use wasmtime_wasi::I32Exit;

use super::state::{State, Stop};
use crate::egress::{Egress, Gate};
use crate::{Call, CallFailure, CallOutcome, Limits, SandboxError, Usage};

/// The guest code of a call.
pub(super) enum Program {
    Component(InstancePre<State>),
    Bundle {
        engine: InstancePre<State>,
        source: Arc<str>,
    },
}

/// How a run of guest code ended.
enum End {
    /// It returned, with an exit code and maybe more output.
    Returned(i32, String),
    Failed(wasmtime::Error),
    Cpu,
    Timeout,
}

/// Runs a method in an instance that exists for this call alone.
pub(super) async fn run(
    program: &Program,
    egress: &Arc<Egress>,
    limits: &Limits,
    call: Call<'_>,
) -> Result<CallOutcome, CallFailure> {
    let start = Instant::now();
    let gate = Gate::new(Arc::clone(egress), limits);
    let (pre, is_bundle) = match program {
        Program::Component(pre) => (pre, false),
        Program::Bundle { engine, .. } => (engine, true),
    };
    let mut store = Store::new(pre.engine(), State::new(&call, limits, gate.clone(), is_bundle));
    store.limiter(|state| &mut state.limiter);
    // At every tick the guest yields to others, and `Metered` checks its time.
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
    // The most that a guest hands to the host at once; with more it traps.
    store.set_hostcall_fuel(limits.output_bytes.saturating_add(HANDED_OVER));

    let mut cpu = Duration::ZERO;
    let work = Metered {
        work: Box::pin(enter(program, &mut store, &call)),
        used: &mut cpu,
        limit: limits.cpu,
    };
    let end = tokio::time::timeout(call.timeout, work)
        .await
        .unwrap_or(End::Timeout);
    let usage = Usage {
        wall: start.elapsed(),
        cpu: Some(cpu),
        memory_bytes: Some(store.data().limiter.used),
    };
    let result = outcome(end, store.data(), call.timeout);
    // Open requests end here, and can record nothing more.
    drop(store);
    let denials = gate.take_denials();
    match result {
        Ok(outcome) => Ok(CallOutcome {
            denials,
            usage,
            ..outcome
        }),
        Err(error) => Err(CallFailure { error, denials }),
    }
}

/// Strings, lists and the bodies of requests, beside the output.
const HANDED_OVER: usize = 4 << 20;

async fn enter(program: &Program, store: &mut Store<State>, call: &Call<'_>) -> End {
    let ran = match program {
        Program::Component(pre) => enter_component(pre, store, call).await,
        Program::Bundle { engine, source } => enter_bundle(engine, source, store, call).await,
    };
    ran.map_or_else(End::Failed, |(code, output)| End::Returned(code, output))
}

async fn enter_component(
    pre: &InstancePre<State>,
    store: &mut Store<State>,
    call: &Call<'_>,
) -> wasmtime::Result<(i32, String)> {
    type Answer = ((i32, String),);
    let instance = pre.instantiate_async(&mut *store).await?;
    let entry = instance.get_typed_func::<(&str, &str), Answer>(&mut *store, "call")?;
    let (answer,) = entry.call_async(store, (call.method, call.params_json)).await?;
    Ok(answer)
}

async fn enter_bundle(
    pre: &InstancePre<State>,
    source: &str,
    store: &mut Store<State>,
    call: &Call<'_>,
) -> wasmtime::Result<(i32, String)> {
    type Entry<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)]);
    let env: Vec<_> = call
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    let instance = pre.instantiate_async(&mut *store).await?;
    let entry = instance.get_typed_func::<Entry<'_>, ()>(&mut *store, "call")?;
    entry
        .call_async(store, (source, call.method, call.params_json, &env))
        .await?;
    // It always ends by `exit`; otherwise a program ends with 0.
    Ok((0, String::new()))
}

fn outcome(end: End, state: &State, timeout: Duration) -> Result<CallOutcome, SandboxError> {
    let (exit, answer) = match end {
        End::Returned(code, answer) => (code, answer),
        End::Timeout => return Err(SandboxError::Timeout(timeout)),
        End::Cpu => return Err(SandboxError::Cpu),
        End::Failed(error) => (exit_code(&error, state)?, String::new()),
    };
    let stdout = &state.stdout;
    let mut written = stdout.take();
    // Notes on standard output must not run into the answer.
    if !written.is_empty() && !answer.is_empty() && !written.ends_with(b"\n") {
        written.push(b'\n');
    }
    stdout
        .push(&written)
        .and_then(|()| stdout.push(answer.as_bytes()))
        .map_err(|_| SandboxError::OutputLimit)?;
    Ok(CallOutcome {
        stdout: stdout.take(),
        stderr: state.stderr.take(),
        exit,
        ..CallOutcome::default()
    })
}

/// The exit code of a guest that ended itself, or why it was ended.
fn exit_code(error: &wasmtime::Error, state: &State) -> Result<i32, SandboxError> {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return Ok(*code);
    }
    match error.downcast_ref::<Stop>() {
        Some(Stop::Exit(code)) => return Ok(*code),
        Some(Stop::Memory) => return Err(SandboxError::Memory),
        Some(Stop::Output) => return Err(SandboxError::OutputLimit),
        None => {}
    }
    let stderr = String::from_utf8_lossy(&state.stderr.take()).into_owned();
    let last = stderr.trim_end().lines().last().unwrap_or_default();
    let what = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => format!("{error:#}"),
    };
    Err(SandboxError::Crashed(if last.is_empty() {
        what
    } else {
        format!("{what} ({})", last.chars().take(200).collect::<String>())
    }))
}

/// Counts the processor time of a future. The guest yields every tick, so the
/// limit is kept to about that.
struct Metered<'a, F> {
    work: Pin<Box<F>>,
    used: &'a mut Duration,
    limit: Duration,
}

impl<F: Future<Output = End>> Future for Metered<'_, F> {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let before = thread_time();
        let polled = self.work.as_mut().poll(cx);
        *self.used += thread_time().saturating_sub(before);
        if polled.is_pending() && *self.used >= self.limit {
            return Poll::Ready(End::Cpu);
        }
        polled
    }
}

/// The processor time of this thread.
fn thread_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}
