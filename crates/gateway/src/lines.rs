//! How many lines of the log strangers may cause.
//!
//! A refused request costs its sender nothing, so a line for each would let anybody fill the
//! disk of the log and hide every other line. The first ones of a minute have a line, for each
//! reason apart; the others are counted, and one line tells the numbers of the minute.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// How many lines one reason has in a minute.
const LINES: u64 = 10;

/// How many reasons are counted apart. They are constants of ours; this holds if one is not.
const REASONS: usize = 200;

/// How often each reason occurred in the present minute.
#[derive(Debug, Default)]
pub struct Lines(Mutex<BTreeMap<String, u64>>);

impl Lines {
    /// Whether a refusal for `reason`, which has just occurred, has a line of its own.
    pub fn has_line(&self, reason: &str) -> bool {
        let mut counts = self.0.lock();
        let is_known = counts.contains_key(reason) || counts.len() < REASONS;
        let reason = if is_known { reason } else { "other reasons" };
        let count = match counts.get_mut(reason) {
            Some(count) => count,
            None => counts.entry(reason.to_owned()).or_default(),
        };
        *count += 1;
        *count <= LINES
    }

    /// Ends the minute: tells how many refusals had no line.
    pub fn tell(&self) {
        let counts = std::mem::take(&mut *self.0.lock());
        let more: Vec<String> = counts
            .iter()
            .filter(|(_, count)| **count > LINES)
            .map(|(reason, count)| format!("{} × {reason}", count - LINES))
            .collect();
        if !more.is_empty() {
            tracing::info!(
                more = more.join("; "),
                "more requests were refused than have a line"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_refusals_of_a_minute_have_a_line_each_for_each_reason() {
        let lines = Lines::default();
        let has_line = |reason: &str| lines.has_line(reason);
        let of_flood = (0..1_000).filter(|_| has_line("flood")).count();
        assert_eq!(of_flood as u64, LINES);
        assert!(has_line("a mistake of somebody else"));
        lines.tell();
        assert!(has_line("flood"), "a new minute");
    }

    #[test]
    fn made_up_reasons_fill_nothing() {
        let lines = Lines::default();
        let has_line = |number: usize| lines.has_line(&format!("reason {number}"));
        let written = (0..100_000).filter(|number| has_line(*number)).count();
        assert_eq!(written as u64, REASONS as u64 + LINES);
        assert!(lines.0.lock().len() <= REASONS + 1);
    }
}
