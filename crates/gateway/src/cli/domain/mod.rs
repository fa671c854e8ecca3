//! `genkan domain create|list|show|update|verify|delete`

mod verify;

use clap::{Args, Subcommand, ValueEnum};
use genkan_protocol::Domain as DomainName;
use genkan_store::Error;
use genkan_store::domain::{self, Domain, Kind};
use serde::Serialize;

use super::instance::{Deletion, Instance};
use super::output::{details, table, time};
use super::{Context, Failure, which};

const EXAMPLES: &str = "\
Examples:
  genkan domain create acme.com --organization org_241053847510274048012
  genkan domain list --organization acme-17
  genkan domain verify acme.com --organization acme-17
  genkan domain update acme.com --organization acme-17 --kind allowed-email
  genkan domain delete acme.com --organization acme-17

People who enter an address of the domain are sent to the organization's
identity provider. The provider may vouch for every address of the domain, so
add only domains that the organization owns. If its people also belong to
another organization, the domain must be proved.";

/// Domains: the e-mail domains of organizations
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DomainArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Give a domain to an organization
    Create {
        /// Such as acme.com
        #[arg(value_parser = parse_domain)]
        domain: DomainName,
        /// The organization's identifier or external id
        #[arg(long)]
        organization: String,
        /// The purpose of the domain
        #[arg(long, value_enum, default_value_t = Purpose::Organization)]
        kind: Purpose,
    },
    /// List an organization's domains
    List {
        /// The organization's identifier or external id
        #[arg(long)]
        organization: String,
    },
    /// Show a domain, and the TXT record that proves it
    Show {
        /// The domain, or its identifier
        domain: String,
        /// The organization's identifier or external id
        #[arg(long)]
        organization: String,
    },
    /// Change the purpose of a domain; if it differs, the proof of the domain is forgotten
    Update {
        /// The domain, or its identifier
        domain: String,
        /// The organization's identifier or external id
        #[arg(long)]
        organization: String,
        /// The purpose of the domain
        #[arg(long, value_enum)]
        kind: Purpose,
    },
    /// Prove that the organization owns a domain, by its TXT record; if it is missing, the record is shown
    Verify {
        /// The domain, or its identifier
        domain: String,
        /// The organization's identifier or external id
        #[arg(long)]
        organization: String,
        /// Do not look for the record, because you have verified the owner in another way
        #[arg(long)]
        as_operator: bool,
    },
    /// Take a domain from an organization
    Delete {
        /// The domain, or its identifier
        domain: String,
        /// The organization's identifier or external id
        #[arg(long)]
        organization: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Purpose {
    /// Its people sign in at the organization's identity provider
    Organization,
    /// People with such an address may join the organization by themselves
    AllowedEmail,
}

impl From<Purpose> for Kind {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Organization => Self::OrganizationDomain,
            Purpose::AllowedEmail => Self::AllowedEmailDomain,
        }
    }
}

/// Parses a domain for an organization.
pub(super) fn parse_domain(text: &str) -> Result<DomainName, String> {
    let domain = DomainName::parse(text).map_err(|error| match meant_domain(text) {
        Some(meant) => format!("{error}; write {meant} (a domain does not stand for its sub-domains)"),
        None => error.to_string(),
    })?;
    domain::refuse_public_mail(&domain).map_err(|error| error.to_string())?;
    Ok(domain)
}

/// Finds the domain in an address, a wildcard or a web address.
fn meant_domain(text: &str) -> Option<DomainName> {
    let (_, text) = text.split_once("://").unwrap_or(("", text));
    let text = text.split(['/', '?', '#']).next().unwrap_or_default();
    let text = text.rsplit('@').next().unwrap_or_default();
    let text = text.split(':').next().unwrap_or_default();
    let text = text.trim().trim_start_matches("*.").trim_matches('.');
    DomainName::parse(text).ok()
}

#[derive(Serialize)]
pub(super) struct DomainView {
    id: String,
    organization_id: String,
    pub(super) domain: String,
    kind: &'static str,
    /// PENDING: it waits for its TXT record, and has no effect yet.
    status: &'static str,
    /// DNS, OPERATOR or DEVELOPMENT. Null if it was not proved.
    proved_by: Option<&'static str>,
    proved_at: Option<String>,
    proved_actor: Option<String>,
    /// The record that would prove it.
    txt_record_name: Option<String>,
    txt_record_value: Option<String>,
    created_at: String,
}

impl DomainView {
    fn proof(&self) -> String {
        let by = self.proved_by.unwrap_or("no");
        self.proved_at
            .as_ref()
            .map_or_else(|| by.to_owned(), |at| format!("{by}, {at}"))
    }
}

impl DomainView {
    fn text(&self) -> String {
        let record = self.txt_record_name.as_ref().zip(self.txt_record_value.as_ref());
        let record = record.map(|(name, value)| format!("{name}. TXT \"{value}\""));
        details(&[
            ("Domain", self.domain.clone()),
            ("Identifier", self.id.clone()),
            ("Organization", self.organization_id.clone()),
            ("Kind", self.kind.to_owned()),
            ("Status", self.status.to_owned()),
            ("Proved", self.proof()),
            ("Record", record.unwrap_or_default()),
            ("Created", self.created_at.clone()),
        ])
    }
}

impl From<&Domain> for DomainView {
    fn from(domain: &Domain) -> Self {
        Self {
            id: domain.id.to_string(),
            organization_id: domain.organization_id.to_string(),
            domain: domain.name.as_str().to_owned(),
            kind: domain.kind.as_str(),
            status: domain.status.as_str(),
            proved_by: domain.proved.as_ref().map(|proved| proved.by.as_str()),
            proved_at: domain.proved.as_ref().map(|proved| time(proved.at)),
            proved_actor: domain.proved.as_ref().and_then(|proved| proved.actor.clone()),
            txt_record_name: domain.txt_name(),
            txt_record_value: domain.txt_name().map(|_| domain.txt_value.clone()),
            created_at: time(domain.created_at),
        }
    }
}

