//! Organizations: the companies whose people sign in.

mod branding;
mod portal_links;
mod render;
mod search;
mod session_policy;
mod settings;
mod update;

use genkan_contract::scalekit::v1::organizations::organization_service_server::{
    OrganizationService, SERVICE_NAME,
};
use genkan_contract::scalekit::v1::organizations::{
    CreateOrganizationRequest, CreateOrganizationResponse, DeleteOrganizationRequest,
    DeletePortalLinkByIdRequest, GeneratePortalLinkRequest, GeneratePortalLinkResponse,
    GetApplicationSessionPolicyRequest, GetApplicationSessionPolicyResponse, GetOrganizationBrandingRequest,
    GetOrganizationBrandingResponse, GetOrganizationRequest, GetOrganizationResponse,
    GetOrganizationSessionPolicyRequest, GetOrganizationSessionPolicyResponse,
    GetOrganizationUserManagementSettingsRequest, GetOrganizationUserManagementSettingsResponse,
    ListOrganizationsRequest, ListOrganizationsResponse, SearchOrganizationsRequest,
    SearchOrganizationsResponse, UpdateOrganizationBrandingRequest, UpdateOrganizationBrandingResponse,
    UpdateOrganizationRequest, UpdateOrganizationResponse, UpdateOrganizationSessionPolicyRequest,
    UpdateOrganizationSessionPolicyResponse, UpdateOrganizationSettingsRequest,
    UpsertUserManagementSettingsRequest, UpsertUserManagementSettingsResponse, delete_organization_request,
    get_organization_request, update_organization_request,
};
use genkan_db::Tx;
use genkan_store::OrganizationId;
use genkan_store::organization::{self, Organization};
use tonic::{Request, Response};

use crate::paging::Sizes;
use crate::render::object;
use crate::{Answer, Api, Error, id, paging};

pub(super) const SERVICE: &str = SERVICE_NAME;

/// The methods that this service does not serve, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[
    (
        "GetPortalLinks",
        "links are kept as hashes and cannot be shown again: generate a new one",
    ),
    (
        "DeletePortalLink",
        "this version has no operators' dashboard to call it: DeletePortalLinkByID takes back a link",
    ),
];

/// How a request names an organization.
pub(in crate::services) enum OrganizationSelector {
    Id(String),
    ExternalId(String),
}

/// Reads the `identities` of a request: `named!(message, get_organization_request)`.
macro_rules! named {
    ($message:expr, $module:ident) => {
        match $message.identities {
            Some($module::Identities::Id(id)) => OrganizationSelector::Id(id),
            Some($module::Identities::ExternalId(id)) => OrganizationSelector::ExternalId(id),
            None => return Err(Error::required("id").into()),
        }
    };
}

/// The organization that a request names.
pub(in crate::services) async fn get(
    tx: &mut Tx<'_>,
    named: &OrganizationSelector,
) -> Result<Organization, Error> {
    let found = match named {
        OrganizationSelector::Id(text) => organization::find(tx, &id("organization", text)?).await?,
        OrganizationSelector::ExternalId(text) => organization::find_by_external_id(tx, text).await?,
    };
    found.ok_or_else(|| Error::not_found("organization"))
}

/// The identifier in `text`, of an organization that exists.
pub(super) async fn existing(tx: &mut Tx<'_>, text: &str) -> Result<OrganizationId, Error> {
    let id: OrganizationId = id("organization", text)?;
    if organization::exists(tx, &id).await? {
        Ok(id)
    } else {
        Err(Error::not_found("organization"))
    }
}

