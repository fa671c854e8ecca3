//! SAML: Genkan as the service provider of an identity provider.

use genkan_protocol::saml::{IdpCertificate, IdpMetadata};
use serde::{Deserialize, Serialize};

use super::edit::{Edit, set};
use super::rules::{ConfigurationType, MAX_TEXT, Mistake, Mistakes, Rules, address, short};
use crate::row::words;
use crate::{CertificateId, Stamp, Timestamp};

const MAX_CERTIFICATES: usize = 10;

words! {
    /// The format of a person's name in the provider's answer (SAML Core §8.3).
    pub enum NameIdFormat {
        Unspecified = "UNSPECIFIED",
        Email = "EMAIL",
        Transient = "TRANSIENT",
        Persistent = "PERSISTENT",
    }
}

words! {
    /// How a message travels through the browser (SAML Bindings §3.4, §3.5).
    pub enum RequestBinding {
        HttpPost = "HTTP_POST",
        HttpRedirect = "HTTP_REDIRECT",
    }
}

words! {
    /// Which part of an answer must be signed. There is no choice "none", because anybody can make an
    /// unsigned answer.
    pub enum SigningOption {
        Response = "SAML_ONLY_RESPONSE_SIGNING",
        Assertion = "SAML_ONLY_ASSERTION_SIGNING",
        Both = "SAML_RESPONSE_ASSERTION_SIGNING",
        Either = "SAML_RESPONSE_OR_ASSERTION_SIGNING",
    }
}

/// The settings of a SAML identity provider: the address of its metadata, or each part by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamlSettings {
    pub idp_metadata_url: Option<String>,
    pub idp_entity_id: Option<String>,
    pub idp_sso_url: Option<String>,
    pub idp_sso_request_binding: RequestBinding,
    pub idp_slo_url: Option<String>,
    pub idp_slo_request_binding: RequestBinding,
    /// Sign people out at the provider too.
    pub idp_slo_required: bool,
    /// The provider's signing keys.
    pub certificates: Vec<SamlCertificate>,
    pub name_id_format: NameIdFormat,
    pub signing: SigningOption,
    /// The provider must ask for credentials at every sign-in.
    pub force_authn: bool,
    /// Assertions must be encrypted with our key.
    pub assertion_encrypted: bool,
    /// We sign our requests.
    pub want_request_signed: bool,
    /// Which of our certificates signs them; `None`: the current one.
    pub certificate_id: Option<String>,
    pub allow_idp_initiated_login: bool,
    /// The address after a sign-in that the provider began, instead of the application's address.
    pub default_redirect_uri: Option<String>,
    /// Our entity id at the provider, if it is not the default.
    pub sp_entity_id: Option<String>,
    pub sp_assertion_url: Option<String>,
    pub sp_slo_url: Option<String>,
    /// The kind of authentication to ask for, a URI (SAML Core §3.3.2.2.1). `None`: the provider decides.
    #[serde(default)]
    pub requested_context: Option<String>,
    /// Signatures with SHA-1 are accepted, which can be forged with effort.
    #[serde(default)]
    pub allow_sha1: bool,
    /// Assertions may be encrypted with AES-CBC, if a signature covers the cipher text.
    #[serde(default)]
    pub allow_cbc: bool,
}

impl Default for SamlSettings {
    fn default() -> Self {
        Self {
            idp_metadata_url: None,
            idp_entity_id: None,
            idp_sso_url: None,
            idp_sso_request_binding: RequestBinding::HttpRedirect,
            idp_slo_url: None,
            idp_slo_request_binding: RequestBinding::HttpRedirect,
            idp_slo_required: false,
            certificates: Vec::new(),
            name_id_format: NameIdFormat::Unspecified,
            signing: SigningOption::Either,
            force_authn: false,
            assertion_encrypted: false,
            want_request_signed: false,
            certificate_id: None,
            allow_idp_initiated_login: false,
            default_redirect_uri: None,
            sp_entity_id: None,
            sp_assertion_url: None,
            sp_slo_url: None,
            requested_context: None,
            allow_sha1: false,
            allow_cbc: false,
        }
    }
}

/// A certificate of a SAML provider, parsed when it was entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamlCertificate {
    pub id: CertificateId,
    pub pem: String,
    /// Its issuer, for people to see.
    pub issuer: String,
    pub created_at: Timestamp,
    /// Its key is accepted after this time as well.
    pub expires_at: Timestamp,
}

