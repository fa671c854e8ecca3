//! The package to install: `name`, `name@marketplace` or `name@version`.

use openneko_plugin::{PackageName, Version};

use crate::cli::Failure;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) name: PackageName,
    pub(super) marketplace: Option<String>,
    pub(super) version: Option<Version>,
}

impl Spec {
    /// Reads a spec. After the last `@` stands a version or a marketplace: a
    /// slug has no dots, so they cannot be confused.
    pub(super) fn parse(text: &str, version: Option<&str>) -> Result<Self, Failure> {
        const GIT_HOSTS: [&str; 3] = [
            "https://github.com/",
            "https://gitlab.com/",
            "https://codeberg.org/",
        ];
        if text.trim().is_empty() {
            return Err(Failure::usage("install: package name required"));
        }
        if GIT_HOSTS.iter().any(|host| text.starts_with(host)) {
            return Err(Failure::usage(
                "install: Git-URL skill installs are disabled by deployment policy. \
                 openneko installs plugins by their package name",
            ));
        }
        // At the beginning the @ belongs to the scope.
        let (name, reference) = match text.rfind('@').filter(|at| *at > 0) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let usage = |error: openneko_plugin::Invalid| Failure::usage(format!("install: {error}"));
        let name = PackageName::parse(name).map_err(usage)?;
        let asked = version.map(Version::parse).transpose().map_err(usage)?;
        let Some(reference) = reference else {
            return Ok(Self {
                name,
                marketplace: None,
                version: asked,
            });
        };
        match Version::parse(reference) {
            Ok(version) if asked.as_ref().is_none_or(|asked| *asked == version) => Ok(Self {
                name,
                marketplace: None,
                version: Some(version),
            }),
            Ok(version) => Err(Failure::usage(format!(
                "install: {text} asks for {version}, and --version for another one"
            ))),
            Err(_) if reference.is_empty() => Err(Failure::usage(format!(
                "install: {text} ends with @, where a version or a marketplace is expected"
            ))),
            Err(_) => Ok(Self {
                name,
                marketplace: Some(reference.to_owned()),
                version: asked,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_a_marketplace_and_a_scope_are_told_apart() {
        let parsed = |text, version| {
            let spec = Spec::parse(text, version).unwrap();
            let version = spec.version.map(|version| version.to_string());
            (spec.name.to_string(), spec.marketplace, version)
        };
        let some = |text: &str| Some(text.to_owned());
        let name = "@acme/sso".to_owned();
        assert_eq!(parsed("@acme/sso", None), (name.clone(), None, None));
        assert_eq!(
            parsed("@acme/sso@1.2.3", None),
            (name.clone(), None, some("1.2.3"))
        );
        assert_eq!(
            parsed("@acme/sso@1.2.3", Some("1.2.3")),
            (name.clone(), None, some("1.2.3"))
        );
        assert_eq!(
            parsed("@acme/sso@official", Some("1.0.0")),
            (name, some("official"), some("1.0.0"))
        );
        for (text, version) in [
            ("", None),
            (" ", None),
            ("sso@", None),
            ("@acme/sso@1.2.3", Some("1.2.4")),
            ("sso", Some("latest")),
            ("../etc", None),
            ("https://github.com/acme/skill", None),
        ] {
            assert!(Spec::parse(text, version).is_err(), "{text}");
        }
    }
}
