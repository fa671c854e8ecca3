//! A connection as commands show it.

use std::collections::BTreeMap;

use genkan_store::connection::{
    Connection, EmailTrust, OidcSettings, RolesFrom, SamlSettings, Settings, hosted_domain,
};
use serde::Serialize;

use crate::cli::output::{details, time, yes_no};
use crate::config::PublicUrl;

/// What an organization shows of a connection.
#[derive(Serialize)]
pub(in crate::cli) struct ConnectionSummary {
    pub(super) id: String,
    pub(super) organization_id: Option<String>,
    pub(super) r#type: &'static str,
    pub(super) provider: &'static str,
    pub(super) name: String,
    pub(super) enabled: bool,
}

impl From<&Connection> for ConnectionSummary {
    fn from(connection: &Connection) -> Self {
        Self {
            id: connection.id.to_string(),
            organization_id: connection.organization_id.as_ref().map(ToString::to_string),
            r#type: connection.kind().as_str(),
            provider: connection.provider.as_str(),
            name: connection.name.clone(),
            enabled: connection.enabled,
        }
    }
}

impl ConnectionSummary {
    pub(in crate::cli) fn line(&self) -> String {
        format!(
            "{} ({}{})",
            self.id,
            self.name,
            if self.enabled { "" } else { ", disabled" }
        )
    }
}

#[derive(Serialize)]
pub(super) struct ConnectionView<'a> {
    #[serde(flatten)]
    summary: ConnectionSummary,
    jit_provisioning: bool,
    sync_profile: bool,
    /// The address to register at the identity provider.
    pub(super) redirect_uri: String,
    /// What stands on a button that leads there.
    button_title: Option<&'a str>,
    /// What the application calls it.
    key_id: Option<&'a str>,
    has_client_secret: bool,
    status: &'static str,
    /// What must be entered before it can be enabled.
    missing: Vec<&'static str>,
    /// The domains that it signs in were chosen; otherwise all of its organization's.
    assigned_domains_only: bool,
    /// Whether the claim hd is checked; nothing unless the provider is Google.
    #[serde(skip)]
    checks_hosted_domain: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oidc: Option<&'a OidcSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    saml: Option<&'a SamlSettings>,
    created_at: String,
    updated_at: String,
}

impl<'a> ConnectionView<'a> {
    pub(super) fn new(connection: &'a Connection, public_url: &PublicUrl) -> Self {
        let (oidc, saml) = match &connection.settings {
            Settings::Oidc(settings) => (Some(settings), None),
            Settings::Saml(settings) => (None, Some(settings)),
        };
        let protocol = if saml.is_some() { "saml" } else { "oidc" };
        Self {
            summary: connection.into(),
            jit_provisioning: connection.jit_provisioning,
            sync_profile: connection.sync_profile,
            redirect_uri: public_url.join(&format!("/sso/v1/{protocol}/{}/callback", connection.id)),
            button_title: connection.ui_button_title.as_deref(),
            key_id: connection.key_id.as_deref(),
            has_client_secret: connection.client_secret_sealed.is_some(),
            status: connection.status().as_str(),
            missing: connection.missing(),
            assigned_domains_only: connection.assigned_domains_only,
            checks_hosted_domain: hosted_domain::applies(connection)
                .then(|| hosted_domain::is_on(connection)),
            oidc,
            saml,
            created_at: time(connection.created_at),
            updated_at: time(connection.updated_at),
        }
    }

