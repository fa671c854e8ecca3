//! The secret of a client goes only to the provider for which it was entered.

use super::*;

/// Nobody can read it, so nobody may have it sent to their own server.
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

            // A caller who knows the secret may move it anywhere, also while enabled.
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
        // Other changes keep the secret.
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
