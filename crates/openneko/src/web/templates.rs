//! The data of every page, typed. The templates escape all of it.

use askama::Template;

use crate::web::door::Door;
use crate::web::page::{Forms, PageTemplate};
use crate::web::plugin::Overview;
use crate::web::problem::Problem;
use crate::web::rules::Rules;
use crate::web::store::audit::Event;
use crate::web::store::user::User;

/// `signin.html`
#[derive(Debug, Template)]
#[template(path = "signin.html")]
pub(crate) struct SignInPage<'a> {
    pub(crate) door: &'a Door,
    pub(crate) problem: Option<Problem>,
    pub(crate) reference: Option<&'a str>,
    pub(crate) signed_out: bool,
    pub(crate) return_to: &'a str,
    /// Of the form that begins a sign-in.
    pub(crate) token: &'a str,
    /// Whether the browser is on this very machine, and may be told commands.
    pub(crate) is_operator: bool,
}

impl PageTemplate for SignInPage<'_> {
    const FORMS: Forms = Forms::Leave;
}

/// `begin.html`
#[derive(Debug, Template)]
#[template(path = "begin.html")]
pub(crate) struct BeginPage<'a> {
    pub(crate) provider_label: &'a str,
    pub(crate) login_hint: Option<&'a str>,
    pub(crate) return_to: &'a str,
    pub(crate) token: &'a str,
}

impl PageTemplate for BeginPage<'_> {
    const FORMS: Forms = Forms::Leave;
}

/// `switch.html`
#[derive(Debug, Template)]
#[template(path = "switch.html")]
pub(crate) struct SwitchPage<'a> {
    /// Whose session the browser has.
    pub(crate) now: &'a User,
    /// Whose it would have.
    pub(crate) next: &'a User,
    pub(crate) token: &'a str,
}

impl PageTemplate for SwitchPage<'_> {
    const FORMS: Forms = Forms::Stay;
}

/// `dashboard.html`
#[derive(Debug, Template)]
#[template(path = "dashboard.html")]
pub(crate) struct Dashboard<'a> {
    pub(crate) user: &'a User,
    pub(crate) session_ends: String,
    pub(crate) notice: Option<Notice>,
    /// Of the form for the word that makes the first admin, while there is none.
    pub(crate) first_admin_token: Option<String>,
    pub(crate) desk: Option<Desk<'a>>,
}

impl PageTemplate for Dashboard<'_> {
    const FORMS: Forms = Forms::Stay;
}

/// What admins see beside that.
#[derive(Debug)]
pub(crate) struct Desk<'a> {
    pub(crate) overview: Overview,
    pub(crate) events: Vec<Event>,
    pub(crate) users: Vec<UserRow>,
    pub(crate) rules: &'a Rules,
}

/// A user with the form that switches them.
#[derive(Debug)]
pub(crate) struct UserRow {
    pub(crate) user: User,
    pub(crate) is_self: bool,
    pub(crate) token: String,
}

/// What a form of the dashboard led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    Disabled,
    Enabled,
    LastAdmin,
    Unchanged,
    FirstAdmin,
    WrongWord,
    AdminExists,
}

impl Notice {
    const ALL: [Self; 7] = [
        Self::Disabled,
        Self::Enabled,
        Self::LastAdmin,
        Self::Unchanged,
        Self::FirstAdmin,
        Self::WrongWord,
        Self::AdminExists,
    ];

    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Disabled => "user_disabled",
            Self::Enabled => "user_enabled",
            Self::LastAdmin => "last_admin",
            Self::Unchanged => "unchanged",
            Self::FirstAdmin => "first_admin",
            Self::WrongWord => "wrong_word",
            Self::AdminExists => "admin_exists",
        }
    }

    pub(crate) fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.code() == code)
    }

    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Disabled => "The user is disabled and signed out everywhere.",
            Self::Enabled => "The user may sign in again.",
            Self::LastAdmin => {
                "Nothing was changed: this is the last admin. Make somebody else an admin first."
            }
            Self::Unchanged => "Nothing had to be changed.",
            Self::FirstAdmin => "You are the admin of this deployment now.",
            Self::WrongWord => {
                "That is not the word, or its hour is over. Starting openneko serve again prints a new one."
            }
            Self::AdminExists => "Nothing was changed: this deployment has an admin already.",
        }
    }

    /// The class of the note.
    pub(crate) const fn tone(self) -> &'static str {
        match self {
            Self::Disabled | Self::Enabled | Self::FirstAdmin => "good",
            Self::LastAdmin | Self::WrongWord | Self::AdminExists => "",
            Self::Unchanged => "plain",
        }
    }
}

/// `error.html`
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage<'a> {
    pub(crate) heading: &'a str,
    pub(crate) why: &'a str,
    /// In the second person and in lower case: it follows "What you can do:".
    pub(crate) what_to_do: &'a str,
    pub(crate) reference: Option<&'a str>,
    /// Label and address of a button.
    pub(crate) next: Option<(&'a str, &'a str)>,
}

impl PageTemplate for ErrorPage<'_> {
    const FORMS: Forms = Forms::None;
}
