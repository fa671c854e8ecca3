//! Directories: their secrets, and what they have sent, in pages.

use std::time::Duration;

use genkan_contract::scalekit::v1::directories as wire;
use genkan_contract::scalekit::v1::directories::directory_service_client::DirectoryServiceClient;
use genkan_contract::scalekit::v1::directories::{
    AssignGroupsForDirectoryRequest, AssignRolesRequest, AttributeMapping, AttributeMappings,
    CreateDirectory, CreateDirectoryRequest, CreateDirectorySecretRequest, DeleteDirectoryRequest, Directory,
    DirectoryMapping, GetDirectoryRequest, ListDirectoriesRequest, ListDirectoryGroupsRequest,
    ListDirectoryGroupsSummaryRequest, ListDirectoryUsersRequest, RegenerateDirectorySecretRequest,
    RoleAssignment, RoleAssignments, ToggleDirectoryRequest, TriggerDirectorySyncRequest,
    UpdateAttributesRequest, UpdateDirectory, UpdateDirectoryRequest,
};
use genkan_store::directory::group::{self, DirectoryGroup};
use genkan_store::directory::user::{self, DirectoryUser, Profile};
use genkan_store::directory::{self, secret};
use genkan_store::organization::{self, Organization};
use genkan_store::{DirectoryId, OrganizationId, SecretHash};
use serde_json::json;
use tonic::{Code, Status};

use crate::support::{Harness, InMemory, error_info, on_each_engine};

fn api(harness: &Harness) -> DirectoryServiceClient<InMemory> {
    DirectoryServiceClient::new(harness.client())
}

async fn company(harness: &Harness) -> OrganizationId {
    harness
        .tx(async |tx, at| {
            let organization = Organization::new(at.id(), "Acme", at.now);
            organization::insert(tx, at, &organization).await?;
            Ok(organization.id)
        })
        .await
}

async fn create(harness: &Harness, organization_id: &OrganizationId) -> Directory {
    let request = CreateDirectoryRequest {
        organization_id: organization_id.to_string(),
        directory: Some(CreateDirectory {
            directory_type: wire::DirectoryType::Scim.into(),
            directory_provider: wire::DirectoryProvider::PingIdentity.into(),
        }),
    };
    let created = api(harness).create_directory(request).await.unwrap();
    created.into_inner().directory.unwrap()
}

async fn get(harness: &Harness, directory: &Directory) -> Result<Directory, Status> {
    let request = GetDirectoryRequest {
        id: directory.id.clone(),
        organization_id: directory.organization_id.clone(),
    };
    Ok(api(harness)
        .get_directory(request)
        .await?
        .into_inner()
        .directory
        .unwrap())
}

fn toggle(directory: &Directory) -> ToggleDirectoryRequest {
    ToggleDirectoryRequest {
        organization_id: directory.organization_id.clone(),
        id: directory.id.clone(),
    }
}

fn delete(directory: &Directory) -> DeleteDirectoryRequest {
    DeleteDirectoryRequest {
        organization_id: directory.organization_id.clone(),
        id: directory.id.clone(),
    }
}

/// The directory as the store keeps it.
async fn stored(harness: &Harness, directory: &Directory) -> directory::Directory {
    let organization_id = OrganizationId::parse(&directory.organization_id).unwrap();
    let id = DirectoryId::parse(&directory.id).unwrap();
    harness
        .tx(async |tx, _| directory::find(tx, &organization_id, &id).await)
        .await
        .unwrap()
}

/// A person who came from the directory, in a group if there is one.
async fn send(
    harness: &Harness,
    directory: &Directory,
    user_name: &str,
    into: Option<&DirectoryGroup>,
) -> DirectoryUser {
    let directory = stored(harness, directory).await;
    let profile = Profile {
        user_name: user_name.to_owned(),
        emails: vec![user_name.to_owned()],
        given_name: Some("Ada".to_owned()),
        active: true,
        detail: json!({ "department": "Engines" }).as_object().unwrap().clone(),
        ..Profile::default()
    };
    harness
        .tx(async |tx, at| {
            let user = user::upsert(tx, at, &directory, &profile).await?;
            if let Some(group) = into {
                group::set_member(tx, at, &directory, (&group.id, &user.id), true).await?;
            }
            Ok(user)
        })
        .await
}

