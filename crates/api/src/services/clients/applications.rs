//! Applications: the clients of the environment.

use std::collections::BTreeSet;

use genkan_contract::scalekit::v1::clients::*;
use genkan_db::Tx;
use genkan_store::client::{self, Client, ClientSecret, GrantType, Kind, Owner};

use super::mask::Mask;
use super::{render, rules};
use crate::paging::{self, Sizes};
use crate::{Api, Call, Error, id};

const NOT_FOUND: &str = "client";

const SIZES: Sizes = Sizes { default: 10, max: 30 };

/// The fields that an update may name.
const UPDATABLE: &[&str] = &[
    "name",
    "post_login_uris",
    "post_logout_redirect_uris",
    "back_channel_logout_uris",
    "initiate_login_uri",
    "access_token_expiry",
    "scopes",
    "custom_claims",
    "disallow_scalekit_api_access",
    "grant_types",
    "enforce_pkce",
    "ip_allowlist",
    "introspect_all",
];

/// An application by its identifier; a machine client is not one.
pub(super) async fn find(tx: &mut Tx<'_>, client_id: &str) -> Result<Client, Error> {
    let id = id(NOT_FOUND, client_id)?;
    client::find_owned(tx, &Owner::Environment, &id)
        .await?
        .ok_or_else(|| Error::not_found(NOT_FOUND))
}

async fn find_with_secrets(tx: &mut Tx<'_>, client_id: &str) -> Result<(Client, Vec<ClientSecret>), Error> {
    let client = find(tx, client_id).await?;
    let secrets = client::secrets(tx, &client.id).await?;
    Ok((client, secrets))
}

pub(super) async fn list(
    api: &Api,
    call: &Call<'_>,
    request: ListClientsRequest,
) -> Result<ListClientsResponse, Error> {
    let page = paging::request(request.page_size, &request.page_token, SIZES)?;
    let wanted: BTreeSet<String> = request
        .filter
        .into_iter()
        .flat_map(|filter| filter.client_type)
        .collect();
    let kinds = wanted
        .iter()
        .map(|word| parse_kind("filter.client_type", word))
        .collect::<Result<Vec<_>, _>>()?;
    let (clients, secrets) = api
        .read(async |tx| {
            let clients = client::list_kinds(tx, &kinds, &page).await?;
            let secrets = client::secrets_of(tx, &Owner::Environment, &clients).await?;
            Ok((clients, secrets))
        })
        .await?;
    let list = format!("clients {kinds:?}");
    let total_size = api
        .total(&list, async |tx, limit| {
            Ok(client::count_kinds(tx, &kinds, limit).await?)
        })
        .await?;
    let paged = paging::answer(&page, clients, |client| &client.id);
    let show = |client: &Client| {
        let secrets = secrets.get(&client.id).map_or(&[][..], Vec::as_slice);
        render::application(client, secrets, call.now)
    };
    Ok(ListClientsResponse {
        total_size,
        clients: paged.rows.iter().map(show).collect(),
        next_page_token: paged.next_page_token,
        prev_page_token: paged.prev_page_token,
    })
}

pub(super) async fn get(
    api: &Api,
    call: &Call<'_>,
    request: GetClientRequest,
) -> Result<GetClientResponse, Error> {
    let (client, secrets) = api
        .read(async |tx| find_with_secrets(tx, &request.client_id).await)
        .await?;
    Ok(GetClientResponse {
        client: Some(render::application(&client, &secrets, call.now)),
    })
}

/// The kind of an application; a machine client is made elsewhere.
fn parse_kind(field: &str, word: &str) -> Result<Kind, Error> {
    word.parse()
        .ok()
        .filter(|kind| *kind != Kind::Machine)
        .ok_or_else(|| Error::invalid(field, "is one of WEB_APP, SPA, NTV"))
}

