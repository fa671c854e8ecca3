//! Applications, machine clients, resources, and their secrets.

mod applications;
mod mask;
mod organization_clients;
mod render;
mod resource_clients;
mod resources;
mod rules;
mod secrets;

use genkan_contract::scalekit::v1::clients::client_service_server::{ClientService, SERVICE_NAME};
use genkan_contract::scalekit::v1::clients::*;
use tonic::Request;

use crate::{Answer, Api};

pub(super) const SERVICE: &str = SERVICE_NAME;

const NO_CONSENT: &str = "Genkan asks nobody for consent yet, so there is nothing to show or take back";
const NO_SCOPES: &str = "scopes are not registered: each client and each resource lists its own";

/// The methods that this service does not serve, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[
    ("CreateScope", NO_SCOPES),
    ("DeleteScope", NO_SCOPES),
    (
        "EnsureResourceConnection",
        "resources have no sign-in of their own yet, so they have no connection",
    ),
    ("GetConsentDetails", NO_CONSENT),
    ("ListCurrentAgentConsents", NO_CONSENT),
    ("ListScopes", NO_SCOPES),
    (
        "RegisterClient",
        "clients do not register themselves yet: CreateResourceClient registers one",
    ),
    ("RevokeCurrentAgentConsent", NO_CONSENT),
    ("UpdateScope", NO_SCOPES),
];

/// Each method by the function that does it.
macro_rules! methods {
    ($($method:ident: $request:ty => $response:ty = $function:path;)*) => {
        #[tonic::async_trait]
        impl ClientService for Api {
            $(
                async fn $method(&self, request: Request<$request>) -> Answer<$response> {
                    let (call, message) = self.accept(request);
                    Ok(tonic::Response::new($function(self, &call, message).await?))
                }
            )*
        }
    };
}

methods! {
    list_client: ListClientsRequest => ListClientsResponse = applications::list;
    create_client: CreateClientRequest => CreateClientResponse = applications::create;
    get_client: GetClientRequest => GetClientResponse = applications::get;
    update_client: UpdateClientRequest => UpdateClientResponse = applications::update;
    delete_client: DeleteClientRequest => () = applications::delete;
    add_environment_redirect_uri: AddEnvironmentRedirectUriRequest => EnvironmentLoginUrisResponse
        = applications::add_redirect_uri;
    remove_environment_redirect_uri: RemoveEnvironmentRedirectUriRequest => EnvironmentLoginUrisResponse
        = applications::remove_redirect_uri;
    set_environment_initiate_login_uri: SetEnvironmentInitiateLoginUriRequest => EnvironmentLoginUrisResponse
        = applications::set_initiate_login_uri;

    create_client_secret: CreateClientSecretRequest => CreateClientSecretResponse = secrets::create;
    update_client_secret: UpdateClientSecretRequest => UpdateClientSecretResponse = secrets::update;
    delete_client_secret: DeleteClientSecretRequest => () = secrets::delete;

    create_organization_client: CreateOrganizationClientRequest => CreateOrganizationClientResponse
        = organization_clients::create;
    get_organization_client: GetOrganizationClientRequest => GetOrganizationClientResponse
        = organization_clients::get;
    list_organization_clients: ListOrganizationClientsRequest => ListOrganizationClientsResponse
        = organization_clients::list;
    update_organization_client: UpdateOrganizationClientRequest => UpdateOrganizationClientResponse
        = organization_clients::update;
    delete_organization_client: DeleteOrganizationClientRequest => () = organization_clients::delete;
    create_organization_client_secret: CreateOrganizationClientSecretRequest
        => CreateOrganizationClientSecretResponse = organization_clients::create_secret;
    delete_organization_client_secret: DeleteOrganizationClientSecretRequest => ()
        = organization_clients::delete_secret;

    create_resource: CreateResourceRequest => CreateResourceResponse = resources::create;
    get_resource: GetResourceRequest => GetResourceResponse = resources::get;
    list_resources: ListResourcesRequest => ListResourcesResponse = resources::list;
    update_resource: UpdateResourceRequest => UpdateResourceResponse = resources::update;
    delete_resource: DeleteResourceRequest => () = resources::delete;
    delete_resource_provider: DeleteResourceProviderRequest => GetResourceResponse = resources::delete_provider;

    create_resource_client: CreateResourceClientRequest => CreateResourceClientResponse
        = resource_clients::create;
    get_resource_client: GetResourceClientRequest => GetResourceClientResponse = resource_clients::get;
    list_resource_clients: ListResourceClientsRequest => ListResourceClientsResponse = resource_clients::list;
    update_resource_client: UpdateResourceClientRequest => UpdateResourceClientResponse
        = resource_clients::update;
    delete_resource_client: DeleteResourceClientRequest => DeleteResourceClientResponse
        = resource_clients::delete;
    list_resource_user_consents: ListResourceUserConsentsRequest => ListResourceUserConsentsResponse
        = resource_clients::list_consents;
    revoke_user_consent: RevokeUserConsentRequest => RevokeUserConsentResponse
        = resource_clients::revoke_consent;
}
