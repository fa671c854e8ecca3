//! Counts of what costs time, for the tests that bound it. Nothing is counted outside of them.

/// A step that a stranger can make us take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An octet looked at by the scan.
    Scanned,
    /// An octet of canonical form.
    Canonical,
    /// A comparison of namespaces during canonicalization.
    Compared,
    /// A signature checked with one key.
    PublicKey,
    /// A key unwrapped with one of ours.
    PrivateKey,
}

#[cfg(not(test))]
#[inline]
pub(super) const fn count(_: Step, _: usize) {}

#[cfg(test)]
thread_local! {
    static COUNTS: std::cell::RefCell<[usize; 5]> = const { std::cell::RefCell::new([0; 5]) };
}

#[cfg(test)]
pub(super) fn count(step: Step, times: usize) {
    COUNTS.with_borrow_mut(|counts| counts[step as usize] += times);
}

/// Does something and tells how many of these steps it took.
#[cfg(test)]
pub(super) fn counted<T>(step: Step, work: impl FnOnce() -> T) -> (usize, T) {
    let before = COUNTS.with_borrow(|counts| counts[step as usize]);
    let done = work();
    (COUNTS.with_borrow(|counts| counts[step as usize]) - before, done)
}
