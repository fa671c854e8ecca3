//! Registers custom attributes of users.

use genkan_store::user_attribute::{self, Datatype, UserAttribute};

use crate::Gateway;

impl Gateway {
    /// Registers a custom attribute of users.
    pub async fn register_attribute(&self, key: &str, change: impl FnOnce(&mut UserAttribute)) {
        let at = self.at();
        let mut attribute = UserAttribute {
            key: key.to_owned(),
            label: key.to_owned(),
            datatype: Datatype::String,
            enabled: true,
            required: false,
            oidc_claim: None,
            saml_attribute: None,
            created_at: at.now,
            updated_at: at.now,
        };
        change(&mut attribute);
        self.tx(async |tx| user_attribute::insert(tx, at, &attribute).await)
            .await;
    }
}
