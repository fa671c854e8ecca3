//! API tokens.

use std::collections::BTreeMap;
use std::time::Duration;

use genkan_contract::scalekit::v1::tokens::api_token_service_client::ApiTokenServiceClient;
use genkan_contract::scalekit::v1::tokens::*;
use genkan_protocol::EmailAddress;
use genkan_store::organization::{self, Organization};
use genkan_store::user::{self, User};
use genkan_store::{OrganizationId, UserId, membership};
use tonic::{Code, Status};

use crate::support::{Harness, InMemory, error_info, on_each_engine};

fn service(harness: &Harness) -> ApiTokenServiceClient<InMemory> {
    ApiTokenServiceClient::new(harness.client())
}

async fn new_organization(harness: &Harness, external_id: &str) -> String {
    let external_id = Some(external_id.to_owned());
    let organization = harness
        .tx(async |tx, at| {
            let organization = Organization {
                external_id: external_id.clone(),
                ..Organization::new(at.id::<OrganizationId>(), "Acme".to_owned(), at.now)
            };
            organization::insert(tx, at, &organization).await?;
            Ok(organization)
        })
        .await;
    organization.id.to_string()
}

/// A user who is a member of the organization.
async fn new_member(harness: &Harness, organization_id: &str) -> String {
    let organization_id = OrganizationId::parse(organization_id).unwrap();
    let id = harness
        .tx(async |tx, at| {
            let email = EmailAddress::parse("ada@acme.test").expect("it is an address");
            let user = User {
                external_id: Some("ada".to_owned()),
                ..User::new(at.id::<UserId>(), email, at.now)
            };
            user::insert(tx, at, &user).await?;
            membership::insert(tx, at, &organization_id, &user.id).await?;
            Ok(user.id)
        })
        .await;
    id.to_string()
}

fn wanted(organization_id: &str) -> CreateToken {
    CreateToken {
        organization_id: organization_id.to_owned(),
        custom_claims: BTreeMap::from([("tier".to_owned(), "gold".to_owned())]),
        description: "CI".to_owned(),
        ..CreateToken::default()
    }
}

async fn create(harness: &Harness, token: CreateToken) -> Result<CreateTokenResponse, Status> {
    let request = CreateTokenRequest { token: Some(token) };
    let answer = service(harness).create_token(request).await?;
    Ok(answer.into_inner())
}

async fn validate(harness: &Harness, token: &str) -> Result<Token, Status> {
    let request = ValidateTokenRequest {
        token: token.to_owned(),
    };
    let answer = service(harness).validate_token(request).await?;
    Ok(answer.into_inner().token_info.unwrap())
}

#[tokio::test]
async fn a_token_of_an_organization_tells_whose_it_is() {
    on_each_engine(async |harness| {
        let organization_id = new_organization(&harness, "acme").await;
        let created = create(&harness, wanted(&organization_id)).await.unwrap();
        assert!(created.token_id.starts_with("apit_"));
        assert!(created.token.starts_with("test_api_"));
        let info = created.token_info.unwrap();
        assert_eq!(info.organization_external_id, "acme");
        assert!(created.token.ends_with(&info.token_suffix));
        assert_eq!((info.user_id.as_deref(), info.email.as_deref()), (None, None));
        assert_eq!(info.custom_claims["tier"], "gold");
        assert_eq!(validate(&harness, &created.token).await.unwrap(), info);
        for unknown in ["apit_1", "test_api_x"] {
            let refused = validate(&harness, unknown).await.unwrap_err();
            assert_eq!(refused.code(), Code::NotFound);
        }
        assert_eq!(
            validate(&harness, "").await.unwrap_err().code(),
            Code::InvalidArgument
        );
    })
    .await;
}

/// Lists, events and logs show identifiers, and from one of them others can be computed.
#[tokio::test]
async fn the_identifier_of_a_token_opens_nothing() {
    on_each_engine(async |harness| {
        let organization_id = new_organization(&harness, "acme").await;
        let created = create(&harness, wanted(&organization_id)).await.unwrap();
        let spaced = format!(" {}", created.token_id);
        for presented in [&created.token_id, &created.token_id.to_uppercase(), &spaced] {
            let refused = validate(&harness, presented).await.unwrap_err();
            assert_eq!(refused.code(), Code::NotFound, "{presented}");
        }
        let refused = validate(&harness, &created.token_id).await.unwrap_err();
        assert_eq!(error_info(&refused).error_code, "TOKEN_IDENTIFIER_REFUSED");
        assert!(
            refused.message().contains("api.validate_tokens_by_identifier"),
            "{}",
            refused.message()
        );
        // The answer does not tell whether there is such a token.
        let unknown = validate(&harness, "apit_100000000000000000001")
            .await
            .unwrap_err();
        assert_eq!(unknown.message(), refused.message());
        let info = created.token_info.unwrap();
        assert_eq!(validate(&harness, &created.token).await.unwrap(), info);
    })
    .await;
}

