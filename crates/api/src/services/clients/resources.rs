//! Resources: servers that tokens are asked for.

use std::time::Duration;

use genkan_contract::scalekit::v1::clients::*;
use genkan_db::Tx;
use genkan_store::ResourceId;
use genkan_store::resource::{self, AllowedClient, Kind, Resource as Row, Settings};
use url::Url;

use super::mask::Mask;
use super::{render, rules};
use crate::paging::{self, Sizes};
use crate::{Api, Call, Error, id};

const NOT_FOUND: &str = "resource";

const SIZES: Sizes = Sizes { default: 10, max: 30 };

/// The longest lifetime of a refresh token.
const LONGEST_REFRESH: Duration = Duration::from_hours(365 * 24);

/// The fields that an update may name.
const UPDATABLE: &[&str] = &[
    "name",
    "description",
    "resource_uri",
    "access_token_expiry",
    "refresh_token_expiry",
    "disable_dynamic_client_registration",
    "logo_uri",
    "provider",
    "resource_id",
    "scopes",
    "intersect_scopes_user_permission",
    "enable_cimd",
    "xaa_enabled",
    "cimd_client_allowlist",
    "cimd_client_allowlist_enabled",
    "resource_scope_selection_allowed",
];

pub(super) async fn find(tx: &mut Tx<'_>, resource_id: &str) -> Result<Row, Error> {
    let id: ResourceId = id(NOT_FOUND, resource_id)?;
    resource::find(tx, &id)
        .await?
        .ok_or_else(|| Error::not_found(NOT_FOUND))
}

fn parse_kind(field: &str, number: i32) -> Result<Kind, Error> {
    match ResourceType::try_from(number) {
        Ok(ResourceType::Web) => Ok(Kind::Web),
        Ok(ResourceType::Mobile) => Ok(Kind::Mobile),
        Ok(ResourceType::Desktop) => Ok(Kind::Desktop),
        Ok(ResourceType::Server) => Ok(Kind::Server),
        Ok(ResourceType::McpServer) => Ok(Kind::McpServer),
        Ok(ResourceType::Unspecified) | Err(_) => Err(Error::invalid(
            field,
            "is one of WEB, MOBILE, DESKTOP, SERVER, MCP_SERVER",
        )),
    }
}

fn refresh_lifetime(secs: i64) -> Result<Option<Duration>, Error> {
    match u64::try_from(secs).map(Duration::from_secs) {
        Ok(lifetime) if lifetime.is_zero() => Ok(None),
        Ok(lifetime) if lifetime <= LONGEST_REFRESH => Ok(Some(lifetime)),
        _ => Err(Error::invalid(
            "resource.refresh_token_expiry",
            "is a number of seconds, a year at most",
        )),
    }
}

fn allowed(entries: Vec<CimdAllowlistEntry>) -> Vec<AllowedClient> {
    let allow = |entry: CimdAllowlistEntry| AllowedClient {
        kind: entry.r#type,
        value: entry.value,
    };
    entries.into_iter().map(allow).collect()
}

/// The checks that rules beside the fields cannot express.
fn check(resource: &Row) -> Result<(), Error> {
    let settings = &resource.settings;
    if resource.name.trim().is_empty() {
        return Err(Error::required("resource.name"));
    }
    // RFC 8707 §2: absolute, and without a fragment.
    let is_resource = |url: &Url| matches!(url.scheme(), "http" | "https") && url.fragment().is_none();
    if !settings.resource_uri.is_empty()
        && (settings.resource_uri.len() > 512
            || !Url::parse(&settings.resource_uri).is_ok_and(|url| is_resource(&url)))
    {
        return Err(Error::invalid(
            "resource.resource_uri",
            "is an absolute http or https address without a fragment",
        ));
    }
    if settings.audience.len() > 512 || settings.audience.chars().any(char::is_control) {
        return Err(Error::invalid(
            "resource.resource_id",
            "has 512 characters at most",
        ));
    }
    Ok(())
}

pub(super) async fn create(
    api: &Api,
    call: &Call<'_>,
    request: CreateResourceRequest,
) -> Result<CreateResourceResponse, Error> {
    let wanted = request.resource.ok_or_else(|| Error::required("resource"))?;
    let at = call.at();
    let resource = Row {
        id: at.id(),
        kind: parse_kind("resource.resource_type", wanted.resource_type)?,
        name: wanted.name,
        settings: Settings {
            description: wanted.description,
            resource_uri: wanted.resource_uri,
            audience: wanted.resource_id,
            logo_uri: wanted.logo_uri,
            provider: wanted.provider,
            scope: rules::scope("resource.scopes", &wanted.scopes)?,
            access_token_lifetime: rules::lifetime(
                "resource.access_token_expiry",
                wanted.access_token_expiry,
            )?,
            refresh_token_lifetime: refresh_lifetime(wanted.refresh_token_expiry)?,
            disable_dynamic_client_registration: wanted.disable_dynamic_client_registration,
            intersect_scopes_user_permission: wanted.intersect_scopes_user_permission,
            enable_cimd: wanted.enable_cimd,
            xaa_enabled: wanted.xaa_enabled,
            cimd_client_allowlist_enabled: wanted.cimd_client_allowlist_enabled,
            cimd_client_allowlist: allowed(wanted.cimd_client_allowlist),
            resource_scope_selection_allowed: wanted.resource_scope_selection_allowed,
        },
        created_at: at.now,
        updated_at: at.now,
    };
    check(&resource)?;
    api.tx(async |tx| Ok(resource::insert(tx, at, &resource).await?))
        .await?;
    Ok(CreateResourceResponse {
        resource: Some(render::resource(&resource)),
    })
}

