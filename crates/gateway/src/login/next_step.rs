//! The one place that decides a login's next step.

use genkan_store::interaction::{Stage, Way};
use genkan_store::{ConnectionId, SessionId};

use super::facts::{BrowserSession, Facts};
use super::refusal::Refusal;
use super::route::Target;
use crate::answer::Place;
use crate::web::id_token_hint::Hint;

/// What the browser must do next to finish a login. Nothing else decides this.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step<'a> {
    /// Ask who the user is, to find their organization's connection.
    Identify,
    /// Ask which account to go on with.
    SelectAccount(&'a BrowserSession),
    /// Send the user to the connection's identity provider.
    Authenticate {
        connection_id: &'a ConnectionId,
        /// The expected person: the typed address, else the request's hint.
        login_hint: Option<&'a str>,
    },
    /// Ask whether a sign-in is meant that somebody else may have begun.
    ConfirmSwitch,
    /// Issue the authorization code and return to the client.
    Complete(Place<'a>),
    /// Send an error to the application.
    Refuse(Refusal),
}

/// The facts when a person comes back from an identity provider.
#[derive(Debug, Clone, Copy)]
pub struct ArrivalFacts {
    /// The person chose in a form of ours where they sign in.
    pub began_by_form: bool,
    pub present: PresentSession,
    /// Another site began it and chose the place.
    pub is_foreign: bool,
    /// This browser has signed in at this connection before.
    pub is_remembered: bool,
}

/// Who is signed in at the browser already, compared with the arriving person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresentSession {
    Nobody,
    /// The same person in the same organization.
    SamePlace,
    /// The same person in another organization.
    Elsewhere,
    SomebodyElse,
}

/// Whether the person is asked before a sign-in counts. A link can begin a sign-in in their browser that
/// ends as the person who made the link (RFC 9700 §4.7.1: login CSRF).
pub const fn must_ask(arriving: ArrivalFacts) -> bool {
    match arriving.present {
        _ if arriving.began_by_form => false,
        // An earlier confirmation does not count, because the page names both people.
        PresentSession::SomebodyElse => true,
        PresentSession::SamePlace => false,
        PresentSession::Nobody | PresentSession::Elsewhere => arriving.is_foreign && !arriving.is_remembered,
    }
}

/// Picks the next step, in the one order we allow. `None` if the login is over, or if only another
/// browser's session could finish it.
pub fn next_step(facts: &Facts) -> Option<Step<'_>> {
    if facts.stage == Stage::Completed {
        return None;
    }
    let target = match &facts.target {
        Ok(target) => target.as_ref(),
        Err(no_target) => return Some(Step::Refuse(Refusal::NoTarget(*no_target))),
    };
    match &facts.hint {
        Some(Hint::Forged) => return Some(Step::Refuse(Refusal::ForgedHint)),
        Some(Hint::UnknownKey) => return Some(Step::Refuse(Refusal::UnknownHint)),
        Some(Hint::Ours(_)) | None => {}
    }
    match &facts.stage {
        Stage::Started => Some(first(facts, target)),
        // The person set the session aside to sign in as somebody else.
        Stage::Identifying => Some(Step::Identify),
        Stage::At(Way::Connection { connection_id, email }) => Some(Step::Authenticate {
            connection_id,
            login_hint: email.as_deref().or(facts.request.login_hint.as_deref()),
        }),
        // No page leads to these yet.
        Stage::At(Way::Mail { .. } | Way::Passkey) => None,
        // No other person is signed in without a question.
        Stage::Arrived { .. } if facts.request.prompt.none => Some(Step::Refuse(Refusal::NoSession)),
        Stage::Arrived { .. } => Some(Step::ConfirmSwitch),
        Stage::Authenticated { session_id } => last(facts, target, session_id),
        Stage::Completed => None,
    }
}

/// The step while nobody has done anything yet.
fn first<'a>(facts: &'a Facts, target: Option<&'a Target>) -> Step<'a> {
    let prompt = facts.request.prompt;
    let fitting = facts
        .signed_in
        .as_ref()
        .filter(|signed_in| fits(facts, target, signed_in));
    match (fitting.filter(|_| !prompt.login), target) {
        // If a place is named, `select_account` moves there without a question.
        (Some(signed_in), None) if prompt.select_account => Step::SelectAccount(signed_in),
        (Some(signed_in), _) => Step::Complete(place(signed_in, target)),
        (None, _) if prompt.none => Step::Refuse(Refusal::NoSession),
        (None, Some(target)) => Step::Authenticate {
            connection_id: &target.connection().id,
            login_hint: facts.request.login_hint.as_deref(),
        },
        (None, None) => Step::Identify,
    }
}

/// Whether a session answers the request without a question.
fn fits(facts: &Facts, target: Option<&Target>, BrowserSession { session, user }: &BrowserSession) -> bool {
    let request = &facts.request;
    // OIDC Core §3.1.2.1: max_age is the maximum age of the login.
    let young = request
        .max_age
        .is_none_or(|max_age| session.proved_within(max_age, facts.now));
    let person = request.login_hint.as_deref().is_none_or(|hint| {
        // A hint that is no e-mail address says nothing about a person.
        !hint.contains('@') || hint.trim().eq_ignore_ascii_case(user.email.as_str())
    });
    let place = target.is_none_or(|target| target.is_where(session));
    facts.session_gives && young && person && place && facts.may_be(Some(&user.id))
}

/// The step after the person has signed in, or chosen their session. Everything must still be as it was
/// then.
fn last<'a>(facts: &'a Facts, target: Option<&'a Target>, session_id: &SessionId) -> Option<Step<'a>> {
    // It must be the session that this login made, in its own browser. The cookie of the login alone brings
    // no code.
    let signed_in = facts.signed_in.as_ref();
    let signed_in = signed_in.filter(|signed_in| signed_in.session.id == *session_id)?;
    if !facts.may_be(Some(&signed_in.user.id)) {
        return Some(Step::Refuse(Refusal::SomebodyElse));
    }
    // Its connection was disabled meanwhile.
    if !facts.session_gives {
        return None;
    }
    // Another tab may have moved the session to another place meanwhile. A hint of a person names no place,
    // so they may have chosen another one.
    let request = &facts.request;
    let names_place =
        request.connection_id.is_some() || request.organization_id.is_some() || request.domain_hint.is_some();
    if names_place && !target.is_none_or(|target| target.is_where(&signed_in.session)) {
        return None;
    }
    Some(Step::Complete(place(signed_in, target)))
}

fn place<'a>(signed_in: &'a BrowserSession, target: Option<&'a Target>) -> Place<'a> {
    Place::of(&signed_in.session, target.and_then(Target::entered))
}

#[cfg(test)]
mod tests;
