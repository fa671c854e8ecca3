//! Reads connections from rows.

use genkan_db::Row;

use super::Connection;
use crate::Error;
use crate::row::Columns;

/// The columns of a connection, each after the table's name and a dot, if one is given.
macro_rules! columns {
    () => {
        $crate::connection::columns!("")
    };
    ($table:literal) => {
        $crate::event::shape::columns!($table: "id", "organization_id", "provider", "name", "enabled",
            "jit_provisioning", "sync_profile", "settings", "client_secret_sealed", "key_id", "ui_button_title",
            "assigned_domains_only", "created_at", "updated_at")
    };
}
pub(crate) use columns;

/// The number of columns that [`read`] reads.
pub(super) const COLUMNS: usize = 14;

pub(super) fn read(row: &Row) -> Result<Connection, Error> {
    read_columns(&mut Columns::of(row))
}

/// Reads what [`columns`] selects.
pub(crate) fn read_columns(columns: &mut Columns<'_>) -> Result<Connection, Error> {
    Ok(Connection {
        id: columns.id()?,
        organization_id: columns.optional_id()?,
        provider: columns.parsed("connections.provider", str::parse)?,
        name: columns.text()?,
        enabled: columns.bool()?,
        jit_provisioning: columns.bool()?,
        sync_profile: columns.bool()?,
        settings: columns.json("connections.settings")?,
        client_secret_sealed: columns.optional_bytes()?,
        key_id: columns.optional_text()?,
        ui_button_title: columns.optional_text()?,
        assigned_domains_only: columns.bool()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}
