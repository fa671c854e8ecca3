//! Organizations, their settings and their links.

use std::collections::BTreeMap;

use genkan_contract::scalekit::v1::commons::{RegionCode, TimeUnit};
use genkan_contract::scalekit::v1::organizations::organization_service_client::OrganizationServiceClient;
use genkan_contract::scalekit::v1::organizations::{
    BrandingSource, CreateOrganization, CreateOrganizationRequest, DeleteOrganizationRequest,
    DeletePortalLinkByIdRequest, GeneratePortalLinkRequest, GetApplicationSessionPolicyRequest,
    GetOrganizationBrandingRequest, GetOrganizationRequest, GetOrganizationSessionPolicyRequest,
    GetOrganizationUserManagementSettingsRequest, GetPortalLinkRequest, ListOrganizationsRequest,
    Organization, OrganizationSettings, OrganizationSettingsFeature, OrganizationUserManagementSettings,
    SearchOrganizationsRequest, SessionPolicyType, UpdateOrganization, UpdateOrganizationBrandingRequest,
    UpdateOrganizationRequest, UpdateOrganizationSessionPolicyRequest, UpdateOrganizationSettingsRequest,
    UpsertUserManagementSettingsRequest, delete_organization_request, get_organization_request,
    update_organization_request,
};
use genkan_store::portal_link;
use genkan_store::{SecretHash, event};
use prost_types::{FieldMask, Struct, Value, value::Kind};
use tonic::Code;

use crate::support::{Harness, InMemory, error_info, on_each_engine};

type Client = OrganizationServiceClient<InMemory>;

fn client(harness: &Harness) -> Client {
    OrganizationServiceClient::new(harness.client())
}

fn named(name: &str) -> CreateOrganization {
    CreateOrganization {
        display_name: name.to_owned(),
        ..CreateOrganization::default()
    }
}

async fn create(
    client: &mut Client,
    organization: CreateOrganization,
) -> Result<Organization, tonic::Status> {
    let request = CreateOrganizationRequest {
        organization: Some(organization),
    };
    let response = client.create_organization(request).await?;
    Ok(response.into_inner().organization.unwrap())
}

async fn get(client: &mut Client, id: &str) -> Result<Organization, tonic::Status> {
    let identities = Some(get_organization_request::Identities::Id(id.to_owned()));
    let response = client
        .get_organization(GetOrganizationRequest { identities })
        .await?;
    Ok(response.into_inner().organization.unwrap())
}

#[tokio::test]
async fn an_organization_is_read_as_it_was_created() {
    on_each_engine(async |harness| {
        let mut client = client(&harness);
        let wanted = CreateOrganization {
            display_name: "Ænima GmbH".to_owned(),
            region_code: RegionCode::Eu.into(),
            external_id: Some("crm-17".to_owned()),
            metadata: BTreeMap::from([("plan".to_owned(), "gold".to_owned())]),
            slug: Some("auth.aenima.test".to_owned()),
            logo_url: Some("https://aenima.test/logo.svg".to_owned()),
        };
        let created = create(&mut client, wanted).await.unwrap();
        assert!(created.id.starts_with("org_"));
        assert_eq!(created.region_code(), RegionCode::Eu);
        assert_eq!(get(&mut client, &created.id).await.unwrap(), created);
        let by_external_id = GetOrganizationRequest {
            identities: Some(get_organization_request::Identities::ExternalId(
                "crm-17".to_owned(),
            )),
        };
        let found = client
            .get_organization(by_external_id.clone())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(found.organization.as_ref(), Some(&created));
        let found = client
            .get_organization_by_external_id(by_external_id)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(found.organization, Some(created));
    })
    .await;
}

#[tokio::test]
async fn what_another_one_has_is_refused_with_its_field() {
    let harness = Harness::start().await;
    let mut client = client(&harness);
    let wanted = CreateOrganization {
        external_id: Some("crm-17".to_owned()),
        slug: Some("acme".to_owned()),
        ..named("Acme")
    };
    create(&mut client, wanted.clone()).await.unwrap();
    let refused = create(&mut client, wanted).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    assert!(refused.message().contains("external"), "{refused}");
    assert!(refused.message().contains("already exists"), "{refused}");
    assert_eq!(error_info(&refused).error_code, "ALREADY_EXISTS");
    let slug = CreateOrganization {
        slug: Some("acme".to_owned()),
        ..named("Other")
    };
    let refused = create(&mut client, slug).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    assert!(refused.message().contains("slug"), "{refused}");
}

