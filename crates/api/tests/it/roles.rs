//! Roles and permissions, called through every check.

use genkan_contract::scalekit::v1::roles::roles_service_client::RolesServiceClient;
use genkan_contract::scalekit::v1::roles::{
    AddPermissionsToRoleRequest, CreateOrganizationRole, CreateOrganizationRoleRequest, CreatePermission,
    CreatePermissionRequest, CreateRole, CreateRoleRequest, DeleteOrganizationRoleBaseRequest,
    DeleteOrganizationRoleRequest, DeletePermissionRequest, DeleteRoleBaseRequest, DeleteRoleRequest,
    GetOrganizationRoleRequest, GetOrganizationRoleUsersCountRequest, GetPermissionRequest, GetRoleRequest,
    GetRoleUsersCountRequest, ListDependentRolesRequest, ListEffectiveRolePermissionsRequest,
    ListOrganizationRolesRequest, ListPermissionsRequest, ListRolePermissionsRequest, ListRolesRequest,
    Permission, PermissionType, RemovePermissionFromRoleRequest, Role, UpdateDefaultOrganizationRolesRequest,
    UpdateDefaultRole, UpdateDefaultRolesRequest, UpdateOrganizationRoleRequest, UpdatePermissionRequest,
    UpdateRole, UpdateRoleRequest,
};
use genkan_protocol::EmailAddress;
use genkan_store::event::{self, Filter};
use genkan_store::organization::{self, Organization};
use genkan_store::user::{self, User};
use genkan_store::{OrganizationId, Page, UserId, membership};
use tonic::{Code, Status};

use crate::support::{Harness, InMemory, error_info, on_each_engine};

/// The service, with short words for what the tests do often.
struct Roles {
    harness: Harness,
    client: RolesServiceClient<InMemory>,
}

impl Roles {
    fn of(harness: Harness) -> Self {
        Self {
            client: RolesServiceClient::new(harness.client()),
            harness,
        }
    }

    fn client(&self) -> RolesServiceClient<InMemory> {
        self.client.clone()
    }

    async fn create(&self, name: &str, extends: Option<&str>, permissions: &[&str]) -> Result<Role, Status> {
        let role = CreateRole {
            name: name.to_owned(),
            display_name: format!("The {name}"),
            description: Some(format!("Is a {name}")),
            extends: extends.map(str::to_owned),
            permissions: owned(permissions),
            ..CreateRole::default()
        };
        let request = CreateRoleRequest { role: Some(role) };
        let answer = self.client().create_role(request).await?;
        Ok(answer.into_inner().role.unwrap())
    }

    async fn create_in(
        &self,
        org: &OrganizationId,
        name: &str,
        extends: Option<&str>,
    ) -> Result<Role, Status> {
        let role = CreateOrganizationRole {
            name: name.to_owned(),
            display_name: format!("The {name}"),
            extends: extends.map(str::to_owned),
            ..CreateOrganizationRole::default()
        };
        let request = CreateOrganizationRoleRequest {
            org_id: org.to_string(),
            role: Some(role),
        };
        let answer = self.client().create_organization_role(request).await?;
        Ok(answer.into_inner().role.unwrap())
    }

    async fn get(&self, name: &str, include: &str) -> Result<Role, Status> {
        let request = GetRoleRequest {
            role_name: name.to_owned(),
            include: Some(include.to_owned()),
        };
        Ok(self.client().get_role(request).await?.into_inner().role.unwrap())
    }

    async fn get_in(&self, org: &OrganizationId, name: &str) -> Result<Role, Status> {
        let request = GetOrganizationRoleRequest {
            org_id: org.to_string(),
            role_name: name.to_owned(),
            include: Some("permissions:all".to_owned()),
        };
        let answer = self.client().get_organization_role(request).await?;
        Ok(answer.into_inner().role.unwrap())
    }

    async fn update(&self, name: &str, change: UpdateRole) -> Result<Role, Status> {
        let request = UpdateRoleRequest {
            role_name: name.to_owned(),
            role: Some(change),
        };
        Ok(self
            .client()
            .update_role(request)
            .await?
            .into_inner()
            .role
            .unwrap())
    }

