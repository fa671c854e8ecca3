//! Lists of connections, also by domain.

use super::*;

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
