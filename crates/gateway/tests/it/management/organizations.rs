//! Organizations, in sessions and logins.

use std::time::Duration;

use genkan_contract::scalekit::v1::commons::TimeUnit;
use genkan_contract::scalekit::v1::domains::domain_service_client::DomainServiceClient;
use genkan_contract::scalekit::v1::domains::{
    DeleteDomainRequest, ListDomainRequest, delete_domain_request, list_domain_request,
};
use genkan_contract::scalekit::v1::organizations::organization_service_client::OrganizationServiceClient;
use genkan_contract::scalekit::v1::organizations::{
    DeleteOrganizationRequest, GeneratePortalLinkRequest, SessionPolicyType,
    UpdateOrganizationSessionPolicyRequest, delete_organization_request,
};
use genkan_store::OrganizationId;
use genkan_testkit::{Gateway, on_each_engine, on_each_engine_of};
use http::{Method, StatusCode};

use super::{Channel, channel};

const MINUTE: Duration = Duration::from_secs(60);

type Organizations = OrganizationServiceClient<Channel>;

async fn organizations(gateway: &Gateway) -> Organizations {
    OrganizationServiceClient::new(channel(gateway).await)
}

async fn limit(organizations: &mut Organizations, id: &OrganizationId, absolute: i32, idle: i32) {
    let request = UpdateOrganizationSessionPolicyRequest {
        organization_id: id.to_string(),
        policy_source: SessionPolicyType::Custom.into(),
        absolute_session_timeout: Some(absolute),
        absolute_session_timeout_unit: Some(TimeUnit::Minutes.into()),
        idle_session_timeout_enabled: Some(true),
        idle_session_timeout: Some(idle),
        idle_session_timeout_unit: Some(TimeUnit::Minutes.into()),
    };
    organizations
        .update_organization_session_policy(request)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_organizations_session_policy_shortens_its_sessions_and_no_others() {
    let setup = || Gateway::setup().session(MINUTE * 600, MINUTE * 300);
    on_each_engine_of(setup, async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        gateway.organization("other.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        limit(&mut organizations(gateway).await, &acme.id, 60, 20).await;

        let (mut ada, mut bob) = (gateway.browser(), gateway.browser());
        let code = ada.sign_in(&rp, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        bob.sign_in(&rp, "bob@other.test").await;
        let silent = rp.authorize().with("prompt", "none");
        // Use keeps the session alive, for twenty minutes each time.
        for _ in 0..3 {
            gateway.clock().advance(MINUTE * 19);
            rp.refresh(tokens.refresh_token()).await.expect_tokens();
        }
        assert_eq!(ada.start(&silent).await.callback().error(), "");
        // But not beyond the hour.
        gateway.clock().advance(MINUTE * 4);
        assert_eq!(ada.start(&silent).await.callback().error(), "login_required");
        assert_eq!(
            rp.refresh(tokens.refresh_token()).await.oauth_error(),
            "invalid_grant"
        );
        assert_eq!(bob.start(&silent).await.callback().error(), "");
    })
    .await;
}

#[tokio::test]
async fn a_session_that_lives_is_shortened_at_once() {
    let setup = || Gateway::setup().session(MINUTE * 600, MINUTE * 300);
    on_each_engine_of(setup, async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let mut browser = gateway.browser();
        let code = browser.sign_in(&rp, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        gateway.clock().advance(MINUTE * 90);
        assert_eq!(
            browser
                .start(&rp.authorize().with("prompt", "none"))
                .await
                .callback()
                .error(),
            ""
        );

        limit(&mut organizations(gateway).await, &acme.id, 60, 20).await;
        let silent = rp.authorize().with("prompt", "none");
        assert_eq!(browser.start(&silent).await.callback().error(), "login_required");
        assert_eq!(
            rp.refresh(tokens.refresh_token()).await.oauth_error(),
            "invalid_grant"
        );
    })
    .await;
}

#[tokio::test]
async fn a_deleted_organization_signs_its_people_out() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        let identities = Some(delete_organization_request::Identities::Id(acme.id.to_string()));
        let request = DeleteOrganizationRequest { identities };
        organizations(gateway)
            .await
            .delete_organization(request)
            .await
            .unwrap();
        assert_eq!(
            rp.refresh(tokens.refresh_token()).await.oauth_error(),
            "invalid_grant"
        );
        assert!(!rp.introspect(&tokens.access_token).await.active);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_domain_leads_nobody_to_the_connection() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut domains = DomainServiceClient::new(channel(&gateway).await);
    let identities = Some(list_domain_request::Identities::OrganizationId(
        acme.id.to_string(),
    ));
    let request = ListDomainRequest {
        identities,
        ..ListDomainRequest::default()
    };
    let listed = domains.list_domains(request).await.unwrap().into_inner().domains;
    gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let request = DeleteDomainRequest {
        id: listed[0].id.clone(),
        identities: Some(delete_domain_request::Identities::OrganizationId(
            acme.id.to_string(),
        )),
        connection_id: None,
    };
    domains.delete_domain(request).await.unwrap();
    let mut browser = gateway.browser();
    let page = browser.start(&rp.authorize()).await.page();
    let stays = browser.submit(&page, &[("email", "ada@acme.test")]).await;
    assert!(
        !stays.page().heading().is_empty(),
        "nobody knows the address any more"
    );
}

#[tokio::test]
async fn a_portal_link_says_once_that_there_is_no_portal_yet() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").await;
        let mut organizations = organizations(gateway).await;
        let request = GeneratePortalLinkRequest {
            id: acme.id.to_string(),
            ..GeneratePortalLinkRequest::default()
        };
        let link = organizations.generate_portal_link(request.clone()).await.unwrap();
        let location = link.into_inner().link.unwrap().location;
        let path = location.strip_prefix(gateway.url()).unwrap();
        // Looking at the headers alone uses nothing up.
        gateway.call(Method::HEAD, path).send().await;
        let first = gateway.get(path).send().await;
        assert_eq!(first.status, StatusCode::NOT_IMPLEMENTED);
        assert!(first.text().contains("acme.test"), "{}", first.text());
        assert_eq!(gateway.get(path).send().await.status, StatusCode::GONE);

        let link = organizations.generate_portal_link(request).await.unwrap();
        let location = link.into_inner().link.unwrap().location;
        gateway.clock().advance(MINUTE);
        let path = location.strip_prefix(gateway.url()).unwrap();
        assert_eq!(gateway.get(path).send().await.status, StatusCode::GONE);
        assert_eq!(
            gateway.get("/magicLink/unknown").send().await.status,
            StatusCode::GONE
        );
    })
    .await;
}