fn parse_grant_types(words: &[String]) -> Result<Vec<GrantType>, Error> {
    let parse = |word: &String| {
        word.parse().map_err(|_| {
            Error::invalid(
                "client.grant_types",
                "is made of authorization_code, refresh_token and client_credentials",
            )
        })
    };
    words.iter().map(parse).collect()
}

/// Refuses a list of addresses: nothing checks it, so it would protect nobody.
fn refuse_ip_allowlist(allowlist: Option<IpAllowlist>) -> Result<(), Error> {
    match allowlist {
        Some(list) if list.opted_in || !list.cidrs.is_empty() => Err(Error::invalid(
            "client.ip_allowlist",
            "Genkan does not limit clients by address: let the network in front of it do so",
        )),
        _ => Ok(()),
    }
}

pub(super) async fn create(
    api: &Api,
    call: &Call<'_>,
    request: CreateClientRequest,
) -> Result<CreateClientResponse, Error> {
    let wanted = request.client.ok_or_else(|| Error::required("client"))?;
    let kind = parse_kind("client.client_type", &wanted.client_type)?;
    refuse_ip_allowlist(wanted.ip_allowlist)?;
    let at = call.at();
    let id = at.ids.next_with_prefix(kind.id_prefix(), at.now);
    let client = Client {
        redirect_uris: wanted.post_login_uris,
        post_logout_redirect_uris: wanted.post_logout_redirect_uris,
        back_channel_logout_uris: wanted.back_channel_logout_uris,
        initiate_login_uri: wanted.initiate_login_uri.filter(|uri| !uri.is_empty()),
        access_token_lifetime: rules::lifetime("client.access_token_expiry", wanted.access_token_expiry)?,
        scope: rules::scope("client.scopes", &wanted.scopes)?,
        custom_claims: rules::custom_claims(wanted.custom_claims),
        // Access to everything must be requested explicitly.
        management_access: wanted.disallow_scalekit_api_access == Some(false),
        grant_types: parse_grant_types(&wanted.grant_types)?,
        enforce_pkce: wanted.enforce_pkce.unwrap_or_default(),
        introspect_all: wanted.introspect_all.unwrap_or_default(),
        ..Client::new(id, wanted.name, kind, at.now)
    };
    api.check_client(&client)?;
    rules::may_empower(call, &client)?;
    api.tx(async |tx| Ok(client::insert(tx, at, &client).await?))
        .await?;
    Ok(CreateClientResponse {
        client: Some(render::application(&client, &[], call.now)),
    })
}

fn change(client: &mut Client, wanted: UpdateClient, mask: &Mask) -> Result<(), Error> {
    mask.text("name", wanted.name, &mut client.name);
    if let Some(uris) = mask.list("post_login_uris", wanted.post_login_uris) {
        client.redirect_uris = uris;
    }
    if let Some(uris) = mask.list("post_logout_redirect_uris", wanted.post_logout_redirect_uris) {
        client.post_logout_redirect_uris = uris;
    }
    if let Some(uris) = mask.list("back_channel_logout_uris", wanted.back_channel_logout_uris) {
        client.back_channel_logout_uris = uris;
    }
    if let Some(uri) = mask.optional("initiate_login_uri", wanted.initiate_login_uri) {
        client.initiate_login_uri = Some(uri).filter(|uri| !uri.is_empty());
    }
    if let Some(secs) = mask.number("access_token_expiry", wanted.access_token_expiry) {
        client.access_token_lifetime = rules::lifetime("client.access_token_expiry", secs)?;
    }
    if let Some(names) = mask.list("scopes", wanted.scopes) {
        client.scope = rules::scope("client.scopes", &names)?;
    }
    if let Some(claims) = mask.list("custom_claims", wanted.custom_claims) {
        client.custom_claims = rules::custom_claims(claims);
    }
    if let Some(words) = mask.list("grant_types", wanted.grant_types) {
        client.grant_types = parse_grant_types(&words)?;
    }
    if let Some(enforced) = mask.optional("enforce_pkce", wanted.enforce_pkce) {
        client.enforce_pkce = enforced;
    }
    if let Some(all) = mask.optional("introspect_all", wanted.introspect_all) {
        client.introspect_all = all;
    }
    if let Some(disallowed) = wanted.disallow_scalekit_api_access
        && mask
            .optional("disallow_scalekit_api_access", Some(disallowed))
            .is_some()
    {
        client.management_access = !disallowed;
    }
    Ok(())
}

