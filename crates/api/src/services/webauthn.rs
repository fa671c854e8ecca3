//! Passkeys of users: listing, renaming and deleting them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan_contract::scalekit::v1::auth::webauthn::web_authn_credential::{
    Authenticator, AuthenticatorFlags, ClientInfo, UserAgent,
};
use genkan_contract::scalekit::v1::auth::webauthn::web_authn_service_server::{
    SERVICE_NAME, WebAuthnService,
};
use genkan_contract::scalekit::v1::auth::webauthn::{
    AllAcceptedCredentialsOptions, DeleteCredentialRequest, DeleteCredentialResponse,
    GetRelatedOriginsRequest, GetRelatedOriginsResponse, ListCredentialsRequest, ListCredentialsResponse,
    UnknownCredentialOptions, UpdateCredentialRequest, UpdateCredentialResponse, WebAuthnCredential,
};
use genkan_store::webauthn::{self, Credential};
use genkan_store::{CredentialId, UserId, user};
use tonic::{Request, Response};
use url::Url;

use crate::{Answer, Api, Error, id, render};

pub(super) const SERVICE: &str = SERVICE_NAME;

/// The methods that this service does not serve, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[
    ("BeginRegistration", REGISTRATION),
    ("FinishRegistration", REGISTRATION),
    ("BeginAuthentication", AUTHENTICATION),
    ("FinishAuthentication", AUTHENTICATION),
];

const REGISTRATION: &str =
    "A passkey is registered by its user in a signed-in browser, and Genkan has no page for that yet.";
const AUTHENTICATION: &str = "Signing in with a passkey is not served yet.";

#[tonic::async_trait]
impl WebAuthnService for Api {
    async fn list_credentials(
        &self,
        request: Request<ListCredentialsRequest>,
    ) -> Answer<ListCredentialsResponse> {
        let (_, message) = self.accept(request);
        // An application has no user of its own, so it must name one.
        if message.user_id.is_empty() {
            return Err(Error::required("user_id").into());
        }
        let user_id = id::<UserId>("user", &message.user_id)?;
        let credentials = self
            .read(async |tx| {
                if user::find(tx, &user_id).await?.is_none() {
                    return Err(Error::not_found("user"));
                }
                Ok(webauthn::list_for_user(tx, &user_id).await?)
            })
            .await?;
        let accepted = AllAcceptedCredentialsOptions {
            rp_id: self.rp_id(),
            user_id: URL_SAFE_NO_PAD.encode(user_id.as_str()),
            all_accepted_credential_ids: credentials.iter().map(signal_id).collect(),
        };
        Ok(Response::new(ListCredentialsResponse {
            credentials: credentials.into_iter().map(credential).collect(),
            all_accepted_credentials_options: Some(accepted),
        }))
    }

    async fn update_credential(
        &self,
        request: Request<UpdateCredentialRequest>,
    ) -> Answer<UpdateCredentialResponse> {
        let (call, message) = self.accept(request);
        let credential_id = id::<CredentialId>("credential", &message.credential_id)?;
        let at = call.at();
        let renamed = self
            .tx(async |tx| Ok(webauthn::rename(tx, at, &credential_id, &message.display_name).await?))
            .await?
            .ok_or_else(|| Error::not_found("credential"))?;
        Ok(Response::new(UpdateCredentialResponse {
            credential: Some(credential(renamed)),
        }))
    }

    async fn delete_credential(
        &self,
        request: Request<DeleteCredentialRequest>,
    ) -> Answer<DeleteCredentialResponse> {
        let (call, message) = self.accept(request);
        let credential_id = id::<CredentialId>("credential", &message.credential_id)?;
        let at = call.at();
        let deleted = self
            .tx(async |tx| Ok(webauthn::delete(tx, at, &credential_id).await?))
            .await?
            .ok_or_else(|| Error::not_found("credential"))?;
        Ok(Response::new(DeleteCredentialResponse {
            success: true,
            unknown_credential_options: Some(UnknownCredentialOptions {
                rp_id: self.rp_id(),
                credential_id: signal_id(&deleted),
            }),
        }))
    }

    async fn get_related_origins(
        &self,
        _: Request<GetRelatedOriginsRequest>,
    ) -> Answer<GetRelatedOriginsResponse> {
        // One host has all passkeys, so there are no related origins.
        Ok(Response::new(GetRelatedOriginsResponse {
            origins: vec![self.public_url().to_owned()],
        }))
    }
}

impl Api {
    /// The relying party: the host of the public URL.
    fn rp_id(&self) -> String {
        let url = Url::parse(self.public_url()).ok();
        url.and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

/// As the Signal API of browsers wants it.
fn signal_id(credential: &Credential) -> String {
    URL_SAFE_NO_PAD.encode(&credential.credential_id)
}

fn credential(credential: Credential) -> WebAuthnCredential {
    WebAuthnCredential {
        id: credential.id.to_string(),
        user_id: credential.user_id.to_string(),
        credential_id: credential.credential_id,
        attestation_type: credential.attestation_type,
        authenticator: Some(Authenticator {
            aaguid: credential.aaguid,
            attachment: credential.attachment,
            ..Authenticator::default()
        }),
        transports: credential.transports,
        authenticator_flags: Some(AuthenticatorFlags {
            user_present: credential.flags.user_present,
            user_verified: credential.flags.user_verified,
            backup_eligible: credential.flags.backup_eligible,
            backup_state: credential.flags.backup_state,
        }),
        created_at: Some(render::time(credential.created_at)),
        updated_at: Some(render::time(credential.updated_at)),
        user_agent: credential.user_agent.map(|raw| UserAgent {
            raw,
            ..UserAgent::default()
        }),
        client_info: credential.ip.map(|ip| ClientInfo {
            ip,
            ..ClientInfo::default()
        }),
        display_name: credential.display_name,
    }
}
