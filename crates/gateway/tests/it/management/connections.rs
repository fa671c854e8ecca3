//! Connections changed by the API, seen at logins and sessions.

use genkan_contract::scalekit::v1::connections as wire;
use genkan_contract::scalekit::v1::connections::connection_service_client::ConnectionServiceClient;
use genkan_contract::scalekit::v1::connections::{
    AssignDomainsToConnectionRequest, CreateConnection, CreateConnectionRequest, CreateConnectionTestRequest,
    DeleteConnectionRequest, GetConnectionTestResultRequest, OidcConnectionConfig,
    SamlConnectionConfigRequest, ToggleConnectionRequest, UpdateConnection, UpdateConnectionRequest,
    update_connection,
};
use genkan_store::domain;
use genkan_testkit::{Gateway, IdentityProvider, Organization, on_each_engine};

use super::{Channel, channel};
use crate::connections::saml::provider;

struct Connections(ConnectionServiceClient<Channel>);

impl Connections {
    async fn of(gateway: &Gateway) -> Self {
        Self(ConnectionServiceClient::new(channel(gateway).await))
    }

    async fn create(&mut self, acme: &Organization, kind: wire::ConnectionType) -> String {
        let connection = CreateConnection {
            provider: wire::ConnectionProvider::Custom.into(),
            r#type: kind.into(),
            ..CreateConnection::default()
        };
        let request = CreateConnectionRequest {
            organization_id: acme.id.to_string(),
            connection: Some(connection),
        };
        let created = self.0.create_connection(request).await.unwrap();
        created.into_inner().connection.unwrap().id
    }

    /// Enters the settings and enables the connection.
    async fn set_up(&mut self, acme: &Organization, id: &str, settings: update_connection::Settings) {
        let change = UpdateConnection {
            provider: wire::ConnectionProvider::Custom.into(),
            debug_enabled: Some(true),
            settings: Some(settings),
            ..UpdateConnection::default()
        };
        let request = UpdateConnectionRequest {
            update_mask: None,
            organization_id: acme.id.to_string(),
            id: id.to_owned(),
            connection: Some(change),
        };
        self.0.update_connection(request).await.unwrap();
        let enabled = self.0.enable_connection(named(acme, id)).await.unwrap();
        assert!(enabled.into_inner().enabled);
    }

    /// The link of a test.
    async fn begin_test(&mut self, id: &str) -> wire::CreateConnectionTestResponse {
        let request = CreateConnectionTestRequest {
            connection_id: id.to_owned(),
        };
        let made = self.0.create_connection_test(request).await.unwrap();
        made.into_inner()
    }

    /// A SAML connection with all that a sign-in would need.
    async fn saml(&mut self, acme: &Organization) -> String {
        let id = self.create(acme, wire::ConnectionType::Saml).await;
        let settings = provider::settings();
        let config = SamlConnectionConfigRequest {
            idp_entity_id: settings.idp_entity_id,
            idp_sso_url: settings.idp_sso_url,
            idp_certificate: Some(settings.certificates[0].pem.clone()),
            ..SamlConnectionConfigRequest::default()
        };
        self.set_up(acme, &id, update_connection::Settings::SamlConfig(config))
            .await;
        id
    }
}

fn named(acme: &Organization, id: &str) -> ToggleConnectionRequest {
    ToggleConnectionRequest {
        organization_id: acme.id.to_string(),
        id: id.to_owned(),
    }
}

#[tokio::test]
async fn a_connection_set_up_by_api_signs_people_in() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").await;
        let idp = gateway.idp().await;
        let mut connections = Connections::of(gateway).await;
        let id = connections.create(&acme, wire::ConnectionType::Oidc).await;
        let config = OidcConnectionConfig {
            issuer: Some(idp.issuer().to_owned()),
            client_id: Some(idp.client_id().to_owned()),
            client_secret: Some(idp.client_secret().to_owned()),
            ..OidcConnectionConfig::default()
        };
        let settings = update_connection::Settings::OidcConfig(config);
        connections.set_up(&acme, &id, settings).await;

        let rp = gateway.client("rp").await;
        let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
        let claims = rp.verify(rp.redeem(&code).await.expect_tokens().id_token()).await;
        assert_eq!(claims["amr"][0], id.as_str());
        assert_eq!(claims["oid"], acme.id.as_str());
    })
    .await;
}

#[tokio::test]
async fn a_connection_disabled_by_api_stops_those_on_their_way_and_keeps_sessions() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let mut browser = gateway.browser();
        let code = browser.sign_in(&rp, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        let mut away = gateway.browser();
        let by_domain = rp.authorize().with("domain", "acme.test");
        let provider = away.start(&by_domain).await.page();

        let mut connections = Connections::of(gateway).await;
        let request = named(&acme, acme.connection_id().as_str());
        connections.0.disable_connection(request).await.unwrap();

        let refused = away.submit(&provider, &[("email", "bob@acme.test")]).await.page();
        assert_eq!(refused.heading(), "Your company’s sign-in is switched off");
        let callback = gateway.browser().start(&by_domain).await.callback();
        assert_eq!(callback.error(), "no_active_connections");
        assert_eq!(rp.userinfo(&tokens.access_token).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_connection_deleted_by_api_takes_its_sessions_with_it() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let mut browser = gateway.browser();
        let code = browser.sign_in(&rp, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        let mut away = gateway.browser();
        let by_domain = rp.authorize().with("domain", "acme.test");
        let provider = away.start(&by_domain).await.page();

        let mut connections = Connections::of(gateway).await;
        let request = DeleteConnectionRequest {
            organization_id: acme.id.to_string(),
            id: acme.connection_id().to_string(),
        };
        connections.0.delete_connection(request).await.unwrap();

        away.submit(&provider, &[("email", "bob@acme.test")]).await.page();
        assert!(away.cookies.get("genkan_session").is_none());
        assert_eq!(rp.userinfo(&tokens.access_token).await.status, 401);
        let silent = rp.authorize().with("prompt", "none");
        assert_eq!(browser.start(&silent).await.callback().error(), "login_required");
    })
    .await;
}

