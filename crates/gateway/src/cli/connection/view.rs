//! The output for a connection.

use genkan_store::connection::{
    Common, Connection, Endpoint, OidcSettings, Protocol, SamlSettings, ServiceProvider, Settings,
};
use serde::Serialize;

use super::settings::words;
use super::words::optional;
use super::{oidc, saml};
use crate::cli::output::{details, time, yes_no};
use crate::config::PublicUrl;

/// A connection in the output for its organization.
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

/// The settings, under the name of their kind.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum SettingsView<'a> {
    Oidc(AllSettings<'a, OidcSettings>),
    Saml(AllSettings<'a, SamlSettings>),
}

#[derive(Serialize)]
struct AllSettings<'a, S> {
    #[serde(flatten)]
    settings: &'a S,
    #[serde(flatten)]
    common: &'a Common,
}

#[derive(Serialize)]
pub(super) struct ConnectionView<'a> {
    #[serde(flatten)]
    summary: ConnectionSummary,
    jit_provisioning: bool,
    sync_profile: bool,
    /// The address to register at the identity provider.
    pub(super) redirect_uri: String,
    /// Our names and addresses for the administrator of a SAML provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_provider: Option<ServiceProvider>,
    /// The text of a button that leads there.
    button_title: Option<&'a str>,
    /// The application's name for it.
    key_id: Option<&'a str>,
    has_client_secret: bool,
    status: &'static str,
    /// The fields that are missing before it can be enabled.
    missing: Vec<&'static str>,
    /// Whether it signs in only assigned domains. Otherwise it signs in all of its organization's.
    assigned_domains_only: bool,
    #[serde(flatten)]
    settings: SettingsView<'a>,
    /// The settings as text.
    #[serde(skip)]
    rows: Vec<(&'static str, String)>,
    /// The provider's name for [`Self::redirect_uri`].
    #[serde(skip)]
    pub(super) address: &'static str,
    created_at: String,
    updated_at: String,
}

impl<'a> ConnectionView<'a> {
    pub(super) fn new(connection: &'a Connection, public_url: &PublicUrl) -> Self {
        let Settings { common, protocol } = &connection.settings;
        let own = connection
            .settings
            .as_saml()
            .map(|settings| ServiceProvider::of(connection, settings, public_url.as_str()));
        let (settings, rows) = match protocol {
            Protocol::Oidc(settings) => (
                SettingsView::Oidc(AllSettings { settings, common }),
                oidc::rows(connection, settings),
            ),
            Protocol::Saml(settings) => (
                SettingsView::Saml(AllSettings { settings, common }),
                own.as_ref()
                    .map(|own| saml::rows(connection, settings, own))
                    .unwrap_or_default(),
            ),
        };
        Self {
            summary: connection.into(),
            jit_provisioning: connection.jit_provisioning,
            sync_profile: connection.sync_profile,
            redirect_uri: match &own {
                Some(own) => own.acs_url.clone(),
                None => public_url.join(&connection.path(Endpoint::Callback)),
            },
            service_provider: own,
            button_title: connection.ui_button_title.as_deref(),
            key_id: connection.key_id.as_deref(),
            has_client_secret: connection.client_secret_sealed.is_some(),
            status: connection.status().as_str(),
            missing: connection.missing(),
            assigned_domains_only: connection.assigned_domains_only,
            settings,
            rows,
            address: words(connection.kind()).address,
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
        rows.extend(self.rows.iter().cloned());
        let own = [("Button", self.button_title), ("Key id", self.key_id)];
        let written = |(name, text): (&'static str, Option<&str>)| Some((name, text?.to_owned()));
        rows.extend(own.into_iter().filter_map(written));
        rows.push(("Creates users", yes_no(self.jit_provisioning)));
        rows.push(("Updates profiles", yes_no(self.sync_profile)));
        rows.push((self.address, self.redirect_uri.clone()));
        details(&rows)
    }
}