/// What a message holds as free JSON; texts, truths and objects suffice here.
fn object(detail: &prost_types::Struct) -> serde_json::Map<String, serde_json::Value> {
    use prost_types::value::Kind;
    let value = |value: &prost_types::Value| match &value.kind {
        Some(Kind::StringValue(text)) => json!(text),
        Some(Kind::BoolValue(is_so)) => json!(is_so),
        Some(Kind::StructValue(inner)) => object(inner).into(),
        Some(Kind::ListValue(list)) => json!(list.values.len()),
        _ => json!(null),
    };
    let fields = detail.fields.iter();
    fields.map(|(name, inner)| (name.clone(), value(inner))).collect()
}

async fn send_group(harness: &Harness, directory: &Directory, name: &str) -> DirectoryGroup {
    let directory = stored(harness, directory).await;
    let profile = group::Profile {
        display_name: name.to_owned(),
        external_id: None,
        detail: json!({ "displayName": name }).as_object().unwrap().clone(),
    };
    harness
        .tx(async |tx, at| group::insert(tx, at, &directory, &profile).await)
        .await
}

#[tokio::test]
async fn a_new_directory_is_enabled_and_empty() {
    on_each_engine(async |harness| {
        let organization_id = company(&harness).await;
        let first = create(&harness, &organization_id).await;
        let second = create(&harness, &organization_id).await;
        assert!(first.id.starts_with("dir_") && first.enabled);
        assert_eq!(first.directory_type(), wire::DirectoryType::Scim);
        assert_eq!(first.directory_provider(), wire::DirectoryProvider::PingIdentity);
        assert_eq!(
            (first.name.as_str(), first.status.as_str()),
            ("Ping Identity", "DRAFT")
        );
        assert_eq!(
            first.directory_endpoint,
            format!("https://auth.acme.test/directory/{}/scim/v2", first.id)
        );
        assert_eq!((first.total_users, first.secrets.len()), (0, 0));
        assert_eq!(get(&harness, &first).await.unwrap(), first);
        let request = ListDirectoriesRequest {
            organization_id: organization_id.to_string(),
        };
        let listed = api(&harness)
            .list_directories(request)
            .await
            .unwrap()
            .into_inner();
        // The oldest comes first.
        assert_eq!(listed.directories, [first, second]);
    })
    .await;
}

