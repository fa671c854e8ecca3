//! Who calls, and what they may do.

use std::collections::BTreeSet;

use genkan_store::ClientId;

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Caller {
    pub client_id: ClientId,
    pub permissions: Permissions,
}

/// What a token allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permissions {
    /// Everything: a management client that asked for no scope.
    All,
    /// What its scope lists, and nothing else.
    Only(BTreeSet<String>),
}

impl Permissions {
    /// Whether one of `any_of` is allowed. A method that names no permission is
    /// for tokens without a limit only.
    pub fn allow(&self, any_of: &[String]) -> bool {
        match self {
            Self::All => true,
            Self::Only(granted) => any_of.iter().any(|name| granted.contains(name)),
        }
    }
}

/// What a presented token turned out to be.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A management client's.
    Management(Caller),
    /// Genuine, but not one for the management API; the sentence says why.
    NotForManagement(&'static str),
    /// Genuine, of a client without management access. SDKs of this contract
    /// expect to be told to authenticate, and give up when that changes nothing;
    /// the sentence says how access is given.
    NoAccess(String),
    /// Not ours, expired, or revoked.
    Invalid,
}