#[tonic::async_trait]
impl OrganizationService for Api {
    async fn create_organization(
        &self,
        request: Request<CreateOrganizationRequest>,
    ) -> Answer<CreateOrganizationResponse> {
        let (call, message) = self.accept(request);
        let wanted = message
            .organization
            .ok_or_else(|| Error::required("organization"))?;
        let at = call.at();
        let organization = Organization {
            external_id: wanted.external_id.filter(|text| !text.is_empty()),
            slug: wanted.slug,
            logo_url: wanted.logo_url.and_then(update::non_empty),
            region: render::read_region(wanted.region_code)?,
            metadata: object(wanted.metadata),
            ..Organization::new(at.id(), update::display_name(&wanted.display_name), at.now)
        };
        self.tx(async |tx| Ok(organization::insert(tx, at, &organization).await?))
            .await?;
        Ok(Response::new(CreateOrganizationResponse {
            organization: Some(render::organization(&organization)),
        }))
    }

    async fn update_organization(
        &self,
        request: Request<UpdateOrganizationRequest>,
    ) -> Answer<UpdateOrganizationResponse> {
        let (call, message) = self.accept(request);
        let named = named!(message, update_organization_request);
        let wanted = message
            .organization
            .ok_or_else(|| Error::required("organization"))?;
        let change = update::Change::read(wanted, message.update_mask)?;
        let organization = self
            .tx(async |tx| {
                let mut organization = get(tx, &named).await?;
                change.apply(&mut organization);
                organization::update(tx, call.at(), &organization).await?;
                get(tx, &OrganizationSelector::Id(organization.id.to_string())).await
            })
            .await?;
        Ok(Response::new(UpdateOrganizationResponse {
            organization: Some(render::organization(&organization)),
        }))
    }

    async fn get_organization(
        &self,
        request: Request<GetOrganizationRequest>,
    ) -> Answer<GetOrganizationResponse> {
        let (_, message) = self.accept(request);
        let named = named!(message, get_organization_request);
        let organization = self.read(async |tx| get(tx, &named).await).await?;
        Ok(Response::new(GetOrganizationResponse {
            organization: Some(render::organization(&organization)),
        }))
    }

    async fn get_organization_by_external_id(
        &self,
        request: Request<GetOrganizationRequest>,
    ) -> Answer<GetOrganizationResponse> {
        self.get_organization(request).await
    }