#[tokio::test]
async fn an_enabled_directory_is_not_deleted() {
    on_each_engine(async |harness| {
        let directory = create(&harness, &company(&harness).await).await;
        let refused = api(&harness)
            .delete_directory(delete(&directory))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains("directory is enabled"), "{refused:?}");
        assert!(refused.message().contains("disable"), "{refused:?}");
        for _ in 0..2 {
            let answer = api(&harness).disable_directory(toggle(&directory)).await.unwrap();
            assert!(!answer.into_inner().enabled);
        }
        assert!(!get(&harness, &directory).await.unwrap().enabled);
        let answer = api(&harness).enable_directory(toggle(&directory)).await.unwrap();
        assert!(answer.into_inner().enabled);
        api(&harness).disable_directory(toggle(&directory)).await.unwrap();
        api(&harness).delete_directory(delete(&directory)).await.unwrap();
        let gone = api(&harness)
            .delete_directory(delete(&directory))
            .await
            .unwrap_err();
        assert_eq!(gone.code(), Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn a_secret_is_shown_once_and_a_regenerated_one_replaces_all() {
    on_each_engine(async |harness| {
        let directory = create(&harness, &company(&harness).await).await;
        let request = CreateDirectorySecretRequest {
            organization_id: directory.organization_id.clone(),
            directory_id: directory.id.clone(),
        };
        let created = api(&harness)
            .create_directory_secret(request.clone())
            .await
            .unwrap()
            .into_inner();
        let secret = created.secret.unwrap();
        assert!(secret.id.starts_with("sec_"));
        assert_eq!(secret.directory_id, directory.id);
        assert!(created.plain_secret.ends_with(&secret.secret_suffix));
        let shown = get(&harness, &directory).await.unwrap();
        assert_eq!(shown.secrets, std::slice::from_ref(&secret));
        assert_eq!(shown.status, "IN_PROGRESS");
        let id = DirectoryId::parse(&directory.id).unwrap();
        let opens = async |plain: &str| {
            let hash = SecretHash::of(plain.as_bytes());
            harness
                .tx(async |tx, at| secret::verify(tx, at.now, &id, &hash).await)
                .await
        };
        assert!(opens(&created.plain_secret).await);

        api(&harness)
            .create_directory_secret(request.clone())
            .await
            .unwrap();
        let refused = api(&harness).create_directory_secret(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
        let request = RegenerateDirectorySecretRequest {
            organization_id: directory.organization_id.clone(),
            directory_id: directory.id.clone(),
        };
        let renewed = api(&harness)
            .regenerate_directory_secret(request)
            .await
            .unwrap()
            .into_inner();
        assert!(!opens(&created.plain_secret).await);
        assert!(opens(&renewed.plain_secret).await);
        assert_eq!(get(&harness, &directory).await.unwrap().secrets.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn name_provider_and_attributes_change() {
    on_each_engine(async |harness| {
        let directory = create(&harness, &company(&harness).await).await;
        let request = UpdateDirectoryRequest {
            id: directory.id.clone(),
            organization_id: directory.organization_id.clone(),
            directory: Some(UpdateDirectory {
                name: "Acme people".to_owned(),
                directory_provider: wire::DirectoryProvider::Jumpcloud.into(),
                status: wire::DirectoryStatus::Completed.into(),
                mappings: vec![DirectoryMapping {
                    key: "department".to_owned(),
                    map_to: "team".to_owned(),
                    display_name: "Team".to_owned(),
                }],
                ..UpdateDirectory::default()
            }),
        };
        let updated = api(&harness)
            .update_directory(request)
            .await
            .unwrap()
            .into_inner()
            .directory
            .unwrap();
        assert_eq!(
            (updated.name.as_str(), updated.status.as_str()),
            ("Acme people", "COMPLETED")
        );
        assert_eq!(updated.directory_provider(), wire::DirectoryProvider::Jumpcloud);
        assert!(updated.enabled, "only enabling and disabling changes that");
        let request = UpdateAttributesRequest {
            organization_id: directory.organization_id.clone(),
            id: directory.id.clone(),
            attribute_mapping: Some(AttributeMappings {
                attributes: vec![AttributeMapping {
                    key: "costCenter".to_owned(),
                    map_to: "cost_center".to_owned(),
                }],
            }),
        };
        let mappings = api(&harness)
            .update_attributes(request)
            .await
            .unwrap()
            .into_inner()
            .attribute_mappings;
        assert_eq!(mappings.as_ref().unwrap().attributes[0].key, "costCenter");
        assert_eq!(
            get(&harness, &directory).await.unwrap().attribute_mappings,
            mappings
        );
    })
    .await;
}

#[tokio::test]
async fn people_come_in_pages_with_their_groups_and_details_where_wanted() {
    on_each_engine(async |harness| {
        let directory = create(&harness, &company(&harness).await).await;
        let group = send_group(&harness, &directory, "Engineers").await;
        let mut ids = Vec::new();
        for number in 0..3 {
            harness.wait(Duration::from_secs(10));
            let into = (number == 1).then_some(&group);
            ids.push(send(&harness, &directory, &format!("p{number}@acme.test"), into).await);
        }
        ids.reverse();
        let ids: Vec<String> = ids.into_iter().map(|user| user.id.to_string()).collect();
        let base = ListDirectoryUsersRequest {
            organization_id: directory.organization_id.clone(),
            directory_id: directory.id.clone(),
            page_size: 2,
            ..ListDirectoryUsersRequest::default()
        };
        let list = async |request| {
            api(&harness)
                .list_directory_users(request)
                .await
                .unwrap()
                .into_inner()
        };
        let of = |users: &[wire::DirectoryUser]| users.iter().map(|user| user.id.clone()).collect::<Vec<_>>();
        let first = list(base.clone()).await;
        assert_eq!((of(&first.users), first.total_size), (ids[..2].to_vec(), 3));
        assert_eq!(first.users[1].groups[0].display_name, "Engineers");
        assert_eq!(first.users[1].preferred_username, "p1@acme.test");
        assert_eq!(first.users[1].user_detail, None);
        let next = ListDirectoryUsersRequest {
            page_token: first.next_page_token,
            include_detail: Some(true),
            ..base.clone()
        };
        let second = list(next).await;
        assert_eq!(
            (of(&second.users), second.next_page_token.as_str()),
            (ids[2..].to_vec(), "")
        );
        let person = &second.users[0];
        let detail = object(person.user_detail.as_ref().unwrap());
        assert_eq!(detail["id"], json!(person.id));
        assert_eq!(detail["email"], json!("p0@acme.test"));
        assert_eq!(detail["preferred_username"], json!("p0@acme.test"));
        assert_eq!(
            (&detail["name"], &detail["given_name"]),
            (&json!("Ada"), &json!("Ada"))
        );
        assert_eq!(detail["active"], json!(true));
        // The provider's own attributes stand apart from ours, under its names.
        assert_eq!(detail["raw_attributes"], json!({ "department": "Engines" }));
        assert_eq!(detail.get("family_name"), None);
        let in_group = ListDirectoryUsersRequest {
            directory_group_id: Some(group.id.to_string()),
            ..base.clone()
        };
        assert_eq!(of(&list(in_group).await.users), ids[1..2]);
        let recent = ListDirectoryUsersRequest {
            updated_after: first.users[1].updated_at,
            ..base.clone()
        };
        let recent = list(recent).await;
        assert_eq!((of(&recent.users), recent.total_size), (ids[..1].to_vec(), 1));
        let shown = get(&harness, &directory).await.unwrap();
        assert_eq!((shown.total_users, shown.total_groups), (3, 1));
        assert_eq!(shown.status, "COMPLETED");
    })
    .await;
}

#[tokio::test]
async fn groups_come_in_pages_and_as_a_summary() {
    on_each_engine(async |harness| {
        let directory = create(&harness, &company(&harness).await).await;
        for name in ["A", "B", "C"] {
            send_group(&harness, &directory, name).await;
        }
        let request = ListDirectoryGroupsRequest {
            organization_id: directory.organization_id.clone(),
            directory_id: directory.id.clone(),
            page_size: 2,
            include_detail: Some(true),
            ..ListDirectoryGroupsRequest::default()
        };
        let page = api(&harness)
            .list_directory_groups(request)
            .await
            .unwrap()
            .into_inner();
        let names = |groups: &[wire::DirectoryGroup]| -> String {
            groups.iter().map(|group| group.display_name.as_str()).collect()
        };
        assert_eq!((names(&page.groups).as_str(), page.total_size), ("CB", 3));
        let detail = object(page.groups[0].group_detail.as_ref().unwrap());
        assert_eq!(detail["id"], json!(page.groups[0].id));
        assert_eq!(detail["display_name"], json!("C"));
        assert_eq!(detail["raw_attributes"], json!({ "displayName": "C" }));
        let request = ListDirectoryGroupsSummaryRequest {
            organization_id: directory.organization_id.clone(),
            directory_id: directory.id.clone(),
        };
        let summary = api(&harness)
            .list_directory_groups_summary(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(names(&summary.groups), "CBA");
    })
    .await;
}

#[tokio::test]
async fn groups_give_roles_of_the_organization() {
    on_each_engine(async |harness| {
        let directory = create(&harness, &company(&harness).await).await;
        let group = send_group(&harness, &directory, "Engineers").await;
        let assign = async |group_id: &str, role_name: &str| {
            let request = AssignRolesRequest {
                organization_id: directory.organization_id.clone(),
                id: directory.id.clone(),
                role_assignments: Some(RoleAssignments {
                    assignments: vec![RoleAssignment {
                        group_id: group_id.to_owned(),
                        role_name: role_name.to_owned(),
                        role_id: String::new(),
                    }],
                }),
            };
            Ok::<_, Status>(
                api(&harness)
                    .assign_roles(request)
                    .await?
                    .into_inner()
                    .role_assignments
                    .unwrap(),
            )
        };
        let assigned = assign(group.id.as_str(), "admin").await.unwrap();
        assert_eq!(assigned.assignments[0].role_name, "admin");
        assert!(assigned.assignments[0].role_id.starts_with("role_"));
        assert_eq!(
            get(&harness, &directory).await.unwrap().role_assignments,
            Some(assigned)
        );
        let unknown = assign(group.id.as_str(), "nobody").await.unwrap_err();
        assert_eq!(
            (unknown.code(), unknown.message()),
            (Code::NotFound, "role not found")
        );
        let unknown = assign("dirgroup_1", "admin").await.unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn what_a_scim_directory_cannot_do_is_said_in_a_sentence() {
    let harness = Harness::start().await;
    let organization_id = company(&harness).await;
    let directory = create(&harness, &organization_id).await;
    let request = TriggerDirectorySyncRequest {
        directory_id: directory.id.clone(),
        organization_id: directory.organization_id.clone(),
    };
    let refused = api(&harness).trigger_directory_sync(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let request = AssignGroupsForDirectoryRequest {
        id: directory.id.clone(),
        organization_id: directory.organization_id.clone(),
        external_ids: vec!["g1".to_owned()],
    };
    let refused = api(&harness)
        .assign_groups_for_directory(request)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let request = CreateDirectoryRequest {
        organization_id: organization_id.to_string(),
        directory: Some(CreateDirectory {
            directory_type: wire::DirectoryType::Ldap.into(),
            directory_provider: 0,
        }),
    };
    let refused = api(&harness).create_directory(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(
        refused.message().contains("LDAP directories are not served"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn another_organizations_directory_is_not_found_by_any_method() {
    let harness = Harness::start().await;
    let own = create(&harness, &company(&harness).await).await;
    let other = company(&harness).await;
    let foreign = Directory {
        organization_id: other.to_string(),
        ..own.clone()
    };
    let (organization_id, id) = (foreign.organization_id.clone(), foreign.id.clone());
    let mut api = api(&harness);
    let refusals = [
        get(&harness, &foreign).await.unwrap_err(),
        api.enable_directory(toggle(&foreign)).await.unwrap_err(),
        api.disable_directory(toggle(&foreign)).await.unwrap_err(),
        api.delete_directory(delete(&foreign)).await.unwrap_err(),
        api.create_directory_secret(CreateDirectorySecretRequest {
            organization_id: organization_id.clone(),
            directory_id: id.clone(),
        })
        .await
        .unwrap_err(),
        api.regenerate_directory_secret(RegenerateDirectorySecretRequest {
            organization_id: organization_id.clone(),
            directory_id: id.clone(),
        })
        .await
        .unwrap_err(),
        api.list_directory_users(ListDirectoryUsersRequest {
            organization_id: organization_id.clone(),
            directory_id: id.clone(),
            ..ListDirectoryUsersRequest::default()
        })
        .await
        .unwrap_err(),
        api.list_directory_groups(ListDirectoryGroupsRequest {
            organization_id: organization_id.clone(),
            directory_id: id.clone(),
            ..ListDirectoryGroupsRequest::default()
        })
        .await
        .unwrap_err(),
        api.list_directory_groups_summary(ListDirectoryGroupsSummaryRequest {
            organization_id: organization_id.clone(),
            directory_id: id.clone(),
        })
        .await
        .unwrap_err(),
        api.assign_roles(AssignRolesRequest {
            organization_id,
            id,
            role_assignments: None,
        })
        .await
        .unwrap_err(),
    ];
    for refused in refusals {
        assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
        assert_eq!(error_info(&refused).error_code, "RESOURCE_NOT_FOUND");
    }
    assert_eq!(get(&harness, &own).await.unwrap(), own);
}
