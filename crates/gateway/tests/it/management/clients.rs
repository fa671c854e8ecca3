//! The registration of clients shows in their tokens.

use std::time::Duration;

use genkan::jobs;
use genkan_contract::scalekit::v1::clients::client_service_client::ClientServiceClient;
use genkan_contract::scalekit::v1::clients::{
    CreateOrganizationClientRequest, CreateResource, CreateResourceClientRequest, CreateResourceRequest,
    CustomClaim, DeleteOrganizationClientRequest, OrganizationClient, ResourceClient, ResourceType,
    UpdateOrganizationClientRequest, UpdateResource, UpdateResourceRequest,
};
use genkan_store::client::{self, GrantType};
use genkan_store::{ClientId, OrganizationId, organization};
use genkan_testkit::{Arrival, Gateway, Reply, on_each_engine};
use serde_json::{Value, json};

use super::{Channel, channel};

const ASK: (&str, &str) = ("grant_type", "client_credentials");

type Service = ClientServiceClient<Channel>;

/// A machine client, as whoever holds its secret sees it.
struct Machine {
    id: String,
    secret: String,
}

impl Machine {
    async fn ask(&self, gateway: &Gateway, scope: Option<&str>) -> Reply {
        let mut form = vec![ASK, ("client_id", &self.id), ("client_secret", &self.secret)];
        form.extend(scope.map(|scope| ("scope", scope)));
        gateway.post("/oauth/token").form(&form).send().await
    }

    async fn token(&self, gateway: &Gateway) -> String {
        self.ask(gateway, None).await.expect_tokens().access_token
    }

    async fn introspect(&self, gateway: &Gateway, token: &str) -> Value {
        let form = [
            ("token", token),
            ("client_id", &self.id),
            ("client_secret", &self.secret),
        ];
        gateway.post("/oauth/introspect").form(&form).send().await.json()
    }
}

async fn of_organization(service: &mut Service, organization_id: &OrganizationId) -> Machine {
    let request = CreateOrganizationClientRequest {
        organization_id: organization_id.to_string(),
        client: Some(OrganizationClient {
            name: "Reports".to_owned(),
            scopes: vec!["reports:read".to_owned(), "reports:write".to_owned()],
            audience: vec!["my-own-api".to_owned(), "another".to_owned()],
            custom_claims: vec![CustomClaim {
                key: "wksp_id".to_owned(),
                value: "42".to_owned(),
            }],
            ..OrganizationClient::default()
        }),
    };
    let created = service
        .create_organization_client(request)
        .await
        .unwrap()
        .into_inner();
    Machine {
        id: created.client.unwrap().client_id,
        secret: created.plain_secret,
    }
}

#[tokio::test]
async fn a_machine_client_says_what_it_was_registered_with() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").external_id("acme-17").await;
        let rp = gateway.client("rp").await;
        let mut service = ClientServiceClient::new(channel(gateway).await);
        let machine = of_organization(&mut service, &acme.id).await;

        let tokens = machine.ask(gateway, None).await.expect_tokens();
        assert_eq!(
            (tokens.expires_in, tokens.scope.as_str()),
            (3600, "reports:read reports:write")
        );
        assert_eq!((tokens.id_token, tokens.refresh_token), (None, None));
        let claims = rp.verify(&tokens.access_token).await;
        assert_eq!(claims["aud"], json!(["my-own-api", "another"]));
        assert_eq!(
            (&claims["sub"], &claims["client_id"]),
            (&json!(machine.id), &json!(machine.id))
        );
        assert_eq!(
            (&claims["oid"], &claims["xoid"]),
            (&json!(acme.id), &json!("acme-17"))
        );
        assert_eq!(claims["scope"], "reports:read reports:write");
        assert_eq!(claims["scopes"], json!(["reports:read", "reports:write"]));
        assert_eq!(claims["custom_claims"], json!({"wksp_id": "42"}));
        assert_eq!(
            claims["exp"].as_i64(),
            claims["iat"].as_i64().map(|iat| iat + 3600)
        );
        for absent in ["sid", "roles", "permissions", "email"] {
            assert_eq!(claims.get(absent), None, "{absent}");
        }
        let seen = machine.introspect(gateway, &tokens.access_token).await;
        assert_eq!((&seen["active"], &seen["oid"]), (&json!(true), &json!(acme.id)));
        assert_eq!(seen["custom_claims"], json!({"wksp_id": "42"}));

        let part = machine.ask(gateway, Some("reports:read")).await.expect_tokens();
        assert_eq!(
            rp.verify(&part.access_token).await["scopes"],
            json!(["reports:read"])
        );
        for more in ["reports:burn", "reports:read users:read", "organizations:read"] {
            assert_eq!(
                machine.ask(gateway, Some(more)).await.oauth_error(),
                "invalid_scope",
                "{more}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_machine_client_never_opens_the_management_api() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").await;
    let mut service = ClientServiceClient::new(channel(&gateway).await);
    let machine = of_organization(&mut service, &acme.id).await;
    let token = machine.token(&gateway).await;
    let mut refused = ClientServiceClient::new(Channel::with_token(&gateway, &token));
    let status = refused
        .delete_organization_client(DeleteOrganizationClientRequest {
            organization_id: acme.id.to_string(),
            client_id: machine.id.clone(),
        })
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
}

