//! `genkan domain verify`

use genkan_api::dns;
use genkan_store::domain::{self, Domain, Kind, Proof};
use genkan_store::{Error, conflict};

use super::DomainView;
use crate::cli::instance::Instance;
use crate::cli::{Context, Failure};

/// Looks for the record, or accepts the operator's word, and stores the proof.
pub(super) async fn run(
    domain: Domain,
    as_operator: bool,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    if domain.kind != Kind::OrganizationDomain {
        return Err(Failure::new(format!(
            "There is nothing to prove about {}: no identity provider speaks for it.",
            domain.name.as_str()
        )));
    }
    let at = instance.stamp();
    let (organization_id, id) = (&domain.organization_id, &domain.id);
    if domain.proved.is_none() {
        let by = if as_operator {
            Proof::Operator
        } else {
            look(&domain, instance).await?;
            Proof::Dns
        };
        instance
            .change(
                async |tx| match domain::prove(tx, at, organization_id, id, by).await {
                    Err(Error::Conflict(conflict::DOMAIN)) => Ok(None),
                    proved => proved.map(Some),
                },
            )
            .await?
            .ok_or_else(|| {
                Failure::new(format!("{} is another organization's.", domain.name.as_str()))
                    .remedy("Take it from that one first: `genkan domain delete`.")
            })?;
    }
    let domain = instance
        .read(async |tx| domain::find(tx, organization_id, id).await?.ok_or(Error::Stale))
        .await?;
    let view = DomainView::from(&domain);
    context.console.print(&view, || {
        let by = view.proved_by.unwrap_or("nobody");
        format!("{} is proved ({by}).\n", view.domain)
    })
}

/// Fails with an instruction if the record is missing.
async fn look(domain: &Domain, instance: &Instance) -> Result<(), Failure> {
    let domain = instance
        .change(async |tx| domain::with_record(tx, &domain.organization_id, &domain.id).await)
        .await?;
    let name = domain.txt_name().unwrap_or_default();
    let record = format!("{name}. TXT \"{}\"", domain.txt_value);
    match dns::has_text(&name, &domain.txt_value, None).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(format!(
            "The name servers of {} do not have the record yet.",
            domain.name.as_str()
        ))
        .remedy(format!(
            "Let the organization add it and try again:\n  {record}\nOr answer for the domain yourself, with \
             --as-operator."
        ))),
        Err(dns::Unreachable) => Err(
            Failure::new("The name servers could not be asked.").remedy(format!(
                "Try again where names can be looked up. The record is:\n  {record}"
            )),
        ),
    }
}

/// Shows the record that a new domain needs.
pub(super) fn tell_record(domain: &Domain, context: &mut Context) {
    if domain.status != domain::Status::Pending {
        return;
    }
    let name = domain.txt_name().unwrap_or_default();
    context.console.note(&format!(
        "It has no effect until its name servers hold this record; Genkan looks for it for seven days:\n  \
         {name}. TXT \"{}\"",
        domain.txt_value
    ));
}
