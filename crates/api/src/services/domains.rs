//! Domains of organizations.

use genkan_contract::scalekit::v1::domains as wire;
use genkan_contract::scalekit::v1::domains::domain_service_server::{DomainService, SERVICE_NAME};
use genkan_contract::scalekit::v1::domains::{
    CreateDomainRequest, CreateDomainResponse, DeleteDomainRequest, DomainType, GetDomainRequest,
    GetDomainResponse, ListDomainRequest, ListDomainResponse, UpdateDomainRequest, UpdateDomainResponse,
    VerificationMethod, VerificationStatus, VerifyDomainRequest, VerifyDomainResponse, create_domain_request,
    delete_domain_request, get_domain_request, list_domain_request, update_domain_request,
    verify_domain_request,
};
use genkan_db::Tx;
use genkan_protocol::Domain as DomainName;
use genkan_store::domain::{self, Claimant, Domain, Kind, Method, Proof, Status};
use genkan_store::{DomainId, EnvironmentId, OrganizationId, connection, environment};
use tonic::{Request, Response};

use super::organizations::{OrganizationSelector, get as get_organization};
use crate::paging::Sizes;
use crate::render::time;
use crate::{Answer, Api, Error, dns, id};

pub(super) const SERVICE: &str = SERVICE_NAME;

/// The methods that this service does not serve, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[(
    "ListAuthorizedDomains",
    "it tells where the admin portal may be embedded, and this version has no admin portal",
)];

/// How many domains a page of a list has.
const SIZES: Sizes = Sizes {
    default: 30,
    max: 100,
};

/// The last page that is read: no organization has so many domains.
const LAST_PAGE: u32 = 10_000;

/// Reads the `identities` of a request: `named!(message, get_domain_request)`.
macro_rules! named {
    ($message:expr, $module:ident) => {
        match $message.identities {
            Some($module::Identities::OrganizationId(id)) => OrganizationSelector::Id(id),
            Some($module::Identities::ExternalId(id)) => OrganizationSelector::ExternalId(id),
            None => return Err(Error::required("organization_id").into()),
        }
    };
}

async fn get(tx: &mut Tx<'_>, named: &OrganizationSelector, text: &str) -> Result<Domain, Error> {
    let organization = get_organization(tx, named).await?;
    let found = domain::find(tx, &organization.id, &id("domain", text)?).await?;
    found.ok_or_else(|| Error::not_found("domain"))
}

/// A domain and the environment, which every answer repeats.
async fn get_shown(tx: &mut Tx<'_>, named: &OrganizationSelector, text: &str) -> Result<wire::Domain, Error> {
    let domain = get(tx, named, text).await?;
    Ok(render(&domain, &environment::get(tx).await?.id))
}

/// Some callers name a connection. All domains of an organization lead to its connections,
/// so this only checks that the connection belongs to the organization.
async fn check_connection(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    connection_id: Option<&str>,
) -> Result<(), Error> {
    let Some(text) = connection_id.filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    let connections = connection::list_for_organization(tx, organization_id).await?;
    let is_known = connections
        .iter()
        .any(|connection| connection.id.as_str() == text);
    if is_known {
        Ok(())
    } else {
        Err(Error::not_found("connection"))
    }
}

fn read_kind(domain_type: i32) -> Result<Option<Kind>, Error> {
    match DomainType::try_from(domain_type) {
        Ok(DomainType::Unspecified) => Ok(None),
        Ok(DomainType::OrganizationDomain) => Ok(Some(Kind::OrganizationDomain)),
        Ok(DomainType::AllowedEmailDomain) => Ok(Some(Kind::AllowedEmailDomain)),
        Err(_) => Err(Error::invalid("domain_type", "is none of the types")),
    }
}