    async fn list_organization(
        &self,
        request: Request<ListOrganizationsRequest>,
    ) -> Answer<ListOrganizationsResponse> {
        let (_, message) = self.accept(request);
        let page = paging::request(message.page_size, &message.page_token, Sizes::USUAL)?;
        if let Some(external_id) = message.external_id.filter(|text| !text.is_empty()) {
            let found = self
                .read(async |tx| Ok(organization::find_by_external_id(tx, &external_id).await?))
                .await?;
            return Ok(Response::new(ListOrganizationsResponse {
                total_size: found.iter().len().try_into().unwrap_or(0),
                organizations: found.iter().map(render::organization).collect(),
                ..ListOrganizationsResponse::default()
            }));
        }
        let rows = self
            .read(async |tx| Ok(organization::list(tx, &page).await?))
            .await?;
        let paged = paging::answer(&page, rows, |organization| &organization.id);
        let total_size = self
            .total("organizations", async |tx: &mut Tx<'_>, limit| {
                Ok(organization::count(tx, limit).await?)
            })
            .await?;
        Ok(Response::new(ListOrganizationsResponse {
            next_page_token: paged.next_page_token,
            prev_page_token: paged.prev_page_token,
            total_size,
            organizations: paged.rows.iter().map(render::organization).collect(),
        }))
    }

    async fn search_organization(
        &self,
        request: Request<SearchOrganizationsRequest>,
    ) -> Answer<SearchOrganizationsResponse> {
        let (_, message) = self.accept(request);
        Ok(Response::new(search::organizations(self, &message).await?))
    }

    async fn delete_organization(&self, request: Request<DeleteOrganizationRequest>) -> Answer<()> {
        let (call, message) = self.accept(request);
        let named = named!(message, delete_organization_request);
        self.tx_read_committed(async |tx| {
            let organization = get(tx, &named).await?;
            Ok(organization::delete(tx, call.at(), &organization.id).await?)
        })
        .await?;
        // The clients of the ended sessions must be told.
        self.host().wake_jobs();
        Ok(Response::new(()))
    }

    async fn generate_portal_link(
        &self,
        request: Request<GeneratePortalLinkRequest>,
    ) -> Answer<GeneratePortalLinkResponse> {
        let (call, message) = self.accept(request);
        let link = portal_links::generate(self, &call, &message).await?;
        Ok(Response::new(GeneratePortalLinkResponse { link: Some(link) }))
    }

    async fn delete_portal_link_by_id(&self, request: Request<DeletePortalLinkByIdRequest>) -> Answer<()> {
        let (call, message) = self.accept(request);
        portal_links::delete(self, &call, &message).await?;
        Ok(Response::new(()))
    }

    async fn update_organization_settings(
        &self,
        request: Request<UpdateOrganizationSettingsRequest>,
    ) -> Answer<GetOrganizationResponse> {
        let (call, message) = self.accept(request);
        let organization = settings::update_features(self, &call, &message).await?;
        Ok(Response::new(GetOrganizationResponse {
            organization: Some(render::organization(&organization)),
        }))
    }

    async fn update_organization_session_policy(
        &self,
        request: Request<UpdateOrganizationSessionPolicyRequest>,
    ) -> Answer<UpdateOrganizationSessionPolicyResponse> {
        let (call, message) = self.accept(request);
        let policy = session_policy::update(self, &call, &message).await?;
        Ok(Response::new(UpdateOrganizationSessionPolicyResponse {
            policy: Some(policy),
        }))
    }

    async fn get_organization_session_policy(
        &self,
        request: Request<GetOrganizationSessionPolicyRequest>,
    ) -> Answer<GetOrganizationSessionPolicyResponse> {
        let (_, message) = self.accept(request);
        let policy = session_policy::find(self, &message.organization_id).await?;
        Ok(Response::new(GetOrganizationSessionPolicyResponse {
            policy: Some(policy),
        }))
    }

    async fn get_application_session_policy(
        &self,
        request: Request<GetApplicationSessionPolicyRequest>,
    ) -> Answer<GetApplicationSessionPolicyResponse> {
        let (_, message) = self.accept(request);
        let policy = session_policy::application(self, &message.organization_id).await?;
        Ok(Response::new(GetApplicationSessionPolicyResponse {
            application_policy: Some(policy),
        }))
    }

    async fn get_organization_branding(
        &self,
        request: Request<GetOrganizationBrandingRequest>,
    ) -> Answer<GetOrganizationBrandingResponse> {
        let (_, message) = self.accept(request);
        let branding = branding::find(self, &message.organization_id).await?;
        Ok(Response::new(GetOrganizationBrandingResponse {
            branding: Some(branding),
        }))
    }

    async fn update_organization_branding(
        &self,
        request: Request<UpdateOrganizationBrandingRequest>,
    ) -> Answer<UpdateOrganizationBrandingResponse> {
        let (call, message) = self.accept(request);
        let branding = branding::update(self, &call, message).await?;
        Ok(Response::new(UpdateOrganizationBrandingResponse {
            branding: Some(branding),
        }))
    }

    async fn upsert_user_management_settings(
        &self,
        request: Request<UpsertUserManagementSettingsRequest>,
    ) -> Answer<UpsertUserManagementSettingsResponse> {
        let (call, message) = self.accept(request);
        let settings = settings::update_users(self, &call, &message).await?;
        Ok(Response::new(UpsertUserManagementSettingsResponse {
            settings: Some(settings),
        }))
    }

    async fn get_organization_user_management_setting(
        &self,
        request: Request<GetOrganizationUserManagementSettingsRequest>,
    ) -> Answer<GetOrganizationUserManagementSettingsResponse> {
        let (_, message) = self.accept(request);
        let settings = settings::find_users(self, &message.organization_id).await?;
        Ok(Response::new(GetOrganizationUserManagementSettingsResponse {
            settings: Some(settings),
        }))
    }
}
