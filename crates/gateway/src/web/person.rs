//! The person on a page.

/// `person.html`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) email: &'a str,
    pub(crate) organization: Option<&'a str>,
}

impl Person<'_> {
    pub(crate) fn display_name(&self) -> &str {
        self.name.unwrap_or(self.email)
    }

    pub(crate) fn initial(&self) -> String {
        self.display_name()
            .chars()
            .next()
            .map(|first| first.to_uppercase().collect())
            .unwrap_or_default()
    }
}

/// The person of the samples.
#[cfg(test)]
pub(crate) mod samples {
    use genkan_web::samples::LONG;

    use super::Person;

    pub(crate) const ADA: Person<'_> = Person {
        name: Some("Ada Lovelace"),
        email: "ada@example.com",
        organization: Some("Test Organization"),
    };

    pub(crate) const MALLORY: Person<'_> = Person {
        name: Some("Mallory Malice"),
        email: "mallory@evil.example",
        organization: Some("Evil Works"),
    };

    /// Ada in another company.
    pub(crate) const ADA_ELSEWHERE: Person<'_> = Person {
        organization: Some(LONG),
        ..ADA
    };

    pub(crate) const NAMELESS: Person<'_> = Person {
        name: None,
        email: "ada.of.the.analytical.engine@example.com",
        organization: None,
    };
}
