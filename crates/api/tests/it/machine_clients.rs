//! Clients of organizations and resources, and resources.

use genkan_contract::scalekit::v1::clients::client_service_client::ClientServiceClient;
use genkan_contract::scalekit::v1::clients::*;
use genkan_store::OrganizationId;
use genkan_store::organization::{self, Organization};
use prost_types::FieldMask;
use tonic::{Code, Status};

use crate::support::{Harness, InMemory, on_each_engine};

fn service(harness: &Harness) -> ClientServiceClient<InMemory> {
    ClientServiceClient::new(harness.client())
}

async fn new_organization(harness: &Harness) -> String {
    let organization = harness
        .tx(async |tx, at| {
            let organization = Organization::new(at.id::<OrganizationId>(), "Acme".to_owned(), at.now);
            organization::insert(tx, at, &organization).await?;
            Ok(organization)
        })
        .await;
    organization.id.to_string()
}

fn reports() -> OrganizationClient {
    OrganizationClient {
        name: "Reports".to_owned(),
        description: "Fetches the reports".to_owned(),
        scopes: vec!["reports:read".to_owned(), "reports:write".to_owned()],
        audience: vec!["my-own-api".to_owned()],
        custom_claims: vec![CustomClaim {
            key: "wksp_id".to_owned(),
            value: "42".to_owned(),
        }],
        expiry: 0,
    }
}

async fn create(
    harness: &Harness,
    organization_id: &str,
    client: OrganizationClient,
) -> Result<CreateOrganizationClientResponse, Status> {
    let request = CreateOrganizationClientRequest {
        organization_id: organization_id.to_owned(),
        client: Some(client),
    };
    let answer = service(harness).create_organization_client(request).await?;
    Ok(answer.into_inner())
}

async fn get(harness: &Harness, organization_id: &str, client_id: &str) -> Result<M2mClient, Status> {
    let request = GetOrganizationClientRequest {
        organization_id: organization_id.to_owned(),
        client_id: client_id.to_owned(),
    };
    let answer = service(harness).get_organization_client(request).await?;
    Ok(answer.into_inner().client.unwrap())
}

