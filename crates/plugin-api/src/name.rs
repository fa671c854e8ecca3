//! Names of plugin packages.

use crate::text::{Invalid, checked_text};

/// Longest name that npm accepts.
const MAX_LENGTH: usize = 214;

/// The npm name of a plugin, such as `@open-neko/plugin-scalekit`.
///
/// Lower-case letters, digits and `-` in the scope, `_` as well in the name.
/// No dots and one slash at most, so a name can never leave a directory.
///
/// ```
/// use openneko_plugin::PackageName;
///
/// let name = PackageName::parse("@open-neko/plugin-scalekit")?;
/// assert_eq!(name.plugin_id(), "open-neko-plugin-scalekit");
/// assert_eq!(name.label(), "Scalekit");
/// assert!(PackageName::parse("../etc").is_err());
/// # Ok::<(), openneko_plugin::Invalid>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName(String);

checked_text!(PackageName);

impl PackageName {
    fn check(text: &str) -> Result<(), Invalid> {
        let invalid = |rule| Err(Invalid::new("package name", text, rule));
        if text.len() < 3 || text.len() > MAX_LENGTH {
            return invalid("3 to 214 characters");
        }
        let name = match text.strip_prefix('@') {
            None => text,
            Some(scoped) => {
                let Some((scope, name)) = scoped.split_once('/') else {
                    return invalid("a scope is followed by / and a name");
                };
                if scope.is_empty() || !scope.bytes().all(|b| is_alphanumeric(b) || b == b'-') {
                    return invalid("a scope is made of a-z, 0-9 and -");
                }
                name
            }
        };
        let allowed = |b: u8| is_alphanumeric(b) || b == b'-' || b == b'_';
        if !name.bytes().next().is_some_and(is_alphanumeric) || !name.bytes().all(allowed) {
            return invalid("a name is made of a-z, 0-9, - and _, and starts with a letter or digit");
        }
        Ok(())
    }

    /// The scope without its `@`, if there is one.
    pub fn scope(&self) -> Option<&str> {
        let (scope, _) = self.0.strip_prefix('@')?.split_once('/')?;
        Some(scope)
    }

    /// The name without its scope.
    pub fn base(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(_, base)| base)
    }

    /// The id that OpenNeko shows: without `@`, and `-` for `/`.
    ///
    /// Different names can have the same id (`@a/b-c` and `@a-b/c`); if that
    /// matters, use [`PackageName::storage_id`].
    pub fn plugin_id(&self) -> String {
        plugin_id(&self.0)
    }

    /// A name for files and directories that no other package has.
    ///
    /// ```
    /// # use openneko_plugin::PackageName;
    /// let one = PackageName::parse("@a/b-c")?;
    /// let other = PackageName::parse("@a-b/c")?;
    /// assert_eq!(one.plugin_id(), other.plugin_id());
    /// assert_ne!(one.storage_id(), other.storage_id());
    /// # Ok::<(), openneko_plugin::Invalid>(())
    /// ```
    pub fn storage_id(&self) -> String {
        // `+` occurs in no name, so it separates the scope from the rest.
        match self.scope() {
            Some(scope) => format!("{scope}+{}", self.base()),
            None => self.0.clone(),
        }
    }

    /// A label of the provider, until its plugin gives one: `Scalekit` for
    /// `@open-neko/plugin-scalekit`.
    pub fn label(&self) -> String {
        let base = self.base().strip_prefix("plugin-").unwrap_or(self.base());
        let mut characters = base.chars();
        match characters.next() {
            Some(first) => first.to_uppercase().chain(characters).collect(),
            None => self.0.clone(),
        }
    }
}

/// [`PackageName::plugin_id`] of an unchecked name.
pub fn plugin_id(name: &str) -> String {
    name.strip_prefix('@').unwrap_or(name).replace('/', "-")
}

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_the_official_marketplace_are_accepted() {
        for name in [
            "@open-neko/plugin-scalekit",
            "plugin",
            "@1/2-_",
            "a_b-c",
            "@-/abc",
        ] {
            assert!(PackageName::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_could_leave_a_directory_are_refused() {
        for name in [
            "", "a", "..", "../x", "@a/../b", "@../b", "@a/b/c", "@/abc", "@a/", "@abc", "Abc", "a.b",
            "abc\n", "abc def", "abc\\d", "-abc", "_abc", "@a/_b", "abc\0", "a/b", "äbc",
        ] {
            assert!(PackageName::parse(name).is_err(), "{name}");
        }
        assert!(PackageName::parse(&"a".repeat(215)).is_err());
    }

    proptest! {
        #[test]
        fn names_never_share_their_storage(one in "(@[a-c-]{1,3}/)?[a-c][a-c_-]{2,4}", other in "(@[a-c-]{1,3}/)?[a-c][a-c_-]{2,4}") {
            let one = PackageName::parse(&one).unwrap();
            let other = PackageName::parse(&other).unwrap();
            prop_assert_eq!(one == other, one.storage_id() == other.storage_id());
        }
    }
}