    async fn delete(&self, name: &str, reassign: Option<&str>) -> Result<(), Status> {
        let request = DeleteRoleRequest {
            role_name: name.to_owned(),
            reassign_role_name: reassign.map(str::to_owned),
            ..DeleteRoleRequest::default()
        };
        self.client().delete_role(request).await.map(|_| ())
    }

    async fn delete_in(
        &self,
        org: &OrganizationId,
        name: &str,
        reassign: Option<&str>,
    ) -> Result<(), Status> {
        let request = DeleteOrganizationRoleRequest {
            org_id: org.to_string(),
            role_name: name.to_owned(),
            reassign_role_name: reassign.map(str::to_owned),
        };
        self.client().delete_organization_role(request).await.map(|_| ())
    }

    async fn names_in(&self, org: &OrganizationId) -> Vec<String> {
        let request = ListOrganizationRolesRequest {
            org_id: org.to_string(),
            include: None,
        };
        let answer = self.client().list_organization_roles(request).await.unwrap();
        answer
            .into_inner()
            .roles
            .into_iter()
            .map(|role| role.name)
            .collect()
    }

    async fn permit(&self, name: &str) -> Result<Permission, Status> {
        let permission = CreatePermission {
            name: name.to_owned(),
            description: format!("May {name}"),
        };
        let request = CreatePermissionRequest {
            permission: Some(permission),
        };
        let answer = self.client().create_permission(request).await?;
        Ok(answer.into_inner().permission.unwrap())
    }

    async fn organization(&self, name: &str) -> OrganizationId {
        let at = self.harness.at();
        let organization = Organization::new(at.id(), name.to_owned(), at.now);
        self.harness
            .tx(async |tx, at| organization::insert(tx, at, &organization).await)
            .await;
        organization.id
    }

    /// A member with these roles.
    async fn member(&self, org: &OrganizationId, address: &str, roles: &[&str]) -> UserId {
        let at = self.harness.at();
        let user = User::new(at.id(), EmailAddress::parse(address).unwrap(), at.now);
        let roles = owned(roles);
        self.harness
            .tx(async |tx, at| {
                user::insert(tx, at, &user).await?;
                membership::insert(tx, at, org, &user.id).await?;
                membership::set_roles(tx, at, org, &user.id, &roles).await
            })
            .await;
        user.id
    }

    async fn roles_of(&self, org: &OrganizationId, user: &UserId) -> Vec<String> {
        self.harness
            .tx(async |tx, _| membership::roles_of(tx, org, user).await)
            .await
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The permissions of a role, each with the role that it comes from.
fn shown(role: &Role) -> Vec<(&str, &str)> {
    let each = role.permissions.iter();
    each.map(|held| (held.name.as_str(), held.role_name.as_str()))
        .collect()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, words: &str) {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), code, "{status:?}");
    assert!(status.message().contains(words), "{:?}", status.message());
    assert!(!error_info(&status).error_code.is_empty());
}

#[tokio::test]
async fn a_role_is_created_read_changed_and_deleted() {
    on_each_engine(async |harness| {
        let roles = Roles::of(harness);
        roles.permit("read").await.unwrap();
        roles.permit("write").await.unwrap();
        let created = roles
            .create("clerk", None, &["write", "read", "read"])
            .await
            .unwrap();
        assert!(created.id.starts_with("role_"));
        assert_eq!(shown(&created), [("read", "clerk"), ("write", "clerk")]);
        assert_eq!((created.extends.clone(), created.is_org_role), (None, false));
        let read = roles.get("clerk", "").await.unwrap();
        assert_eq!(
            read,
            Role {
                permissions: Vec::new(),
                ..created.clone()
            }
        );
        assert_eq!(roles.get("clerk", "permissions").await.unwrap(), created);

        let change = UpdateRole {
            display_name: Some("Clerk".to_owned()),
            ..UpdateRole::default()
        };
        let changed = roles.update("clerk", change).await.unwrap();
        let expected = Role {
            display_name: "Clerk".to_owned(),
            ..created
        };
        assert_eq!(changed, expected, "what is left out stays");
        let change = UpdateRole {
            description: Some("Keeps books".to_owned()),
            permissions: owned(&["read"]),
            ..UpdateRole::default()
        };
        let changed = roles.update("clerk", change).await.unwrap();
        assert_eq!(changed.description, "Keeps books");
        assert_eq!(shown(&changed), [("read", "clerk")]);

        roles.delete("clerk", None).await.unwrap();
        for answer in [
            roles.get("clerk", "").await,
            roles.update("clerk", UpdateRole::default()).await,
        ] {
            refused(answer, Code::NotFound, "role not found");
        }
        refused(
            roles.delete("clerk", None).await,
            Code::NotFound,
            "role not found",
        );
    })
    .await;
}

