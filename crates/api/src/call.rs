//! One call: its caller and its time.

use genkan_protocol::Timestamp;
use genkan_store::{Actor, Stamp};

use crate::caller::Caller;
use crate::host::Host;

/// The caller, and the one time for everything in this call.
pub struct Call<'a> {
    host: &'a dyn Host,
    caller: Option<Caller>,
    pub now: Timestamp,
}

impl std::fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("caller", &self.caller)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl<'a> Call<'a> {
    pub(crate) fn new(host: &'a dyn Host, caller: Option<Caller>) -> Self {
        Self {
            host,
            caller,
            now: host.now(),
        }
    }

    /// The caller; `None` for methods that are open to everybody.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// The time, with the caller as the actor.
    pub fn at(&self) -> Stamp<'_> {
        let stamp = Stamp::new(self.host.ids(), self.now);
        match &self.caller {
            Some(caller) => stamp.by(Actor::Client(&caller.client_id)),
            None => stamp,
        }
    }
}
