//! Lists of users, and searches in them.

use genkan_contract::scalekit::v1::users::{
    ListOrganizationUsersRequest, ListUsersRequest, SearchOrganizationUsersRequest, SearchUsersRequest,
};
use genkan_store::OrganizationId;
use tonic::{Code, Status};

use crate::support::on_each_engine;
use crate::users::{Users, refused};

#[tokio::test]
async fn users_are_listed_page_by_page_there_and_back() {
    on_each_engine(async |harness| {
        let users = Users::of(harness);
        let (acme, beta) = (users.organization("Acme").await, users.organization("Beta").await);
        for name in ["a", "b", "c", "d", "e"] {
            users.create(&acme, &format!("{name}@acme.test")).await;
        }
        let guest = users.create(&beta, "guest@beta.test").await;
        users.join(&acme, &guest, Some(false)).await.unwrap();

        let (first, next, previous, total) = users.list(4, "").await;
        assert_eq!(
            first,
            ["guest@beta.test", "e@acme.test", "d@acme.test", "c@acme.test"]
        );
        assert_eq!((previous.as_str(), total), ("", 6));
        let (second, end, back, _) = users.list(4, &next).await;
        assert_eq!(second, ["b@acme.test", "a@acme.test"]);
        assert_eq!(end, "");
        assert_eq!(users.list(4, &back).await.0, first);
        let request = ListUsersRequest {
            page_size: 4,
            page_token: "nonsense".to_owned(),
        };
        let refusal = users.client().list_users(request).await;
        assert!(refused(refusal, Code::InvalidArgument, "INVALID_ARGUMENT").contains("page_token"));

        let request = ListOrganizationUsersRequest {
            organization_id: beta.to_string(),
            ..ListOrganizationUsersRequest::default()
        };
        let page = users
            .client()
            .list_organization_users(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(page.total_size, 1);
        let [only] = &page.users[..] else {
            panic!("one user: {page:?}")
        };
        assert_eq!(only.id, guest.id);
        assert_eq!(only.memberships.len(), 1, "not what they are elsewhere");
        assert!(only.environment_id.starts_with("env_"));
        let request = ListOrganizationUsersRequest {
            organization_id: users.harness.at().id::<OrganizationId>().to_string(),
            ..ListOrganizationUsersRequest::default()
        };
        let nowhere = users.client().list_organization_users(request).await;
        refused(nowhere, Code::NotFound, "RESOURCE_NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn users_are_found_by_words_and_within_an_organization() {
    on_each_engine(async |harness| {
        let users = Users::of(harness);
        let (acme, beta) = (users.organization("Acme").await, users.organization("Beta").await);
        for name in ["lovelace.a", "lovelace.b", "hopper"] {
            users.create(&acme, &format!("{name}@acme.test")).await;
        }
        let guest = users.create(&beta, "lovelace@beta.test").await;
        let everywhere = async |query: &str, page_token: &str| {
            let request = SearchUsersRequest {
                query: query.to_owned(),
                page_size: 2,
                page_token: page_token.to_owned(),
            };
            let answer = users.client().search_users(request).await?;
            Ok::<_, Status>(answer.into_inner())
        };
        let first = everywhere("lovelace", "").await.unwrap();
        assert_eq!((first.users.len(), first.total_size), (2, 3));
        let second = everywhere("lovelace", &first.next_page_token).await.unwrap();
        assert_eq!(second.users.len(), 1);
        let back = everywhere("lovelace", &second.prev_page_token).await.unwrap();
        assert_eq!(back.users, first.users);
        assert_eq!(everywhere("nobody", "").await.unwrap().total_size, 0);
        let pasted = everywhere(&guest.id, "").await.unwrap();
        assert_eq!(pasted.users, [users.get(&guest.id).await.unwrap()]);
        let short = everywhere("ab", "").await;
        refused(short, Code::InvalidArgument, "INVALID_ARGUMENT");
        let foreign = everywhere("lovelace", "nonsense").await;
        refused(foreign, Code::InvalidArgument, "INVALID_ARGUMENT");

        let within = async |organization_id: &OrganizationId, query: &str| {
            let request = SearchOrganizationUsersRequest {
                organization_id: organization_id.to_string(),
                query: query.to_owned(),
                ..SearchOrganizationUsersRequest::default()
            };
            let answer = users.client().search_organization_users(request).await?;
            let users = answer.into_inner().users.into_iter();
            Ok::<_, Status>(users.map(|user| user.email).collect::<Vec<_>>())
        };
        assert_eq!(within(&beta, "lovelace").await.unwrap(), ["lovelace@beta.test"]);
        assert_eq!(
            within(&acme, &guest.id).await.unwrap(),
            [""; 0],
            "not even by identifier"
        );
        let nowhere = users.harness.at().id::<OrganizationId>();
        refused(
            within(&nowhere, "lovelace").await,
            Code::NotFound,
            "RESOURCE_NOT_FOUND",
        );
    })
    .await;
}
