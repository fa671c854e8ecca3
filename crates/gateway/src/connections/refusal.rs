//! The texts for a valid identity that our rules refuse.

use genkan_store::admission::Refusal;

use super::cause::RuleCause;

/// The cause, for logs and the trace.
pub(super) const fn cause(refusal: &Refusal) -> RuleCause {
    match refusal {
        Refusal::EmailNotTrusted | Refusal::LedElsewhere { .. } | Refusal::HostedDomainForeign => {
            RuleCause::EmailDomainNotTrusted
        }
        Refusal::DomainNotProved => RuleCause::EmailDomainNotProved,
        Refusal::SubjectChanged { .. } => RuleCause::SubjectChanged,
        Refusal::EmailNotVerified => RuleCause::EmailNotVerified,
        Refusal::NotProvisioned | Refusal::NoWayIn | Refusal::EmailMissing => RuleCause::UserNotProvisioned,
        Refusal::Disabled => RuleCause::UserNotActive,
        Refusal::OrganizationFull => RuleCause::OrganizationFull,
        Refusal::ConnectionNotActive => RuleCause::ConnectionNotActive,
    }
}

/// The text for the person.
pub(super) const fn why(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::EmailNotTrusted | Refusal::LedElsewhere { .. } => {
            "Your company’s sign-in sent an e-mail address of a domain that is not your company’s."
        }
        Refusal::HostedDomainForeign => {
            "You came with a Google account that is not your company’s. Choose the one that your company gave you."
        }
        Refusal::DomainNotProved => {
            "There is an account with your e-mail address already, and your company has not proved yet that the address is its own."
        }
        Refusal::SubjectChanged { .. } => {
            "Your company’s sign-in knows your e-mail address as somebody else’s. Perhaps the address was given to you newly."
        }
        Refusal::EmailNotVerified => {
            "Your company’s sign-in sent an e-mail address that nobody has verified there."
        }
        Refusal::NotProvisioned | Refusal::NoWayIn | Refusal::EmailMissing => {
            "Your sign-in worked, but there is no account for you yet."
        }
        Refusal::Disabled => "Your account has been disabled.",
        Refusal::OrganizationFull => {
            "Your sign-in worked, but your company has no free place for another person."
        }
        Refusal::ConnectionNotActive => "Your company’s sign-in is switched off at the moment.",
    }
}

/// The text for the administrator.
pub(super) const fn remedy(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::HostedDomainForeign => HOSTED_DOMAIN,
        _ => at_rule(cause(refusal)),
    }
}

/// For people who come from Google.
const HOSTED_DOMAIN: &str = "The claim hd is no domain of the organization: let the person choose their account in your \
     Google Workspace, or add its domain to the organization.";

/// The text for the administrator, if no more is known than the cause.
pub(super) const fn at_rule(cause: RuleCause) -> &'static str {
    match cause {
        RuleCause::ConnectionIncomplete => "Enter what is missing in the connection.",
        RuleCause::ConnectionNotActive => "Enable the connection, if people should sign in through it.",
        RuleCause::AnswerOfAnotherProtocol => {
            "Let the person begin again: the connection was changed while they were at the provider."
        }
        RuleCause::EmailDomainNotTrusted => {
            "Add the domain of this e-mail address to the organization, or correct the address at the provider."
        }
        RuleCause::EmailDomainNotProved => {
            "The person belongs to another organization too, or has proved the mailbox without agreeing to belong \
             to this one. So it does not suffice that somebody has entered the domain. \
             `genkan domain verify DOMAIN --organization ORGANIZATION` shows the TXT record that proves it and looks for it; \
             with --as-operator you answer for it yourself."
        }
        RuleCause::SubjectChanged => {
            "If the address was given to another person, give the account before another address, or delete it. \
             If the provider has renumbered its people, allow it: `genkan connection relink CONNECTION`, or with \
             --user for one of them. To keep it from happening again, let the provider send an identifier that stays \
             when the address changes, and do not change its format later."
        }
        RuleCause::EmailNotVerified => {
            "Let the provider mark the address as verified: in Keycloak by \"Email verified\" in the details of the \
             person. If people cannot enter their own address there, the connection may accept what is not marked."
        }
        RuleCause::UserNotProvisioned => {
            "Invite the person, or turn on just-in-time provisioning and add their e-mail domain to the organization."
        }
        RuleCause::UserNotActive => {
            "Enable the user, or their membership in the organization, if they should have access."
        }
        RuleCause::OrganizationFull => {
            "Raise the number of users that the organization may have, or remove people who have left."
        }
    }
}