#[tokio::test]
async fn what_is_malformed_is_refused_with_its_field() {
    let harness = Harness::start().await;
    let mut client = client(&harness);
    let long = "x".repeat(201);
    let cases = [
        (named(""), "display_name"),
        (named("  "), "display_name"),
        (named(&long), "display_name"),
        (
            CreateOrganization {
                slug: Some("Not A Host".to_owned()),
                ..named("Acme")
            },
            "slug",
        ),
        (
            CreateOrganization {
                logo_url: Some("javascript:x".to_owned()),
                ..named("Acme")
            },
            "logo_url",
        ),
        (
            CreateOrganization {
                region_code: 9,
                ..named("Acme")
            },
            "region_code",
        ),
        (
            CreateOrganization {
                metadata: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
                ..named("Acme")
            },
            "metadata",
        ),
    ];
    for (wanted, field) in cases {
        let refused = create(&mut client, wanted).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{field}");
        assert_eq!(error_info(&refused).error_code, "INVALID_ARGUMENT");
        assert!(refused.message().contains(field), "{refused}");
    }
    for id in ["org_1", "usr_1", "x", "org_%"] {
        let refused = get(&mut client, id).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::NotFound, "organization not found")
        );
    }
    let nobody = GetOrganizationRequest { identities: None };
    assert_eq!(
        client.get_organization(nobody).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn an_update_changes_what_it_names() {
    on_each_engine(async |harness| {
        let mut client = client(&harness);
        let wanted = CreateOrganization {
            external_id: Some("crm-17".to_owned()),
            slug: Some("acme".to_owned()),
            ..named("Acme")
        };
        let created = create(&mut client, wanted).await.unwrap();
        let mut update = async |organization, paths: &[&str]| {
            let request = UpdateOrganizationRequest {
                organization: Some(organization),
                update_mask: (!paths.is_empty()).then(|| FieldMask {
                    paths: paths.iter().map(ToString::to_string).collect(),
                }),
                identities: Some(update_organization_request::Identities::ExternalId(
                    "crm-17".to_owned(),
                )),
            };
            client
                .update_organization(request)
                .await
                .map(|response| response.into_inner().organization.unwrap())
        };
        let renamed = UpdateOrganization {
            display_name: Some("Acme Inc.".to_owned()),
            metadata: BTreeMap::from([("plan".to_owned(), "gold".to_owned())]),
            ..UpdateOrganization::default()
        };
        let updated = update(renamed, &[]).await.unwrap();
        assert_eq!(updated.display_name, "Acme Inc.");
        assert_eq!(updated.slug.as_deref(), Some("acme"));
        assert_eq!(updated.create_time, created.create_time);
        let cleared = update(UpdateOrganization::default(), &["slug", "metadata"])
            .await
            .unwrap();
        assert_eq!(cleared.slug, None);
        assert!(cleared.metadata.is_empty());
        assert_eq!(cleared.display_name, "Acme Inc.");
        let refused = update(UpdateOrganization::default(), &["id"]).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains("update_mask"));
    })
    .await;
}

#[tokio::test]
async fn organizations_are_listed_newest_first_with_tokens_both_ways() {
    on_each_engine(async |harness| {
        let mut client = client(&harness);
        let mut ids = Vec::new();
        for number in 0..5 {
            ids.insert(
                0,
                create(&mut client, named(&format!("Acme {number}")))
                    .await
                    .unwrap()
                    .id,
            );
        }
        let mut list = async |page_token: &str| {
            let request = ListOrganizationsRequest {
                page_size: 2,
                page_token: page_token.to_owned(),
                external_id: None,
            };
            client
                .list_organization(request)
                .await
                .map(tonic::Response::into_inner)
        };
        let read = |organizations: &[Organization]| -> Vec<String> {
            organizations
                .iter()
                .map(|organization| organization.id.clone())
                .collect()
        };
        let first = list("").await.unwrap();
        assert_eq!(read(&first.organizations), ids[..2]);
        assert_eq!((first.total_size, first.prev_page_token.as_str()), (5, ""));
        let second = list(&first.next_page_token).await.unwrap();
        assert_eq!(read(&second.organizations), ids[2..4]);
        let third = list(&second.next_page_token).await.unwrap();
        assert_eq!(read(&third.organizations), ids[4..]);
        assert_eq!(third.next_page_token, "");
        let back = list(&second.prev_page_token).await.unwrap();
        assert_eq!(read(&back.organizations), ids[..2]);
        let refused = list("nonsense").await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains("page_token"));
    })
    .await;
}

