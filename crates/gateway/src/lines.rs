//! A limit of the lines that strangers may cause in the log.
//!
//! A refused request costs its sender nothing. If each had a line, anybody could fill the disk of the log and
//! hide every other line. So for each reason only the first requests of a minute have a line. The others are
//! counted, and one line shows the numbers of the minute.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// The most lines of one reason in a minute.
const LINES: u64 = 10;

/// The most reasons that are counted separately. Reasons are constants, so this limit only matters if one is not.
const REASONS: usize = 200;

/// The number of refusals in the present minute, by reason.
#[derive(Debug, Default)]
pub struct Lines(Mutex<BTreeMap<String, u64>>);

impl Lines {
    /// Counts a refusal for `reason`. Returns whether it has a line of its own.
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

    /// Ends the minute, and logs the number of refusals without a line.
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
