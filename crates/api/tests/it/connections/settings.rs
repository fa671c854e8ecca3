//! The settings of a connection: kept, cleared, refused, complete.

use super::*;
use crate::clients::with_login_start;

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

/// The message has one map for all attributes, which is replaced as a whole.
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
        with_login_start(&harness, "https://app.acme.test").await;
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

/// Until now the first person who came from the provider heard of it.
#[tokio::test]
async fn saml_settings_that_belong_to_others_are_refused_by_name() {
    on_each_engine(async |harness| {
        let (organization_id, _) = company(&harness, "acme.test").await;
        let created = create(&harness, &organization_id, wire::ConnectionType::Saml).await;
        let other = create(&harness, &organization_id, wire::ConnectionType::Saml).await;
        let of_other = format!("https://auth.acme.test/sso/v1/saml/{}", other.id);
        let none = SamlConnectionConfigRequest::default;
        for (config, field, says) in [
            (
                SamlConnectionConfigRequest {
                    default_redirect_uri: Some("https://evil.test/".to_owned()),
                    ..none()
                },
                "default_redirect_uri",
                "initiate_login_uri of no application",
            ),
            (
                SamlConnectionConfigRequest {
                    sp_entity_id: Some(of_other.clone()),
                    ..none()
                },
                "sp_entity_id",
                "is that of another connection",
            ),
            (
                SamlConnectionConfigRequest {
                    sp_assertion_url: Some(format!("{of_other}/callback")),
                    ..none()
                },
                "sp_assertion_url",
                "is that of another connection",
            ),
        ] {
            let refused = change(&harness, &created, saml(config)).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
            let violations = error_info(&refused)
                .validation_error_info
                .unwrap()
                .field_violations;
            assert_eq!(violations[0].field, format!("connection.saml_config.{field}"));
            assert!(violations[0].description.contains(says), "{violations:?}");
        }
        assert_eq!(get(&harness, &created).await.unwrap(), created);
    })
    .await;
}

#[tokio::test]
async fn the_address_of_metadata_brings_all_that_a_sign_in_needs() {
    on_each_engine(async |harness| {
        let (organization_id, _) = company(&harness, "acme.test").await;
        let created = create(&harness, &organization_id, wire::ConnectionType::Saml).await;
        let by_url = || {
            saml(SamlConnectionConfigRequest {
                idp_metadata_url: Some("https://idp.acme.test/metadata".to_owned()),
                ..SamlConnectionConfigRequest::default()
            })
        };
        let updated = change(&harness, &created, by_url()).await.unwrap();
        let Some(connection::Settings::SamlConfig(shown)) = &updated.settings else {
            panic!("no SAML settings: {updated:?}");
        };
        assert_eq!(
            shown.idp_entity_id.as_deref(),
            Some("https://idp.acme.test/entity")
        );
        assert_eq!(shown.idp_sso_url.as_deref(), Some("https://idp.acme.test/sso"));
        assert_eq!(shown.idp_certificates.len(), 1);
        assert_eq!(updated.status(), wire::ConnectionStatus::Completed);
        assert!(toggle(&harness, &created, true).await.unwrap());

        // Another change does not read it again.
        let read = ["https://idp.acme.test/metadata"];
        let other = saml(SamlConnectionConfigRequest {
            force_authn: Some(true),
            ..SamlConnectionConfigRequest::default()
        });
        change(&harness, &created, other).await.unwrap();
        assert_eq!(harness.fetched_metadata(), read);
        let before = get(&harness, &created).await.unwrap();
        for (answer, says) in [
            (Err("answers 404"), "answers 404"),
            (Ok("<a/>"), "describes no identity provider"),
            (
                Ok(&*SAML_METADATA.replace("https://idp.acme.test/sso", "javascript:1")),
                "must be https",
            ),
            (
                Ok(&*SAML_METADATA.replace("entityID", "validUntil=\"2020-01-01T00:00:00Z\" entityID")),
                "valid until 2020",
            ),
        ] {
            harness.answer_metadata(answer);
            let refused = change(&harness, &created, by_url()).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
            let violations = error_info(&refused)
                .validation_error_info
                .unwrap()
                .field_violations;
            assert!(
                violations[0].field.starts_with("connection.saml_config.idp_"),
                "{refused:?}"
            );
            assert!(violations[0].description.contains(says), "{violations:?}");
            assert_eq!(get(&harness, &created).await.unwrap(), before);
        }
    })
    .await;
}

#[tokio::test]
async fn a_change_that_is_refused_requests_no_metadata() {
    let harness = Harness::start().await;
    let (organization_id, _) = company(&harness, "acme.test").await;
    let (other_id, _) = company(&harness, "bolt.test").await;
    let by_saml = create(&harness, &organization_id, wire::ConnectionType::Saml).await;
    let open_id = create(&harness, &organization_id, wire::ConnectionType::Oidc).await;
    let config = |url: &str| SamlConnectionConfigRequest {
        idp_metadata_url: Some(url.to_owned()),
        ..SamlConnectionConfigRequest::default()
    };
    let foreign = Connection {
        organization_id: Some(other_id.to_string()),
        ..by_saml.clone()
    };
    let url = "https://idp.acme.test/metadata";
    let wrong = SamlConnectionConfigRequest {
        idp_sso_url: Some("javascript:alert(1)".to_owned()),
        ..config(url)
    };
    for (target, update) in [
        (&by_saml, saml(config("file:///etc/passwd"))),
        (&by_saml, saml(config("https://user:password@idp.acme.test/"))),
        (&by_saml, saml(wrong)),
        (
            &open_id,
            UpdateConnection {
                r#type: 0,
                ..saml(config(url))
            },
        ),
        (&foreign, saml(config(url))),
    ] {
        change(&harness, target, update).await.unwrap_err();
    }
    assert!(harness.fetched_metadata().is_empty());
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
        (
            &by_saml,
            saml_with(|config| config.certificate_id = Some("cer_1".to_owned())),
            "connection.saml_config.certificate_id",
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
