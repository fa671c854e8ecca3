//! The output for users and memberships.

use genkan_protocol::Timestamp;
use genkan_store::membership::{Membership, ProvisioningMethod};
use genkan_store::user::User;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::output::{details, time, yes_no};
use crate::cli::pairs;

#[derive(Serialize)]
pub(super) struct UserView {
    pub(super) id: String,
    pub(super) email: String,
    email_verified: bool,
    pub(super) name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    preferred_username: Option<String>,
    phone_number: Option<String>,
    locale: Option<String>,
    gender: Option<String>,
    picture: Option<String>,
    external_id: Option<String>,
    metadata: Map<String, Value>,
    custom_attributes: Map<String, Value>,
    pub(super) disabled: bool,
    created_at: String,
    updated_at: String,
    pub(super) last_login_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memberships: Option<Vec<MembershipView>>,
}

#[derive(Serialize)]
pub(super) struct MembershipView {
    organization_id: String,
    status: &'static str,
    roles: Vec<String>,
    groups: Vec<String>,
    provisioning_method: Option<&'static str>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

impl MembershipView {
    pub(super) fn new(membership: &Membership, now: Timestamp) -> Self {
        Self {
            organization_id: membership.organization_id.to_string(),
            status: membership.status_at(now).as_str(),
            roles: membership.roles.clone(),
            groups: membership.groups.clone(),
            provisioning_method: membership.provisioning_method.map(ProvisioningMethod::as_str),
            created_at: time(membership.created_at),
            expires_at: membership.expires_at.map(time),
        }
    }

    pub(super) fn line(&self) -> String {
        let status = match self.status {
            "ACTIVE" => "",
            "INACTIVE" => " (inactive)",
            "PENDING_INVITE" => " (invited)",
            _ => " (the invitation has expired)",
        };
        format!("{} as {}{status}", self.organization_id, self.roles.join(", "))
    }
}

impl UserView {
    pub(super) fn new(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.as_str().to_owned(),
            email_verified: user.email_verified,
            name: user.display_name(),
            given_name: user.given_name.clone(),
            family_name: user.family_name.clone(),
            preferred_username: user.preferred_username.clone(),
            phone_number: user.phone_number.clone(),
            locale: user.locale.clone(),
            gender: user.gender.clone(),
            picture: user.picture.clone(),
            external_id: user.external_id.clone(),
            metadata: user.metadata.clone(),
            custom_attributes: user.custom_attributes.clone(),
            disabled: user.disabled,
            created_at: time(user.created_at),
            updated_at: time(user.updated_at),
            last_login_at: user.last_login_at.map(time),
            memberships: None,
        }
    }

    pub(super) fn with_memberships(user: &User, memberships: &[Membership], now: Timestamp) -> Self {
        let view = |membership: &Membership| MembershipView::new(membership, now);
        Self {
            memberships: Some(memberships.iter().map(view).collect()),
            ..Self::new(user)
        }
    }

    pub(super) fn text(&self) -> String {
        let optional = |value: &Option<String>| value.clone().unwrap_or_default();
        let mut rows = vec![
            ("User", self.id.clone()),
            ("E-mail", self.email.clone()),
            ("E-mail verified", yes_no(self.email_verified)),
            ("Name", optional(&self.name)),
            ("External id", optional(&self.external_id)),
            ("Metadata", pairs::line(&self.metadata)),
            ("Disabled", yes_no(self.disabled)),
            ("Created", self.created_at.clone()),
            ("Last sign-in", optional(&self.last_login_at)),
        ];
        let own = [
            ("Username", &self.preferred_username),
            ("Phone", &self.phone_number),
            ("Locale", &self.locale),
            ("Gender", &self.gender),
            ("Picture", &self.picture),
        ];
        let written = |(name, text): (&'static str, &Option<String>)| Some((name, text.clone()?));
        rows.extend(own.into_iter().filter_map(written));
        if !self.custom_attributes.is_empty() {
            rows.push(("Attributes", pairs::line(&self.custom_attributes)));
        }
        rows.extend(
            self.memberships
                .iter()
                .flatten()
                .map(|view| ("Member of", view.line())),
        );
        details(&rows)
    }
}
