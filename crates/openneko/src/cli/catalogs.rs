//! The catalogs of the trusted marketplaces. If one does not answer, the others are still used.

use openneko_plugin::PackageName;
use openneko_plugin::marketplace::{Catalog, Plugin};

use super::{Context, Failure, block_on};
use crate::http::Http;
use crate::marketplace::{self, TrustedMarketplace};

/// The catalogs, by the slug of their marketplace.
pub(super) struct Catalogs {
    fetched: Vec<(String, Catalog)>,
    /// Slugs of those that were not asked or did not answer.
    failed: Vec<String>,
    denied: Vec<String>,
}

impl Catalogs {
    /// Fetches the catalogs of `allowed`, and warns of marketplaces that do not answer.
    pub(super) fn fetch(
        allowed: Vec<TrustedMarketplace>,
        denied: Vec<TrustedMarketplace>,
        context: &mut Context,
    ) -> Result<Self, Failure> {
        let mut catalogs = Self {
            fetched: Vec::new(),
            failed: Vec::new(),
            denied: denied.into_iter().map(|one| one.name).collect(),
        };
        for one in allowed {
            match fetch(&one, context) {
                Ok(catalog) => catalogs.fetched.push((one.name, catalog)),
                Err(failure) => {
                    context.console.note(&format!("warning: {}", failure.message()));
                    catalogs.failed.push(one.name);
                }
            }
        }
        Ok(catalogs)
    }

    /// Asks one marketplace, which must answer.
    pub(super) fn fetch_one(one: TrustedMarketplace, context: &mut Context) -> Result<Self, Failure> {
        let catalog = fetch(&one, context)?;
        Ok(Self {
            fetched: vec![(one.name, catalog)],
            failed: Vec::new(),
            denied: Vec::new(),
        })
    }

    /// The one marketplace that lists a plugin.
    pub(super) fn find(&self, name: &PackageName) -> Result<(&str, &Plugin), Failure> {
        let hits: Vec<_> = self
            .fetched
            .iter()
            .filter_map(|(slug, catalog)| Some((slug.as_str(), catalog.get(name.as_str())?)))
            .collect();
        match hits.as_slice() {
            [hit] => Ok(*hit),
            [] => Err(self.not_found(name)),
            hits => {
                let lines: Vec<_> = hits
                    .iter()
                    .map(|(slug, _)| format!("\n  {name}@{slug}"))
                    .collect();
                Err(Failure::new(format!(
                    "install: {name} is listed in multiple trusted marketplaces. Pick one:{}",
                    lines.concat()
                )))
            }
        }
    }

    /// What one marketplace lists of a plugin; `Err` if it did not answer or was not asked.
    pub(super) fn of(&self, slug: &str, name: &PackageName) -> Result<Option<&Plugin>, Failure> {
        if let Some((_, catalog)) = self.fetched.iter().find(|(fetched, _)| fetched == slug) {
            return Ok(catalog.get(name.as_str()));
        }
        let reason = if self.failed.iter().any(|failed| failed == slug) {
            "did not answer"
        } else if self.denied.iter().any(|denied| denied == slug) {
            "is not allowed by deployment policy"
        } else {
            "is not trusted any more"
        };
        Err(Failure::new(format!(
            "{name}: its marketplace \"{slug}\" {reason}"
        )))
    }

    fn not_found(&self, name: &PackageName) -> Failure {
        let fetched = self.fetched.iter().map(|(slug, _)| slug.as_str());
        let slugs: Vec<_> = fetched.chain(self.failed.iter().map(String::as_str)).collect();
        let mut message = format!(
            "install: {name} not found in any trusted marketplace ({})",
            slugs.join(", ")
        );
        for (others, why) in [
            (&self.failed, "did not answer"),
            (&self.denied, "not asked, since the policy does not allow it"),
        ] {
            if !others.is_empty() {
                message.push_str(&format!("\n  {why}: {}", others.join(", ")));
            }
        }
        Failure::new(message)
    }
}

fn fetch(one: &TrustedMarketplace, context: &mut Context) -> Result<Catalog, Failure> {
    let failed = |reason: String| {
        Failure::new(format!(
            "failed to fetch marketplace {} ({}): {reason}",
            one.name, one.url
        ))
    };
    let http = Http::new(&context.paths, &[]).map_err(|error| failed(error.to_string()))?;
    let fetched = block_on(async { Ok(marketplace::fetch(&http, &one.url).await) })?;
    let (catalog, bad) = fetched.map_err(|error| failed(error.to_string()))?;
    for entry in bad {
        let slug = &one.name;
        context
            .console
            .note(&format!("warning: marketplace {slug}: not usable: {entry}"));
    }
    Ok(catalog)
}