#[tokio::test]
async fn a_list_can_be_asked_for_one_external_id() {
    let harness = Harness::start().await;
    let mut client = client(&harness);
    create(&mut client, named("Other")).await.unwrap();
    let wanted = CreateOrganization {
        external_id: Some("crm-17".to_owned()),
        ..named("Acme")
    };
    let created = create(&mut client, wanted).await.unwrap();
    for (external_id, expected) in [("crm-17", vec![created]), ("CRM-17", vec![])] {
        let request = ListOrganizationsRequest {
            external_id: Some(external_id.to_owned()),
            ..ListOrganizationsRequest::default()
        };
        let listed = client.list_organization(request).await.unwrap().into_inner();
        assert_eq!(listed.organizations, expected);
        assert_eq!(listed.total_size as usize, expected.len());
    }
}

#[tokio::test]
async fn a_search_pages_through_what_it_finds() {
    on_each_engine(async |harness| {
        let mut client = client(&harness);
        for number in 10..15 {
            create(&mut client, named(&format!("Acme{number}")))
                .await
                .unwrap();
        }
        let other = create(&mut client, named("Zenith")).await.unwrap();
        let mut search = async |query: &str, page_token: &str| {
            let request = SearchOrganizationsRequest {
                query: query.to_owned(),
                page_size: 3,
                page_token: page_token.to_owned(),
            };
            client
                .search_organization(request)
                .await
                .map(tonic::Response::into_inner)
        };
        let names = |organizations: &[Organization]| -> Vec<String> {
            organizations
                .iter()
                .map(|organization| organization.display_name.clone())
                .collect()
        };
        let first = search("acme", "").await.unwrap();
        assert_eq!(names(&first.organizations), ["Acme10", "Acme11", "Acme12"]);
        assert_eq!((first.total_size, first.prev_page_token.as_str()), (5, ""));
        let second = search("acme", &first.next_page_token).await.unwrap();
        assert_eq!(names(&second.organizations), ["Acme13", "Acme14"]);
        assert_eq!((second.total_size, second.next_page_token.as_str()), (5, ""));
        let back = search("acme", &second.prev_page_token).await.unwrap();
        assert_eq!(names(&back.organizations), ["Acme10", "Acme11", "Acme12"]);
        assert_eq!(search(&other.id, "").await.unwrap().organizations, [other]);
        assert_eq!(search("%%%", "").await.unwrap().total_size, 0);
        for (query, token, field) in [("ac", "", "query"), ("acme", "x", "page_token")] {
            let refused = search(query, token).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument);
            assert!(refused.message().contains(field), "{refused}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_deleted_organization_is_gone() {
    let harness = Harness::start().await;
    let mut client = client(&harness);
    let id = create(&mut client, named("Acme")).await.unwrap().id;
    let identities = Some(delete_organization_request::Identities::Id(id.clone()));
    client
        .delete_organization(DeleteOrganizationRequest {
            identities: identities.clone(),
        })
        .await
        .unwrap();
    assert_eq!(get(&mut client, &id).await.unwrap_err().code(), Code::NotFound);
    let again = client
        .delete_organization(DeleteOrganizationRequest { identities })
        .await;
    assert_eq!(again.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn features_are_switched_one_by_one_and_listed_in_order() {
    on_each_engine(async |harness| {
        let mut client = client(&harness);
        let id = create(&mut client, named("Acme")).await.unwrap().id;
        let mut switch = async |switches: &[(&str, bool)]| {
            let features = switches
                .iter()
                .map(|(name, enabled)| OrganizationSettingsFeature {
                    name: (*name).to_owned(),
                    enabled: *enabled,
                });
            let request = UpdateOrganizationSettingsRequest {
                id: id.clone(),
                settings: Some(OrganizationSettings {
                    features: features.collect(),
                }),
            };
            let response = client.update_organization_settings(request).await?;
            let features = response
                .into_inner()
                .organization
                .unwrap()
                .settings
                .unwrap()
                .features;
            Ok::<_, tonic::Status>(
                features
                    .into_iter()
                    .map(|feature| (feature.name, feature.enabled))
                    .collect::<Vec<_>>(),
            )
        };
        let features = switch(&[("dir_sync", true), ("session_policy", true)])
            .await
            .unwrap();
        let expected = [
            ("sso", false),
            ("dir_sync", true),
            ("domain_verification", false),
            ("session_policy", true),
        ];
        assert_eq!(
            features,
            expected.map(|(name, enabled)| (name.to_owned(), enabled))
        );
        let features = switch(&[("sso", true), ("dir_sync", false)]).await.unwrap();
        let expected = [
            ("sso", true),
            ("dir_sync", false),
            ("domain_verification", false),
            ("session_policy", true),
        ];
        assert_eq!(
            features,
            expected.map(|(name, enabled)| (name.to_owned(), enabled))
        );
        let refused = switch(&[("sso", false), ("teleport", true)]).await.unwrap_err();
        assert_eq!(error_info(&refused).error_code, "INVALID_ARGUMENT");
    })
    .await;
}

#[tokio::test]
async fn a_limit_of_people_is_set_and_lifted() {
    on_each_engine(async |harness| {
        let mut client = client(&harness);
        let organization_id = create(&mut client, named("Acme")).await.unwrap().id;
        for (limit, expected) in [(Some(5), 5), (None, 5), (Some(0), 0), (Some(7), 7)] {
            let request = UpsertUserManagementSettingsRequest {
                organization_id: organization_id.clone(),
                settings: Some(OrganizationUserManagementSettings {
                    max_allowed_users: limit,
                }),
            };
            let answered = client
                .upsert_user_management_settings(request)
                .await
                .unwrap()
                .into_inner();
            assert_eq!(answered.settings.unwrap().max_allowed_users, Some(expected));
            let request = GetOrganizationUserManagementSettingsRequest {
                organization_id: organization_id.clone(),
            };
            let found = client
                .get_organization_user_management_setting(request)
                .await
                .unwrap()
                .into_inner();
            assert_eq!(found.settings.unwrap().max_allowed_users, Some(expected));
        }
    })
    .await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn a_session_policy_is_the_applications_until_it_is_customized() {
    on_each_engine(async |harness| {
        let mut client = client(&harness);
        let organization_id = create(&mut client, named("Acme")).await.unwrap().id;
        let request = GetOrganizationSessionPolicyRequest {
            organization_id: organization_id.clone(),
        };
        let policy = client
            .get_organization_session_policy(request.clone())
            .await
            .unwrap()
            .into_inner()
            .policy;
        assert_eq!(policy.unwrap().policy_source(), SessionPolicyType::Application);

        let custom = UpdateOrganizationSessionPolicyRequest {
            organization_id: organization_id.clone(),
            policy_source: SessionPolicyType::Custom.into(),
            absolute_session_timeout: Some(8),
            absolute_session_timeout_unit: Some(TimeUnit::Hours.into()),
            idle_session_timeout_enabled: Some(true),
            idle_session_timeout: Some(30),
            idle_session_timeout_unit: Some(TimeUnit::Minutes.into()),
        };
        let answered = client
            .update_organization_session_policy(custom.clone())
            .await
            .unwrap();
        let policy = answered.into_inner().policy.unwrap();
        assert_eq!(policy.policy_source(), SessionPolicyType::Custom);
        assert_eq!(policy.absolute_session_timeout, Some(8));
        assert_eq!(policy.absolute_session_timeout_unit(), TimeUnit::Hours);
        assert_eq!(
            (policy.idle_session_timeout_enabled, policy.idle_session_timeout),
            (Some(true), Some(30))
        );
        let found = client
            .get_organization_session_policy(request.clone())
            .await
            .unwrap()
            .into_inner()
            .policy;
        assert_eq!(found, Some(policy));

        let shorter = UpdateOrganizationSessionPolicyRequest {
            organization_id: organization_id.clone(),
            absolute_session_timeout: Some(4),
            ..UpdateOrganizationSessionPolicyRequest::default()
        };
        let answered = client.update_organization_session_policy(shorter).await.unwrap();
        let policy = answered.into_inner().policy.unwrap();
        assert_eq!(
            (policy.absolute_session_timeout, policy.idle_session_timeout),
            (Some(4), Some(30))
        );
        assert_eq!(policy.absolute_session_timeout_unit(), TimeUnit::Hours);

        for (change, field) in [
            (
                UpdateOrganizationSessionPolicyRequest {
                    absolute_session_timeout: Some(0),
                    ..custom.clone()
                },
                "absolute",
            ),
            (
                UpdateOrganizationSessionPolicyRequest {
                    absolute_session_timeout: Some(9_000),
                    ..custom.clone()
                },
                "absolute",
            ),
            (
                UpdateOrganizationSessionPolicyRequest {
                    idle_session_timeout: Some(481),
                    ..custom.clone()
                },
                "idle",
            ),
            (
                UpdateOrganizationSessionPolicyRequest {
                    idle_session_timeout: Some(5),
                    ..custom.clone()
                },
                "access token",
            ),
            (
                UpdateOrganizationSessionPolicyRequest {
                    idle_session_timeout_unit: Some(7),
                    ..custom.clone()
                },
                "unit",
            ),
        ] {
            let refused = client
                .update_organization_session_policy(change)
                .await
                .unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument);
            assert!(refused.message().contains(field), "{refused}");
        }

        let back = UpdateOrganizationSessionPolicyRequest {
            organization_id: organization_id.clone(),
            policy_source: SessionPolicyType::Application.into(),
            ..UpdateOrganizationSessionPolicyRequest::default()
        };
        client.update_organization_session_policy(back).await.unwrap();
        let policy = client
            .get_organization_session_policy(request)
            .await
            .unwrap()
            .into_inner()
            .policy;
        assert_eq!(policy.unwrap().absolute_session_timeout, None);

        let request = GetApplicationSessionPolicyRequest { organization_id };
        let application = client
            .get_application_session_policy(request)
            .await
            .unwrap()
            .into_inner();
        let application = application.application_policy.unwrap();
        assert_eq!(application.absolute_session_timeout, 30 * 24 * 60);
        assert_eq!(
            (application.idle_session_timeout, application.access_token_expiry),
            (7 * 24 * 60, 5)
        );
    })
    .await;
}

#[tokio::test]
async fn branding_is_the_environments_until_it_is_customized() {
    on_each_engine(async |harness| {
        let mut client = client(&harness);
        let organization_id = create(&mut client, named("Acme")).await.unwrap().id;
        let request = GetOrganizationBrandingRequest {
            organization_id: organization_id.clone(),
        };
        let branding = client
            .get_organization_branding(request.clone())
            .await
            .unwrap()
            .into_inner()
            .branding;
        assert_eq!(branding.unwrap().source(), BrandingSource::Environment);
        let accent = Value {
            kind: Some(Kind::StringValue("#0a7".to_owned())),
        };
        let settings = Struct {
            fields: BTreeMap::from([("accent".to_owned(), accent)]),
        };
        let custom = UpdateOrganizationBrandingRequest {
            organization_id: organization_id.clone(),
            source: BrandingSource::Custom.into(),
            customization_settings: Some(settings.clone()),
        };
        client.update_organization_branding(custom).await.unwrap();
        let branding = client
            .get_organization_branding(request)
            .await
            .unwrap()
            .into_inner()
            .branding
            .unwrap();
        assert_eq!(branding.source(), BrandingSource::Custom);
        assert_eq!(branding.customization_settings, Some(settings));
        assert!(branding.update_time.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_portal_link_is_told_once_and_kept_as_a_hash() {
    on_each_engine(async |harness| {
        let mut client = client(&harness);
        let id = create(&mut client, named("Acme")).await.unwrap().id;
        let request = GeneratePortalLinkRequest {
            id: id.clone(),
            ..GeneratePortalLinkRequest::default()
        };
        let link = client
            .generate_portal_link(request.clone())
            .await
            .unwrap()
            .into_inner()
            .link
            .unwrap();
        assert!(link.id.starts_with("lnk_"));
        let token = link
            .location
            .strip_prefix("https://auth.acme.test/magicLink/")
            .unwrap();
        let expires = link.expire_time.unwrap();
        assert_eq!(expires.seconds, harness.now().as_secs() + 60);
        let redeemed = harness
            .tx(async |tx, at| portal_link::redeem(tx, at, &SecretHash::of(token.as_bytes())).await)
            .await;
        assert_eq!(redeemed.unwrap().id.to_string(), link.id);

        let second = client
            .generate_portal_link(request)
            .await
            .unwrap()
            .into_inner()
            .link
            .unwrap();
        let other = create(&mut client, named("Other")).await.unwrap().id;
        for (id, expected) in [
            (other, Some(Code::NotFound)),
            (id.clone(), None),
            (id.clone(), Some(Code::NotFound)),
        ] {
            let request = DeletePortalLinkByIdRequest {
                id,
                link_id: second.id.clone(),
            };
            let deleted = client.delete_portal_link_by_id(request).await;
            assert_eq!(deleted.err().map(|status| status.code()), expected);
        }
        let listed = client
            .get_portal_links(GetPortalLinkRequest { id })
            .await
            .unwrap_err();
        assert!(matches!(
            listed.code(),
            Code::PermissionDenied | Code::Unimplemented
        ));
    })
    .await;
}

#[tokio::test]
async fn events_say_which_client_changed_an_organization() {
    let harness = Harness::start().await;
    let mut client = client(&harness);
    create(&mut client, named("Acme")).await.unwrap();
    let events = harness
        .tx(async |tx, _| event::list(tx, &event::Filter::default(), &genkan_store::Page::first(1)).await)
        .await;
    assert_eq!(events[0].kind, event::Kind::OrganizationCreated);
}