#[tokio::test]
async fn a_client_of_an_organization_is_created_with_a_secret_shown_once() {
    on_each_engine(async |harness| {
        let organization_id = new_organization(&harness).await;
        let created = create(&harness, &organization_id, reports()).await.unwrap();
        let client = created.client.unwrap();
        assert!(client.client_id.starts_with("m2morg_"));
        assert_eq!(client.organization_id, organization_id);
        assert_eq!(client.expiry, 3600);
        assert_eq!(client.audience, reports().audience);
        assert_eq!(client.scopes, reports().scopes);
        assert_eq!(client.custom_claims, reports().custom_claims);
        assert!(created.plain_secret.ends_with(&client.secrets[0].secret_suffix));
        assert_eq!(
            get(&harness, &organization_id, &client.client_id).await.unwrap(),
            client
        );
        let refused = create(&harness, "org_1", reports()).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn an_update_keeps_what_it_leaves_out() {
    let harness = Harness::start().await;
    let organization_id = new_organization(&harness).await;
    let client = create(&harness, &organization_id, reports())
        .await
        .unwrap()
        .client
        .unwrap();
    let update = async |client_id: &str, wanted: OrganizationClient| {
        let request = UpdateOrganizationClientRequest {
            organization_id: organization_id.clone(),
            client_id: client_id.to_owned(),
            client: Some(wanted),
        };
        let answer = service(&harness).update_organization_client(request).await;
        answer.map(|answer| answer.into_inner().client.unwrap())
    };
    let renamed = OrganizationClient {
        name: "Renamed".to_owned(),
        expiry: 60,
        ..OrganizationClient::default()
    };
    let updated = update(&client.client_id, renamed).await.unwrap();
    let expected = M2mClient {
        name: "Renamed".to_owned(),
        expiry: 60,
        update_time: updated.update_time,
        ..client.clone()
    };
    assert_eq!(updated, expected);
    let negative = OrganizationClient {
        expiry: -5,
        ..OrganizationClient::default()
    };
    let refused = update(&client.client_id, negative).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let refused = update("m2morg_1", reports()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test]
async fn a_client_keeps_one_secret_and_has_five_at_most() {
    on_each_engine(async |harness| {
        let organization_id = new_organization(&harness).await;
        let client = create(&harness, &organization_id, reports())
            .await
            .unwrap()
            .client
            .unwrap();
        let add = async || {
            let request = CreateOrganizationClientSecretRequest {
                organization_id: organization_id.clone(),
                client_id: client.client_id.clone(),
            };
            let answer = service(&harness).create_organization_client_secret(request).await;
            answer.map(tonic::Response::into_inner)
        };
        let second = add().await.unwrap();
        let shown = get(&harness, &organization_id, &client.client_id).await.unwrap();
        assert_eq!(shown.secrets[1], second.secret.unwrap());
        for _ in 2..5 {
            add().await.unwrap();
        }
        assert_eq!(add().await.unwrap_err().code(), Code::FailedPrecondition);

        let delete = async |secret_id: &str| {
            let request = DeleteOrganizationClientSecretRequest {
                organization_id: organization_id.clone(),
                client_id: client.client_id.clone(),
                secret_id: secret_id.to_owned(),
            };
            service(&harness).delete_organization_client_secret(request).await
        };
        let mut secrets = get(&harness, &organization_id, &client.client_id)
            .await
            .unwrap()
            .secrets;
        let last = secrets.pop().unwrap();
        for secret in secrets {
            delete(&secret.id).await.unwrap();
        }
        let refused = delete(&last.id).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert_eq!(refused.message(), "last client cannot be deleted");
        assert_eq!(delete("sks_1").await.unwrap_err().code(), Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn another_organization_neither_sees_nor_touches_a_client() {
    on_each_engine(async |harness| {
        let (mine, theirs) = (new_organization(&harness).await, new_organization(&harness).await);
        let client = create(&harness, &mine, reports()).await.unwrap().client.unwrap();
        let client_id = client.client_id.clone();
        let mut service = service(&harness);
        let refused = [
            get(&harness, &theirs, &client_id).await.map(|_| ()),
            service
                .update_organization_client(UpdateOrganizationClientRequest {
                    organization_id: theirs.clone(),
                    client_id: client_id.clone(),
                    client: Some(reports()),
                })
                .await
                .map(|_| ()),
            service
                .delete_organization_client(DeleteOrganizationClientRequest {
                    organization_id: theirs.clone(),
                    client_id: client_id.clone(),
                })
                .await
                .map(|_| ()),
            service
                .create_organization_client_secret(CreateOrganizationClientSecretRequest {
                    organization_id: theirs.clone(),
                    client_id: client_id.clone(),
                })
                .await
                .map(|_| ()),
            service
                .delete_organization_client_secret(DeleteOrganizationClientSecretRequest {
                    organization_id: theirs.clone(),
                    client_id: client_id.clone(),
                    secret_id: client.secrets[0].id.clone(),
                })
                .await
                .map(|_| ()),
            // No method without an organization reaches it either.
            service
                .get_client(GetClientRequest {
                    client_id: client_id.clone(),
                })
                .await
                .map(|_| ()),
            service
                .create_client_secret(CreateClientSecretRequest {
                    client_id: client_id.clone(),
                })
                .await
                .map(|_| ()),
            service
                .delete_client(DeleteClientRequest {
                    client_id: client_id.clone(),
                })
                .await
                .map(|_| ()),
        ];
        for (number, refused) in refused.into_iter().enumerate() {
            assert_eq!(refused.unwrap_err().code(), Code::NotFound, "number {number}");
        }
        let request = ListOrganizationClientsRequest {
            organization_id: theirs,
            ..ListOrganizationClientsRequest::default()
        };
        let listed = service
            .list_organization_clients(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!((listed.clients.len(), listed.total_size), (0, 0));
        assert_eq!(get(&harness, &mine, &client_id).await.unwrap(), client);
    })
    .await;
}

#[tokio::test]
async fn clients_of_an_organization_are_listed_newest_first_and_can_be_deleted() {
    let harness = Harness::start().await;
    let organization_id = new_organization(&harness).await;
    let mut all = Vec::new();
    for _ in 0..3 {
        let created = create(&harness, &organization_id, reports()).await.unwrap();
        all.insert(0, created.client.unwrap());
    }
    let list = async |page_token: String| {
        let request = ListOrganizationClientsRequest {
            organization_id: organization_id.clone(),
            page_size: 2,
            page_token,
        };
        let answer = service(&harness)
            .list_organization_clients(request)
            .await
            .unwrap();
        answer.into_inner()
    };
    let first = list(String::new()).await;
    assert_eq!((&first.clients[..], first.total_size), (&all[..2], 3));
    let second = list(first.next_page_token).await;
    assert_eq!(&second.clients[..], &all[2..]);

    let request = DeleteOrganizationClientRequest {
        organization_id: organization_id.clone(),
        client_id: all[0].client_id.clone(),
    };
    service(&harness)
        .delete_organization_client(request.clone())
        .await
        .unwrap();
    let refused = service(&harness)
        .delete_organization_client(request)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(list(String::new()).await.total_size, 2);
}

async fn create_resource(harness: &Harness) -> Resource {
    let request = CreateResourceRequest {
        resource: Some(CreateResource {
            resource_type: ResourceType::McpServer.into(),
            name: "Notes".to_owned(),
            resource_uri: "https://notes.test/mcp".to_owned(),
            access_token_expiry: 600,
            provider: "custom".to_owned(),
            scopes: vec!["notes:read".to_owned(), "notes:write".to_owned()],
            ..CreateResource::default()
        }),
    };
    let answer = service(harness).create_resource(request).await.unwrap();
    answer.into_inner().resource.unwrap()
}

#[tokio::test]
async fn a_resource_is_created_read_listed_changed_and_deleted() {
    on_each_engine(async |harness| {
        let created = create_resource(&harness).await;
        assert!(created.id.starts_with("res_"));
        assert_eq!(created.scopes.len(), 2);
        let mut service = service(&harness);
        let named = GetResourceRequest {
            resource_id: created.id.clone(),
        };
        let read = service.get_resource(named.clone()).await.unwrap().into_inner();
        assert_eq!(read.resource, Some(created.clone()));

        let listed = |kind: ResourceType| ListResourcesRequest {
            resource_type: kind.into(),
            ..ListResourcesRequest::default()
        };
        let servers = service
            .list_resources(listed(ResourceType::McpServer))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (servers.resources, servers.total_size),
            (vec![created.clone()], 1)
        );
        let none = service
            .list_resources(listed(ResourceType::Web))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(none.resources, []);
        let refused = service
            .list_resources(listed(ResourceType::Unspecified))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);

        let update = UpdateResourceRequest {
            resource_id: created.id.clone(),
            resource: Some(UpdateResource {
                name: "Notebook".to_owned(),
                resource_uri: "https://notes.test/mcp2".to_owned(),
                enable_cimd: Some(true),
                ..UpdateResource::default()
            }),
            update_mask: Some(FieldMask {
                paths: vec!["resource.name".to_owned(), "enable_cimd".to_owned()],
            }),
        };
        let updated = service
            .update_resource(update)
            .await
            .unwrap()
            .into_inner()
            .resource
            .unwrap();
        assert_eq!(updated.name, "Notebook");
        assert!(updated.enable_cimd);
        assert_eq!(updated.resource_uri, "https://notes.test/mcp");
        let without = service
            .delete_resource_provider(DeleteResourceProviderRequest {
                resource_id: created.id.clone(),
            })
            .await
            .unwrap()
            .into_inner();
        assert_eq!(without.resource.unwrap().provider, "");

        let delete = DeleteResourceRequest {
            resource_id: created.id.clone(),
        };
        service.delete_resource(delete.clone()).await.unwrap();
        for code in [
            service.delete_resource(delete).await.unwrap_err().code(),
            service.get_resource(named).await.unwrap_err().code(),
        ] {
            assert_eq!(code, Code::NotFound);
        }
    })
    .await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn a_client_of_a_resource_asks_for_what_the_resource_offers() {
    on_each_engine(async |harness| {
        let (resource, other) = (create_resource(&harness).await, create_resource(&harness).await);
        let mut service = service(&harness);
        let wanted = |scope: &str| CreateResourceClientRequest {
            resource_id: resource.id.clone(),
            client: Some(ResourceClient {
                name: "Agent".to_owned(),
                scopes: vec![scope.to_owned()],
                ..ResourceClient::default()
            }),
        };
        let refused = service
            .create_resource_client(wanted("notes:burn"))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        let created = service
            .create_resource_client(wanted("notes:read"))
            .await
            .unwrap()
            .into_inner();
        let client = created.client.unwrap();
        assert!(client.client_id.starts_with("m2m_") && !created.plain_secret.is_empty());
        assert_eq!(
            (client.resource_id.as_str(), client.expiry),
            (resource.id.as_str(), 600)
        );

        let named = |resource_id: &str| GetResourceClientRequest {
            resource_id: resource_id.to_owned(),
            client_id: client.client_id.clone(),
        };
        let read = service
            .get_resource_client(named(&resource.id))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(read.client, Some(client.clone()));
        let refused = service.get_resource_client(named(&other.id)).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);

        let secret = service
            .create_client_secret(CreateClientSecretRequest {
                client_id: client.client_id.clone(),
            })
            .await
            .unwrap()
            .into_inner()
            .secret
            .unwrap();
        let delete_secret = |id: &str| DeleteClientSecretRequest {
            client_id: client.client_id.clone(),
            secret_id: id.to_owned(),
        };
        service
            .delete_client_secret(delete_secret(&secret.id))
            .await
            .unwrap();
        let refused = service
            .delete_client_secret(delete_secret(&client.secrets[0].id))
            .await
            .unwrap_err();
        assert_eq!(refused.message(), "at least one secret is required");

        let update = UpdateResourceClientRequest {
            resource_id: resource.id.clone(),
            client_id: client.client_id.clone(),
            client: Some(ResourceClient {
                expiry: 60,
                redirect_uris: vec!["https://agent.test/callback".to_owned()],
                ..ResourceClient::default()
            }),
            update_mask: None,
        };
        let updated = service
            .update_resource_client(update)
            .await
            .unwrap()
            .into_inner()
            .client
            .unwrap();
        assert_eq!((updated.expiry, updated.scopes), (60, client.scopes.clone()));

        let list = ListResourceClientsRequest {
            resource_id: resource.id.clone(),
        };
        let listed = service.list_resource_clients(list).await.unwrap().into_inner();
        assert_eq!((listed.clients.len(), listed.total_static_clients), (1, 1));
        let delete = DeleteResourceClientRequest {
            resource_id: resource.id.clone(),
            client_id: client.client_id.clone(),
        };
        service.delete_resource_client(delete.clone()).await.unwrap();
        assert_eq!(
            service.delete_resource_client(delete).await.unwrap_err().code(),
            Code::NotFound
        );
    })
    .await;
}

#[tokio::test]
async fn nobody_has_consented_to_anything() {
    let harness = Harness::start().await;
    let resource = create_resource(&harness).await;
    let mut service = service(&harness);
    let list = |resource_id: &str| ListResourceUserConsentsRequest {
        resource_id: resource_id.to_owned(),
        ..ListResourceUserConsentsRequest::default()
    };
    let listed = service
        .list_resource_user_consents(list(&resource.id))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((listed.consents.len(), listed.total_size), (0, 0));
    let refused = service
        .list_resource_user_consents(list("res_1"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let revoke = RevokeUserConsentRequest {
        client_id: "m2m_1".to_owned(),
        consent_id: "usrcnst_1".to_owned(),
    };
    assert_eq!(
        service.revoke_user_consent(revoke).await.unwrap_err().code(),
        Code::NotFound
    );
}