    pub(super) fn text(&self) -> String {
        let summary = &self.summary;
        let mut rows = vec![
            ("Connection", summary.id.clone()),
            ("Name", summary.name.clone()),
            ("Organization", optional(&summary.organization_id)),
            ("Type", summary.r#type.to_owned()),
            ("Provider", summary.provider.to_owned()),
            ("Enabled", yes_no(summary.enabled)),
            ("Status", self.status.to_owned()),
        ];
        if !self.missing.is_empty() {
            rows.push(("Missing", self.missing.join(", ")));
        }
        rows.extend(self.oidc.map(|oidc| self.oidc_rows(oidc)).unwrap_or_default());
        rows.extend(self.saml.map(saml_rows).unwrap_or_default());
        let own = [("Button", self.button_title), ("Key id", self.key_id)];
        let written = |(name, text): (&'static str, Option<&str>)| Some((name, text?.to_owned()));
        rows.extend(own.into_iter().filter_map(written));
        rows.push(("Creates users", yes_no(self.jit_provisioning)));
        rows.push(("Updates profiles", yes_no(self.sync_profile)));
        let address = if self.saml.is_some() {
            "Assertion URL"
        } else {
            "Redirect URI"
        };
        rows.push((address, self.redirect_uri.clone()));
        details(&rows)
    }

    fn oidc_rows(&self, oidc: &OidcSettings) -> Vec<(&'static str, String)> {
        let mut rows = vec![
            ("Issuer", oidc.issuer.clone()),
            ("Client id", oidc.client_id.clone()),
            (
                "Client secret",
                if self.has_client_secret { "sealed" } else { "none" }.to_owned(),
            ),
            ("Token endpoint auth", oidc.token_auth_type.as_str().to_owned()),
            ("PKCE", yes_no(oidc.pkce_enabled)),
            ("Pushed requests", yes_no(oidc.push_requests)),
            ("Scopes", oidc.scopes.join(" ")),
            ("Attributes", pairs(&oidc.attribute_mapping)),
            ("Groups claim", oidc.groups_from().unwrap_or("none").to_owned()),
            (
                "Roles claim",
                match oidc.roles_from() {
                    RolesFrom::Named(claim) => claim.to_owned(),
                    RolesFrom::Unnamed(_) => "none, and what one gave is taken back".to_owned(),
                    RolesFrom::Nowhere => "none".to_owned(),
                },
            ),
            (
                "E-mail addresses",
                match oidc.email_trust() {
                    EmailTrust::Verified => "verified ones only",
                    EmailTrust::NotDoubted => "unless marked as unverified",
                    EmailTrust::Any => "all, also unverified ones",
                }
                .to_owned(),
            ),
        ];
        if let Some(checked) = self.checks_hosted_domain {
            rows.push(("Checks hd", yes_no(checked)));
        }
        let endpoints = [
            ("Discovery", &oidc.discovery_endpoint),
            ("Authorization", &oidc.authorize_uri),
            ("Token", &oidc.token_uri),
            ("User info", &oidc.user_info_uri),
            ("Keys", &oidc.jwks_uri),
        ];
        let written = |(name, uri): (&'static str, &Option<String>)| uri.clone().map(|uri| (name, uri));
        rows.extend(endpoints.into_iter().filter_map(written));
        rows
    }
}

fn saml_rows(saml: &SamlSettings) -> Vec<(&'static str, String)> {
    let certificates = saml
        .certificates
        .iter()
        .map(|certificate| format!("{}, until {}", certificate.issuer, time(certificate.expires_at)));
    vec![
        ("Metadata URL", optional(&saml.idp_metadata_url)),
        ("Entity id", optional(&saml.idp_entity_id)),
        ("Sign-on URL", optional(&saml.idp_sso_url)),
        ("Logout URL", optional(&saml.idp_slo_url)),
        ("Certificates", certificates.collect::<Vec<_>>().join("; ")),
        ("Name id", saml.name_id_format.as_str().to_owned()),
        ("Signatures", saml.signing.as_str().to_owned()),
        ("Signs requests", yes_no(saml.want_request_signed)),
        ("Attributes", pairs(&saml.attribute_mapping)),
    ]
}

fn optional(value: &Option<String>) -> String {
    value.clone().unwrap_or_default()
}

fn pairs(mapping: &BTreeMap<String, String>) -> String {
    let pairs = mapping.iter().map(|(ours, theirs)| format!("{ours}={theirs}"));
    pairs.collect::<Vec<_>>().join(", ")
}
