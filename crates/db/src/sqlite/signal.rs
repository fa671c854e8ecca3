//! Tells the checkpointer that there is work, or that the database closes.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How long commits gather before their pages are written.
const INTERVAL: Duration = Duration::from_millis(200);

/// Wakes the thread.
#[derive(Default)]
pub(super) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    dirty: bool,
    stop: bool,
}

impl Signal {
    /// Something was committed.
    pub(super) fn dirty(&self) {
        let mut state = self.state.lock();
        if !state.dirty {
            state.dirty = true;
            self.changed.notify_all();
        }
    }

    /// The thread must end.
    pub(super) fn stop(&self) {
        self.state.lock().stop = true;
        self.changed.notify_all();
    }

    /// Waits until there are commits. False means that the thread must end.
    pub(super) fn wait(&self) -> bool {
        let mut state = self.state.lock();
        self.changed
            .wait_while(&mut state, |state| !state.dirty && !state.stop);
        self.changed
            .wait_while_for(&mut state, |state| !state.stop, INTERVAL);
        state.dirty = false;
        !state.stop
    }
}