#[tokio::test]
async fn a_saml_connection_set_up_by_api_signs_people_in() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").await;
        let mut connections = Connections::of(gateway).await;
        let id = connections.saml(&acme).await;
        let rp = gateway.client("rp").await;
        let request = rp.authorize().with("domain", "acme.test");
        let mut browser = gateway.browser();
        let asked = provider::ask_with(&mut browser, &request).await;
        let answer = asked.answer(gateway, "ada@acme.test");
        let callback = answer
            .post(&mut browser, Some(&asked.relay_state))
            .await
            .callback();
        let tokens = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
        let claims = rp.verify(tokens.id_token()).await;
        assert_eq!(claims["amr"][0], id.as_str());

        let test = connections.begin_test(&id).await;
        assert!(test.test_uri.contains("/sso/v1/saml/"), "{}", test.test_uri);
        let page = browser.open(&test.test_uri).await.page();
        let asked = provider::read(browser.submit(&page, &[]).await);
        let answer = asked.answer(gateway, "ada@acme.test");
        let page = answer.post(&mut browser, None).await.page();
        let text = page.html.text();
        assert!(text.contains("ada@acme.test would be signed in"), "{text}");
    })
    .await;
}

/// Whoever may change a connection and never read its secret has it sent nowhere.
#[tokio::test]
async fn a_secret_is_not_had_by_leading_a_connection_to_another_provider() {
    let gateway = Gateway::start().await;
    let acme = gateway
        .organization("acme.test")
        .with_connection(|connection| connection.enabled = false)
        .await;
    let id = acme.connection_id().to_string();
    let thief = IdentityProvider::start(&gateway).await;
    let mut connections = Connections::of(&gateway).await;
    let config = OidcConnectionConfig {
        issuer: Some(thief.issuer().to_owned()),
        ..OidcConnectionConfig::default()
    };
    let request = UpdateConnectionRequest {
        update_mask: None,
        organization_id: acme.id.to_string(),
        id: id.clone(),
        connection: Some(UpdateConnection {
            provider: wire::ConnectionProvider::Custom.into(),
            settings: Some(update_connection::Settings::OidcConfig(config)),
            ..UpdateConnection::default()
        }),
    };
    connections.0.update_connection(request).await.unwrap();

    let test = connections.begin_test(&id).await;
    let mut browser = gateway.browser();
    let page = browser.open(&test.test_uri).await.page();
    let page = browser.submit(&page, &[]).await.page();
    let text = page.html.text();
    assert!(text.contains("missing: client_secret"), "{text}");
    let request = GetConnectionTestResultRequest {
        connection_id: id,
        test_request_id: test.test_request_id,
    };
    let result = connections.0.get_connection_test_result(request).await.unwrap();
    assert_eq!(
        result.into_inner().error.as_deref(),
        Some("connection_incomplete")
    );
}

#[tokio::test]
async fn a_test_begins_by_the_link_of_the_api_and_leaves_its_result_there() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let id = acme.connection_id().to_string();
    let mut connections = Connections::of(&gateway).await;
    let test = connections.begin_test(&id).await;
    assert_eq!(test.expire_time.unwrap().seconds, gateway.now().as_secs() + 600);
    let request = GetConnectionTestResultRequest {
        connection_id: id,
        test_request_id: test.test_request_id.clone(),
    };
    let pending = connections
        .0
        .get_connection_test_result(request.clone())
        .await
        .unwrap();
    assert_eq!(pending.into_inner().status(), wire::TestResultStatus::Pending);
    let mut browser = gateway.browser();
    let page = browser.open(&test.test_uri).await.page();
    let arrival = browser.submit(&page, &[]).await;
    let page = browser.go_on(arrival, "ada@acme.test").await.page();
    assert!(page.html.text().contains(&test.test_request_id));
    let passed = connections
        .0
        .get_connection_test_result(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(passed.status(), wire::TestResultStatus::Success);
    assert!(passed.user_info.unwrap().contains("ada@acme.test"));
}

#[tokio::test]
async fn an_assigned_domain_leads_to_its_connection_and_no_longer_to_the_oldest() {
    let gateway = Gateway::start().await;
    let acme = gateway
        .organization("acme.test")
        .domain("branch.test")
        .with_oidc_connection()
        .await;
    let mut connections = Connections::of(&gateway).await;
    let branch = connections.saml(&acme).await;
    let domains = gateway.tx(async |tx| domain::list(tx, &acme.id).await).await;
    let of_branch = domains
        .iter()
        .find(|domain| domain.name.as_str() == "branch.test");
    let request = AssignDomainsToConnectionRequest {
        organization_id: acme.id.to_string(),
        connection_id: branch,
        domain_ids: vec![of_branch.unwrap().id.to_string()],
    };
    connections.0.assign_domains_to_connection(request).await.unwrap();

    let rp = gateway.client("rp").await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens();
    let by_domain = rp.authorize().with("domain", "branch.test");
    provider::ask_with(&mut gateway.browser(), &by_domain).await;
}
