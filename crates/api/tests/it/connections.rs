//! Connections: set up field by field, opened when complete, closed at once.

use std::time::Duration;

use genkan_contract::scalekit::v1::connections as wire;
use genkan_contract::scalekit::v1::connections::connection_service_client::ConnectionServiceClient;
use genkan_contract::scalekit::v1::connections::{
    AssignDomainsToConnectionRequest, Connection, CreateConnection, CreateConnectionRequest,
    CreateEnvironmentConnectionRequest, DeleteConnectionRequest, DeleteEnvironmentConnectionRequest, Flags,
    GetConnectionRequest, GetConnectionTestResultRequest, GetEnvironmentConnectionRequest,
    ListAppConnectionsRequest, ListConnectionsRequest, ListOrganizationConnectionsRequest,
    OidcConnectionConfig, SamlConnectionConfigRequest, SearchOrganizationConnectionsRequest,
    ToggleConnectionRequest, ToggleEnvironmentConnectionRequest, UpdateConnection, UpdateConnectionRequest,
    UpdateEnvironmentConnectionRequest, connection, update_connection,
};
use genkan_protocol::{Domain as DomainName, Trace};
use genkan_store::connection as store;
use genkan_store::connection_test::{self, Failure};
use genkan_store::domain::{self, Domain};
use genkan_store::organization::{self, Organization};
use genkan_store::{ConnectionId, ConnectionTestId, DomainId, OrganizationId, Secret};
use serde_json::json;
use tonic::{Code, Status};

use crate::support::{Harness, InMemory, error_info, on_each_engine};

const CERTIFICATE: &str = include_str!("saml_certificate.pem");

fn api(harness: &Harness) -> ConnectionServiceClient<InMemory> {
    ConnectionServiceClient::new(harness.client())
}

/// An organization that has a domain.
async fn company(harness: &Harness, name: &str) -> (OrganizationId, DomainId) {
    let name = DomainName::parse(name).unwrap();
    harness
        .tx(async |tx, at| {
            let organization = Organization::new(at.id(), name.to_string(), at.now);
            organization::insert(tx, at, &organization).await?;
            let kind = domain::Kind::OrganizationDomain;
            let domain = Domain::new(at.id(), organization.id.clone(), name.clone(), kind, at.now);
            domain::insert(tx, at, &domain).await?;
            Ok((organization.id, domain.id))
        })
        .await
}

fn wanted(kind: wire::ConnectionType, provider: wire::ConnectionProvider) -> Option<CreateConnection> {
    Some(CreateConnection {
        provider: provider.into(),
        r#type: kind.into(),
        ..CreateConnection::default()
    })
}

async fn create(
    harness: &Harness,
    organization_id: &OrganizationId,
    kind: wire::ConnectionType,
) -> Connection {
    let request = CreateConnectionRequest {
        organization_id: organization_id.to_string(),
        connection: wanted(kind, wire::ConnectionProvider::Okta),
    };
    let created = api(harness).create_connection(request).await.unwrap();
    created.into_inner().connection.unwrap()
}

async fn change(
    harness: &Harness,
    connection: &Connection,
    change: UpdateConnection,
) -> Result<Connection, Status> {
    let request = UpdateConnectionRequest {
        update_mask: None,
        organization_id: connection.organization_id.clone().unwrap(),
        id: connection.id.clone(),
        connection: Some(change),
    };
    let updated = api(harness).update_connection(request).await?;
    Ok(updated.into_inner().connection.unwrap())
}

fn oidc(config: OidcConnectionConfig) -> UpdateConnection {
    UpdateConnection {
        provider: wire::ConnectionProvider::Okta.into(),
        r#type: wire::ConnectionType::Oidc.into(),
        settings: Some(update_connection::Settings::OidcConfig(config)),
        ..UpdateConnection::default()
    }
}

fn saml(config: SamlConnectionConfigRequest) -> UpdateConnection {
    UpdateConnection {
        provider: wire::ConnectionProvider::Okta.into(),
        r#type: wire::ConnectionType::Saml.into(),
        settings: Some(update_connection::Settings::SamlConfig(config)),
        ..UpdateConnection::default()
    }
}

fn complete() -> OidcConnectionConfig {
    OidcConnectionConfig {
        issuer: Some("https://idp.acme.test".to_owned()),
        client_id: Some("genkan".to_owned()),
        client_secret: Some("s3cret".to_owned()),
        ..OidcConnectionConfig::default()
    }
}

async fn toggle(harness: &Harness, connection: &Connection, enabled: bool) -> Result<bool, Status> {
    let request = ToggleConnectionRequest {
        organization_id: connection.organization_id.clone().unwrap(),
        id: connection.id.clone(),
    };
    let answer = match enabled {
        true => api(harness).enable_connection(request).await?,
        false => api(harness).disable_connection(request).await?,
    };
    Ok(answer.into_inner().enabled)
}