/// A customer's administrator decides what the provider says.
#[tokio::test]
async fn providers_may_give_a_role_of_the_environment_only_if_somebody_says_so() {
    on_each_engine(async |harness| {
        let roles = Roles::of(harness);
        let created = roles.create("clerk", None, &[]).await.unwrap();
        assert!(!created.assignable_by_providers);
        let mark = |assignable_by_providers| UpdateRole {
            assignable_by_providers,
            ..UpdateRole::default()
        };
        let marked = roles.update("clerk", mark(Some(true))).await.unwrap();
        assert!(marked.assignable_by_providers);
        let renamed = UpdateRole {
            display_name: Some("Clerk".to_owned()),
            ..UpdateRole::default()
        };
        assert!(
            roles
                .update("clerk", renamed)
                .await
                .unwrap()
                .assignable_by_providers
        );
        let unmarked = roles.update("clerk", mark(Some(false))).await.unwrap();
        assert!(!unmarked.assignable_by_providers);

        // An organization's own roles are its provider's to give in any case.
        let acme = roles.organization("Acme").await;
        let own = roles.create_in(&acme, "auditor", None).await.unwrap();
        assert!(own.assignable_by_providers);
        let request = UpdateOrganizationRoleRequest {
            org_id: acme.to_string(),
            role_name: "auditor".to_owned(),
            role: Some(mark(Some(false))),
        };
        let answer = roles.client().update_organization_role(request).await;
        refused(
            answer.map(tonic::Response::into_inner),
            Code::InvalidArgument,
            "role.assignable_by_providers",
        );
    })
    .await;
}

#[tokio::test]
async fn what_a_role_must_not_be_is_a_bad_request_that_names_the_field() {
    let roles = Roles::of(Harness::start().await);
    let acme = roles.organization("Acme").await;
    refused(roles.create("", None, &[]).await, Code::InvalidArgument, "name");
    refused(
        roles.create("a b", None, &[]).await,
        Code::InvalidArgument,
        "role.name",
    );
    refused(
        roles.create("member", None, &[]).await,
        Code::InvalidArgument,
        "already exists",
    );
    refused(
        roles.create_in(&acme, "member", None).await,
        Code::InvalidArgument,
        "already exists",
    );
    refused(
        roles.create("a", Some("nobody"), &[]).await,
        Code::InvalidArgument,
        "role.extends",
    );
    refused(
        roles.create("a", None, &["fly"]).await,
        Code::InvalidArgument,
        "role.permissions: there is no permission fly",
    );
    refused(
        roles.get("member", "everything").await,
        Code::InvalidArgument,
        "include",
    );
    roles.create("a", None, &[]).await.unwrap();
    roles.create("b", Some("a"), &[]).await.unwrap();
    let circle = UpdateRole {
        extends: Some("b".to_owned()),
        ..UpdateRole::default()
    };
    refused(
        roles.update("a", circle).await,
        Code::InvalidArgument,
        "role.extends: the role would extend itself",
    );
    let missing = roles.client().create_role(CreateRoleRequest::default()).await;
    refused(missing, Code::InvalidArgument, "role: is required");
}