impl SamlSettings {
    /// Replaces the provider's certificates. A known certificate keeps its identifier.
    pub fn set_certificates(&mut self, at: Stamp<'_>, certificates: &[IdpCertificate]) {
        let known = std::mem::take(&mut self.certificates);
        self.certificates = certificates
            .iter()
            .map(|certificate| {
                let pem = certificate.to_pem();
                let before = known.iter().find(|known| known.pem == pem);
                before.cloned().unwrap_or_else(|| SamlCertificate {
                    id: at.id(),
                    pem,
                    issuer: certificate.issuer().to_owned(),
                    created_at: at.now,
                    expires_at: certificate.expires_at(),
                })
            })
            .collect();
    }

    /// Takes over the settings of a metadata document. If the provider has both bindings, redirect is used,
    /// because it needs no script and no form.
    pub fn set_metadata(&mut self, at: Stamp<'_>, metadata: &IdpMetadata) {
        let pick = |redirect: &Option<String>, post: &Option<String>| match redirect {
            Some(url) => (Some(url.clone()), RequestBinding::HttpRedirect),
            None => (post.clone(), RequestBinding::HttpPost),
        };
        self.idp_entity_id = Some(metadata.entity_id.clone());
        (self.idp_sso_url, self.idp_sso_request_binding) =
            pick(&metadata.sso_redirect_url, &metadata.sso_post_url);
        (self.idp_slo_url, self.idp_slo_request_binding) =
            pick(&metadata.slo_redirect_url, &metadata.slo_post_url);
        if metadata.wants_signed_requests {
            self.want_request_signed = true;
        }
        self.set_certificates(at, &metadata.certificates);
    }
}

/// A change of the settings for a SAML provider. All other settings stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SamlChange {
    /// Its metadata document. A setting that is given as well has precedence.
    pub idp_metadata: Option<String>,
    /// If it is set together with the document, the document comes from there.
    pub idp_metadata_url: Edit<String>,
    pub idp_entity_id: Edit<String>,
    pub idp_sso_url: Edit<String>,
    pub idp_sso_request_binding: Option<RequestBinding>,
    pub idp_slo_url: Edit<String>,
    pub idp_slo_request_binding: Option<RequestBinding>,
    pub idp_slo_required: Option<bool>,
    /// One certificate or several, as PEM.
    pub idp_certificate: Edit<String>,
    pub name_id_format: Option<NameIdFormat>,
    pub signing: Option<SigningOption>,
    pub force_authn: Option<bool>,
    pub assertion_encrypted: Option<bool>,
    pub want_request_signed: Option<bool>,
    pub certificate_id: Edit<String>,
    pub allow_idp_initiated_login: Option<bool>,
    pub default_redirect_uri: Edit<String>,
    pub sp_entity_id: Edit<String>,
    pub sp_assertion_url: Edit<String>,
    pub sp_slo_url: Edit<String>,
    pub requested_context: Edit<String>,
    pub allow_sha1: Option<bool>,
    pub allow_cbc: Option<bool>,
}

/// Reads the metadata of a provider.
fn read_metadata(document: &str, now: Timestamp) -> Result<IdpMetadata, String> {
    let metadata = IdpMetadata::parse(document).map_err(|error| error.to_string())?;
    match metadata.valid_until {
        // SAML 2.0 Metadata §2.3.1: they count no longer.
        Some(end) if end <= now => Err(format!(
            "was valid until {}: take the provider's present metadata",
            end.to_rfc3339()
        )),
        _ => Ok(metadata),
    }
}

