//! The causes of failed sign-ins, of every protocol, and of our own rules.
//!
//! A cause is in one of three tables, and nothing else can be the cause of a
//! [`SignInFailure`](super::SignInFailure). `docs/reference/causes.md` is made of these tables.

use genkan_protocol::{oidc, saml};

genkan_protocol::causes! {
    /// Why our own rules let nobody in, whatever the protocol.
    pub enum RuleCause:

    /// A setting has no value.
    ConnectionIncomplete = "connection_incomplete",
        "The connection lacks a setting that a sign-in needs.";
    /// Switched off while the person was at the provider.
    ConnectionNotActive = "connection_not_active",
        "The connection is switched off.";
    /// The connection was changed while the person was at the provider.
    AnswerOfAnotherProtocol = "answer_of_another_protocol",
        "The answer is of another protocol than the one of the connection.";
    /// The address, or the account at Google, is of another domain.
    EmailDomainNotTrusted = "email_domain_not_trusted",
        "The person comes with an e-mail domain that is not one of the organization’s.";
    /// A domain that somebody has only entered.
    EmailDomainNotProved = "email_domain_not_proved",
        "There is an account with this e-mail address, and the organization has not proved that the domain is its own.";
    /// A known address with another subject.
    SubjectChanged = "subject_changed",
        "The provider sent a known e-mail address with another identifier than before.";
    /// The provider doubts the address.
    EmailNotVerified = "email_not_verified",
        "The provider has not verified the person’s e-mail address.";
    /// No account, and none is made.
    UserNotProvisioned = "user_not_provisioned",
        "The person has no account here, and none is made for them.";
    /// Disabled here.
    UserNotActive = "user_not_active",
        "The person’s account here is disabled.";
    /// No more users.
    OrganizationFull = "organization_full",
        "The organization has as many users as it may have.";
}

/// The cause of a failed sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Oidc(oidc::Cause),
    Saml(saml::Cause),
    Rule(RuleCause),
}

impl Cause {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Oidc(cause) => cause.code(),
            Self::Saml(cause) => cause.code(),
            Self::Rule(cause) => cause.code(),
        }
    }

    /// What happened, in one sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Oidc(cause) => cause.sentence(),
            Self::Saml(cause) => cause.sentence(),
            Self::Rule(cause) => cause.sentence(),
        }
    }

    /// Every cause. Within a protocol each code has one meaning.
    pub fn all() -> impl Iterator<Item = Self> {
        let saml = saml::Cause::all().iter().copied().map(Self::Saml);
        let oidc = oidc::Cause::all().iter().copied().map(Self::Oidc);
        let rules = RuleCause::all().iter().copied().map(Self::Rule);
        saml.chain(oidc).chain(rules)
    }
}

impl From<oidc::Cause> for Cause {
    fn from(cause: oidc::Cause) -> Self {
        Self::Oidc(cause)
    }
}

impl From<saml::Cause> for Cause {
    fn from(cause: saml::Cause) -> Self {
        Self::Saml(cause)
    }
}

impl From<RuleCause> for Cause {
    fn from(cause: RuleCause) -> Self {
        Self::Rule(cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_more_than_eighty_causes_and_each_says_one_thing() {
        assert!(Cause::all().count() > 80);
        for cause in Cause::all() {
            let (code, sentence) = (cause.code(), cause.sentence());
            assert!(
                code.bytes()
                    .all(|octet| octet.is_ascii_lowercase() || octet == b'_' || octet.is_ascii_digit()),
                "{code}"
            );
            // One sentence of a length that can be read aloud in one breath.
            assert_eq!(sentence.matches(". ").count(), 0, "{sentence}");
            assert!(
                sentence.ends_with('.') && sentence.chars().count() <= 120,
                "{sentence}"
            );
            assert!(sentence.starts_with(char::is_uppercase), "{sentence}");
        }
    }
}