fn read_name(text: &str) -> Result<DomainName, Error> {
    let invalid = |what: String| Error::invalid("domain.domain", &what);
    let name = DomainName::parse(text).map_err(|error| invalid(error.to_string()))?;
    domain::refuse_public_mail(&name).map_err(|error| invalid(error.to_string()))?;
    Ok(name)
}

/// A domain as every message shows it.
pub(super) fn render(domain: &Domain, environment_id: &EnvironmentId) -> wire::Domain {
    let domain_type = match domain.kind {
        Kind::OrganizationDomain => DomainType::OrganizationDomain,
        Kind::AllowedEmailDomain => DomainType::AllowedEmailDomain,
    };
    let verification_status = match domain.status {
        Status::Pending => VerificationStatus::Pending,
        Status::Verified => VerificationStatus::Verified,
        Status::Failed => VerificationStatus::Failed,
        Status::AutoVerified => VerificationStatus::AutoVerified,
    };
    let verification_method = match domain.method {
        Method::Admin => VerificationMethod::Admin,
        Method::Dns => VerificationMethod::Dns,
        Method::NotApplicable => VerificationMethod::NotApplicable,
    };
    let proved = domain.proved.as_ref();
    wire::Domain {
        id: domain.id.to_string(),
        domain: domain.name.as_str().to_owned(),
        environment_id: environment_id.to_string(),
        organization_id: domain.organization_id.to_string(),
        txt_record_key: domain.txt_name().unwrap_or_default(),
        txt_record_secret: domain.txt_value.clone(),
        verification_status: verification_status.into(),
        create_time: Some(time(domain.created_at)),
        update_time: Some(time(domain.updated_at)),
        domain_type: domain_type.into(),
        verification_method: verification_method.into(),
        proved_by: proved.map(|proved| proved.by.to_string()).unwrap_or_default(),
        proved_time: proved.map(|proved| time(proved.at)),
        proved_actor: proved.and_then(|proved| proved.actor.clone()).unwrap_or_default(),
    }
}

#[tonic::async_trait]
impl DomainService for Api {
    async fn create_domain(&self, request: Request<CreateDomainRequest>) -> Answer<CreateDomainResponse> {
        let (call, message) = self.accept(request);
        let named = named!(message, create_domain_request);
        let wanted = message.domain.ok_or_else(|| Error::required("domain"))?;
        let name = read_name(&wanted.domain)?;
        let kind = read_kind(wanted.domain_type)?.unwrap_or(Kind::OrganizationDomain);
        let at = call.at();
        let domain_id: DomainId = at.id();
        let claimant =
            Claimant::with_credentials(self.host().is_development(), self.host().requires_domain_proof());
        let domain = self
            .tx(async |tx| {
                let organization = get_organization(tx, &named).await?;
                check_connection(tx, &organization.id, message.connection_id.as_deref()).await?;
                // The word of a client that may write organizations counts, unless a proof is required.
                let domain = Domain::new(domain_id.clone(), organization.id, name.clone(), kind, at.now);
                let domain = domain.claimed_by(claimant);
                domain::insert(tx, at, &domain).await?;
                Ok(render(&domain, &environment::get(tx).await?.id))
            })
            .await?;
        Ok(Response::new(CreateDomainResponse { domain: Some(domain) }))
    }

    async fn get_domain(&self, request: Request<GetDomainRequest>) -> Answer<GetDomainResponse> {
        let (_, message) = self.accept(request);
        let named = named!(message, get_domain_request);
        let domain = self
            .read(async |tx| get_shown(tx, &named, &message.id).await)
            .await?;
        Ok(Response::new(GetDomainResponse { domain: Some(domain) }))
    }

