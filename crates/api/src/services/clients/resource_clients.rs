//! Machine clients of resources.

use genkan_contract::scalekit::v1::clients::*;
use genkan_db::Tx;
use genkan_store::client::{self, Client, Owner};
use genkan_store::resource::Resource as ResourceRow;
use genkan_store::{MAX_LIMIT, Page};

use super::mask::Mask;
use super::{render, resources, rules, secrets};
use crate::{Api, Call, Error, id};

const NOT_FOUND: &str = "client";

/// The fields that an update may name.
const UPDATABLE: &[&str] = &[
    "name",
    "description",
    "scopes",
    "audience",
    "custom_claims",
    "expiry",
    "redirect_uris",
];

async fn find(tx: &mut Tx<'_>, resource_id: &str, client_id: &str) -> Result<(ResourceRow, Client), Error> {
    let resource = resources::find(tx, resource_id).await?;
    let owner = Owner::Resource(resource.id.clone());
    let client = client::find_owned(tx, &owner, &id(NOT_FOUND, client_id)?)
        .await?
        .ok_or_else(|| Error::not_found(NOT_FOUND))?;
    Ok((resource, client))
}

async fn show(
    tx: &mut Tx<'_>,
    call: &Call<'_>,
    resource_id: &str,
    client_id: &str,
) -> Result<M2mClient, Error> {
    let (resource, client) = find(tx, resource_id, client_id).await?;
    let secrets = client::secrets(tx, &client.id).await?;
    Ok(render::machine_client(
        &client,
        &secrets,
        Some(&resource),
        call.now,
    ))
}

fn change(client: &mut Client, wanted: ResourceClient, mask: &Mask) -> Result<(), Error> {
    mask.text("name", wanted.name, &mut client.name);
    mask.text("description", wanted.description, &mut client.description);
    if let Some(names) = mask.list("scopes", wanted.scopes) {
        client.scope = rules::scope("client.scopes", &names)?;
    }
    if let Some(audience) = mask.list("audience", wanted.audience) {
        client.audience = audience;
    }
    if let Some(claims) = mask.list("custom_claims", wanted.custom_claims) {
        client.custom_claims = rules::custom_claims(claims);
    }
    if let Some(uris) = mask.list("redirect_uris", wanted.redirect_uris) {
        client.redirect_uris = uris;
    }
    if let Some(secs) = mask.number("expiry", wanted.expiry) {
        client.access_token_lifetime = rules::lifetime("client.expiry", secs)?;
    }
    Ok(())
}

/// A client may have only scopes that its resource offers.
fn check_scope(resource: &ResourceRow, client: &Client) -> Result<(), Error> {
    let offered = &resource.settings.scope;
    if offered.is_empty() || client.scope.is_subset(offered) {
        Ok(())
    } else {
        Err(Error::invalid(
            "client.scopes",
            &format!("the resource offers {offered}"),
        ))
    }
}

pub(super) async fn create(
    api: &Api,
    call: &Call<'_>,
    request: CreateResourceClientRequest,
) -> Result<CreateResourceClientResponse, Error> {
    let wanted = request.client.ok_or_else(|| Error::required("client"))?;
    let secret = api.generate_secret("");
    let client = api
        .tx(async |tx| {
            let at = call.at();
            let resource = resources::find(tx, &request.resource_id).await?;
            let owner = Owner::Resource(resource.id.clone());
            let id = at.ids.next_with_prefix(owner.machine_prefix(), at.now);
            let mut client = Client::machine(id, String::new(), owner, at.now);
            // Unless the client says otherwise, the resource does.
            if resource.settings.access_token_lifetime.is_some() {
                client.access_token_lifetime = None;
            }
            change(&mut client, wanted.clone(), &Mask::whatever_is_there())?;
            api.check_client(&client)?;
            check_scope(&resource, &client)?;
            client::insert(tx, at, &client).await?;
            let row = secrets::add(tx, call, &client, &secret).await?;
            Ok(render::machine_client(&client, &[row], Some(&resource), call.now))
        })
        .await?;
    Ok(CreateResourceClientResponse {
        client: Some(client),
        plain_secret: secret.expose().to_owned(),
    })
}

