//! Applications, and the secrets of all clients.

use genkan_api::Permissions;
use genkan_contract::scalekit::v1::clients::client_service_client::ClientServiceClient;
use genkan_contract::scalekit::v1::clients::*;
use genkan_store::client::{self, Client as Row, Kind};
use genkan_store::{ClientId, SecretId};
use prost_types::FieldMask;
use tonic::{Code, Status};

use crate::support::{Harness, InMemory, error_info, on_each_engine};

fn service(harness: &Harness) -> ClientServiceClient<InMemory> {
    ClientServiceClient::new(harness.client())
}

fn web() -> CreateClient {
    CreateClient {
        name: "Portal".to_owned(),
        client_type: "WEB_APP".to_owned(),
        post_login_uris: vec!["https://app.test/callback".to_owned()],
        post_logout_redirect_uris: vec!["https://app.test/".to_owned()],
        back_channel_logout_uris: vec!["https://app.test/logout".to_owned()],
        initiate_login_uri: Some("https://app.test/login".to_owned()),
        access_token_expiry: 600,
        scopes: vec!["reports:read".to_owned()],
        custom_claims: vec![CustomClaim {
            key: "tier".to_owned(),
            value: "gold".to_owned(),
        }],
        disallow_scalekit_api_access: Some(true),
        grant_types: vec!["authorization_code".to_owned()],
        enforce_pkce: Some(true),
        ip_allowlist: None,
        introspect_all: Some(true),
    }
}

async fn create(harness: &Harness, wanted: CreateClient) -> Result<Client, Status> {
    let request = CreateClientRequest { client: Some(wanted) };
    let answer = service(harness).create_client(request).await?;
    Ok(answer.into_inner().client.unwrap())
}

/// An application to which sign-ins go that begin elsewhere.
pub(crate) async fn with_login_start(harness: &Harness, uri: &str) {
    let wanted = CreateClient {
        initiate_login_uri: Some(uri.to_owned()),
        ..web()
    };
    create(harness, wanted).await.unwrap();
}

async fn get(harness: &Harness, id: &str) -> Result<Client, Status> {
    let request = GetClientRequest {
        client_id: id.to_owned(),
    };
    let answer = service(harness).get_client(request).await?;
    Ok(answer.into_inner().client.unwrap())
}

async fn add_secret(harness: &Harness, id: &str) -> Result<CreateClientSecretResponse, Status> {
    let request = CreateClientSecretRequest {
        client_id: id.to_owned(),
    };
    let answer = service(harness).create_client_secret(request).await?;
    Ok(answer.into_inner())
}

/// The application that comes with an environment, with access to everything.
async fn default_client(harness: &Harness) -> ClientId {
    harness
        .tx(async |tx, at| {
            let id: ClientId = at.ids.next_with_prefix("skc_", at.now);
            let client = Row {
                management_access: true,
                ..Row::new(id.clone(), "Default".to_owned(), Kind::WebApp, at.now)
            };
            client::insert(tx, at, &client).await?;
            Ok(id)
        })
        .await
}

