//! States in which this node signs nobody in: it is stopping, or its clock is off.

use std::sync::atomic::{AtomicBool, Ordering};

/// The state of this node.
#[derive(Debug, Default)]
pub struct Node {
    is_stopping: AtomicBool,
    clock_is_off: AtomicBool,
}

impl Node {
    /// Tells load balancers to send nothing more from now on.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Whether others would refuse the tokens of this node.
    pub fn clock_is_off(&self) -> bool {
        self.clock_is_off.load(Ordering::Relaxed)
    }

    /// Sets it, and returns whether it was so before.
    pub fn set_clock_is_off(&self, is_off: bool) -> bool {
        self.clock_is_off.swap(is_off, Ordering::Relaxed)
    }
}
