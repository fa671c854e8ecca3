//! Secrets of applications and of the clients of resources.
//!
//! The clients of organizations have methods that name the organization; here
//! they are not found.

use genkan_contract::scalekit::v1::clients::*;
use genkan_db::Tx;
use genkan_store::client::{self, Client, ClientSecret, Owner};
use genkan_store::{ClientId, Secret, SecretId};

use super::mask::Mask;
use super::{render, rules};
use crate::{Api, Call, Error, id};

async fn find(tx: &mut Tx<'_>, client_id: &str) -> Result<Client, Error> {
    let id: ClientId = id("client", client_id)?;
    client::find(tx, &id)
        .await?
        .filter(|client| !matches!(client.owner, Owner::Organization(_)))
        .ok_or_else(|| Error::not_found("client"))
}

/// The stored row of a new secret.
pub(super) fn row(call: &Call<'_>, client: &Client, secret: &Secret) -> ClientSecret {
    ClientSecret {
        created_by: call.caller().map(|caller| caller.client_id.clone()),
        ..ClientSecret::new(call.at(), &client.id, secret, None)
    }
}

/// Gives a client a secret.
pub(super) async fn add(
    tx: &mut Tx<'_>,
    call: &Call<'_>,
    client: &Client,
    secret: &Secret,
) -> Result<ClientSecret, Error> {
    let row = row(call, client, secret);
    client::add_secret(tx, call.at(), &row)
        .await
        .map_err(rules::refused(client))?;
    Ok(row)
}

/// Deletes a secret of a client.
pub(super) async fn remove(
    tx: &mut Tx<'_>,
    call: &Call<'_>,
    client: &Client,
    secret_id: &str,
) -> Result<(), Error> {
    let id: SecretId = id("client secret", secret_id)?;
    let deleted = client::delete_secret(tx, call.at(), &client.id, &id)
        .await
        .map_err(rules::refused(client))?;
    if deleted {
        Ok(())
    } else {
        Err(Error::not_found("client secret"))
    }
}

pub(super) async fn create(
    api: &Api,
    call: &Call<'_>,
    request: CreateClientSecretRequest,
) -> Result<CreateClientSecretResponse, Error> {
    let secret = api.generate_secret("");
    let row = api
        .tx(async |tx| {
            let client = find(tx, &request.client_id).await?;
            rules::may_empower(call, &client)?;
            add(tx, call, &client, &secret).await
        })
        .await?;
    Ok(CreateClientSecretResponse {
        plain_secret: secret.expose().to_owned(),
        secret: Some(render::secret(&row, call.now)),
    })
}

pub(super) async fn update(
    api: &Api,
    call: &Call<'_>,
    request: UpdateClientSecretRequest,
) -> Result<UpdateClientSecretResponse, Error> {
    let wanted = request.secret.ok_or_else(|| Error::required("secret"))?;
    Mask::read(request.mask, ("mask", "secret"), &["status"])?;
    let disabled = match ClientSecretStatus::try_from(wanted.status) {
        Ok(ClientSecretStatus::Active) => false,
        Ok(ClientSecretStatus::Inactive) => true,
        Err(_) => return Err(Error::invalid("secret.status", "is ACTIVE or INACTIVE")),
    };
    let secret = api
        .tx(async |tx| {
            let client = find(tx, &request.client_id).await?;
            if !disabled {
                rules::may_empower(call, &client)?;
            }
            let id: SecretId = id("client secret", &request.secret_id)?;
            client::set_secret_disabled(tx, call.at(), &client, &id, disabled)
                .await?
                .ok_or_else(|| Error::not_found("client secret"))
        })
        .await?;
    Ok(UpdateClientSecretResponse {
        secret: Some(render::secret(&secret, call.now)),
    })
}

pub(super) async fn delete(
    api: &Api,
    call: &Call<'_>,
    request: DeleteClientSecretRequest,
) -> Result<(), Error> {
    api.tx(async |tx| {
        let client = find(tx, &request.client_id).await?;
        remove(tx, call, &client, &request.secret_id).await
    })
    .await
}
