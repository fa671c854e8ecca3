//! The look of the pages for an organization's people.

use genkan_db::{Tx, p};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::shape::{self, organization_columns};
use crate::event::{self, Entry, Kind, Object};
use crate::row::{Columns, json};
use crate::{Error, OrganizationId, Stamp, Timestamp};

/// An organization's own look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Branding {
    pub settings: Map<String, Value>,
    /// Microseconds since the Unix epoch, as everywhere in the store.
    updated_at: i64,
}

impl Branding {
    pub const fn updated_at(&self) -> Timestamp {
        Timestamp::from_micros(self.updated_at)
    }
}

/// The organization's own look. `None` if it uses the environment's, or does not exist.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, id: &OrganizationId) -> Result<Option<Branding>, Error> {
    let row = tx
        .opt("SELECT branding FROM organizations WHERE id = $1", p![id])
        .await?;
    let branding = row.map(|row| Columns::of(&row).optional_json("organizations.branding"));
    Ok(branding.transpose()?.flatten())
}

/// Gives an organization its own look, or the environment's.
///
/// # Errors
///
/// [`Error::Stale`] if there is no such organization.
pub async fn set(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    id: &OrganizationId,
    settings: Option<&Map<String, Value>>,
) -> Result<Option<Branding>, Error> {
    let branding = settings.map(|settings| Branding {
        settings: settings.clone(),
        updated_at: at.now.as_micros(),
    });
    let text = branding.as_ref().map(json);
    let row = tx
        .opt(
            concat!(
                "UPDATE organizations SET branding = $2 WHERE id = $1 RETURNING ",
                organization_columns!("")
            ),
            p![id, text.as_deref()],
        )
        .await?
        .ok_or(Error::Stale)?;
    let object = Object::of(&shape::Organization::read(&mut Columns::of(&row))?);
    let entry = Entry::new(Kind::OrganizationUpdated)
        .organization(id)
        .object(object);
    event::record(tx, at, entry.with("branding", branding.is_some())).await?;
    Ok(branding)
}
