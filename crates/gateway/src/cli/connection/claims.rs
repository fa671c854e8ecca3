//! The options for the claims that a connection reads.

use clap::{Args, ValueEnum};
use genkan_store::connection::{Edit, EmailTrust, OidcChange};
use genkan_store::role;

use crate::cli::instance::Instance;
use crate::cli::{Context, Failure};

#[derive(Debug, Args)]
pub(super) struct ClaimArgs {
    /// The claim that lists a person's groups; none is read unless it is named
    #[arg(long, value_name = "CLAIM")]
    groups_claim: Option<String>,
    /// The provider lists no groups: those that are known go at the next sign-in
    #[arg(long, conflicts_with = "groups_claim")]
    no_groups_claim: bool,
    /// The claim that lists a person's roles; none is read unless it is named. Of the environment's roles it
    /// gives those that `genkan role` marks as assignable by providers
    #[arg(long, value_name = "CLAIM")]
    roles_claim: Option<String>,
    /// The provider has no say in roles: what it gave stays until people take it
    #[arg(long, conflicts_with = "roles_claim")]
    no_roles_claim: bool,
    /// Which of its e-mail addresses count
    #[arg(long, value_name = "WHICH", value_enum)]
    accept_emails: Option<AcceptEmails>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AcceptEmails {
    /// Those that the provider marks as verified: where people enter their own
    Verified,
    /// Those that it does not mark as unverified: so unless you choose
    Undoubted,
    /// All: safe only where people cannot enter their own
    Any,
}

impl From<AcceptEmails> for EmailTrust {
    fn from(accepted: AcceptEmails) -> Self {
        match accepted {
            AcceptEmails::Verified => Self::Verified,
            AcceptEmails::Undoubted => Self::NotDoubted,
            AcceptEmails::Any => Self::Any,
        }
    }
}

impl ClaimArgs {
    pub(super) fn is_given(&self) -> bool {
        self.groups_claim.is_some()
            || self.no_groups_claim
            || self.roles_claim.is_some()
            || self.no_roles_claim
            || self.accept_emails.is_some()
    }

    /// Adds the options to a change.
    pub(super) fn enter(&self, change: &mut OidcChange) {
        if self.no_groups_claim {
            change.groups_claim = Edit::Clear;
        } else {
            change.groups_claim = Edit::of_text(self.groups_claim.clone());
        }
        if self.no_roles_claim {
            change.roles_claim = Edit::Clear;
        } else if let Some(claim) = &self.roles_claim {
            // An empty one has another meaning: roles that the claim gave are taken back.
            change.roles_claim = Edit::Set(claim.clone());
        }
        if let Some(accepted) = self.accept_emails {
            change.trust_emails(accepted.into());
        }
    }

    /// Notes that a roles claim can give nothing yet.
    pub(super) async fn note(&self, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
        if self.roles_claim.is_none() {
            return Ok(());
        }
        let roles = instance.read(async |tx| role::list(tx, None).await).await?;
        if !roles.iter().any(|role| role.assignable_by_providers) {
            context.console.note(
                "Identity providers may give no role of the environment yet: \
                 `genkan role update ROLE --assignable-by-providers` lets them give one.",
            );
        }
        Ok(())
    }
}
