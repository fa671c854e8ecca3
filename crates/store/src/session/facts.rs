//! Facts beside a session that the sign-in log shows.

use crate::Error;
use crate::row::Columns;

/// The person and the connection of a session, as the sign-in log shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    pub(crate) email: Option<String>,
    pub(crate) connection_kind: Option<String>,
    pub(crate) connection_provider: Option<String>,
}

/// The columns of `sessions` that [`SessionFacts::read`] reads.
macro_rules! session_facts_columns {
    () => {
        "(SELECT u.email FROM users u WHERE u.id = sessions.user_id),
         (SELECT c.kind FROM connections c WHERE c.id = sessions.connection_id),
         (SELECT c.provider FROM connections c WHERE c.id = sessions.connection_id)"
    };
}
pub(super) use session_facts_columns;

impl SessionFacts {
    pub(super) fn read(columns: &mut Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            email: columns.optional_text()?,
            connection_kind: columns.optional_text()?,
            connection_provider: columns.optional_text()?,
        })
    }
}
