//! Kinds of connections, their owners, and their tests.

use super::*;

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
                let failure = TestFailure {
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
