//! The store's refusals about roles and permissions, in words.

use genkan_store::permission::MAX_PERMISSIONS;
use genkan_store::role::{MAX_DEPTH, MAX_ROLES};
use genkan_store::{Error as StoreError, conflict};

use crate::Error;

/// A refused change. The SDKs expect a bad request if a name is taken, and compare the
/// sentence about assigned roles word for word.
pub(super) fn change(error: Error) -> Error {
    let Error::Store(StoreError::Conflict(name)) = error else {
        return error;
    };
    match name {
        conflict::ROLE_NAME => Error::invalid("role.name", "a role of this name already exists"),
        conflict::ROLE_BASE => Error::invalid(
            "role.extends",
            "a role extends only roles of its own organization and of the environment",
        ),
        conflict::ROLE_CYCLE => Error::invalid("role.extends", "the role would extend itself"),
        conflict::ROLE_DEPTH => {
            let what = format!("a chain of roles that extend each other has at most {MAX_DEPTH}");
            Error::invalid("role.extends", &what)
        }
        conflict::ROLES => {
            Error::precondition(format!("there are {MAX_ROLES} roles already, the most allowed"))
        }
        conflict::PERMISSION_NAME => {
            Error::invalid("permission.name", "a permission of this name already exists")
        }
        conflict::PERMISSIONS => Error::precondition(format!(
            "there are {MAX_PERMISSIONS} permissions already, the most allowed"
        )),
        other => Error::Store(StoreError::Conflict(other)),
    }
}

/// A refused deletion.
pub(super) fn deletion(error: Error) -> Error {
    let Error::Store(StoreError::Conflict(name)) = error else {
        return error;
    };
    match name {
        conflict::ROLE_ASSIGNED => Error::precondition("role cannot be deleted as it is assigned to users"),
        conflict::ROLE_OF_GROUP => Error::precondition(
            "role cannot be deleted as groups of a directory give it: name a role that takes its place",
        ),
        conflict::ROLE_EXTENDED => Error::precondition("role cannot be deleted as other roles extend it"),
        conflict::ROLE_DEFAULT => Error::precondition(
            "role cannot be deleted as new members get it: name a role that takes its place",
        ),
        conflict::ROLE_BASE => Error::invalid(
            "reassign_role_name",
            "must be another role, and one that everybody who has the deleted one can have",
        ),
        other => Error::Store(StoreError::Conflict(other)),
    }
}
