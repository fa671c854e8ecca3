//! The texts for a valid identity that our rules refuse.

use genkan_store::admission::Refusal;

/// A short code for logs and the trace.
pub(super) const fn cause(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::EmailNotTrusted | Refusal::LedElsewhere { .. } | Refusal::HostedDomainForeign => {
            "email_domain_not_trusted"
        }
        Refusal::DomainNotProved => "email_domain_not_proved",
        Refusal::SubjectChanged { .. } => "subject_changed",
        Refusal::EmailNotVerified => "email_not_verified",
        Refusal::NotProvisioned | Refusal::NoWayIn | Refusal::EmailMissing => "user_not_provisioned",
        Refusal::Disabled => "user_not_active",
        Refusal::OrganizationFull => "organization_full",
        Refusal::ConnectionNotActive => "connection_not_active",
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
        Refusal::EmailNotTrusted | Refusal::LedElsewhere { .. } => {
            "Add the domain of this e-mail address to the organization, or correct the address at the provider."
        }
        Refusal::HostedDomainForeign => {
            "The claim hd is no domain of the organization: let the person choose their account in your Google \
             Workspace, or add its domain to the organization."
        }
        Refusal::DomainNotProved => {
            "The person belongs to another organization too, or has proved the mailbox without agreeing to belong \
             to this one, so it does not suffice that somebody has entered the domain. `genkan domain verify DOMAIN --organization ORG` shows the TXT record that proves it and \
             looks for it; with --as-operator you answer for it yourself."
        }
        Refusal::SubjectChanged { .. } => {
            "If the address was given to another person, give the account before another address, or delete it. \
             If the provider has renumbered its people, allow it: `genkan connection relink CONNECTION`, or with \
             --user for one of them."
        }
        Refusal::EmailNotVerified => {
            "Let the provider mark the address as verified: in Keycloak by \"Email verified\" in the details of the \
             person. If people cannot enter their own address there, the connection may accept what is not marked."
        }
        Refusal::NotProvisioned | Refusal::NoWayIn | Refusal::EmailMissing => {
            "Invite the person, or turn on just-in-time provisioning and add their e-mail domain to the organization."
        }
        Refusal::Disabled => {
            "Enable the user, or their membership in the organization, if they should have access."
        }
        Refusal::OrganizationFull => {
            "Raise the number of users that the organization may have, or remove people who have left."
        }
        Refusal::ConnectionNotActive => "Enable the connection, if people should sign in through it.",
    }
}