impl SamlChange {
    /// The field that brought the document.
    const fn metadata_field(&self) -> &'static str {
        match &self.idp_metadata_url {
            Edit::Set(_) => "idp_metadata_url",
            Edit::Leave | Edit::Clear => "idp_metadata",
        }
    }

    pub(super) fn enter(&self, settings: &mut SamlSettings, at: Stamp<'_>, mistakes: &mut Mistakes) {
        if let Some(document) = &self.idp_metadata {
            match read_metadata(document, at.now) {
                Ok(metadata) => settings.set_metadata(at, &metadata),
                Err(reason) => mistakes.add(Mistake::new(self.metadata_field(), reason)),
            }
        }
        self.idp_metadata_url.enter(&mut settings.idp_metadata_url);
        self.idp_entity_id.enter(&mut settings.idp_entity_id);
        self.idp_sso_url.enter(&mut settings.idp_sso_url);
        self.idp_slo_url.enter(&mut settings.idp_slo_url);
        self.certificate_id.enter(&mut settings.certificate_id);
        self.default_redirect_uri
            .enter(&mut settings.default_redirect_uri);
        self.sp_entity_id.enter(&mut settings.sp_entity_id);
        self.sp_assertion_url.enter(&mut settings.sp_assertion_url);
        self.sp_slo_url.enter(&mut settings.sp_slo_url);
        self.requested_context.enter(&mut settings.requested_context);
        set(&mut settings.allow_sha1, self.allow_sha1);
        set(&mut settings.allow_cbc, self.allow_cbc);
        set(
            &mut settings.idp_sso_request_binding,
            self.idp_sso_request_binding,
        );
        set(
            &mut settings.idp_slo_request_binding,
            self.idp_slo_request_binding,
        );
        set(&mut settings.idp_slo_required, self.idp_slo_required);
        set(&mut settings.name_id_format, self.name_id_format);
        set(&mut settings.signing, self.signing);
        set(&mut settings.force_authn, self.force_authn);
        set(&mut settings.assertion_encrypted, self.assertion_encrypted);
        set(&mut settings.want_request_signed, self.want_request_signed);
        set(
            &mut settings.allow_idp_initiated_login,
            self.allow_idp_initiated_login,
        );
        match &self.idp_certificate {
            Edit::Leave => {}
            Edit::Clear => settings.set_certificates(at, &[]),
            Edit::Set(text) => match IdpCertificate::parse_all(text) {
                Ok(certificates) => settings.set_certificates(at, &certificates),
                Err(error) => mistakes.add(Mistake::new("idp_certificate", error.to_string())),
            },
        }
    }
}

impl Rules for SamlSettings {
    fn implied_configuration(&self) -> ConfigurationType {
        match (&self.idp_metadata_url, &self.idp_sso_url) {
            (None, Some(_)) => ConfigurationType::Manual,
            _ => ConfigurationType::Discovery,
        }
    }

    fn check(&self, http_allowed: bool, mistakes: &mut Mistakes) {
        // Only the first is requested by us. The browser goes to the others, and what it carries is signed
        // or public.
        for (field, url) in [
            ("idp_metadata_url", &self.idp_metadata_url),
            ("idp_sso_url", &self.idp_sso_url),
            ("idp_slo_url", &self.idp_slo_url),
            ("default_redirect_uri", &self.default_redirect_uri),
            ("sp_assertion_url", &self.sp_assertion_url),
            ("sp_slo_url", &self.sp_slo_url),
        ] {
            if let Some(url) = url {
                mistakes.note(address(field, url, http_allowed));
            }
        }
        // SAML Core §8.3.6: an entity is named by a URI of at most 1024 characters.
        for (field, id, most) in [
            ("idp_entity_id", &self.idp_entity_id, 1024),
            ("sp_entity_id", &self.sp_entity_id, 1024),
            ("certificate_id", &self.certificate_id, MAX_TEXT),
            ("requested_context", &self.requested_context, MAX_TEXT),
        ] {
            mistakes.note(short(field, id.as_deref().unwrap_or_default(), most));
        }
        if self.certificates.len() > MAX_CERTIFICATES {
            let reason = format!("holds more than {MAX_CERTIFICATES} certificates");
            mistakes.add(Mistake::new("idp_certificate", reason));
        }
    }

    fn required(&self, _has_secret: bool, from: ConfigurationType) -> Vec<(&'static str, bool)> {
        let read = [
            ("idp_entity_id", self.idp_entity_id.is_some()),
            ("idp_sso_url", self.idp_sso_url.is_some()),
            ("idp_certificate", !self.certificates.is_empty()),
        ];
        match (from, &self.idp_metadata_url) {
            // It brings everything else.
            (ConfigurationType::Discovery, None) => vec![("idp_metadata_url", false)],
            (ConfigurationType::Discovery, Some(_)) | (ConfigurationType::Manual, _) => read.into(),
        }
    }

    fn is_touched(&self) -> bool {
        *self != Self::default()
    }

    fn authority(&self) -> &str {
        let name = self.idp_entity_id.as_deref();
        name.or(self.idp_metadata_url.as_deref()).unwrap_or_default()
    }
}
