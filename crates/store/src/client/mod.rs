//! Clients: applications that ask for tokens.
//!
//! Most belong to the environment and sign people in. Others belong to an
//! organization or a resource and act for themselves: *machine clients*.
//!
//! Source: RFC 6749 §2.

mod list;
mod row;
mod rules;
mod secret;

use std::time::Duration;

use genkan_protocol::jose::Algorithm;
use genkan_protocol::oauth::Scope;
use serde::{Deserialize, Serialize};

use crate::refresh_token::Rotation;
use crate::row::words;
use crate::{ClientId, OrganizationId, ResourceId, Timestamp};

pub use list::{
    LoginStart, all_redirect_uris, count_kinds, count_owned, default_client, list, list_for_session,
    list_kinds, list_owned, login_start,
};
pub use row::{delete, find, find_owned, insert, update};
pub use rules::{Field, LONGEST_LIFETIME, MAX_NAME_CHARS, Mistake, check};
pub use secret::{
    ClientSecret, MAX_ACTIVE_SECRETS, MAX_MACHINE_SECRETS, add_secret, delete_secret, find_with_secrets,
    secrets, secrets_of, secrets_used, set_secret_disabled,
};

words! {
    /// The kind of application, which decides whether it can keep a secret.
    pub enum Kind {
        /// Runs on a server and authenticates itself.
        WebApp = "WEB_APP",
        /// Runs in a browser: public.
        Spa = "SPA",
        /// Runs on a device: public.
        Native = "NTV",
        /// Acts for itself, never for a person.
        Machine = "M2M",
    }
}

impl Kind {
    /// The prefix of new client identifiers of this kind in the environment.
    pub const fn id_prefix(self) -> &'static str {
        match self {
            Self::WebApp => "webc_",
            Self::Spa => "spac_",
            Self::Native => "ntvc_",
            Self::Machine => "m2m_",
        }
    }
}

words! {
    /// How a client may get tokens (RFC 6749 §1.3).
    pub enum GrantType {
        AuthorizationCode = "authorization_code",
        RefreshToken = "refresh_token",
        ClientCredentials = "client_credentials",
    }
}

/// The owner of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The environment: an application that signs people in.
    Environment,
    /// An organization: a customer's program, with tokens for that organization alone.
    Organization(OrganizationId),
    /// A resource: a program with tokens for one server.
    Resource(ResourceId),
}

impl Owner {
    /// The prefix of identifiers of machine clients with this owner.
    pub const fn machine_prefix(&self) -> &'static str {
        match self {
            Self::Organization(_) => "m2morg_",
            Self::Environment | Self::Resource(_) => "m2m_",
        }
    }

    pub(crate) const fn organization_id(&self) -> Option<&OrganizationId> {
        match self {
            Self::Organization(id) => Some(id),
            Self::Environment | Self::Resource(_) => None,
        }
    }

    pub(crate) const fn resource_id(&self) -> Option<&ResourceId> {
        match self {
            Self::Resource(id) => Some(id),
            Self::Environment | Self::Organization(_) => None,
        }
    }
}

/// The content of `custom_claims` in a client's own tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomClaim {
    pub key: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    pub id: ClientId,
    pub name: String,
    pub kind: Kind,
    pub owner: Owner,
    pub description: String,
    pub redirect_uris: Vec<String>,
    pub post_logout_redirect_uris: Vec<String>,
    pub back_channel_logout_uris: Vec<String>,
    pub initiate_login_uri: Option<String>,
    /// Development: any loopback address and port is a redirect URI.
    pub any_loopback_redirect: bool,
    pub enforce_pkce: bool,
    /// A confidential client may redeem a code without its secret if the code
    /// is bound to a PKCE challenge.
    pub secret_optional_with_pkce: bool,
    /// See [`Client::rotation`].
    pub strict_refresh_rotation: bool,
    /// Access tokens contain `name` and `email`, if the scopes were granted.
    pub profile_in_access_token: bool,
    /// Whether its own tokens open the management API.
    pub management_access: bool,
    /// Whether it may introspect every token of the environment, and not only its own, as an API needs that
    /// other applications call.
    pub introspect_all: bool,
    pub token_algorithm: Algorithm,
    /// `None`: the environment's.
    pub access_token_lifetime: Option<Duration>,
    /// The scope that its own tokens may have.
    pub scope: Scope,
    /// The audience of its own tokens. If empty, the client itself.
    pub audience: Vec<String>,
    pub custom_claims: Vec<CustomClaim>,
    /// How it may get tokens. If empty, in every way.
    pub grant_types: Vec<GrantType>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The lifetime of a machine client's tokens, unless the client has its own.