#[tokio::test]
async fn permissions_are_inherited_and_named_after_where_they_come_from() {
    on_each_engine(async |harness| {
        let roles = Roles::of(harness);
        let acme = roles.organization("Acme").await;
        for name in ["read", "write", "audit"] {
            roles.permit(name).await.unwrap();
        }
        roles.create("reader", None, &["read"]).await.unwrap();
        let writer = roles.create("writer", Some("reader"), &["write"]).await.unwrap();
        assert_eq!(writer.extends.as_deref(), Some("reader"));
        roles.create_in(&acme, "auditor", Some("writer")).await.unwrap();
        let change = UpdateOrganizationRoleRequest {
            org_id: acme.to_string(),
            role_name: "auditor".to_owned(),
            role: Some(UpdateRole {
                permissions: owned(&["audit", "read"]),
                ..UpdateRole::default()
            }),
        };
        let auditor = roles.client().update_organization_role(change).await.unwrap();
        let auditor = auditor.into_inner().role.unwrap();
        assert!(auditor.is_org_role);
        assert_eq!(shown(&auditor), [("audit", "auditor"), ("read", "auditor")]);

        let all = [("audit", "auditor"), ("read", "auditor"), ("write", "writer")];
        assert_eq!(shown(&roles.get_in(&acme, "auditor").await.unwrap()), all);
        let writer = roles.get("writer", "permissions:all").await.unwrap();
        assert_eq!(shown(&writer), [("read", "reader"), ("write", "writer")]);
        assert_eq!(
            shown(&roles.get("writer", "permissions").await.unwrap()),
            [("write", "writer")]
        );

        let request = ListRolesRequest {
            include: Some("permissions:all".to_owned()),
        };
        let listed = roles
            .client()
            .list_roles(request)
            .await
            .unwrap()
            .into_inner()
            .roles;
        let names: Vec<_> = listed
            .iter()
            .map(|role| (role.name.as_str(), role.permissions.len()))
            .collect();
        assert_eq!(names, [("admin", 0), ("member", 0), ("reader", 1), ("writer", 2)]);
        let request = ListEffectiveRolePermissionsRequest {
            role_name: "writer".to_owned(),
        };
        let effective = roles
            .client()
            .list_effective_role_permissions(request)
            .await
            .unwrap();
        let names: Vec<_> = effective
            .into_inner()
            .permissions
            .into_iter()
            .map(|held| held.name)
            .collect();
        assert_eq!(names, ["read", "write"]);
    })
    .await;
}

