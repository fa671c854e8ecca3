//! What was checked at a login, in order, for the people who repair it.
//!
//! The operator and the customer's administrator see the trace. It never holds a
//! token, a code, a secret or a nonce: the caller passes only values that may be
//! shown, and [`Trace`] cuts long ones.

use serde::{Deserialize, Serialize};

/// How long a value in a trace may be, in characters. An identity provider's values
/// are shown, but must not fill the page or the database.
const MAX_VALUE_CHARS: usize = 512;

/// The checks of one login, in the order in which they were made.
///
/// ```
/// use genkan_protocol::Trace;
/// use genkan_protocol::trace::CheckOutcome;
///
/// let mut trace = Trace::default();
/// trace.pass("Issuer", "https://idp.example.com");
/// trace.fail("Audience", "client-1", "client-2");
/// trace.not_reached("Nonce");
/// assert_eq!(trace.failure().unwrap().name, "Audience");
/// assert_eq!(trace.checks()[2].outcome, CheckOutcome::NotReached);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trace {
    checks: Vec<Check>,
}

/// One check of a [`Trace`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was checked, in words for people: `Audience`.
    pub name: String,
    /// How it went.
    pub outcome: CheckOutcome,
    /// Something worth seeing about a check that did not fail: the algorithm, the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What a failed check wanted to see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What a failed check saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<String>,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// As it should be.
    Passed,
    /// The reason why the login ended.
    Failed,
    /// An earlier check had failed.
    NotReached,
    /// Not as it should be, but the login can do without it.
    PassedOver,
}

impl Trace {
    /// A check passed. The note may be empty.
    pub fn pass(&mut self, name: impl Into<String>, note: impl AsRef<str>) {
        let note = printable(note.as_ref());
        self.push(name, CheckOutcome::Passed).note = Some(note).filter(|note| !note.is_empty());
    }

    /// A check failed.
    pub fn fail(&mut self, name: impl Into<String>, expected: impl AsRef<str>, received: impl AsRef<str>) {
        let check = self.push(name, CheckOutcome::Failed);
        check.expected = Some(printable(expected.as_ref()));
        check.received = Some(printable(received.as_ref()));
    }

    /// Something is not as it should be, and the login goes on without it. The note
    /// says what that means.
    pub fn pass_over(&mut self, name: impl Into<String>, note: impl AsRef<str>) {
        self.push(name, CheckOutcome::PassedOver).note = Some(printable(note.as_ref()));
    }

    /// A check that was not made, because an earlier one failed.
    pub fn not_reached(&mut self, name: impl Into<String>) {
        self.push(name, CheckOutcome::NotReached);
    }

    /// All checks, in order.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The checks that were made.
    #[must_use]
    pub fn reached(&self) -> Self {
        let is_reached = |check: &&Check| check.outcome != CheckOutcome::NotReached;
        Self {
            checks: self.checks.iter().filter(is_reached).cloned().collect(),
        }
    }

    /// The check that ended the login.
    pub fn failure(&self) -> Option<&Check> {
        self.checks
            .iter()
            .find(|check| check.outcome == CheckOutcome::Failed)
    }

    fn push(&mut self, name: impl Into<String>, outcome: CheckOutcome) -> &mut Check {
        let check = Check {
            name: name.into(),
            outcome,
            note: None,
            expected: None,
            received: None,
        };
        self.checks.push(check);
        self.checks.last_mut().expect("a check was just pushed")
    }
}

/// Cuts a foreign value to a length for people and makes control characters visible.
pub(crate) fn printable(value: &str) -> String {
    let visible = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    let mut text: String = value.chars().take(MAX_VALUE_CHARS).map(visible).collect();
    if value.chars().nth(MAX_VALUE_CHARS).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_or_odd_value_is_tamed() {
        let mut trace = Trace::default();
        trace.fail("Issuer", "x", format!("\u{1b}[2J\r\n{}", "é".repeat(9_999)));
        let received = trace.failure().unwrap().received.clone().unwrap();
        assert_eq!(received.chars().count(), MAX_VALUE_CHARS + 1);
        assert!(received.starts_with("\u{fffd}[2J\u{fffd}\u{fffd}é") && received.ends_with('…'));
    }

    #[test]
    fn the_checks_that_were_made_are_told_apart() {
        let mut trace = Trace::default();
        trace.pass("Issuer", "");
        trace.pass_over("RelayState", "none");
        trace.fail("Audience", "a", "b");
        let made = trace.clone();
        trace.not_reached("Nonce");
        assert_eq!(trace.reached(), made);
    }

    #[test]
    fn a_trace_survives_the_store() {
        let mut trace = Trace::default();
        trace.pass("Response parsed", "");
        trace.fail("Audience", "a", "b");
        trace.not_reached("Nonce");
        let json = serde_json::to_string(&trace).unwrap();
        assert_eq!(
            json,
            r#"[{"name":"Response parsed","outcome":"passed"},{"name":"Audience","outcome":"failed","expected":"a","received":"b"},{"name":"Nonce","outcome":"not_reached"}]"#
        );
        assert_eq!(serde_json::from_str::<Trace>(&json).unwrap(), trace);
    }
}