#[tokio::test]
async fn a_change_counts_from_the_next_token_and_a_deletion_ends_all() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").await;
        let rp = gateway.client("rp").await;
        let mut service = ClientServiceClient::new(channel(gateway).await);
        let (machine, other) = (
            of_organization(&mut service, &acme.id).await,
            of_organization(&mut service, &acme.id).await,
        );
        let update = UpdateOrganizationClientRequest {
            organization_id: acme.id.to_string(),
            client_id: machine.id.clone(),
            client: Some(OrganizationClient {
                audience: vec!["new-api".to_owned()],
                expiry: 60,
                ..OrganizationClient::default()
            }),
        };
        service.update_organization_client(update).await.unwrap();
        gateway
            .eventually(async || {
                let token = machine.token(gateway).await;
                rp.verify(&token).await["aud"] == json!(["new-api"])
            })
            .await;

        let request = DeleteOrganizationClientRequest {
            organization_id: acme.id.to_string(),
            client_id: machine.id.clone(),
        };
        service.delete_organization_client(request).await.unwrap();
        gateway
            .eventually(async || machine.ask(gateway, None).await.status == 401)
            .await;
        let at = gateway.at();
        gateway
            .tx(async |tx| organization::delete(tx, at, &acme.id).await)
            .await;
        gateway
            .eventually(async || other.ask(gateway, None).await.status == 401)
            .await;
    })
    .await;
}

#[tokio::test]
async fn a_token_is_no_longer_live_when_its_client_is_gone() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").await;
        let reader = gateway.client("reader").await;
        let mut service = ClientServiceClient::new(channel(gateway).await);
        let request = CreateOrganizationClientRequest {
            organization_id: acme.id.to_string(),
            client: Some(OrganizationClient {
                audience: vec![reader.id.to_string()],
                ..OrganizationClient::default()
            }),
        };
        let created = service
            .create_organization_client(request)
            .await
            .unwrap()
            .into_inner();
        let machine = Machine {
            id: created.client.unwrap().client_id,
            secret: created.plain_secret,
        };
        let token = machine.token(gateway).await;
        assert!(reader.introspect(&token).await.active);
        let (at, id) = (gateway.at(), ClientId::parse(&machine.id).unwrap());
        gateway.tx(async |tx| client::delete(tx, at, &id).await).await;
        gateway
            .eventually(async || !reader.introspect(&token).await.active)
            .await;
    })
    .await;
}

#[tokio::test]
async fn a_client_of_a_resource_gets_what_the_resource_offers() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let mut service = ClientServiceClient::new(channel(&gateway).await);
    let request = CreateResourceRequest {
        resource: Some(CreateResource {
            resource_type: ResourceType::McpServer.into(),
            name: "Notes".to_owned(),
            resource_uri: "https://notes.test/mcp".to_owned(),
            access_token_expiry: 600,
            scopes: vec!["notes:read".to_owned(), "notes:write".to_owned()],
            ..CreateResource::default()
        }),
    };
    let resource = service
        .create_resource(request)
        .await
        .unwrap()
        .into_inner()
        .resource
        .unwrap();
    let request = CreateResourceClientRequest {
        resource_id: resource.id.clone(),
        client: Some(ResourceClient {
            scopes: vec!["notes:read".to_owned(), "notes:write".to_owned()],
            redirect_uris: vec!["https://agent.test/callback".to_owned()],
            ..ResourceClient::default()
        }),
    };
    let created = service
        .create_resource_client(request)
        .await
        .unwrap()
        .into_inner();
    let machine = Machine {
        id: created.client.unwrap().client_id,
        secret: created.plain_secret,
    };
    let tokens = machine.ask(&gateway, None).await.expect_tokens();
    assert_eq!(
        (tokens.expires_in, tokens.scope.as_str()),
        (600, "notes:read notes:write")
    );
    let claims = rp.verify(&tokens.access_token).await;
    assert_eq!(claims["aud"], json!(["https://notes.test/mcp"]));
    assert_eq!(claims.get("oid"), None);

    let request = UpdateResourceRequest {
        resource_id: resource.id,
        resource: Some(UpdateResource {
            scopes: vec!["notes:read".to_owned()],
            ..UpdateResource::default()
        }),
        update_mask: None,
    };
    service.update_resource(request).await.unwrap();
    gateway
        .eventually(async || machine.ask(&gateway, None).await.expect_tokens().scope == "notes:read")
        .await;
    let refused = machine.ask(&gateway, Some("notes:write")).await;
    assert_eq!(refused.oauth_error(), "invalid_scope");

    // Its redirect URIs sign nobody in.
    let request = rp
        .authorize()
        .with("client_id", &machine.id)
        .with("redirect_uri", "https://agent.test/callback");
    let Arrival::Application(callback) = gateway.browser().start(&request).await else {
        panic!("the client was not told");
    };
    assert_eq!(
        callback.parameter("error").as_deref(),
        Some("unauthorized_client")
    );
}

