//! The form that a provider's page posts.
//!
//! Source: SAML Bindings §3.5.3, §3.5.4.

use zeroize::Zeroizing;

/// SAML Bindings §3.5.3 allows 80 bytes. Providers that begin a sign-in send addresses.
const MAX_RELAY_STATE: usize = 512;

/// The fields of the form (SAML Bindings §3.5.4).
pub(super) struct Form {
    pub(super) response: Zeroizing<String>,
    pub(super) relay_state: Option<String>,
}

impl Form {
    /// # Errors
    ///
    /// A description of the body that came instead.
    pub(super) fn parse(body: &[u8]) -> Result<Self, &'static str> {
        let (mut response, mut relay_state) = (None, None);
        for (name, value) in url::form_urlencoded::parse(body) {
            let field = match name.as_ref() {
                "SAMLResponse" => &mut response,
                "RelayState" => &mut relay_state,
                "SAMLRequest" => return Err("a SAMLRequest"),
                _ => continue,
            };
            if field.replace(value.into_owned()).is_some() {
                return Err("a field twice");
            }
        }
        let response = response.ok_or("no SAMLResponse")?;
        if relay_state
            .as_ref()
            .is_some_and(|text| text.len() > MAX_RELAY_STATE)
        {
            return Err("a RelayState that is longer");
        }
        Ok(Self {
            response: Zeroizing::new(response),
            // Some pages send the field although they have lost its value.
            relay_state: relay_state.filter(|text| !text.is_empty()),
        })
    }
}