pub(super) async fn update(
    api: &Api,
    call: &Call<'_>,
    request: UpdateClientRequest,
) -> Result<UpdateClientResponse, Error> {
    let wanted = request.client.ok_or_else(|| Error::required("client"))?;
    let mask = Mask::read(request.mask, ("mask", "client"), UPDATABLE)?;
    refuse_ip_allowlist(wanted.ip_allowlist.clone())?;
    let (client, secrets) = api
        .tx(async |tx| {
            let mut client = find(tx, &request.client_id).await?;
            let had_access = client.management_access;
            change(&mut client, wanted.clone(), &mask)?;
            api.check_client(&client)?;
            if !had_access {
                rules::may_empower(call, &client)?;
            }
            client::update(tx, call.at(), &client).await?;
            find_with_secrets(tx, &request.client_id).await
        })
        .await?;
    Ok(UpdateClientResponse {
        client: Some(render::application(&client, &secrets, call.now)),
    })
}

pub(super) async fn delete(api: &Api, call: &Call<'_>, request: DeleteClientRequest) -> Result<(), Error> {
    api.tx(async |tx| {
        let client = find(tx, &request.client_id).await?;
        client::delete(tx, call.at(), &client.id)
            .await
            .map_err(rules::refused(&client))?;
        Ok(())
    })
    .await
}

pub(super) async fn add_redirect_uri(
    api: &Api,
    call: &Call<'_>,
    request: AddEnvironmentRedirectUriRequest,
) -> Result<EnvironmentLoginUrisResponse, Error> {
    change_default(api, call, |client| {
        if !client.redirect_uris.contains(&request.redirect_uri) {
            client.redirect_uris.push(request.redirect_uri.clone());
        }
    })
    .await
}

pub(super) async fn remove_redirect_uri(
    api: &Api,
    call: &Call<'_>,
    request: RemoveEnvironmentRedirectUriRequest,
) -> Result<EnvironmentLoginUrisResponse, Error> {
    change_default(api, call, |client| {
        client.redirect_uris.retain(|uri| *uri != request.redirect_uri);
    })
    .await
}

pub(super) async fn set_initiate_login_uri(
    api: &Api,
    call: &Call<'_>,
    request: SetEnvironmentInitiateLoginUriRequest,
) -> Result<EnvironmentLoginUrisResponse, Error> {
    change_default(api, call, |client| {
        client.initiate_login_uri = Some(request.initiate_login_uri.clone());
    })
    .await
}

/// Changes the default application of the environment.
async fn change_default(
    api: &Api,
    call: &Call<'_>,
    change: impl Fn(&mut Client),
) -> Result<EnvironmentLoginUrisResponse, Error> {
    let client = api
        .tx(async |tx| {
            let Some(before) = client::default_client(tx).await? else {
                return Err(Error::precondition(
                    "this environment has no default application: name one with UpdateClient",
                ));
            };
            let mut client = before.clone();
            change(&mut client);
            if client != before {
                api.check_client(&client)?;
                client::update(tx, call.at(), &client).await?;
            }
            Ok(client)
        })
        .await?;
    Ok(EnvironmentLoginUrisResponse {
        client_id: client.id.to_string(),
        redirect_uris: client.redirect_uris,
        post_logout_redirect_uris: client.post_logout_redirect_uris,
        initiate_login_uri: client.initiate_login_uri.unwrap_or_default(),
    })
}