#[tokio::test]
async fn a_client_gets_tokens_in_the_ways_it_is_registered_for() {
    let gateway = Gateway::start().await;
    let rp = gateway
        .client("rp")
        .change(|client| client.grant_types = vec![GrantType::ClientCredentials])
        .await;
    assert_eq!(rp.post("/oauth/token", &[ASK]).send().await.status, 200);
    assert_eq!(rp.refresh("r1").await.oauth_error(), "unauthorized_client");
    let Arrival::Application(callback) = gateway.browser().start(&rp.authorize()).await else {
        panic!("the client was not told");
    };
    assert_eq!(
        callback.parameter("error").as_deref(),
        Some("unauthorized_client")
    );
    rp.change(|client| client.grant_types = vec![GrantType::AuthorizationCode])
        .await;
    gateway
        .eventually(async || rp.post("/oauth/token", &[ASK]).send().await.status == 400)
        .await;
}

#[tokio::test]
async fn a_management_client_may_ask_for_less_than_everything() {
    let gateway = Gateway::start().await;
    let manager = gateway
        .client("manager")
        .change(|client| client.management_access = true)
        .await;
    let ask = async |scope: &str| {
        let form = [ASK, ("scope", scope)];
        manager.post("/oauth/token", &form).send().await
    };
    let list = async |path: &str, token: &str| gateway.get(path).bearer(token).send().await.status;

    let part = ask("organizations:read users:read").await.expect_tokens();
    assert_eq!(part.scope, "organizations:read users:read");
    let claims = manager.verify(&part.access_token).await;
    assert_eq!(claims["scopes"], json!(["organizations:read", "users:read"]));
    assert_eq!(list("/api/v1/organizations", &part.access_token).await, 200);
    assert_eq!(list("/api/v1/clients", &part.access_token).await, 403);

    let all = manager.post("/oauth/token", &[ASK]).send().await.expect_tokens();
    assert_eq!(all.scope, "");
    for path in ["/api/v1/organizations", "/api/v1/clients"] {
        assert_eq!(list(path, &all.access_token).await, 200);
    }
    // A misspelled scope must not come out as no scope, which is everything.
    for wrong in ["organization:read", "organizations:read nonsense", "everything"] {
        assert_eq!(ask(wrong).await.oauth_error(), "invalid_scope", "{wrong}");
    }
    let stranger = gateway.client("stranger").await;
    let form = [ASK, ("scope", "organizations:read")];
    let refused = stranger.post("/oauth/token", &form).send().await;
    assert_eq!(refused.oauth_error(), "invalid_scope");
}

#[tokio::test]
async fn the_last_use_of_a_secret_is_written_with_the_tally() {
    on_each_engine(async |gateway: &Gateway| {
        let rp = gateway.client("rp").await;
        let last_used = async || {
            let secrets = gateway.tx(async |tx| client::secrets(tx, &rp.id).await).await;
            secrets[0].last_used_at
        };
        let wrong = [ASK, ("client_id", rp.id.as_str()), ("client_secret", "wrong")];
        rp.post_as_nobody("/oauth/token", &wrong).send().await;
        jobs::write_tally(gateway.app()).await;
        assert_eq!(last_used().await, None);
        gateway.clock().advance(Duration::from_secs(5));
        rp.post("/oauth/token", &[ASK]).send().await.expect_tokens();
        jobs::write_tally(gateway.app()).await;
        assert_eq!(last_used().await, Some(gateway.now()));
    })
    .await;
}