#[tokio::test]
async fn a_base_is_counted_listed_and_taken_away() {
    on_each_engine(async |harness| {
        let roles = Roles::of(harness);
        let (acme, other) = (
            roles.organization("Acme").await,
            roles.organization("Other").await,
        );
        roles.create("base", None, &[]).await.unwrap();
        roles.create("child", Some("base"), &[]).await.unwrap();
        roles.create_in(&acme, "ours", Some("base")).await.unwrap();
        assert_eq!(roles.get("base", "").await.unwrap().dependent_roles_count, 2);
        assert_eq!(
            roles.get_in(&acme, "base").await.unwrap().dependent_roles_count,
            2
        );
        assert_eq!(
            roles.get_in(&other, "base").await.unwrap().dependent_roles_count,
            1
        );
        let dependents = async || {
            let request = ListDependentRolesRequest {
                role_name: "base".to_owned(),
            };
            let answer = roles.client().list_dependent_roles(request).await.unwrap();
            let dependents = answer.into_inner().roles;
            dependents
                .into_iter()
                .map(|role| (role.name, role.is_org_role))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            dependents().await,
            [("child".to_owned(), false), ("ours".to_owned(), true)]
        );
        refused(
            roles.delete("base", None).await,
            Code::FailedPrecondition,
            "other roles extend it",
        );

        for _ in 0..2 {
            let request = DeleteRoleBaseRequest {
                role_name: "child".to_owned(),
            };
            roles.client().delete_role_base(request).await.unwrap();
            let request = DeleteOrganizationRoleBaseRequest {
                org_id: acme.to_string(),
                role_name: "ours".to_owned(),
            };
            roles
                .client()
                .delete_organization_role_base(request)
                .await
                .unwrap();
        }
        assert_eq!(roles.get("child", "").await.unwrap().extends, None);
        assert_eq!(roles.get_in(&acme, "ours").await.unwrap().extends, None);
        assert_eq!(dependents().await, []);
        roles.delete("base", None).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_role_that_people_have_is_deleted_with_another_in_its_place() {
    on_each_engine(async |harness| {
        let roles = Roles::of(harness);
        let (acme, other) = (
            roles.organization("Acme").await,
            roles.organization("Other").await,
        );
        for name in ["clerk", "teller"] {
            roles.create(name, None, &[]).await.unwrap();
        }
        roles.create_in(&acme, "cashier", None).await.unwrap();
        let ada = roles.member(&acme, "ada@acme.test", &["clerk", "cashier"]).await;
        roles.member(&other, "bob@other.test", &["clerk"]).await;

        let request = GetRoleUsersCountRequest {
            role_name: "clerk".to_owned(),
        };
        let count = roles
            .client()
            .get_role_users_count(request)
            .await
            .unwrap()
            .into_inner()
            .count;
        let request = GetOrganizationRoleUsersCountRequest {
            org_id: acme.to_string(),
            role_name: "clerk".to_owned(),
        };
        let here = roles
            .client()
            .get_organization_role_users_count(request)
            .await
            .unwrap()
            .into_inner()
            .count;
        assert_eq!((count, here), (2, 1));

        let status = roles.delete("clerk", None).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(
            status.message(),
            "role cannot be deleted as it is assigned to users"
        );
        let status = roles.delete_in(&acme, "cashier", None).await.unwrap_err();
        assert_eq!(
            status.message(),
            "role cannot be deleted as it is assigned to users"
        );
        refused(
            roles.delete("clerk", Some("nobody")).await,
            Code::NotFound,
            "role not found",
        );
        refused(
            roles.delete("clerk", Some("cashier")).await,
            Code::NotFound,
            "role not found",
        );
        refused(
            roles.delete("clerk", Some("clerk")).await,
            Code::InvalidArgument,
            "reassign_role_name",
        );
        roles.delete("clerk", Some("teller")).await.unwrap();
        roles.delete_in(&acme, "cashier", Some("member")).await.unwrap();
        assert_eq!(roles.roles_of(&acme, &ada).await, ["member", "teller"]);

        // Older SDKs name the replacement by its identifier.
        let member = roles.get("member", "").await.unwrap();
        #[expect(deprecated, reason = "this is what is tested")]
        let request = DeleteRoleRequest {
            role_name: "teller".to_owned(),
            reassign_role_id: Some(member.id),
            reassign_role_name: None,
        };
        roles.client().delete_role(request).await.unwrap();
        assert_eq!(roles.roles_of(&acme, &ada).await, ["member"]);
    })
    .await;
}

#[tokio::test]
async fn an_organizations_roles_are_its_own() {
    on_each_engine(async |harness| {
        let roles = Roles::of(harness);
        let (acme, other) = (
            roles.organization("Acme").await,
            roles.organization("Other").await,
        );
        let created = roles.create_in(&acme, "clerk", Some("member")).await.unwrap();
        assert!(created.is_org_role);
        assert_eq!(roles.names_in(&acme).await, ["admin", "clerk", "member"]);
        assert_eq!(roles.names_in(&other).await, ["admin", "member"]);
        assert_eq!(roles.get_in(&acme, "clerk").await.unwrap(), created);
        assert!(!roles.get_in(&other, "member").await.unwrap().is_org_role);

        let nowhere = OrganizationId::parse("org_1").unwrap();
        for org in [&other, &nowhere] {
            let change = UpdateOrganizationRoleRequest {
                org_id: org.to_string(),
                role_name: "clerk".to_owned(),
                role: Some(UpdateRole::default()),
            };
            let base = DeleteOrganizationRoleBaseRequest {
                org_id: org.to_string(),
                role_name: "clerk".to_owned(),
            };
            let count = GetOrganizationRoleUsersCountRequest {
                org_id: org.to_string(),
                role_name: "clerk".to_owned(),
            };
            let default = UpdateDefaultOrganizationRolesRequest {
                org_id: org.to_string(),
                default_member_role: "clerk".to_owned(),
            };
            let mut client = roles.client();
            refused(roles.get_in(org, "clerk").await, Code::NotFound, "not found");
            refused(
                roles.delete_in(org, "clerk", None).await,
                Code::NotFound,
                "not found",
            );
            refused(
                client.update_organization_role(change).await,
                Code::NotFound,
                "not found",
            );
            refused(
                client.delete_organization_role_base(base).await,
                Code::NotFound,
                "not found",
            );
            refused(
                client.get_organization_role_users_count(count).await,
                Code::NotFound,
                "not found",
            );
            refused(
                client.update_default_organization_roles(default).await,
                Code::NotFound,
                "not found",
            );
        }
        refused(
            roles.create_in(&nowhere, "spy", None).await,
            Code::NotFound,
            "organization not found",
        );
        refused(roles.get("clerk", "").await, Code::NotFound, "role not found");
        refused(
            roles.delete("clerk", None).await,
            Code::NotFound,
            "role not found",
        );
        // The environment's roles are not an organization's to change.
        refused(
            roles.delete_in(&acme, "member", None).await,
            Code::NotFound,
            "role not found",
        );
    })
    .await;
}

#[tokio::test]
async fn the_default_roles_are_set_together_or_alone() {
    on_each_engine(async |harness| {
        let roles = Roles::of(harness);
        let acme = roles.organization("Acme").await;
        roles.create("guest", None, &[]).await.unwrap();
        let set = async |request: UpdateDefaultRolesRequest| {
            let answer = roles.client().update_default_roles(request).await?.into_inner();
            Ok::<_, Status>((
                answer.default_creator.unwrap().name,
                answer.default_member.unwrap().name,
            ))
        };
        let pair = |creator: &str, member: &str| (creator.to_owned(), member.to_owned());
        let nothing = UpdateDefaultRolesRequest::default();
        assert_eq!(set(nothing.clone()).await.unwrap(), pair("admin", "member"));
        let member = UpdateDefaultRolesRequest {
            default_member_role: Some("guest".to_owned()),
            ..nothing.clone()
        };
        assert_eq!(set(member).await.unwrap(), pair("admin", "guest"));
        #[expect(deprecated, reason = "older SDKs send it")]
        let by_id = UpdateDefaultRolesRequest {
            default_creator: Some(UpdateDefaultRole {
                id: roles.get("member", "").await.unwrap().id,
                name: None,
            }),
            ..nothing.clone()
        };
        assert_eq!(set(by_id).await.unwrap(), pair("member", "guest"));
        let unknown = UpdateDefaultRolesRequest {
            default_creator_role: Some("nobody".to_owned()),
            default_member_role: Some("member".to_owned()),
            ..nothing.clone()
        };
        refused(set(unknown).await, Code::NotFound, "role not found");
        assert_eq!(
            set(nothing).await.unwrap(),
            pair("member", "guest"),
            "half a change was kept"
        );
        refused(
            roles.delete("guest", None).await,
            Code::FailedPrecondition,
            "new members get it",
        );

        roles.create_in(&acme, "clerk", None).await.unwrap();
        let request = UpdateDefaultOrganizationRolesRequest {
            org_id: acme.to_string(),
            default_member_role: "clerk".to_owned(),
        };
        let answer = roles
            .client()
            .update_default_organization_roles(request)
            .await
            .unwrap();
        let default = answer.into_inner().default_member.unwrap();
        assert_eq!((default.name.as_str(), default.default_member), ("clerk", true));
        assert!(!roles.get_in(&acme, "guest").await.unwrap().default_member);
        assert!(roles.get("guest", "").await.unwrap().default_member);
        roles.delete_in(&acme, "clerk", None).await.unwrap();
        assert!(roles.get_in(&acme, "guest").await.unwrap().default_member);
    })
    .await;
}

#[tokio::test]
async fn permissions_are_created_read_changed_and_deleted() {
    on_each_engine(async |harness| {
        let roles = Roles::of(harness);
        let created = roles.permit("invoices:read").await.unwrap();
        assert!(created.id.starts_with("perm_"));
        assert!(created.create_time.is_some() && !created.is_scalekit_permission);
        refused(
            roles.permit("invoices:read").await,
            Code::InvalidArgument,
            "already exists",
        );
        refused(
            roles.permit("invoices read").await,
            Code::InvalidArgument,
            "permission.name",
        );
        let get = async |name: &str| {
            let request = GetPermissionRequest {
                permission_name: name.to_owned(),
            };
            let answer = roles.client().get_permission(request).await?;
            Ok::<_, Status>(answer.into_inner().permission.unwrap())
        };
        assert_eq!(get("invoices:read").await.unwrap(), created);
        let update = async |name: &str, new_name: &str, description: &str| {
            let request = UpdatePermissionRequest {
                permission_name: name.to_owned(),
                permission: Some(CreatePermission {
                    name: new_name.to_owned(),
                    description: description.to_owned(),
                }),
            };
            let answer = roles.client().update_permission(request).await?;
            Ok::<_, Status>(answer.into_inner().permission.unwrap())
        };
        let described = update("invoices:read", "invoices:read", "").await.unwrap();
        assert_eq!(
            (described.id.as_str(), described.description.as_str()),
            (created.id.as_str(), "")
        );
        roles.permit("bills:read").await.unwrap();
        refused(
            update("invoices:read", "bills:read", "").await,
            Code::InvalidArgument,
            "already exists",
        );
        refused(
            update("nothing", "nothing", "").await,
            Code::NotFound,
            "permission not found",
        );

        let delete = async |name: &str| {
            let request = DeletePermissionRequest {
                permission_name: name.to_owned(),
            };
            roles.client().delete_permission(request).await
        };
        delete("invoices:read").await.unwrap();
        refused(
            delete("invoices:read").await,
            Code::NotFound,
            "permission not found",
        );
        refused(get("invoices:read").await, Code::NotFound, "permission not found");
        let filter = Filter::default();
        let events = roles
            .harness
            .tx(async |tx, _| event::list(tx, &filter, &Page::first(1)).await);
        let event = events.await.remove(0);
        assert_eq!(event.kind.as_str(), "permission.deleted");
        assert!(event.actor.unwrap().starts_with("skc_"), "who did it is not told");
    })
    .await;
}

#[tokio::test]
async fn permissions_are_listed_newest_first_in_pages_both_ways() {
    on_each_engine(async |harness| {
        let roles = Roles::of(harness);
        for name in ["a", "b", "c"] {
            roles.permit(name).await.unwrap();
        }
        let list = async |size: u32, token: &str| {
            let request = ListPermissionsRequest {
                page_size: Some(size),
                page_token: Some(token.to_owned()),
                r#type: PermissionType::All.into(),
            };
            let answer = roles.client().list_permissions(request).await?.into_inner();
            let names: Vec<String> = answer.permissions.into_iter().map(|held| held.name).collect();
            Ok::<_, Status>((
                names.concat(),
                answer.next_page_token,
                answer.prev_page_token,
                answer.total_size,
            ))
        };
        let (first, next, previous, total) = list(2, "").await.unwrap();
        assert_eq!((first.as_str(), previous.as_str(), total), ("cb", "", 3));
        let (second, end, back, _) = list(2, &next).await.unwrap();
        assert_eq!((second.as_str(), end.as_str()), ("a", ""));
        assert_eq!(list(2, &back).await.unwrap().0, "cb");
        refused(list(2, "nonsense").await, Code::InvalidArgument, "page_token");
        refused(list(101, "").await, Code::InvalidArgument, "page_size");
        let typed = async |number: i32| {
            let request = ListPermissionsRequest {
                r#type: number,
                ..ListPermissionsRequest::default()
            };
            let answer = roles.client().list_permissions(request).await?.into_inner();
            Ok::<_, Status>(answer.permissions.len())
        };
        let built_in = typed(PermissionType::Scalekit.into()).await.unwrap();
        let ours = typed(PermissionType::Environment.into()).await.unwrap();
        assert_eq!((built_in, ours), (0, 3));
        refused(typed(9).await, Code::InvalidArgument, "type");
    })
    .await;
}

#[tokio::test]
async fn permissions_are_given_to_a_role_and_taken_from_it() {
    on_each_engine(async |harness| {
        let roles = Roles::of(harness);
        for name in ["read", "write"] {
            roles.permit(name).await.unwrap();
        }
        roles.create("base", None, &["read"]).await.unwrap();
        roles.create("clerk", Some("base"), &[]).await.unwrap();
        let add = async |role: &str, names: &[&str]| {
            let request = AddPermissionsToRoleRequest {
                role_name: role.to_owned(),
                permission_names: owned(names),
            };
            let answer = roles.client().add_permissions_to_role(request).await?;
            Ok::<_, Status>(answer.into_inner().permissions.len())
        };
        let take = async |role: &str, name: &str| {
            let request = RemovePermissionFromRoleRequest {
                role_name: role.to_owned(),
                permission_name: name.to_owned(),
            };
            roles.client().remove_permission_from_role(request).await
        };
        let own = async |role: &str| {
            let request = ListRolePermissionsRequest {
                role_name: role.to_owned(),
            };
            let answer = roles.client().list_role_permissions(request).await?.into_inner();
            Ok::<_, Status>(
                answer
                    .permissions
                    .into_iter()
                    .map(|held| held.name)
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(add("clerk", &["write"]).await.unwrap(), 1);
        assert_eq!(add("clerk", &["write", "read"]).await.unwrap(), 2);
        // An unknown name is skipped; a malformed one is refused.
        assert_eq!(add("clerk", &["fly"]).await.unwrap(), 2);
        assert_eq!(add("clerk", &["fly", "read"]).await.unwrap(), 2);
        refused(
            add("clerk", &["non.existent.permission"]).await,
            Code::InvalidArgument,
            "permission_names",
        );
        refused(add("nobody", &["read"]).await, Code::NotFound, "role not found");
        refused(add("clerk", &[]).await, Code::InvalidArgument, "permission_names");
        take("clerk", "read").await.unwrap();
        refused(
            take("clerk", "read").await,
            Code::NotFound,
            "permission of the role itself not found",
        );
        refused(take("clerk", "fly").await, Code::NotFound, "permission not found");
        refused(take("nobody", "read").await, Code::NotFound, "role not found");
        assert_eq!(own("clerk").await.unwrap(), ["write"]);
        refused(own("nobody").await, Code::NotFound, "role not found");
    })
    .await;
}

/// If something is created twice at once, it exists once, and no call gets an internal error.
#[tokio::test]
async fn creations_and_deletions_at_once_end_in_one_of_each() {
    on_each_engine(async |harness| {
        let roles = Roles::of(harness);
        let created = futures_util::future::join_all((0..4).map(|_| roles.create("clerk", None, &[]))).await;
        let deleted = futures_util::future::join_all((0..4).map(|_| roles.delete("clerk", None))).await;
        for (codes, refusal) in [
            (
                created
                    .into_iter()
                    .map(|answer| answer.err().map(|status| status.code()))
                    .collect::<Vec<_>>(),
                Code::InvalidArgument,
            ),
            (
                deleted
                    .into_iter()
                    .map(|answer| answer.err().map(|status| status.code()))
                    .collect(),
                Code::NotFound,
            ),
        ] {
            assert_eq!(codes.iter().filter(|code| code.is_none()).count(), 1, "{codes:?}");
            let busy = [Some(refusal), Some(Code::Unavailable), None];
            assert!(codes.iter().all(|code| busy.contains(code)), "{codes:?}");
        }
    })
    .await;
}
