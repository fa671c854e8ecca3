//! The data of the pages for IT admins: login traces and connection tests.

use askama::Template;
use genkan_protocol::trace::{Check, Outcome};

use crate::web::page::{Forms, PageTemplate, Room};
use crate::web::templates::Link;

/// `trace.html`: why one login failed.
#[derive(Debug, Template)]
#[template(path = "trace.html")]
pub struct TracePage<'a> {
    /// The way here, from the outside in; this page's own name is added.
    pub crumbs: &'a [Link],
    /// What happened, as a sentence: “The answer was made for another application”.
    pub heading: &'a str,
    pub remedy: Option<Remedy<'a>>,
    pub facts: &'a [Fact<'a>],
    pub checks: &'a [Check],
}

impl PageTemplate for TracePage<'_> {
    const ROOM: Room = Room::Desk;
    const FORMS: Forms = Forms::None;
}

/// `connection_test.html`: how the trial of a connection went.
#[derive(Debug, Clone, Template)]
#[template(path = "connection_test.html")]
pub struct ConnectionTestPage<'a> {
    pub crumbs: &'a [Link],
    /// The connection's name, which begins the heading.
    pub connection: &'a str,
    pub succeeded: bool,
    /// Why it failed, as a sentence.
    pub why: &'a str,
    pub remedy: Option<Remedy<'a>>,
    pub facts: &'a [Fact<'a>],
    pub checks: &'a [Check],
    pub claims: &'a [ClaimRow<'a>],
    /// Starts the test again.
    pub again: Option<Link>,
}

impl PageTemplate for ConnectionTestPage<'_> {
    const ROOM: Room = Room::Desk;
    const FORMS: Forms = Forms::None;
}

/// `connection_test_start.html`: asks before a test begins. Posts `csrf` to its own
/// address. Its answer goes on to an identity provider.
#[derive(Debug, Template)]
#[template(path = "connection_test_start.html")]
pub struct ConnectionTestStart<'a> {
    /// The connection's name.
    pub connection: &'a str,
    pub csrf: &'a str,
    /// When the link ends.
    pub until: &'a str,
}

impl PageTemplate for ConnectionTestStart<'_> {
    const ROOM: Room = Room::Desk;
    const FORMS: Forms = Forms::Leave;
}

/// `connection_test_link.html`: how to get the link that begins a test.
#[derive(Debug, Template)]
#[template(path = "connection_test_link.html")]
pub struct ConnectionTestLink<'a> {
    /// The connection's identifier; nothing else about it is told.
    pub connection_id: &'a str,
    /// The address held a word that counts no more, or never was one.
    pub had_word: bool,
}

impl PageTemplate for ConnectionTestLink<'_> {
    const ROOM: Room = Room::Desk;
    const FORMS: Forms = Forms::None;
}

/// How to mend a failure.
#[derive(Debug, Clone, Copy)]
pub struct Remedy<'a> {
    /// Where: the identity provider's name, such as “Okta”.
    pub place: Option<&'a str>,
    pub text: &'a str,
}

/// Something worth knowing beside the checks: when, who, under which reference.
#[derive(Debug, Clone)]
pub struct Fact<'a> {
    pub name: &'a str,
    pub value: String,
    /// An exact value that people copy.
    pub is_code: bool,
}

/// A claim of the identity provider and what the connection makes of it.
#[derive(Debug, Clone)]
pub struct ClaimRow<'a> {
    pub name: &'a str,
    /// Text as it is; anything else as JSON.
    pub value: String,
    /// The attribute it is mapped to, with its article: “the e-mail”.
    pub becomes: Option<&'a str>,
}