#[tokio::test]
async fn the_setting_lets_identifiers_count_as_tokens() {
    let harness = Harness::start().await;
    harness.validate_tokens_by_identifier();
    let organization_id = new_organization(&harness, "acme").await;
    let created = create(&harness, wanted(&organization_id)).await.unwrap();
    let info = created.token_info.unwrap();
    assert_eq!(validate(&harness, &created.token_id).await.unwrap(), info);
    let unknown = validate(&harness, "apit_100000000000000000001")
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert_eq!(error_info(&unknown).error_code, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn a_token_of_a_user_tells_who_they_are_while_they_are_a_member() {
    on_each_engine(async |harness| {
        let organization_id = new_organization(&harness, "acme").await;
        let user_id = new_member(&harness, &organization_id).await;
        let token = CreateToken {
            user_id: user_id.clone(),
            ..wanted(&organization_id)
        };
        let created = create(&harness, token.clone()).await.unwrap();
        let info = validate(&harness, &created.token).await.unwrap();
        assert_eq!(info.user_id.as_deref(), Some(user_id.as_str()));
        assert_eq!(info.user_external_id.as_deref(), Some("ada"));
        assert_eq!(info.email.as_deref(), Some("ada@acme.test"));
        assert_eq!(info.roles, ["admin"]);

        let other = new_organization(&harness, "other").await;
        let foreign = CreateToken {
            organization_id: other,
            ..token
        };
        assert_eq!(
            create(&harness, foreign).await.unwrap_err().code(),
            Code::NotFound
        );

        harness
            .tx(async |tx, at| {
                let organization_id = OrganizationId::parse(&organization_id).expect("it is one");
                let user_id = UserId::parse(&user_id).expect("it is one");
                membership::delete(tx, at, &organization_id, &user_id).await
            })
            .await;
        let refused = validate(&harness, &created.token).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn an_expired_token_is_not_found() {
    let harness = Harness::start().await;
    let organization_id = new_organization(&harness, "acme").await;
    let expiring = |secs: i64| CreateToken {
        expiry: Some(prost_types::Timestamp {
            seconds: harness.now().as_secs() + secs,
            nanos: 0,
        }),
        ..wanted(&organization_id)
    };
    for secs in [0, -1, i64::MAX / 2] {
        let refused = create(&harness, expiring(secs)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{secs}");
    }
    let created = create(&harness, expiring(60)).await.unwrap();
    assert!(validate(&harness, &created.token).await.is_ok());
    harness.wait(Duration::from_secs(60));
    for token in [&created.token, &created.token_id] {
        assert_eq!(
            validate(&harness, token).await.unwrap_err().code(),
            Code::NotFound
        );
    }
}

#[tokio::test]
async fn an_invalidated_token_is_gone_and_invalidating_it_again_is_no_mistake() {
    on_each_engine(async |harness| {
        let organization_id = new_organization(&harness, "acme").await;
        for by_id in [false, true] {
            let created = create(&harness, wanted(&organization_id)).await.unwrap();
            let named = if by_id { &created.token_id } else { &created.token };
            for _ in 0..2 {
                let request = InvalidateTokenRequest { token: named.clone() };
                service(&harness).invalidate_token(request).await.unwrap();
            }
            let refused = validate(&harness, &created.token).await.unwrap_err();
            assert_eq!(refused.code(), Code::NotFound);
        }
    })
    .await;
}

#[tokio::test]
async fn an_update_replaces_claims_that_are_there() {
    let harness = Harness::start().await;
    let organization_id = new_organization(&harness, "acme").await;
    let created = create(&harness, wanted(&organization_id)).await.unwrap();
    let update = async |claims: &[(&str, &str)], description: Option<&str>| {
        let request = UpdateTokenRequest {
            token: created.token.clone(),
            custom_claims: claims
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            description: description.map(ToOwned::to_owned),
        };
        let answer = service(&harness).update_token(request).await;
        answer.map(|answer| answer.into_inner().token_info.unwrap())
    };
    let updated = update(&[], Some("Nightly")).await.unwrap();
    assert_eq!(updated.custom_claims["tier"], "gold");
    assert_eq!(updated.description.as_deref(), Some("Nightly"));
    let updated = update(&[("team", "red")], None).await.unwrap();
    assert_eq!(updated.custom_claims.len(), 1);
    assert_eq!(updated.custom_claims["team"], "red");
    assert_eq!(updated.description.as_deref(), Some("Nightly"));
    assert_eq!(validate(&harness, &created.token).await.unwrap(), updated);
    let long = "v".repeat(257);
    let refused = update(&[("team", &long)], None).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn tokens_are_listed_by_organization_and_user() {
    on_each_engine(async |harness| {
        let organization_id = new_organization(&harness, "acme").await;
        let other = new_organization(&harness, "other").await;
        let user_id = new_member(&harness, &organization_id).await;
        let mut ids = Vec::new();
        for number in 0..3 {
            let token = CreateToken {
                user_id: if number == 1 {
                    user_id.clone()
                } else {
                    String::new()
                },
                ..wanted(&organization_id)
            };
            ids.insert(0, create(&harness, token).await.unwrap().token_id);
        }
        create(&harness, wanted(&other)).await.unwrap();
        let list = async |user_id: Option<&str>, page_size: i32, page_token: String| {
            let request = ListTokensRequest {
                organization_id: organization_id.clone(),
                user_id: user_id.map(ToOwned::to_owned),
                page_size,
                page_token,
            };
            let answer = service(&harness).list_tokens(request).await;
            answer.map(tonic::Response::into_inner)
        };
        let of = |page: &ListTokensResponse| -> Vec<String> {
            page.tokens.iter().map(|token| token.token_id.clone()).collect()
        };
        let first = list(None, 2, String::new()).await.unwrap();
        assert_eq!((of(&first), first.total_count), (ids[..2].to_vec(), 3));
        let second = list(None, 2, first.next_page_token).await.unwrap();
        assert_eq!(of(&second), ids[2..]);
        let of_user = list(Some(&user_id), 0, String::new()).await.unwrap();
        assert_eq!((of(&of_user), of_user.total_count), (vec![ids[1].clone()], 1));
        let refused = list(None, 31, String::new()).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    })
    .await;
}