async fn get(harness: &Harness, connection: &Connection) -> Result<Connection, Status> {
    let request = GetConnectionRequest {
        organization_id: connection.organization_id.clone().unwrap(),
        id: connection.id.clone(),
    };
    Ok(api(harness)
        .get_connection(request)
        .await?
        .into_inner()
        .connection
        .unwrap())
}

fn oidc_of(connection: &Connection) -> &OidcConnectionConfig {
    match &connection.settings {
        Some(connection::Settings::OidcConfig(config)) => config,
        other => panic!("no OIDC settings: {other:?}"),
    }
}

#[tokio::test]
async fn a_new_connection_is_an_empty_draft() {
    on_each_engine(async |harness| {
        let (organization_id, _) = company(&harness, "acme.test").await;
        let created = create(&harness, &organization_id, wire::ConnectionType::Oidc).await;
        assert!(created.id.starts_with("conn_"));
        assert_eq!(created.provider(), wire::ConnectionProvider::Okta);
        assert_eq!(created.r#type(), wire::ConnectionType::Oidc);
        assert_eq!(created.status(), wire::ConnectionStatus::Draft);
        assert!(!created.enabled);
        assert_eq!(created.provider_key, "OKTA");
        assert_eq!(created.organization_id.as_deref(), Some(organization_id.as_str()));
        let base = format!("https://auth.acme.test/sso/v1/oidc/{}", created.id);
        assert_eq!(created.test_connection_uri, format!("{base}/test"));
        assert_eq!(oidc_of(&created).redirect_uri, format!("{base}/callback"));
        assert_eq!(created.domains[0].domain, "acme.test");
        // As the domain service shows it, with the way it was verified.
        assert_ne!(
            created.domains[0].verification_method, 0,
            "{:?}",
            created.domains[0]
        );
        assert_eq!(get(&harness, &created).await.unwrap(), created);
    })
    .await;
}

#[tokio::test]
async fn what_a_change_does_not_set_stays_and_an_empty_text_clears() {
    on_each_engine(async |harness| {
        let (organization_id, _) = company(&harness, "acme.test").await;
        let created = create(&harness, &organization_id, wire::ConnectionType::Oidc).await;
        let first = UpdateConnection {
            debug_enabled: Some(true),
            ui_button_title: Some("Acme".to_owned()),
            key_id: Some("acme-okta".to_owned()),
            attribute_mapping: [("email".to_owned(), "mail".to_owned())].into(),
            ..oidc(OidcConnectionConfig {
                jwks_uri: Some("https://idp.acme.test/keys".to_owned()),
                user_info_uri: Some("https://idp.acme.test/me".to_owned()),
                scopes: vec![wire::OidcScope::Openid.into(), wire::OidcScope::Email.into()],
                token_auth_type: wire::TokenAuthType::UrlParams.into(),
                pkce_enabled: Some(false),
                idp_logout_required: Some(true),
                allow_idp_initiated_login: Some(true),
                push_requests: Some(true),
                form_post: Some(true),
                jit_provisioning_with_sso_enabled: Some(false),
                sync_user_profile_on_login: Some(false),
                ..complete()
            })
        };
        let updated = change(&harness, &created, first).await.unwrap();
        assert_eq!(updated.status(), wire::ConnectionStatus::Completed);
        let expected = OidcConnectionConfig {
            client_secret: None,
            redirect_uri: oidc_of(&created).redirect_uri.clone(),
            jwks_uri: Some("https://idp.acme.test/keys".to_owned()),
            user_info_uri: Some("https://idp.acme.test/me".to_owned()),
            scopes: vec![wire::OidcScope::Openid.into(), wire::OidcScope::Email.into()],
            token_auth_type: wire::TokenAuthType::UrlParams.into(),
            pkce_enabled: Some(false),
            idp_logout_required: Some(true),
            allow_idp_initiated_login: Some(true),
            push_requests: Some(true),
            form_post: Some(true),
            jit_provisioning_with_sso_enabled: Some(false),
            sync_user_profile_on_login: Some(false),
            only_verified_emails: Some(false),
            trust_unverified_emails: Some(false),
            ..complete()
        };
        assert_eq!(oidc_of(&updated), &expected);
        assert_eq!(
            (
                updated.debug_enabled,
                updated.ui_button_title.as_str(),
                updated.key_id.as_deref()
            ),
            (true, "Acme", Some("acme-okta"))
        );
        assert_eq!(updated.attribute_mapping["email"], "mail");

        harness.wait(Duration::from_secs(1));
        let second = oidc(OidcConnectionConfig {
            user_info_uri: Some(String::new()),
            client_id: Some("genkan-2".to_owned()),
            ..OidcConnectionConfig::default()
        });
        let again = change(&harness, &created, second).await.unwrap();
        let expected = OidcConnectionConfig {
            user_info_uri: None,
            client_id: Some("genkan-2".to_owned()),
            ..expected
        };
        assert_eq!(oidc_of(&again), &expected);
        assert_eq!(again.attribute_mapping, updated.attribute_mapping);
        assert_eq!(get(&harness, &created).await.unwrap(), again);
        assert_eq!(secret_of(&harness, &created).await.as_deref(), Some("s3cret"));
    })
    .await;
}

/// The contract has one map for every attribute, and it is replaced as a whole.
#[tokio::test]
async fn groups_and_roles_are_read_from_the_claims_that_the_mapping_names() {
    on_each_engine(async |harness| {
        let (organization_id, _) = company(&harness, "acme.test").await;
        let created = create(&harness, &organization_id, wire::ConnectionType::Oidc).await;
        assert!(created.attribute_mapping.is_empty(), "none is read");
        let map = async |pairs: &[(&str, &str)]| {
            let owned = |(ours, theirs): &(&str, &str)| ((*ours).to_owned(), (*theirs).to_owned());
            let update = UpdateConnection {
                attribute_mapping: pairs.iter().map(owned).collect(),
                ..oidc(OidcConnectionConfig::default())
            };
            let updated = change(&harness, &created, update.clone()).await.unwrap();
            assert_eq!(get(&harness, &created).await.unwrap(), updated);
            let id = ConnectionId::parse(&created.id).unwrap();
            let stored = harness
                .tx(async |tx, _| store::find(tx, &id).await)
                .await
                .unwrap();
            let settings = stored.settings.as_oidc().unwrap().clone();
            (updated.attribute_mapping == update.attribute_mapping, settings)
        };
        let (agrees, settings) = map(&[("email", "mail"), ("groups", "grp"), ("roles", "app_roles")]).await;
        assert!(agrees);
        assert_eq!(settings.groups_from(), Some("grp"));
        assert_eq!(settings.roles_from(), store::RolesFrom::Named("app_roles"));

        let (_, unchanged) = map(&[]).await;
        assert_eq!(unchanged, settings, "an empty map changes nothing");
        let (agrees, settings) = map(&[("email", "mail")]).await;
        assert!(agrees);
        assert_eq!(settings.groups_from(), None);
        assert_eq!(
            settings.roles_from(),
            store::RolesFrom::Unnamed("roles"),
            "what it gave is taken back"
        );
    })
    .await;
}

#[tokio::test]
async fn a_connection_says_which_addresses_count() {
    on_each_engine(async |harness| {
        let (organization_id, _) = company(&harness, "acme.test").await;
        let created = create(&harness, &organization_id, wire::ConnectionType::Oidc).await;
        let say = async |only_verified_emails, trust_unverified_emails| {
            let config = OidcConnectionConfig {
                only_verified_emails,
                trust_unverified_emails,
                ..OidcConnectionConfig::default()
            };
            change(&harness, &created, oidc(config)).await
        };
        let said = say(Some(true), None).await.unwrap();
        assert_eq!(oidc_of(&said).only_verified_emails, Some(true));
        let refused = say(None, Some(true)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        let said = say(Some(false), Some(true)).await.unwrap();
        assert_eq!(
            (
                oidc_of(&said).only_verified_emails,
                oidc_of(&said).trust_unverified_emails
            ),
            (Some(false), Some(true))
        );
    })
    .await;
}

/// What Genkan would send to the provider.
async fn secret_of(harness: &Harness, connection: &Connection) -> Option<String> {
    let id = ConnectionId::parse(&connection.id).unwrap();
    let found = harness
        .tx(async |tx, _| store::find(tx, &id).await)
        .await
        .unwrap();
    let secret = found.open_client_secret(harness.instance_key()).unwrap();
    secret.map(|secret| secret.expose().to_owned())
}

#[tokio::test]
async fn a_connection_is_enabled_when_nothing_is_missing() {
    on_each_engine(async |harness| {
        let (organization_id, _) = company(&harness, "acme.test").await;
        let created = create(&harness, &organization_id, wire::ConnectionType::Oidc).await;
        let refused = toggle(&harness, &created, true).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        for field in [
            "oidc_config.issuer",
            "oidc_config.client_id",
            "oidc_config.client_secret",
        ] {
            assert!(refused.message().contains(field), "{}", refused.message());
        }
        change(&harness, &created, oidc(complete())).await.unwrap();
        assert!(toggle(&harness, &created, true).await.unwrap());
        assert!(
            toggle(&harness, &created, true).await.unwrap(),
            "again is no mistake"
        );
        assert!(get(&harness, &created).await.unwrap().enabled);

        let emptied = oidc(OidcConnectionConfig {
            client_secret: Some(String::new()),
            ..OidcConnectionConfig::default()
        });
        let refused = change(&harness, &created, emptied.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(!toggle(&harness, &created, false).await.unwrap());
        let updated = change(&harness, &created, emptied).await.unwrap();
        assert_eq!(updated.status(), wire::ConnectionStatus::InProgress);
        assert_eq!(secret_of(&harness, &created).await, None);
    })
    .await;
}

#[tokio::test]
async fn every_saml_setting_is_kept_and_shown() {
    on_each_engine(async |harness| {
        let (organization_id, _) = company(&harness, "acme.test").await;
        let created = create(&harness, &organization_id, wire::ConnectionType::Saml).await;
        let base = format!("https://auth.acme.test/sso/v1/saml/{}", created.id);
        assert_eq!(created.test_connection_uri, format!("{base}/test"));
        let config = SamlConnectionConfigRequest {
            allow_idp_initiated_login: None,
            idp_metadata_url: Some("https://idp.acme.test/metadata".to_owned()),
            idp_entity_id: Some("urn:acme".to_owned()),
            idp_sso_url: Some("https://idp.acme.test/sso".to_owned()),
            idp_certificate: Some(CERTIFICATE.to_owned()),
            idp_slo_url: Some("https://idp.acme.test/slo".to_owned()),
            ui_button_title: Some("Acme".to_owned()),
            idp_name_id_format: wire::NameIdFormat::Email.into(),
            idp_sso_request_binding: wire::RequestBinding::HttpPost.into(),
            idp_slo_request_binding: wire::RequestBinding::HttpPost.into(),
            saml_signing_option: wire::SamlSigningOptions::SamlOnlyAssertionSigning.into(),
            force_authn: Some(true),
            default_redirect_uri: Some("https://app.acme.test".to_owned()),
            assertion_encrypted: Some(true),
            want_request_signed: Some(true),
            certificate_id: None,
            idp_slo_required: Some(true),
            sp_entity_id: Some("urn:before".to_owned()),
            sp_assertion_url: None,
            sp_slo_url: None,
            sync_user_profile_on_login: Some(false),
            jit_provisioning_with_sso_enabled: Some(false),
        };
        let updated = change(&harness, &created, saml(config)).await.unwrap();
        let Some(connection::Settings::SamlConfig(shown)) = &updated.settings else {
            panic!("no SAML settings: {updated:?}");
        };
        let certificate = &shown.idp_certificates[0];
        assert!(certificate.id.starts_with("cer_"));
        assert!(certificate.issuer.contains("CN=idp.acme.test"));
        assert!(certificate.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(certificate.expiry_time.is_some() && certificate.create_time.is_some());
        let expected = wire::SamlConnectionConfigResponse {
            sp_entity_id: "urn:before".to_owned(),
            sp_assertion_url: format!("{base}/callback"),
            sp_metadata_url: base.clone(),
            sp_slo_url: Some(format!("{base}/slo")),
            idp_metadata_url: Some("https://idp.acme.test/metadata".to_owned()),
            idp_entity_id: Some("urn:acme".to_owned()),
            idp_sso_url: Some("https://idp.acme.test/sso".to_owned()),
            idp_certificates: shown.idp_certificates.clone(),
            idp_slo_url: Some("https://idp.acme.test/slo".to_owned()),
            ui_button_title: Some("Acme".to_owned()),
            idp_name_id_format: wire::NameIdFormat::Email.into(),
            idp_sso_request_binding: wire::RequestBinding::HttpPost.into(),
            idp_slo_request_binding: wire::RequestBinding::HttpPost.into(),
            saml_signing_option: wire::SamlSigningOptions::SamlOnlyAssertionSigning.into(),
            allow_idp_initiated_login: Some(false),
            force_authn: Some(true),
            default_redirect_uri: Some("https://app.acme.test".to_owned()),
            assertion_encrypted: Some(true),
            want_request_signed: Some(true),
            certificate_id: None,
            idp_slo_required: Some(true),
            sync_user_profile_on_login: Some(false),
            jit_provisioning_with_sso_enabled: Some(false),
        };
        assert_eq!(shown, &expected);
        assert_eq!(updated.status(), wire::ConnectionStatus::Completed);
        assert!(toggle(&harness, &created, true).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_right_is_refused_by_its_name_in_the_message() {
    let harness = Harness::start().await;
    let (organization_id, _) = company(&harness, "acme.test").await;
    let open_id = create(&harness, &organization_id, wire::ConnectionType::Oidc).await;
    let by_saml = create(&harness, &organization_id, wire::ConnectionType::Saml).await;
    let oidc_with = |set: fn(&mut OidcConnectionConfig)| {
        let mut config = OidcConnectionConfig::default();
        set(&mut config);
        oidc(config)
    };
    let saml_with = |set: fn(&mut SamlConnectionConfigRequest)| {
        let mut config = SamlConnectionConfigRequest::default();
        set(&mut config);
        saml(config)
    };
    let cases = [
        (
            &open_id,
            oidc_with(|config| config.issuer = Some("idp".to_owned())),
            "connection.oidc_config.issuer",
        ),
        (
            &open_id,
            oidc_with(|config| config.scopes = vec![77]),
            "connection.oidc_config.scopes",
        ),
        (
            &open_id,
            oidc_with(|config| config.client_secret = Some("a\nb".to_owned())),
            "connection.oidc_config.client_secret",
        ),
        (
            &by_saml,
            saml_with(|config| config.idp_certificate = Some("no certificate".to_owned())),
            "connection.saml_config.idp_certificate",
        ),
        (
            &by_saml,
            saml_with(|config| config.saml_signing_option = wire::SamlSigningOptions::NoSigning.into()),
            "connection.saml_config.saml_signing_option",
        ),
        (
            &by_saml,
            saml_with(|config| config.idp_sso_url = Some("javascript:alert(1)".to_owned())),
            "connection.saml_config.idp_sso_url",
        ),
        (&by_saml, oidc(complete()), "connection.type"),
        (
            &open_id,
            UpdateConnection {
                r#type: 0,
                ..saml(SamlConnectionConfigRequest::default())
            },
            "connection.saml_config",
        ),
        (
            &open_id,
            UpdateConnection {
                provider: 0,
                ..oidc(complete())
            },
            "connection.provider",
        ),
    ];
    for (connection, wrong, field) in cases {
        let before = get(&harness, connection).await.unwrap();
        let refused = change(&harness, connection, wrong).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        let info = error_info(&refused);
        assert_eq!(info.error_code, "INVALID_ARGUMENT");
        let violations = info.validation_error_info.unwrap().field_violations;
        assert_eq!(violations[0].field, field, "{refused:?}");
        assert_eq!(get(&harness, connection).await.unwrap(), before);
    }
}

#[tokio::test]
async fn kinds_that_are_not_served_are_refused_in_a_sentence() {
    let harness = Harness::start().await;
    let create = async |connection, is_app| {
        let flags = Some(Flags {
            is_login: true,
            is_app,
        });
        let request = CreateEnvironmentConnectionRequest { connection, flags };
        api(&harness)
            .create_environment_connection(request)
            .await
            .unwrap_err()
    };
    let google = wire::ConnectionProvider::Google;
    let refused = create(wanted(wire::ConnectionType::Oauth, google), false).await;
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(
        refused.message().contains("OAUTH connections are not served"),
        "{refused:?}"
    );
    let refused = create(wanted(wire::ConnectionType::Oidc, google), true).await;
    assert!(refused.message().contains("flags.is_app"), "{refused:?}");
    let refused = create(wanted(wire::ConnectionType::Invalid, google), false).await;
    assert!(
        refused.message().contains("connection.type: is required"),
        "{refused:?}"
    );
    let unspecified = wire::ConnectionProvider::Unspecified;
    let refused = create(wanted(wire::ConnectionType::Oidc, unspecified), false).await;
    assert_eq!(refused.code(), Code::InvalidArgument);
    let by_key = |key: &str| {
        let mut connection = wanted(wire::ConnectionType::Oidc, unspecified);
        key.clone_into(&mut connection.as_mut().unwrap().provider_key);
        connection
    };
    let refused = create(by_key("NOTHING"), false).await;
    assert!(
        refused.message().contains("connection.provider_key"),
        "{refused:?}"
    );
    let request = CreateEnvironmentConnectionRequest {
        connection: by_key("jumpcloud"),
        flags: None,
    };
    let created = api(&harness)
        .create_environment_connection(request)
        .await
        .unwrap();
    let created = created.into_inner().connection.unwrap();
    assert_eq!(created.provider(), wire::ConnectionProvider::Jumpcloud);
}

#[tokio::test]
async fn connections_of_the_environment_belong_to_no_organization() {
    on_each_engine(async |harness| {
        let (organization_id, _) = company(&harness, "acme.test").await;
        let of_company = create(&harness, &organization_id, wire::ConnectionType::Oidc).await;
        let request = CreateEnvironmentConnectionRequest {
            connection: wanted(wire::ConnectionType::Oidc, wire::ConnectionProvider::Google),
            flags: None,
        };
        let mut api = api(&harness);
        let created = api.create_environment_connection(request).await.unwrap();
        let created = created.into_inner().connection.unwrap();
        assert_eq!(created.organization_id, None);
        let named = |id: &str| GetEnvironmentConnectionRequest {
            connection_id: id.to_owned(),
        };
        let got = api.get_environment_connection(named(&created.id)).await.unwrap();
        assert_eq!(got.into_inner().connection.as_ref(), Some(&created));
        let foreign = api
            .get_environment_connection(named(&of_company.id))
            .await
            .unwrap_err();
        assert_eq!(foreign.code(), Code::NotFound);
        let request = GetConnectionRequest {
            organization_id: organization_id.to_string(),
            id: created.id.clone(),
        };
        assert_eq!(
            api.get_connection(request).await.unwrap_err().code(),
            Code::NotFound
        );

        let request = UpdateEnvironmentConnectionRequest {
            update_mask: None,
            connection_id: created.id.clone(),
            connection: Some(oidc(complete())),
        };
        api.update_environment_connection(request).await.unwrap();
        let toggle = ToggleEnvironmentConnectionRequest {
            connection_id: created.id.clone(),
        };
        let enabled = api.enable_environment_connection(toggle.clone()).await.unwrap();
        assert!(enabled.into_inner().enabled);
        for (what, detour) in detours() {
            let request = UpdateEnvironmentConnectionRequest {
                update_mask: None,
                connection_id: created.id.clone(),
                connection: Some(detour),
            };
            let refused = api.update_environment_connection(request).await.unwrap_err();
            assert_eq!(refused.code(), Code::FailedPrecondition, "{what}");
        }
        let disabled = api.disable_environment_connection(toggle).await.unwrap();
        assert!(!disabled.into_inner().enabled);
        let request = DeleteEnvironmentConnectionRequest {
            connection_id: created.id.clone(),
        };
        api.delete_environment_connection(request.clone()).await.unwrap();
        let gone = api.delete_environment_connection(request).await.unwrap_err();
        assert_eq!(gone.code(), Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn another_organizations_connection_is_not_found_by_any_method() {
    let harness = Harness::start().await;
    let (acme, _) = company(&harness, "acme.test").await;
    let (other, other_domain) = company(&harness, "other.test").await;
    let mut foreign = create(&harness, &acme, wire::ConnectionType::Oidc).await;
    let before = foreign.clone();
    foreign.organization_id = Some(other.to_string());
    let mut refusals = vec![
        get(&harness, &foreign).await.unwrap_err(),
        change(&harness, &foreign, oidc(complete())).await.unwrap_err(),
        toggle(&harness, &foreign, true).await.unwrap_err(),
        toggle(&harness, &foreign, false).await.unwrap_err(),
    ];
    let request = DeleteConnectionRequest {
        organization_id: other.to_string(),
        id: foreign.id.clone(),
    };
    refusals.push(api(&harness).delete_connection(request).await.unwrap_err());
    for (organization_id, domain_id) in [(&other, &other_domain), (&acme, &other_domain)] {
        let request = AssignDomainsToConnectionRequest {
            organization_id: organization_id.to_string(),
            connection_id: foreign.id.clone(),
            domain_ids: vec![domain_id.to_string()],
        };
        refusals.push(
            api(&harness)
                .assign_domains_to_connection(request)
                .await
                .unwrap_err(),
        );
    }
    for refused in refusals {
        assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
        assert_eq!(error_info(&refused).error_code, "RESOURCE_NOT_FOUND");
    }
    assert_eq!(get(&harness, &before).await.unwrap(), before);
}

async fn listed(harness: &Harness, request: ListConnectionsRequest) -> Vec<String> {
    let listed = api(harness).list_connections(request).await.unwrap().into_inner();
    listed
        .connections
        .into_iter()
        .map(|connection| connection.id)
        .collect()
}

#[tokio::test]
async fn a_domain_tells_whether_single_sign_on_is_there() {
    on_each_engine(async |harness| {
        let (organization_id, domain_id) = company(&harness, "acme.test").await;
        let open = create(&harness, &organization_id, wire::ConnectionType::Oidc).await;
        let draft = create(&harness, &organization_id, wire::ConnectionType::Oidc).await;
        change(&harness, &open, oidc(complete())).await.unwrap();
        toggle(&harness, &open, true).await.unwrap();
        let by_domain = |domain: &str, include: Option<&str>| ListConnectionsRequest {
            domain: Some(domain.to_owned()),
            include: include.map(str::to_owned),
            ..ListConnectionsRequest::default()
        };
        let by_organization = |include: Option<&str>| ListConnectionsRequest {
            organization_id: Some(organization_id.to_string()),
            include: include.map(str::to_owned),
            ..ListConnectionsRequest::default()
        };
        let both = vec![open.id.clone(), draft.id.clone()];
        assert_eq!(listed(&harness, by_domain("ACME.test", None)).await, both[..1]);
        assert_eq!(listed(&harness, by_domain("acme.test", Some("all"))).await, both);
        assert_eq!(
            listed(&harness, by_domain("other.test", Some("all"))).await,
            [""; 0]
        );
        assert_eq!(listed(&harness, by_organization(None)).await, both[..1]);
        assert_eq!(listed(&harness, by_organization(Some("all"))).await, both);
        assert_eq!(
            listed(&harness, ListConnectionsRequest::default()).await,
            both[..1]
        );

        let request = AssignDomainsToConnectionRequest {
            organization_id: organization_id.to_string(),
            connection_id: draft.id.clone(),
            domain_ids: vec![domain_id.to_string()],
        };
        let assigned = api(&harness).assign_domains_to_connection(request).await.unwrap();
        let assigned = assigned.into_inner().connection.unwrap();
        assert_eq!(assigned.domains[0].id, domain_id.to_string());
        let unknown = ListConnectionsRequest {
            organization_id: Some("org_1".to_owned()),
            ..ListConnectionsRequest::default()
        };
        let unknown = api(&harness).list_connections(unknown).await.unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn all_organizations_connections_come_in_pages_and_are_searched() {
    on_each_engine(async |harness| {
        let mut ids = Vec::new();
        for name in ["acme.test", "other.test"] {
            let (organization_id, _) = company(&harness, name).await;
            for kind in [wire::ConnectionType::Oidc, wire::ConnectionType::Saml] {
                ids.push(create(&harness, &organization_id, kind).await.id);
            }
        }
        ids.reverse();
        let mut request = ListOrganizationConnectionsRequest {
            page_size: 3,
            page_token: String::new(),
        };
        let first = api(&harness)
            .list_organization_connections(request.clone())
            .await
            .unwrap()
            .into_inner();
        let of = |connections: &[wire::ListConnection]| -> Vec<String> {
            connections
                .iter()
                .map(|connection| connection.id.clone())
                .collect()
        };
        assert_eq!((of(&first.connections), first.total_size), (ids[..3].to_vec(), 4));
        assert_eq!(first.connections[0].organization_name, "other.test");
        assert_eq!(first.connections[0].domains, ["other.test"]);
        request.page_token = first.next_page_token;
        let second = api(&harness)
            .list_organization_connections(request.clone())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(of(&second.connections), ids[3..]);
        assert_eq!(second.next_page_token, "");
        request.page_token = second.prev_page_token;
        let back = api(&harness)
            .list_organization_connections(request.clone())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(of(&back.connections), ids[..3]);
        request.page_token = "forged".to_owned();
        let refused = api(&harness)
            .list_organization_connections(request)
            .await
            .unwrap_err();
        assert!(refused.message().contains("page_token"), "{refused:?}");

        let search = SearchOrganizationConnectionsRequest {
            query: Some("acme".to_owned()),
            connection_type: Some(wire::ConnectionType::Saml.into()),
            status: Some(wire::ConnectionStatus::Draft.into()),
            provider: Some("okta".to_owned()),
            enabled: Some(false),
            ..SearchOrganizationConnectionsRequest::default()
        };
        let found = api(&harness)
            .search_organization_connections(search)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (of(&found.connections), found.total_size),
            (ids[2..3].to_vec(), 1)
        );
    })
    .await;
}

#[tokio::test]
async fn a_test_tells_what_came_of_it() {
    on_each_engine(async |harness| {
        let (organization_id, _) = company(&harness, "acme.test").await;
        let connection = create(&harness, &organization_id, wire::ConnectionType::Oidc).await;
        let id = ConnectionId::parse(&connection.id).unwrap();
        let (pending, passed, failed): (ConnectionTestId, ConnectionTestId, ConnectionTestId) = harness
            .tx(async |tx, at| {
                let ids: [ConnectionTestId; 3] = [at.id(), at.id(), at.id()];
                for test in &ids {
                    connection_test::insert(tx, test, &id, &Secret::generate().sha256(), at.now).await?;
                }
                let person = json!({ "email": "ada@acme.test" });
                connection_test::succeed(tx, &ids[1], person.as_object().unwrap(), &Trace::default()).await?;
                let failure = Failure {
                    error: "invalid_id_token".to_owned(),
                    description: "Look at the audience.".to_owned(),
                    details: json!([1]),
                };
                connection_test::fail(tx, &ids[2], &failure).await?;
                let [a, b, c] = ids;
                Ok((a, b, c))
            })
            .await;
        let result = async |test: &ConnectionTestId| {
            let request = GetConnectionTestResultRequest {
                connection_id: connection.id.clone(),
                test_request_id: test.to_string(),
            };
            Ok::<_, Status>(
                api(&harness)
                    .get_connection_test_result(request)
                    .await?
                    .into_inner(),
            )
        };
        assert_eq!(
            result(&pending).await.unwrap().status(),
            wire::TestResultStatus::Pending
        );
        let passed = result(&passed).await.unwrap();
        assert_eq!(passed.status(), wire::TestResultStatus::Success);
        assert_eq!(passed.user_info.as_deref(), Some(r#"{"email":"ada@acme.test"}"#));
        let failed = result(&failed).await.unwrap();
        assert_eq!(failed.status(), wire::TestResultStatus::Failure);
        assert_eq!(failed.error.as_deref(), Some("invalid_id_token"));
        assert_eq!(failed.error_details.as_deref(), Some("[1]"));
        let unknown = result(&ConnectionTestId::parse("test_1").unwrap())
            .await
            .unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn agents_have_no_connections_here() {
    let harness = Harness::start().await;
    let request = ListAppConnectionsRequest::default();
    let listed = api(&harness).list_app_connections(request).await.unwrap();
    assert_eq!(listed.into_inner().connections.len(), 0);
}

/// Every way to lead the secret to somebody else.
fn detours() -> Vec<(&'static str, UpdateConnection)> {
    let thief = || Some("https://thief.test".to_owned());
    let with = |set: &dyn Fn(&mut OidcConnectionConfig)| {
        let mut config = OidcConnectionConfig::default();
        set(&mut config);
        oidc(config)
    };
    let mut without_tls = oidc(OidcConnectionConfig::default());
    without_tls.debug_enabled = Some(true);
    vec![
        ("the issuer", with(&|config| config.issuer = thief())),
        (
            "the discovery document",
            with(&|config| config.discovery_endpoint = thief()),
        ),
        ("the token endpoint", with(&|config| config.token_uri = thief())),
        ("plain HTTP", without_tls),
    ]
}

/// Nobody may ever read it, so nobody may have it sent to themselves.
#[tokio::test]
async fn the_client_secret_goes_to_nobody_who_was_not_named_with_it() {
    on_each_engine(async |harness| {
        let (organization_id, _) = company(&harness, "acme.test").await;
        for (what, detour) in detours() {
            let created = create(&harness, &organization_id, wire::ConnectionType::Oidc).await;
            change(&harness, &created, oidc(complete())).await.unwrap();
            assert!(toggle(&harness, &created, true).await.unwrap());

            let refused = change(&harness, &created, detour.clone()).await.unwrap_err();
            assert_eq!(refused.code(), Code::FailedPrecondition, "{what}");
            assert!(
                refused.message().contains("client_secret"),
                "{what}: {}",
                refused.message()
            );
            assert_eq!(
                secret_of(&harness, &created).await.as_deref(),
                Some("s3cret"),
                "{what}"
            );

            // Whoever knows the secret may lead it anywhere, with people signing in.
            let mut brought = detour.clone();
            if let Some(update_connection::Settings::OidcConfig(config)) = &mut brought.settings {
                config.client_secret = Some("s3cret".to_owned());
            }
            change(&harness, &created, brought).await.unwrap();
            assert!(get(&harness, &created).await.unwrap().enabled, "{what}");
            assert_eq!(
                secret_of(&harness, &created).await.as_deref(),
                Some("s3cret"),
                "{what}"
            );

            // Said once more, nothing moves.
            change(&harness, &created, detour).await.unwrap();
            assert_eq!(
                secret_of(&harness, &created).await.as_deref(),
                Some("s3cret"),
                "{what}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_disabled_connection_forgets_a_secret_that_would_follow() {
    on_each_engine(async |harness| {
        let (organization_id, _) = company(&harness, "acme.test").await;
        for (what, detour) in detours() {
            let created = create(&harness, &organization_id, wire::ConnectionType::Oidc).await;
            change(&harness, &created, oidc(complete())).await.unwrap();
            let updated = change(&harness, &created, detour).await.unwrap();
            assert_eq!(secret_of(&harness, &created).await, None, "{what}");
            assert_eq!(updated.status(), wire::ConnectionStatus::InProgress, "{what}");
            let refused = toggle(&harness, &created, true).await.unwrap_err();
            assert!(
                refused.message().contains("client_secret"),
                "{}",
                refused.message()
            );
        }
        // What leads it nowhere else leaves it where it is.
        let created = create(&harness, &organization_id, wire::ConnectionType::Oidc).await;
        change(&harness, &created, oidc(complete())).await.unwrap();
        let elsewhere = OidcConnectionConfig {
            issuer: Some("https://idp.acme.test".to_owned()),
            client_id: Some("genkan-2".to_owned()),
            token_auth_type: wire::TokenAuthType::UrlParams.into(),
            user_info_uri: Some("https://idp.acme.test/userinfo".to_owned()),
            ..OidcConnectionConfig::default()
        };
        change(&harness, &created, oidc(elsewhere)).await.unwrap();
        assert_eq!(secret_of(&harness, &created).await.as_deref(), Some("s3cret"));
    })
    .await;
}

#[tokio::test]
async fn a_connection_to_the_simulator_is_complete_where_there_is_one() {
    on_each_engine(async |harness| {
        let (organization_id, _) = company(&harness, "acme.test").await;
        let create = async |provider: wire::ConnectionProvider, kind: wire::ConnectionType| {
            let request = CreateConnectionRequest {
                organization_id: organization_id.to_string(),
                connection: wanted(kind, provider),
            };
            let created = api(&harness).create_connection(request).await.unwrap();
            created.into_inner().connection.unwrap()
        };
        let (simulator, oidc) = (wire::ConnectionProvider::IdpSimulator, wire::ConnectionType::Oidc);
        let nowhere = create(simulator, oidc).await;
        assert_eq!(nowhere.status(), wire::ConnectionStatus::Draft);
        let refused = toggle(&harness, &nowhere, true).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);

        harness.with_simulator();
        let complete = create(simulator, oidc).await;
        assert_eq!(complete.status(), wire::ConnectionStatus::Completed);
        assert_eq!(
            oidc_of(&complete).issuer.as_deref(),
            Some("http://localhost:8080/simulator")
        );
        assert_eq!(complete.attribute_mapping["roles"], "roles");
        assert!(toggle(&harness, &complete, true).await.unwrap());
        for other in [
            create(wire::ConnectionProvider::Okta, oidc).await,
            create(simulator, wire::ConnectionType::Saml).await,
        ] {
            assert_eq!(other.status(), wire::ConnectionStatus::Draft);
        }
    })
    .await;
}
