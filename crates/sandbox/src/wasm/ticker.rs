//! Advances the engine's epoch while calls run, so that no call keeps a thread.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use wasmtime::Engine;

/// How long guest code runs before it yields and is measured.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// A thread that sleeps while no call runs.
pub(super) struct Ticker(Arc<Shared>);

struct Shared {
    /// Running calls; `None` when the engine is gone.
    running: Mutex<Option<usize>>,
    changed: Condvar,
}

impl Ticker {
    pub(super) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            running: Mutex::new(Some(0)),
            changed: Condvar::new(),
        });
        let (engine, state) = (engine.weak(), Arc::clone(&shared));
        std::thread::Builder::new()
            .name("wasm-ticker".to_owned())
            .spawn(move || {
                while state.wait_for_calls() {
                    std::thread::sleep(TICK);
                    match engine.upgrade() {
                        Some(engine) => engine.increment_epoch(),
                        None => return,
                    }
                }
            })?;
        Ok(Self(shared))
    }

    /// Ticks until the guard is dropped.
    pub(super) fn tick(&self) -> Ticking {
        self.0.change(1);
        Ticking(Arc::clone(&self.0))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        *self.0.running.lock() = None;
        self.0.changed.notify_one();
    }
}

impl Shared {
    /// Returns when a call runs, or false when there will be none.
    fn wait_for_calls(&self) -> bool {
        let mut running = self.running.lock();
        self.changed
            .wait_while(&mut running, |running| *running == Some(0));
        running.is_some()
    }

    fn change(&self, by: isize) {
        let mut running = self.running.lock();
        if let Some(count) = running.as_mut() {
            *count = count.saturating_add_signed(by);
        }
        drop(running);
        self.changed.notify_one();
    }
}

/// One running call.
pub(super) struct Ticking(Arc<Shared>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.change(-1);
    }
}