pub const MACHINE_TOKEN_LIFETIME: Duration = Duration::from_hours(1);

impl Client {
    /// A client with safe defaults: no addresses, no exceptions, and RS256, which every SDK verifies.
    pub const fn new(id: ClientId, name: String, kind: Kind, now: Timestamp) -> Self {
        Self {
            id,
            name,
            kind,
            owner: Owner::Environment,
            description: String::new(),
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            back_channel_logout_uris: Vec::new(),
            initiate_login_uri: None,
            any_loopback_redirect: false,
            enforce_pkce: false,
            secret_optional_with_pkce: false,
            strict_refresh_rotation: false,
            // Applications written for Scalekit read a person's name from the access token.
            profile_in_access_token: true,
            management_access: false,
            introspect_all: false,
            token_algorithm: Algorithm::Rs256,
            access_token_lifetime: None,
            scope: Scope::none(),
            audience: Vec::new(),
            custom_claims: Vec::new(),
            grant_types: Vec::new(),
            created_at: now,
            updated_at: now,
        }
    }

    /// A client that acts for itself, on behalf of `owner`.
    pub fn machine(id: ClientId, name: String, owner: Owner, now: Timestamp) -> Self {
        Self {
            owner,
            access_token_lifetime: Some(MACHINE_TOKEN_LIFETIME),
            ..Self::new(id, name, Kind::Machine, now)
        }
    }

    /// Whether it cannot keep a secret (RFC 6749 §2.1).
    pub const fn is_public(&self) -> bool {
        match self.kind {
            Kind::WebApp | Kind::Machine => false,
            Kind::Spa | Kind::Native => true,
        }
    }

    /// Whether it acts for itself. Nobody signs in to such a client.
    pub const fn is_machine(&self) -> bool {
        matches!(self.kind, Kind::Machine)
    }

    /// Whether it was created with the environment. Such a client cannot be deleted.
    pub fn is_default(&self) -> bool {
        ["skc_", "prd_skc_"]
            .iter()
            .any(|prefix| self.id.as_str().starts_with(prefix))
    }

    /// Whether it may get tokens in this way.
    pub fn may_use(&self, grant_type: GrantType) -> bool {
        match grant_type {
            GrantType::AuthorizationCode | GrantType::RefreshToken if self.is_machine() => false,
            _ => self.grant_types.is_empty() || self.grant_types.contains(&grant_type),
        }
    }

    /// Whether an authorization request must carry a PKCE challenge.
    pub const fn requires_pkce(&self) -> bool {
        self.is_public() || self.enforce_pkce
    }

    /// How many secrets it may have at once.
    pub const fn max_secrets(&self) -> usize {
        match self.kind {
            Kind::Machine => MAX_MACHINE_SECRETS,
            Kind::WebApp => MAX_ACTIVE_SECRETS,
            Kind::Spa | Kind::Native => 0,
        }
    }

    /// How its refresh tokens rotate. RFC 9700 §2.2.2 requires rotation for public clients. A confidential
    /// client is bound by its authentication, and common applications keep presenting their first token.
    pub const fn rotation(&self) -> Rotation {
        match (self.is_public(), self.strict_refresh_rotation) {
            (true, _) => Rotation::StrictWithGrace,
            (false, true) => Rotation::Strict,
            (false, false) => Rotation::Family,
        }
    }
}
