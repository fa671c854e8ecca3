//! Locks a connection, see `docs/decisions/isolation.md`.

use genkan_db::{Tx, p};

use super::{Connection, columns, read};
use crate::row::held;
use crate::{ConnectionId, Error};

/// As [`super::find`], and locks the connection. Until this transaction is over, nobody ends what began
/// there, and the provider does not change.
pub(crate) async fn find_held(tx: &mut Tx<'_>, id: &ConnectionId) -> Result<Option<Connection>, Error> {
    let sql = held!(
        tx,
        "FOR KEY SHARE",
        "SELECT ",
        columns!(),
        " FROM connections WHERE id = $1"
    );
    let row = tx.opt(sql, p![id]).await?;
    row.as_ref().map(read).transpose()
}

/// Waits for other locks of a connection, and locks it exclusively. From here on, a transaction at READ
/// COMMITTED sees all that began there.
pub(crate) async fn hold_alone(tx: &mut Tx<'_>, id: &ConnectionId) -> Result<(), Error> {
    if tx.locks() {
        tx.opt("SELECT id FROM connections WHERE id = $1 FOR UPDATE", p![id])
            .await?;
    }
    Ok(())
}
