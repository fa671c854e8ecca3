//! The person who signs in at the identity provider, and the provider's faults meanwhile.

use genkan::simulator::{Fault, saml};

/// What the person types into the identity provider's form.
#[derive(Debug, Clone)]
pub struct Person {
    pub email: String,
    pub given_name: String,
    pub family_name: String,
    pub email_verified: bool,
    pub groups: String,
    pub roles: String,
    /// More claims, as a JSON object. They have precedence over the fields.
    pub claims: String,
    pub fault: Option<Fault>,
    /// The same at a provider by SAML.
    pub saml_fault: Option<saml::Fault>,
}

impl Person {
    pub fn new(email: &str) -> Self {
        Self {
            email: email.to_owned(),
            given_name: "Ada".to_owned(),
            family_name: "Lovelace".to_owned(),
            email_verified: true,
            groups: String::new(),
            roles: String::new(),
            claims: String::new(),
            fault: None,
            saml_fault: None,
        }
    }

    /// The identity provider makes this mistake.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// The identity provider makes this mistake by SAML.
    #[must_use]
    pub fn with_saml_fault(mut self, fault: saml::Fault) -> Self {
        self.saml_fault = Some(fault);
        self
    }

    /// The address is not verified.
    #[must_use]
    pub fn unverified(mut self) -> Self {
        self.email_verified = false;
        self
    }

    #[must_use]
    pub fn with_roles(mut self, roles: &str) -> Self {
        roles.clone_into(&mut self.roles);
        self
    }

    #[must_use]
    pub fn with_claims(mut self, claims: &serde_json::Value) -> Self {
        self.claims = claims.to_string();
        self
    }

    /// The fields of the simulator's form.
    pub(crate) fn fields(&self) -> Vec<(&'static str, &str)> {
        let fault = self.fault.map(Fault::as_str);
        let fault = fault.or(self.saml_fault.map(saml::Fault::as_str));
        vec![
            ("email", self.email.as_str()),
            ("given_name", &self.given_name),
            ("family_name", &self.family_name),
            ("groups", &self.groups),
            ("roles", &self.roles),
            ("more", &self.claims),
            ("fault", fault.unwrap_or_default()),
            ("email_verified", if self.email_verified { "true" } else { "" }),
        ]
    }
}

impl From<&str> for Person {
    fn from(email: &str) -> Self {
        Self::new(email)
    }
}

impl From<&Self> for Person {
    fn from(person: &Self) -> Self {
        person.clone()
    }
}