pub(super) async fn get(
    api: &Api,
    _: &Call<'_>,
    request: GetResourceRequest,
) -> Result<GetResourceResponse, Error> {
    let resource = api.read(async |tx| find(tx, &request.resource_id).await).await?;
    Ok(GetResourceResponse {
        resource: Some(render::resource(&resource)),
    })
}

pub(super) async fn list(
    api: &Api,
    _: &Call<'_>,
    request: ListResourcesRequest,
) -> Result<ListResourcesResponse, Error> {
    let page = paging::request(request.page_size, &request.page_token, SIZES)?;
    let kind = parse_kind("resource_type", request.resource_type)?;
    let rows = api
        .read(async |tx| Ok(resource::list(tx, kind, &page).await?))
        .await?;
    let total_size = api
        .total(&format!("resources {kind}"), async |tx, limit| {
            Ok(resource::count(tx, kind, limit).await?)
        })
        .await?;
    let paged = paging::answer(&page, rows, |resource| &resource.id);
    Ok(ListResourcesResponse {
        total_size,
        resources: paged.rows.iter().map(render::resource).collect(),
        next_page_token: paged.next_page_token,
        prev_page_token: paged.prev_page_token,
    })
}

fn change(resource: &mut Row, wanted: UpdateResource, mask: &Mask) -> Result<(), Error> {
    if wanted.settings.is_some() {
        return Err(Error::invalid(
            "resource.custom_connection_settings",
            "cannot be set: resources have no sign-in of their own yet",
        ));
    }
    mask.text("name", wanted.name, &mut resource.name);
    let settings = &mut resource.settings;
    mask.text("description", wanted.description, &mut settings.description);
    mask.text("resource_uri", wanted.resource_uri, &mut settings.resource_uri);
    mask.text("resource_id", wanted.resource_id, &mut settings.audience);
    mask.text("logo_uri", wanted.logo_uri, &mut settings.logo_uri);
    mask.text("provider", wanted.provider, &mut settings.provider);
    if let Some(names) = mask.list("scopes", wanted.scopes) {
        settings.scope = rules::scope("resource.scopes", &names)?;
    }
    if let Some(secs) = mask.number("access_token_expiry", wanted.access_token_expiry) {
        settings.access_token_lifetime = rules::lifetime("resource.access_token_expiry", secs)?;
    }
    if let Some(secs) = mask.number("refresh_token_expiry", wanted.refresh_token_expiry) {
        settings.refresh_token_lifetime = refresh_lifetime(secs)?;
    }
    if let Some(entries) = mask.list("cimd_client_allowlist", wanted.cimd_client_allowlist) {
        settings.cimd_client_allowlist = allowed(entries);
    }
    let switches = [
        (
            "disable_dynamic_client_registration",
            wanted.disable_dynamic_client_registration,
            &mut settings.disable_dynamic_client_registration,
        ),
        (
            "intersect_scopes_user_permission",
            wanted.intersect_scopes_user_permission,
            &mut settings.intersect_scopes_user_permission,
        ),
        ("enable_cimd", wanted.enable_cimd, &mut settings.enable_cimd),
        ("xaa_enabled", wanted.xaa_enabled, &mut settings.xaa_enabled),
        (
            "cimd_client_allowlist_enabled",
            wanted.cimd_client_allowlist_enabled,
            &mut settings.cimd_client_allowlist_enabled,
        ),
        (
            "resource_scope_selection_allowed",
            wanted.resource_scope_selection_allowed,
            &mut settings.resource_scope_selection_allowed,
        ),
    ];
    for (field, wanted, switch) in switches {
        if let Some(on) = mask.optional(field, wanted) {
            *switch = on;
        }
    }
    Ok(())
}

pub(super) async fn update(
    api: &Api,
    call: &Call<'_>,
    request: UpdateResourceRequest,
) -> Result<UpdateResourceResponse, Error> {
    let wanted = request.resource.ok_or_else(|| Error::required("resource"))?;
    let mask = Mask::read(request.update_mask, ("update_mask", "resource"), UPDATABLE)?;
    let resource = api
        .tx(async |tx| {
            let mut resource = find(tx, &request.resource_id).await?;
            change(&mut resource, wanted.clone(), &mask)?;
            check(&resource)?;
            resource::update(tx, call.at(), &resource).await?;
            find(tx, &request.resource_id).await
        })
        .await?;
    Ok(UpdateResourceResponse {
        resource: Some(render::resource(&resource)),
    })
}

pub(super) async fn delete(api: &Api, call: &Call<'_>, request: DeleteResourceRequest) -> Result<(), Error> {
    let id: ResourceId = id(NOT_FOUND, &request.resource_id)?;
    let deleted = api
        .tx(async |tx| Ok(resource::delete(tx, call.at(), &id).await?))
        .await?;
    if deleted {
        Ok(())
    } else {
        Err(Error::not_found(NOT_FOUND))
    }
}

pub(super) async fn delete_provider(
    api: &Api,
    call: &Call<'_>,
    request: DeleteResourceProviderRequest,
) -> Result<GetResourceResponse, Error> {
    let resource = api
        .tx(async |tx| {
            let mut resource = find(tx, &request.resource_id).await?;
            resource.settings.provider.clear();
            resource::update(tx, call.at(), &resource).await?;
            find(tx, &request.resource_id).await
        })
        .await?;
    Ok(GetResourceResponse {
        resource: Some(render::resource(&resource)),
    })
}
