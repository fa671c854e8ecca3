//! A table of the faults of a kind of provider, and the expected result of each: every kind
//! of connection fills it in.

use std::fmt::Display;
use std::time::Duration;

use genkan_protocol::trace::CheckOutcome;
use genkan_store::TraceId;
use genkan_testkit::{Arrival, Browser, Gateway, Page};

/// What must come of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Must {
    Refuse,
    /// It is not an answer to anything that was asked.
    NotExpect,
    Accept,
}

/// The faults of one kind of provider.
pub(super) struct Table<'a, F> {
    pub(super) gateway: &'a Gateway,
    pub(super) faults: &'a [F],
    /// A new fault must not compile until somebody has decided.
    pub(super) must: fn(F) -> Must,
}

impl<F: Copy + Display> Table<'_, F> {
    /// Lets a new browser `arrive` with each fault, and tells in a line what came of it.
    pub(super) async fn go_through(&self, arrive: impl AsyncFn(&mut Browser, F) -> Arrival) -> String {
        let mut noticed = Vec::new();
        for &fault in self.faults {
            // Of many that fail within a minute not each has a trace.
            self.gateway.clock().advance(Duration::from_secs(60));
            let mut browser = self.gateway.browser();
            let told = match ((self.must)(fault), arrive(&mut browser, fault).await) {
                (Must::NotExpect, Arrival::Page(page)) => page.heading().to_owned(),
                (Must::Refuse, Arrival::Page(page)) => refusal(self.gateway, &page).await,
                (Must::Accept, Arrival::Application(_)) => {
                    noticed.push(format!("{fault} -> signed in"));
                    continue;
                }
                (must, arrival) => panic!("{fault}: {must:?}, {arrival:?}"),
            };
            assert!(browser.cookies.get("genkan_session").is_none(), "{fault}");
            noticed.push(format!("{fault} -> {told}"));
        }
        noticed.join("\n")
    }
}

/// What the page says, and the trace behind its reference.
pub(super) async fn refusal(gateway: &Gateway, page: &Page) -> String {
    assert_eq!(page.heading(), "We could not sign you in");
    let trace = gateway.login_trace().await;
    // A program that watches sign-ins tells a provider in trouble from a refusal.
    let expected = if trace.cause.ends_with("_unreachable") {
        503
    } else {
        403
    };
    assert_eq!(page.reply.status.as_u16(), expected, "{}", trace.cause);
    assert_eq!(trace.id, TraceId::parse(&page.reference()).unwrap());
    let failed = trace.trace.failure().expect("a check failed");
    // The checks after the failed one were not made.
    let mut after = trace
        .trace
        .checks()
        .iter()
        .skip_while(|check| *check != failed)
        .skip(1);
    assert!(
        after.all(|check| check.outcome == CheckOutcome::NotReached),
        "{:?}",
        trace.trace
    );
    format!("{} at \"{}\"", trace.cause, failed.name)
}
