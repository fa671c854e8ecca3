//! The dashboard's note about a form that was sent from it.

/// The result of a form of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
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

    pub(super) const fn code(self) -> &'static str {
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

    pub(super) fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.code() == code)
    }

    pub(super) const fn sentence(self) -> &'static str {
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
    pub(super) const fn tone(self) -> &'static str {
        match self {
            Self::Disabled | Self::Enabled | Self::FirstAdmin => "good",
            Self::LastAdmin | Self::WrongWord | Self::AdminExists => "",
            Self::Unchanged => "plain",
        }
    }
}
