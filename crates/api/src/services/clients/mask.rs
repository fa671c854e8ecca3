//! Which fields an update replaces.

use std::collections::BTreeSet;

use prost_types::FieldMask;

use crate::Error;

/// The fields that a mask names; without one, the fields that are not empty.
pub(super) struct Mask(Option<BTreeSet<String>>);

impl Mask {
    /// Reads the mask of an update of `message`, whose fields are `known`.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` if the mask names another field.
    pub(super) fn read(
        mask: Option<FieldMask>,
        (field, message): (&str, &str),
        known: &[&str],
    ) -> Result<Self, Error> {
        let Some(mask) = mask.filter(|mask| !mask.paths.is_empty()) else {
            return Ok(Self(None));
        };
        let mut paths = BTreeSet::new();
        for path in mask.paths {
            let name = path
                .strip_prefix(message)
                .and_then(|rest| rest.strip_prefix('.'))
                .unwrap_or(&path);
            if !known.contains(&name) {
                return Err(Error::invalid(field, &format!("\"{path}\" cannot be updated")));
            }
            paths.insert(name.to_owned());
        }
        Ok(Self(Some(paths)))
    }

    /// Every field that is not empty.
    pub(super) const fn whatever_is_there() -> Self {
        Self(None)
    }

    fn names(&self, field: &str) -> Option<bool> {
        self.0.as_ref().map(|paths| paths.contains(field))
    }

    /// The new text of a field, if it has one.
    pub(super) fn text(&self, field: &str, text: String, into: &mut String) {
        if self.names(field).unwrap_or(!text.is_empty()) {
            *into = text;
        }
    }

    /// The new list of a field, if it has one.
    pub(super) fn list<T>(&self, field: &str, list: Vec<T>) -> Option<Vec<T>> {
        self.names(field).unwrap_or(!list.is_empty()).then_some(list)
    }

    /// The new number of a field, if it has one.
    pub(super) fn number(&self, field: &str, number: i64) -> Option<i64> {
        self.names(field).unwrap_or(number != 0).then_some(number)
    }

    /// The new value of an optional field. If a mask names it and it is absent, it is
    /// cleared.
    pub(super) fn optional<T: Default>(&self, field: &str, value: Option<T>) -> Option<T> {
        match (self.names(field), value) {
            (Some(false), _) | (None, None) => None,
            (Some(true) | None, Some(value)) => Some(value),
            (Some(true), None) => Some(T::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(paths: &[&str]) -> Result<Mask, Error> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        Mask::read(Some(FieldMask { paths }), ("mask", "client"), &["name", "scopes"])
    }

    #[test]
    fn without_a_mask_what_holds_something_is_replaced() {
        let mask = Mask::whatever_is_there();
        let mut name = "old".to_owned();
        mask.text("name", String::new(), &mut name);
        assert_eq!(name, "old");
        mask.text("name", "new".to_owned(), &mut name);
        assert_eq!(name, "new");
        assert_eq!(mask.list::<u8>("scopes", vec![]), None);
        assert_eq!(mask.optional("name", Some(false)), Some(false));
        assert_eq!(mask.number("name", 0), None);
    }

    #[test]
    fn a_mask_replaces_what_it_names_and_nothing_else() {
        let mask = mask(&["client.scopes"]).unwrap_or_else(|error| panic!("{error}"));
        let mut name = "old".to_owned();
        mask.text("name", "new".to_owned(), &mut name);
        assert_eq!(name, "old");
        assert_eq!(mask.list::<u8>("scopes", vec![]), Some(vec![]));
        assert_eq!(mask.optional::<bool>("scopes", None), Some(false));
        assert_eq!(mask.optional("name", Some(true)), None);
    }

    #[test]
    fn a_mask_that_names_no_field_is_refused() {
        for paths in [["secret"], ["client"], ["other.name"], [""]] {
            assert!(mask(&paths).is_err(), "{paths:?}");
        }
    }
}