#[tokio::test]
async fn an_application_is_read_as_it_was_created() {
    on_each_engine(async |harness| {
        let created = create(&harness, web()).await.unwrap();
        assert!(created.id.starts_with("webc_"));
        assert_eq!(get(&harness, &created.id).await.unwrap(), created);
        let wanted = web();
        assert_eq!(created.post_login_uris, wanted.post_login_uris);
        assert_eq!(created.back_channel_logout_uris, wanted.back_channel_logout_uris);
        assert_eq!(created.initiate_login_uri, "https://app.test/login");
        assert_eq!(created.access_token_expiry, Some(600));
        assert_eq!(
            (&created.scopes, &created.custom_claims),
            (&wanted.scopes, &wanted.custom_claims)
        );
        assert_eq!(created.grant_types, wanted.grant_types);
        assert!(created.enforce_pkce && created.disallow_scalekit_api_access);
        assert!(created.introspect_all, "it is what was asked for");
        assert_eq!(
            (created.client_type.as_str(), created.secrets.len()),
            ("WEB_APP", 0)
        );
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_by_the_name_of_the_field() {
    let harness = Harness::start().await;
    type Spoil = fn(&mut CreateClient);
    let spoil: &[(Spoil, &str)] = &[
        (
            |client| {
                client.client_type = "SPA".to_owned();
                client.back_channel_logout_uris.clear();
            },
            "client.introspect_all",
        ),
        (|client| client.name = " ".to_owned(), "client.name"),
        (
            |client| client.client_type = "M2M".to_owned(),
            "client.client_type",
        ),
        (
            |client| client.post_login_uris = vec!["javascript:alert(1)".to_owned()],
            "client.post_login_uris",
        ),
        (
            |client| client.initiate_login_uri = Some("nowhere".to_owned()),
            "client.initiate_login_uri",
        ),
        (
            |client| client.access_token_expiry = -1,
            "client.access_token_expiry",
        ),
        (
            |client| client.access_token_expiry = i64::MAX,
            "client.access_token_expiry",
        ),
        (
            |client| client.scopes = vec!["two words".to_owned()],
            "client.scopes",
        ),
        (
            |client| client.grant_types = vec!["password".to_owned()],
            "client.grant_types",
        ),
        (
            |client| {
                client.ip_allowlist = Some(IpAllowlist {
                    opted_in: true,
                    cidrs: vec![],
                });
            },
            "client.ip_allowlist",
        ),
        (
            |client| {
                client.client_type = "SPA".to_owned();
                client.back_channel_logout_uris.clear();
                client.disallow_scalekit_api_access = Some(false);
            },
            "client.disallow_scalekit_api_access",
        ),
    ];
    for (spoil, field) in spoil {
        let mut client = web();
        spoil(&mut client);
        let refused = create(&harness, client).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{field}");
        let info = error_info(&refused).validation_error_info.unwrap();
        assert_eq!(info.field_violations[0].field, *field);
    }
}

#[tokio::test]
async fn an_update_changes_what_it_holds_or_what_its_mask_names() {
    let harness = Harness::start().await;
    let created = create(&harness, web()).await.unwrap();
    let update = async |client: UpdateClient, paths: &[&str]| {
        let mask = (!paths.is_empty()).then(|| FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        });
        let request = UpdateClientRequest {
            client_id: created.id.clone(),
            client: Some(client),
            mask,
        };
        let answer = service(&harness).update_client(request).await;
        answer.map(|answer| answer.into_inner().client.unwrap())
    };
    let renamed = UpdateClient {
        name: "Renamed".to_owned(),
        initiate_login_uri: Some(String::new()),
        ..UpdateClient::default()
    };
    let updated = update(renamed.clone(), &[]).await.unwrap();
    assert_eq!(
        (updated.name.as_str(), updated.initiate_login_uri.as_str()),
        ("Renamed", "")
    );
    assert_eq!(updated.post_login_uris, created.post_login_uris);
    assert_eq!(get(&harness, &created.id).await.unwrap(), updated);

    let ignored = UpdateClient {
        name: "Ignored".to_owned(),
        ..UpdateClient::default()
    };
    let updated = update(ignored, &["client.post_login_uris", "scopes"])
        .await
        .unwrap();
    assert_eq!(updated.name, "Renamed");
    assert!(updated.post_login_uris.is_empty() && updated.scopes.is_empty());

    let refused = update(renamed, &["secrets"]).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn applications_are_listed_by_kind_in_pages() {
    let harness = Harness::start().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        harness.wait(std::time::Duration::from_secs(1));
        let client = create(&harness, web()).await.unwrap();
        add_secret(&harness, &client.id).await.unwrap();
        ids.insert(0, client.id);
    }
    let spa = CreateClient {
        client_type: "SPA".to_owned(),
        back_channel_logout_uris: vec![],
        introspect_all: None,
        ..web()
    };
    create(&harness, spa).await.unwrap();
    let list = async |page_token: String| {
        let request = ListClientsRequest {
            filter: Some(list_clients_request::Filter {
                client_type: vec!["WEB_APP".to_owned()],
            }),
            page_size: 2,
            page_token,
            ..ListClientsRequest::default()
        };
        let answer = service(&harness).list_client(request).await;
        answer.map(tonic::Response::into_inner)
    };
    let of = |page: &ListClientsResponse| -> Vec<String> {
        page.clients.iter().map(|client| client.id.clone()).collect()
    };
    let first = list(String::new()).await.unwrap();
    assert_eq!((of(&first), first.total_size), (ids[..2].to_vec(), 3));
    assert!(first.clients.iter().all(|client| client.secrets.len() == 1));
    assert!(first.clients[0].secrets[0].plain_secret.is_none());
    let second = list(first.next_page_token).await.unwrap();
    assert_eq!(of(&second), ids[2..]);
    assert_eq!(second.next_page_token, "");
    let back = list(second.prev_page_token).await.unwrap();
    assert_eq!(of(&back), ids[..2]);
    let refused = list("nonsense".to_owned()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_application_has_two_secrets_shown_once() {
    on_each_engine(async |harness| {
        let client = create(&harness, web()).await.unwrap();
        let first = add_secret(&harness, &client.id).await.unwrap();
        let second = add_secret(&harness, &client.id).await.unwrap();
        assert!(first.plain_secret.starts_with("test_") && first.plain_secret != second.plain_secret);
        let kept = first.secret.unwrap();
        assert!(first.plain_secret.ends_with(&kept.secret_suffix));
        assert_eq!(kept.created_by.as_deref(), Some("skc_100000000000000000001"));
        let refused = add_secret(&harness, &client.id).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);

        let set = async |status: ClientSecretStatus| {
            let request = UpdateClientSecretRequest {
                client_id: client.id.clone(),
                secret_id: kept.id.clone(),
                secret: Some(UpdateClientSecret {
                    status: status.into(),
                }),
                mask: None,
            };
            let answer = service(&harness).update_client_secret(request).await.unwrap();
            answer.into_inner().secret.unwrap().status()
        };
        assert_eq!(
            set(ClientSecretStatus::Inactive).await,
            ClientSecretStatus::Inactive
        );
        let shown = get(&harness, &client.id).await.unwrap().secrets;
        assert_eq!(
            (shown.len(), shown[0].status()),
            (2, ClientSecretStatus::Inactive)
        );
        assert_eq!(set(ClientSecretStatus::Active).await, ClientSecretStatus::Active);

        let request = DeleteClientSecretRequest {
            client_id: client.id.clone(),
            secret_id: kept.id.clone(),
        };
        service(&harness)
            .delete_client_secret(request.clone())
            .await
            .unwrap();
        let refused = service(&harness).delete_client_secret(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
        assert_eq!(get(&harness, &client.id).await.unwrap().secrets.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_part_of_the_api_cannot_be_turned_into_all_of_it() {
    let harness = Harness::start().await;
    let id = default_client(&harness).await.to_string();
    let everything = service(&harness);
    let secret = everything
        .clone()
        .create_client_secret(CreateClientSecretRequest {
            client_id: id.clone(),
        })
        .await
        .unwrap()
        .into_inner()
        .secret
        .unwrap();
    let own = ["api_credentials:write", "api_credentials:read"].map(ToOwned::to_owned);
    harness.grant("part", Permissions::Only(own.into()));
    let mut part = ClientServiceClient::new(harness.client_with(["part"]));

    let refused = [
        part.create_client_secret(CreateClientSecretRequest {
            client_id: id.clone(),
        })
        .await
        .map(|_| ()),
        part.create_client(CreateClientRequest {
            client: Some(CreateClient {
                disallow_scalekit_api_access: Some(false),
                ..web()
            }),
        })
        .await
        .map(|_| ()),
        part.update_client_secret(UpdateClientSecretRequest {
            client_id: id.clone(),
            secret_id: secret.id,
            secret: Some(UpdateClientSecret {
                status: ClientSecretStatus::Active.into(),
            }),
            mask: None,
        })
        .await
        .map(|_| ()),
    ];
    for refused in refused {
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    }
    let plain = part
        .create_client(CreateClientRequest { client: Some(web()) })
        .await
        .unwrap()
        .into_inner()
        .client
        .unwrap();
    let promote = UpdateClientRequest {
        client_id: plain.id.clone(),
        client: Some(UpdateClient {
            disallow_scalekit_api_access: Some(false),
            ..UpdateClient::default()
        }),
        mask: None,
    };
    let refused = part.update_client(promote.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(
        get(&harness, &plain.id)
            .await
            .unwrap()
            .disallow_scalekit_api_access
    );
    everything.clone().update_client(promote).await.unwrap();
    assert!(
        !get(&harness, &plain.id)
            .await
            .unwrap()
            .disallow_scalekit_api_access
    );
}

#[tokio::test]
async fn a_deleted_application_is_gone_and_the_default_one_stays() {
    let harness = Harness::start().await;
    let client = create(&harness, web()).await.unwrap();
    let delete = async |id: &str| {
        let request = DeleteClientRequest {
            client_id: id.to_owned(),
        };
        service(&harness).delete_client(request).await.map(|_| ())
    };
    delete(&client.id).await.unwrap();
    for code in [
        delete(&client.id).await.unwrap_err().code(),
        get(&harness, &client.id).await.unwrap_err().code(),
        get(&harness, "webc_1").await.unwrap_err().code(),
        get(&harness, "nonsense").await.unwrap_err().code(),
    ] {
        assert_eq!(code, Code::NotFound);
    }
    let default = default_client(&harness).await;
    let refused = delete(default.as_str()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn the_addresses_of_the_default_application_are_those_of_the_environment() {
    let harness = Harness::start().await;
    let add = async |uri: &str| {
        let request = AddEnvironmentRedirectUriRequest {
            redirect_uri: uri.to_owned(),
        };
        let answer = service(&harness).add_environment_redirect_uri(request).await;
        answer.map(tonic::Response::into_inner)
    };
    let uri = "https://app.test/callback";
    assert_eq!(add(uri).await.unwrap_err().code(), Code::FailedPrecondition);
    let id = default_client(&harness).await;
    for _ in 0..2 {
        let uris = add(uri).await.unwrap();
        assert_eq!(
            (uris.client_id.as_str(), uris.redirect_uris),
            (id.as_str(), vec![uri.to_owned()])
        );
    }
    assert_eq!(
        add("ftp://app.test").await.unwrap_err().code(),
        Code::InvalidArgument
    );
    let initiate = SetEnvironmentInitiateLoginUriRequest {
        initiate_login_uri: "https://app.test/login".to_owned(),
    };
    service(&harness)
        .set_environment_initiate_login_uri(initiate)
        .await
        .unwrap();
    let remove = RemoveEnvironmentRedirectUriRequest {
        redirect_uri: uri.to_owned(),
    };
    let uris = service(&harness)
        .remove_environment_redirect_uri(remove)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(uris.redirect_uris, Vec::<String>::new());
    assert_eq!(uris.initiate_login_uri, "https://app.test/login");
}

#[tokio::test]
async fn a_secret_of_another_client_is_not_found() {
    let harness = Harness::start().await;
    let (mine, other) = (
        create(&harness, web()).await.unwrap(),
        create(&harness, web()).await.unwrap(),
    );
    let secret = add_secret(&harness, &other.id).await.unwrap().secret.unwrap();
    let unknown = SecretId::parse("sks_1").unwrap().to_string();
    for secret_id in [secret.id.clone(), unknown, "nonsense".to_owned()] {
        let request = DeleteClientSecretRequest {
            client_id: mine.id.clone(),
            secret_id,
        };
        let refused = service(&harness).delete_client_secret(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
    }
    assert_eq!(get(&harness, &other.id).await.unwrap().secrets.len(), 1);
}
