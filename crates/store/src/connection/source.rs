//! The names under which a connection's provider sends registered attributes of users.

use genkan_db::Tx;

use super::{Common, Connection, Kind, list};
use crate::page::MAX_LIMIT;
use crate::user_attribute::{UserAttribute, name_in_mapping, names_unknown};
use crate::{ConnectionId, Error, Page, conflict};

/// A registered attribute, and what the provider calls it.
#[derive(Debug, Clone, Copy)]
pub struct AttributeSource<'a> {
    pub attribute: &'a UserAttribute,
    /// `None`: nobody has said what it is called there.
    pub name: Option<&'a str>,
    /// The connection itself names it. Then a provider that leaves it out takes the value back.
    pub is_named: bool,
}

/// The enabled attributes with their sources at a connection.
///
/// The contract's mapping has plain keys, so a key without the prefix counts, too.
pub fn attribute_sources<'a>(
    attributes: &'a [UserAttribute],
    kind: Kind,
    common: &'a Common,
) -> impl Iterator<Item = AttributeSource<'a>> {
    let mapping = &common.attribute_mapping;
    attributes
        .iter()
        .filter(|attribute| attribute.enabled)
        .map(move |attribute| {
            let named = mapping
                .get(&name_in_mapping(&attribute.key))
                .or_else(|| mapping.get(&attribute.key));
            let default = match kind {
                Kind::Oidc => &attribute.oidc_claim,
                Kind::Saml => &attribute.saml_attribute,
            };
            AttributeSource {
                attribute,
                name: named.or(default.as_ref()).map(String::as_str),
                is_named: named.is_some(),
            }
        })
}

/// The newest connections that have no source for an attribute, at most `most`. If the attribute is required, they
/// refuse everybody.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn without_source(
    tx: &mut Tx<'_>,
    attribute: &UserAttribute,
    most: usize,
) -> Result<Vec<ConnectionId>, Error> {
    let (mut found, mut page) = (Vec::new(), Page::first(MAX_LIMIT));
    loop {
        let connections = list(tx, &page).await?;
        let lacking = connections.iter().filter(|connection| {
            let common = &connection.settings.common;
            attribute_sources(std::slice::from_ref(attribute), connection.kind(), common)
                .any(|source| source.name.is_none())
        });
        found.extend(
            lacking
                .map(|connection| connection.id.clone())
                .take(most - found.len()),
        );
        match connections.last() {
            Some(last) if connections.len() == MAX_LIMIT as usize && found.len() < most => {
                page = Page::after(MAX_LIMIT, last.id.clone());
            }
            _ => return Ok(found),
        }
    }
}

/// Refuses a mapping of an attribute that is neither ours nor registered, unless it was there `before`.
pub(super) async fn refuse_unknown(
    tx: &mut Tx<'_>,
    connection: &Connection,
    before: Option<&Connection>,
) -> Result<(), Error> {
    let before = before.map(|before| &before.settings.common.attribute_mapping);
    let mapping = &connection.settings.common.attribute_mapping;
    match names_unknown(tx, mapping, before).await? {
        true => Err(Error::Conflict(conflict::CONNECTION_ATTRIBUTE)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::user_attribute::Datatype;

    fn attribute(key: &str) -> UserAttribute {
        UserAttribute {
            key: key.to_owned(),
            label: key.to_owned(),
            datatype: Datatype::String,
            enabled: true,
            required: false,
            oidc_claim: Some("by_oidc".to_owned()),
            saml_attribute: None,
            created_at: Timestamp::from_secs(1),
            updated_at: Timestamp::from_secs(1),
        }
    }

    #[test]
    fn a_connection_names_a_source_before_the_register_does() {
        let off = UserAttribute {
            enabled: false,
            ..attribute("off")
        };
        let attributes = [
            attribute("department"),
            attribute("floor"),
            attribute("desk"),
            off,
        ];
        let mut common = Common::default();
        for (ours, theirs) in [
            ("custom.department", "dept"),
            ("department", "other"),
            ("floor", "level"),
        ] {
            common
                .attribute_mapping
                .insert(ours.to_owned(), theirs.to_owned());
        }
        let found = |kind| {
            let of = |source: AttributeSource<'_>| (source.name.map(str::to_owned), source.is_named);
            attribute_sources(&attributes, kind, &common)
                .map(of)
                .collect::<Vec<_>>()
        };
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(
            found(Kind::Oidc),
            [
                (name("dept"), true),
                (name("level"), true),
                (name("by_oidc"), false)
            ]
        );
        assert_eq!(
            found(Kind::Saml),
            [(name("dept"), true), (name("level"), true), (None, false)]
        );
    }
}
