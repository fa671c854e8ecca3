//! Why a sign-in did not work: a code, and the text for it.
//!
//! The sign-in page gets a code and a reference in its address, never a text:
//! anybody could write a text into a link.

/// Why a person is at the sign-in page again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The provider says that the person, or their company, refused.
    AccessDenied,
    /// The provider answered with another error.
    ProviderError,
    /// The answer of the provider is malformed.
    BadCallback,
    /// This browser did not begin the sign-in, or began it long ago.
    StateMissing,
    StateMismatch,
    /// It was already finished, or has expired.
    StateUsed,
    PluginFailed,
    PluginTimeout,
    /// The plugin that began it is not the one that is installed now.
    PluginChanged,
    NotReady,
    BadIdentity,
    OrganizationNotAllowed,
    DomainNotAllowed,
    EmailNotVerified,
    EmailTaken,
    UserDisabled,
    TooManySessions,
    Internal,
}

impl Problem {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::AccessDenied,
        Self::ProviderError,
        Self::BadCallback,
        Self::StateMissing,
        Self::StateMismatch,
        Self::StateUsed,
        Self::PluginFailed,
        Self::PluginTimeout,
        Self::PluginChanged,
        Self::NotReady,
        Self::BadIdentity,
        Self::OrganizationNotAllowed,
        Self::DomainNotAllowed,
        Self::EmailNotVerified,
        Self::EmailTaken,
        Self::UserDisabled,
        Self::TooManySessions,
        Self::Internal,
    ];

    /// The word in addresses, in the audit and in the log.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::ProviderError => "provider_error",
            Self::BadCallback => "bad_callback",
            Self::StateMissing => "state_missing",
            Self::StateMismatch => "state_mismatch",
            Self::StateUsed => "state_used",
            Self::PluginFailed => "plugin_failed",
            Self::PluginTimeout => "plugin_timeout",
            Self::PluginChanged => "plugin_changed",
            Self::NotReady => "not_ready",
            Self::BadIdentity => "bad_identity",
            Self::OrganizationNotAllowed => "organization_not_allowed",
            Self::DomainNotAllowed => "domain_not_allowed",
            Self::EmailNotVerified => "email_not_verified",
            Self::EmailTaken => "email_taken",
            Self::UserDisabled => "user_disabled",
            Self::TooManySessions => "too_many_sessions",
            Self::Internal => "internal",
        }
    }

    /// The problem of a code in an address. An unknown code is a problem too.
    pub fn of_code(code: &str) -> Self {
        let known = Self::ALL.into_iter().find(|problem| problem.code() == code);
        known.unwrap_or(Self::Internal)
    }

    /// What happened, for the person who wanted to sign in.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::AccessDenied => {
                "The sign-in was cancelled, or your company does not let you use this application."
            }
            Self::ProviderError => "Your company’s sign-in answered with an error.",
            Self::BadCallback => "The answer of your company’s sign-in was incomplete.",
            Self::StateMissing => "This sign-in was begun in another browser, or too long ago.",
            Self::StateMismatch => "The answer does not belong to the sign-in that was begun here.",
            Self::StateUsed => "This sign-in was finished already, or it took too long.",
            Self::PluginFailed => "Your company’s sign-in could not be asked who you are.",
            Self::PluginTimeout => "Your company’s sign-in took too long to answer.",
            Self::PluginChanged => "The way of signing in was changed meanwhile.",
            Self::NotReady => "Signing in is not set up yet.",
            Self::BadIdentity => "Your company’s sign-in did not say who you are in a way that can be used.",
            Self::OrganizationNotAllowed => "Your organization is not among those that may sign in here.",
            Self::DomainNotAllowed => "Your e-mail domain is not among those that may sign in here.",
            Self::EmailNotVerified => "Your company’s sign-in has not verified your e-mail address.",
            Self::EmailTaken => "Your e-mail address belongs to another account here.",
            Self::UserDisabled => "Your account here is disabled.",
            Self::TooManySessions => "You signed in too many times at once.",
            Self::Internal => "Something went wrong here. It has been recorded.",
        }
    }

    /// What to do next.
    pub const fn what_to_do(self) -> &'static str {
        match self {
            Self::AccessDenied
            | Self::OrganizationNotAllowed
            | Self::DomainNotAllowed
            | Self::EmailNotVerified
            | Self::EmailTaken
            | Self::UserDisabled => "Ask whoever runs this application to let you in.",
            Self::StateMissing
            | Self::StateMismatch
            | Self::StateUsed
            | Self::BadCallback
            | Self::PluginChanged => "Sign in again from here.",
            Self::ProviderError
            | Self::PluginFailed
            | Self::PluginTimeout
            | Self::BadIdentity
            | Self::TooManySessions
            | Self::Internal => {
                "Try again in a moment. If it happens again, send the reference to your IT team."
            }
            Self::NotReady => "Ask whoever runs this application.",
        }
    }
}

impl From<crate::web::rules::Refusal> for Problem {
    fn from(refusal: crate::web::rules::Refusal) -> Self {
        Self::of_code(refusal.code())
    }
}

/// A reference in an address, if it can be one of ours: the page shows it, so it must not
/// hold words.
pub(crate) fn reference(text: &str) -> Option<&str> {
    let is_ours = (8..=40).contains(&text.len())
        && text.contains('_')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    is_ours.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::rules::Refusal;

    #[test]
    fn every_code_leads_back_to_its_problem() {
        for problem in Problem::ALL {
            assert_eq!(Problem::of_code(problem.code()), problem);
            assert!(problem.sentence().ends_with('.') && problem.what_to_do().ends_with('.'));
        }
        assert_eq!(Problem::of_code("Call +1 555 0100"), Problem::Internal);
    }

    #[test]
    fn every_refusal_has_its_own_problem() {
        for refusal in [
            Refusal::OrganizationNotAllowed,
            Refusal::DomainNotAllowed,
            Refusal::EmailNotVerified,
            Refusal::EmailTaken,
            Refusal::Disabled,
            Refusal::TooManySessions,
        ] {
            assert_ne!(Problem::from(refusal), Problem::Internal, "{refusal:?}");
        }
    }

    #[test]
    fn a_reference_holds_no_words() {
        assert_eq!(reference("ref_0123456789-_"), Some("ref_0123456789-_"));
        for bad in [
            "",
            "ref_",
            "call us at 555",
            "<b>ref_12345</b>",
            &"ref_".repeat(20),
        ] {
            assert_eq!(reference(bad), None, "{bad}");
        }
    }
}
