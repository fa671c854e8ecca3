//! Many organizations and users at once, as an import brings them: what is there is read
//! with a statement for hundreds of lines, and what is new is written likewise.
//!
//! What comes of it is exactly what the functions for one organization, user or membership
//! would make of the lines one after the other, in the same transaction. Whatever
//! is not plainly new or plainly as it was is left to them: every `plan` says so by `None`, has
//! then changed nothing, and the caller writes what is planned before it looks at that line.

mod companies;
mod people;
mod places;

pub use companies::{Companies, NewCompanies};
pub use people::{NewPeople, People, owners};
pub use places::{Join, Places};
