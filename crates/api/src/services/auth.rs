//! Questions of applications about a login in progress.

use genkan_contract::scalekit::v1::auth::auth_service_server::{AuthService, SERVICE_NAME};
use genkan_contract::scalekit::v1::auth::{
    AuthRequestClient, AuthRequestDetails, GetLoginRequestDetailsRequest, GetLoginRequestDetailsResponse,
};
use genkan_store::interaction::{self, Request as LoginRequest};
use genkan_store::{ClientId, InteractionId, client};
use tonic::{Request, Response};

use crate::{Answer, Api, Error, id};

pub(super) const SERVICE: &str = SERVICE_NAME;

/// The methods that this service does not serve, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[
    ("ListAuthMethods", OWN_PAGES),
    ("DiscoveryAuthMethod", OWN_PAGES),
    ("VerifyPasswordLessOtp", OWN_PAGES),
    ("ResendAuthPasswordless", OWN_PAGES),
    ("ListUserOrganizations", OWN_PAGES),
    ("SignupOrganization", OWN_PAGES),
    ("GetAuthState", OWN_PAGES),
    ("GetAuthError", OWN_PAGES),
    ("Logout", OWN_PAGES),
    ("GetAuthCustomizations", OWN_PAGES),
    ("GetAuthFeatures", OWN_PAGES),
    (
        "UpdateLoginUserDetails",
        "Only the logins of MCP servers that bring their own sign-in wait for this, and Genkan has none of them.",
    ),
];

const OWN_PAGES: &str =
    "Genkan's sign-in pages work without scripts and without this call; it is for the scripts of such pages.";

#[tonic::async_trait]
impl AuthService for Api {
    async fn get_login_request_details(
        &self,
        request: Request<GetLoginRequestDetailsRequest>,
    ) -> Answer<GetLoginRequestDetailsResponse> {
        let (call, message) = self.accept(request);
        let login_id = id::<InteractionId>("login request", &message.login_request_id)?;
        let now = call.now;
        let (login, application) = self
            .read(async |tx| {
                let unknown = || Error::not_found("login request");
                let login = interaction::find_open(tx, &login_id, now)
                    .await?
                    .ok_or_else(unknown)?;
                let LoginRequest::Authorize(login) = login.request else {
                    return Err(unknown());
                };
                let application = match ClientId::parse(&login.client_id) {
                    Ok(client_id) => client::find(tx, &client_id).await?,
                    Err(_) => None,
                };
                Ok((login, application))
            })
            .await?;
        Ok(Response::new(GetLoginRequestDetailsResponse {
            auth_request: Some(AuthRequestDetails {
                id: login_id.to_string(),
                scopes: login.scope.to_string().split(' ').map(str::to_owned).collect(),
            }),
            client: Some(AuthRequestClient {
                client_id: login.client_id.clone(),
                sk_client_id: login.client_id,
                client_name: application
                    .map(|application| application.name)
                    .unwrap_or_default(),
                is_dcr: false,
                is_cimd: false,
            }),
            resource: None,
        }))
    }
}
