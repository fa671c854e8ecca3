//! What this node must not do for now: it is stopping, or its clock is off.

use std::sync::atomic::{AtomicBool, Ordering};

/// The state of this node.
#[derive(Debug, Default)]
pub struct Node {
    is_stopping: AtomicBool,
    clock_is_off: AtomicBool,
}

impl Node {
    /// From now on balancers should send nothing more.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Whether others would refuse what this node issues.
    pub fn clock_is_off(&self) -> bool {
        self.clock_is_off.load(Ordering::Relaxed)
    }

    /// Says so, and whether it was so before.
    pub fn set_clock_is_off(&self, is_off: bool) -> bool {
        self.clock_is_off.swap(is_off, Ordering::Relaxed)
    }
}
