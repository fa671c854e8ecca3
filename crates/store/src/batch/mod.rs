//! Handles many organizations and users at once, for an import. One statement reads what exists for
//! hundreds of lines, and another writes what is new.
//!
//! The result is the same as if the functions for one organization, user or membership handled the lines
//! one after the other, in the same transaction. A line that is neither plainly new nor plainly unchanged
//! is left to them. For such a line every `plan` returns `None` and has changed nothing. The caller then
//! writes what was planned so far before it handles that line.

mod companies;
mod people;
mod places;

pub use companies::{NewOrganizations, OrganizationIndex};
pub use people::{NewUsers, UserIndex, owners};
pub use places::{JoinableOrganizations, NewMembership};
