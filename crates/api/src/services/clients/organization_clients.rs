//! Machine clients of organizations.

use genkan_contract::scalekit::v1::clients::*;
use genkan_db::Tx;
use genkan_store::client::{self, Client, ClientSecret, MACHINE_TOKEN_LIFETIME, Owner};
use genkan_store::{OrganizationId, organization};

use super::mask::Mask;
use super::{render, rules, secrets};
use crate::paging::{self, Sizes};
use crate::{Api, Call, Error, id};

const NOT_FOUND: &str = "client";

/// The organization as an owner, if it exists.
async fn owner(tx: &mut Tx<'_>, organization_id: &str) -> Result<Owner, Error> {
    let id: OrganizationId = id("organization", organization_id)?;
    match organization::find(tx, &id).await? {
        Some(_) => Ok(Owner::Organization(id)),
        None => Err(Error::not_found("organization")),
    }
}

async fn find(tx: &mut Tx<'_>, organization_id: &str, client_id: &str) -> Result<Client, Error> {
    let owner = Owner::Organization(id("organization", organization_id)?);
    client::find_owned(tx, &owner, &id(NOT_FOUND, client_id)?)
        .await?
        .ok_or_else(|| Error::not_found(NOT_FOUND))
}

async fn find_with_secrets(
    tx: &mut Tx<'_>,
    organization_id: &str,
    client_id: &str,
) -> Result<(Client, Vec<ClientSecret>), Error> {
    let client = find(tx, organization_id, client_id).await?;
    let secrets = client::secrets(tx, &client.id).await?;
    Ok((client, secrets))
}

/// Applies a request to a client; absent fields stay.
fn change(client: &mut Client, wanted: OrganizationClient) -> Result<(), Error> {
    let mask = Mask::whatever_is_there();
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
    if let Some(secs) = mask.number("expiry", wanted.expiry) {
        let lifetime = rules::lifetime("client.expiry", secs)?;
        client.access_token_lifetime = lifetime.or(Some(MACHINE_TOKEN_LIFETIME));
    }
    Ok(())
}

pub(super) async fn create(
    api: &Api,
    call: &Call<'_>,
    request: CreateOrganizationClientRequest,
) -> Result<CreateOrganizationClientResponse, Error> {
    let wanted = request.client.ok_or_else(|| Error::required("client"))?;
    let secret = api.generate_secret("");
    let (client, row) = api
        .tx(async |tx| {
            let at = call.at();
            let owner = owner(tx, &request.organization_id).await?;
            let id = at.ids.next_with_prefix(owner.machine_prefix(), at.now);
            let mut client = Client::machine(id, String::new(), owner, at.now);
            change(&mut client, wanted.clone())?;
            api.check_client(&client)?;
            client::insert(tx, at, &client).await?;
            let row = secrets::add(tx, call, &client, &secret).await?;
            Ok((client, row))
        })
        .await?;
    Ok(CreateOrganizationClientResponse {
        client: Some(render::machine_client(&client, &[row], None, call.now)),
        plain_secret: secret.expose().to_owned(),
    })
}

pub(super) async fn get(
    api: &Api,
    call: &Call<'_>,
    request: GetOrganizationClientRequest,
) -> Result<GetOrganizationClientResponse, Error> {
    let (client, secrets) = api
        .read(async |tx| find_with_secrets(tx, &request.organization_id, &request.client_id).await)
        .await?;
    Ok(GetOrganizationClientResponse {
        client: Some(render::machine_client(&client, &secrets, None, call.now)),
    })
}

pub(super) async fn list(
    api: &Api,
    call: &Call<'_>,
    request: ListOrganizationClientsRequest,
) -> Result<ListOrganizationClientsResponse, Error> {
    let page = paging::request(request.page_size, &request.page_token, Sizes::USUAL)?;
    let (owner, clients, secrets) = api
        .read(async |tx| {
            let owner = owner(tx, &request.organization_id).await?;
            let clients = client::list_owned(tx, &owner, &page).await?;
            let secrets = client::secrets_of(tx, &owner, &clients).await?;
            Ok((owner, clients, secrets))
        })
        .await?;
    let list = format!("clients {}", request.organization_id);
    let total_size = api
        .total(&list, async |tx, limit| {
            Ok(client::count_owned(tx, &owner, limit).await?)
        })
        .await?;
    let paged = paging::answer(&page, clients, |client| &client.id);
    let show = |client: &Client| {
        let secrets = secrets.get(&client.id).map_or(&[][..], Vec::as_slice);
        render::machine_client(client, secrets, None, call.now)
    };
    Ok(ListOrganizationClientsResponse {
        total_size,
        clients: paged.rows.iter().map(show).collect(),
        next_page_token: paged.next_page_token,
        prev_page_token: paged.prev_page_token,
    })
}

pub(super) async fn update(
    api: &Api,
    call: &Call<'_>,
    request: UpdateOrganizationClientRequest,
) -> Result<UpdateOrganizationClientResponse, Error> {
    let wanted = request.client.ok_or_else(|| Error::required("client"))?;
    let (client, secrets) = api
        .tx(async |tx| {
            let mut client = find(tx, &request.organization_id, &request.client_id).await?;
            change(&mut client, wanted.clone())?;
            api.check_client(&client)?;
            client::update(tx, call.at(), &client).await?;
            find_with_secrets(tx, &request.organization_id, &request.client_id).await
        })
        .await?;
    Ok(UpdateOrganizationClientResponse {
        client: Some(render::machine_client(&client, &secrets, None, call.now)),
    })
}

pub(super) async fn delete(
    api: &Api,
    call: &Call<'_>,
    request: DeleteOrganizationClientRequest,
) -> Result<(), Error> {
    api.tx(async |tx| {
        let client = find(tx, &request.organization_id, &request.client_id).await?;
        client::delete(tx, call.at(), &client.id).await?;
        Ok(())
    })
    .await
}

pub(super) async fn create_secret(
    api: &Api,
    call: &Call<'_>,
    request: CreateOrganizationClientSecretRequest,
) -> Result<CreateOrganizationClientSecretResponse, Error> {
    let secret = api.generate_secret("");
    let row = api
        .tx(async |tx| {
            let client = find(tx, &request.organization_id, &request.client_id).await?;
            secrets::add(tx, call, &client, &secret).await
        })
        .await?;
    Ok(CreateOrganizationClientSecretResponse {
        plain_secret: secret.expose().to_owned(),
        secret: Some(render::secret(&row, call.now)),
    })
}

pub(super) async fn delete_secret(
    api: &Api,
    call: &Call<'_>,
    request: DeleteOrganizationClientSecretRequest,
) -> Result<(), Error> {
    api.tx(async |tx| {
        let client = find(tx, &request.organization_id, &request.client_id).await?;
        secrets::remove(tx, call, &client, &request.secret_id).await
    })
    .await
}