    async fn update_domain(&self, request: Request<UpdateDomainRequest>) -> Answer<UpdateDomainResponse> {
        let (call, message) = self.accept(request);
        let named = named!(message, update_domain_request);
        let kind = read_kind(message.domain.unwrap_or_default().domain_type)?;
        let claimant =
            Claimant::with_credentials(self.host().is_development(), self.host().requires_domain_proof());
        let domain = self
            .tx(async |tx| {
                let domain = get(tx, &named, &message.id).await?;
                if let Some(kind) = kind {
                    domain::set_kind(tx, call.at(), &domain, kind, claimant).await?;
                }
                get_shown(tx, &named, &message.id).await
            })
            .await?;
        Ok(Response::new(UpdateDomainResponse { domain: Some(domain) }))
    }

    async fn verify_domain(&self, request: Request<VerifyDomainRequest>) -> Answer<VerifyDomainResponse> {
        let (call, message) = self.accept(request);
        let named = named!(message, verify_domain_request);
        let domain = self.read(async |tx| get(tx, &named, &message.id).await).await?;
        let answer = |verified| Ok(Response::new(VerifyDomainResponse { verified }));
        if domain.kind != Kind::OrganizationDomain || domain.proved.is_some() {
            return answer(true);
        }
        // An active domain without a proof can still be proved.
        let is_active = domain.status == Status::Verified;
        let Some(txt_name) = domain.txt_name() else {
            self.tx(async |tx| Ok(domain::with_record(tx, &domain.organization_id, &domain.id).await?))
                .await?;
            return answer(is_active);
        };
        let server = self.host().name_server();
        match dns::has_text(&txt_name, &domain.txt_value, server).await {
            Ok(true) => {}
            Ok(false) => return answer(is_active),
            Err(dns::Unreachable) if is_active => return answer(true),
            Err(dns::Unreachable) => return Err(Error::unavailable().into()),
        }
        self.tx(async |tx| {
            let (organization_id, id) = (&domain.organization_id, &domain.id);
            Ok(domain::prove(tx, call.at(), organization_id, id, Proof::Dns).await?)
        })
        .await?;
        answer(true)
    }

    async fn delete_domain(&self, request: Request<DeleteDomainRequest>) -> Answer<()> {
        let (call, message) = self.accept(request);
        let named = named!(message, delete_domain_request);
        self.tx(async |tx| {
            let organization = get_organization(tx, &named).await?;
            check_connection(tx, &organization.id, message.connection_id.as_deref()).await?;
            let domain_id = id("domain", &message.id)?;
            if domain::delete(tx, call.at(), &organization.id, &domain_id).await? {
                Ok(())
            } else {
                Err(Error::not_found("domain"))
            }
        })
        .await?;
        Ok(Response::new(()))
    }

    async fn list_domains(&self, request: Request<ListDomainRequest>) -> Answer<ListDomainResponse> {
        let (_, message) = self.accept(request);
        let named = named!(message, list_domain_request);
        let kind = read_kind(message.domain_type)?;
        let number = |field: &str, value: Option<i32>| match value.map(u32::try_from) {
            Some(Err(_)) => Err(Error::invalid(field, "is less than 0")),
            Some(Ok(value)) => Ok(value),
            None => Ok(0),
        };
        let page_size = SIZES.pick(number("page_size", message.page_size)?);
        // The first page is number 1; a caller that counts from 0 gets it, too.
        let page_number = number("page_number", message.page_number)?.clamp(1, LAST_PAGE);
        let domains = self
            .read(async |tx| {
                let organization = get_organization(tx, &named).await?;
                check_connection(tx, &organization.id, message.connection_id.as_deref()).await?;
                let part = domain::DomainRange {
                    kind,
                    skip: (page_number - 1) * page_size,
                    limit: page_size,
                };
                let domains = domain::list_part(tx, &organization.id, part).await?;
                let environment = environment::get(tx).await?;
                Ok(domains
                    .iter()
                    .map(|domain| render(domain, &environment.id))
                    .collect())
            })
            .await?;
        Ok(Response::new(ListDomainResponse {
            page_size: i32::try_from(page_size).unwrap_or(i32::MAX),
            page_number: i32::try_from(page_number).unwrap_or(i32::MAX),
            domains,
        }))
    }
}