#[derive(Serialize)]
struct Listing {
    domains: Vec<DomainView>,
}

pub(super) async fn run(args: &DomainArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = context.open().await?;
    match &args.verb {
        Verb::Create {
            domain,
            organization,
            kind,
        } => create(domain, organization, (*kind).into(), &instance, context).await,
        Verb::List { organization } => {
            let organization = which::organization(&instance, organization).await?;
            let domains = instance
                .read(async |tx| domain::list(tx, &organization.id).await)
                .await?;
            let listing = Listing {
                domains: domains.iter().map(DomainView::from).collect(),
            };
            let row = |view: &DomainView| {
                [
                    view.id.clone(),
                    view.domain.clone(),
                    view.kind.to_owned(),
                    view.status.to_owned(),
                    view.proof(),
                    view.created_at.clone(),
                ]
            };
            context.console.print(&listing, || {
                let rows: Vec<_> = listing.domains.iter().map(row).collect();
                table(
                    ["ID", "DOMAIN", "KIND", "STATUS", "PROVED", "CREATED"],
                    &rows,
                    "The organization has no domains.",
                )
            })
        }
        Verb::Show { domain, organization } => {
            let domain = find(&instance, domain, organization).await?;
            show(&domain, context)
        }
        Verb::Update {
            domain,
            organization,
            kind,
        } => {
            let domain = find(&instance, domain, organization).await?;
            update(&domain, (*kind).into(), &instance, context).await
        }
        Verb::Verify {
            domain,
            organization,
            as_operator,
        } => {
            let domain = find(&instance, domain, organization).await?;
            verify::run(domain, *as_operator, &instance, context).await
        }
        Verb::Delete {
            domain,
            organization,
            yes,
        } => delete(domain, organization, *yes, &instance, context).await,
    }
}

async fn create(
    domain: &DomainName,
    organization: &str,
    kind: Kind,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let organization = which::organization(instance, organization).await?;
    let its_own = instance
        .read(async |tx| domain::list(tx, &organization.id).await)
        .await?;
    if its_own
        .iter()
        .any(|known| known.name == *domain && known.kind == kind)
    {
        return Err(Failure::new(format!(
            "{} has the domain {domain} already.",
            organization.display_name
        ))
        .remedy(format!(
            "`genkan domain show {domain} --organization {}` shows it.",
            organization.id
        )));
    }
    let at = instance.stamp();
    let domain =
        Domain::new(at.id(), organization.id, domain.clone(), kind, at.now).claimed_by(instance.claimant());
    instance
        .change(async |tx| domain::insert(tx, at, &domain).await)
        .await?;
    let view = DomainView::from(&domain);
    context
        .console
        .print(&view, || format!("Created {} ({}).\n", view.id, view.domain))?;
    verify::tell_record(&domain, context);
    Ok(())
}

/// The domain of an organization that the command line names.
async fn find(instance: &Instance, text: &str, organization: &str) -> Result<Domain, Failure> {
    let organization = which::organization(instance, organization).await?;
    let domains = instance
        .read(async |tx| domain::list(tx, &organization.id).await)
        .await?;
    let normal = DomainName::parse(text).ok();
    let is_meant = |domain: &&Domain| domain.id.as_str() == text || Some(&domain.name) == normal.as_ref();
    domains.iter().find(is_meant).cloned().ok_or_else(|| {
        Failure::not_found(format!("{} has no domain \"{text}\".", organization.display_name)).remedy(
            format!(
                "`genkan domain list --organization {}` shows those it has.",
                organization.id
            ),
        )
    })
}

fn show(domain: &Domain, context: &mut Context) -> Result<(), Failure> {
    let view = DomainView::from(domain);
    context.console.print(&view, || view.text())
}

async fn update(
    domain: &Domain,
    kind: Kind,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let (at, claimant) = (instance.stamp(), instance.claimant());
    let updated = instance
        .change(async |tx| {
            domain::set_kind(tx, at, domain, kind, claimant).await?;
            let found = domain::find(tx, &domain.organization_id, &domain.id).await?;
            found.ok_or(Error::Stale)
        })
        .await?;
    show(&updated, context)?;
    verify::tell_record(&updated, context);
    Ok(())
}

async fn delete(
    text: &str,
    organization: &str,
    yes: bool,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let domain = find(instance, text, organization).await?;
    let organization = which::organization(instance, organization).await?;
    let question = format!("take {} from {}", domain.name.as_str(), organization.display_name);
    context.console.confirm(&question, yes)?;
    let at = instance.stamp();
    instance
        .change(async |tx| domain::delete(tx, at, &organization.id, &domain.id).await)
        .await?;
    let deleted = Deletion::new(&domain.id);
    context.console.print(&deleted, || deleted.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_a_domain_is_refused_with_the_domain_that_was_meant() {
        for text in [
            "*.acme.test",
            "@acme.test",
            "ada@acme.test",
            "https://acme.test",
            "https://acme.test:8443/sso?x",
            "acme.test/",
            ".acme.test",
        ] {
            let told = parse_domain(text).unwrap_err();
            assert!(told.contains("write acme.test"), "{text}: {told}");
        }
        let told = parse_domain("acme").unwrap_err();
        assert!(!told.contains("write"), "{told}");
        assert!(parse_domain("mail.acme.test").is_ok());
    }
}