pub(super) async fn get(
    api: &Api,
    call: &Call<'_>,
    request: GetResourceClientRequest,
) -> Result<GetResourceClientResponse, Error> {
    let client = api
        .read(async |tx| show(tx, call, &request.resource_id, &request.client_id).await)
        .await?;
    Ok(GetResourceClientResponse {
        client: Some(client),
        consented_users: Vec::new(),
    })
}

/// The newest clients of a resource: the message has no pages.
pub(super) async fn list(
    api: &Api,
    call: &Call<'_>,
    request: ListResourceClientsRequest,
) -> Result<ListResourceClientsResponse, Error> {
    let (clients, total) = api
        .read(async |tx| {
            let resource = resources::find(tx, &request.resource_id).await?;
            let owner = Owner::Resource(resource.id.clone());
            let clients = client::list_owned(tx, &owner, &Page::first(MAX_LIMIT)).await?;
            let secrets = client::secrets_of(tx, &owner, &clients).await?;
            let show = |client: &Client| {
                let secrets = secrets.get(&client.id).map_or(&[][..], Vec::as_slice);
                render::machine_client(client, secrets, Some(&resource), call.now)
            };
            let total = client::count_owned(tx, &owner, i64::from(i32::MAX)).await?;
            Ok((clients.iter().map(show).collect(), total))
        })
        .await?;
    Ok(ListResourceClientsResponse {
        clients,
        total_dcr_clients: 0,
        total_static_clients: i32::try_from(total).unwrap_or(i32::MAX),
    })
}

pub(super) async fn update(
    api: &Api,
    call: &Call<'_>,
    request: UpdateResourceClientRequest,
) -> Result<UpdateResourceClientResponse, Error> {
    let wanted = request.client.ok_or_else(|| Error::required("client"))?;
    let mask = Mask::read(request.update_mask, ("update_mask", "client"), UPDATABLE)?;
    let client = api
        .tx(async |tx| {
            let (resource, mut client) = find(tx, &request.resource_id, &request.client_id).await?;
            change(&mut client, wanted.clone(), &mask)?;
            api.check_client(&client)?;
            check_scope(&resource, &client)?;
            client::update(tx, call.at(), &client).await?;
            show(tx, call, &request.resource_id, &request.client_id).await
        })
        .await?;
    Ok(UpdateResourceClientResponse { client: Some(client) })
}

pub(super) async fn delete(
    api: &Api,
    call: &Call<'_>,
    request: DeleteResourceClientRequest,
) -> Result<DeleteResourceClientResponse, Error> {
    api.tx(async |tx| {
        let (_, client) = find(tx, &request.resource_id, &request.client_id).await?;
        client::delete(tx, call.at(), &client.id).await?;
        Ok(DeleteResourceClientResponse {})
    })
    .await
}

/// There is no consent page yet, so there are no consents.
pub(super) async fn list_consents(
    api: &Api,
    _: &Call<'_>,
    request: ListResourceUserConsentsRequest,
) -> Result<ListResourceUserConsentsResponse, Error> {
    api.read(async |tx| resources::find(tx, &request.resource_id).await)
        .await?;
    if request.page_token.is_empty() {
        Ok(ListResourceUserConsentsResponse::default())
    } else {
        Err(Error::invalid("page_token", "is not one that Genkan issued"))
    }
}

/// See [`list_consents`]: no consent exists.
#[expect(clippy::unused_async, reason = "all methods are called alike")]
pub(super) async fn revoke_consent(
    _: &Api,
    _: &Call<'_>,
    _: RevokeUserConsentRequest,
) -> Result<RevokeUserConsentResponse, Error> {
    Err(Error::not_found("consent"))
}
