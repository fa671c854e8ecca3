//! Users, memberships and invitations, called through every check.

use std::collections::BTreeMap;
use std::time::Duration;

use genkan_contract::scalekit::v1::commons::{MembershipStatus, Role};
use genkan_contract::scalekit::v1::users::user_service_client::UserServiceClient;
use genkan_contract::scalekit::v1::users::{
    AssignRoleRequest, AssignUserRolesRequest, CreateMembership, CreateMembershipRequest, CreateUser,
    CreateUserAndMembershipRequest, CreateUserProfile, DeleteMembershipRequest, DeleteUserRequest,
    GetCurrentUserRequest, GetUserRequest, ListUserPermissionsRequest, ListUserRolesRequest,
    ListUsersRequest, RemoveUserRoleRequest, ResendInviteRequest, UpdateMembership, UpdateMembershipRequest,
    UpdateUser, UpdateUserProfile, UpdateUserRequest, User, create_membership_request,
    delete_membership_request, delete_user_request, get_user_request, update_membership_request,
    update_user_request,
};
use genkan_store::mail::{self, Content, Letter, Mail};
use genkan_store::organization::{self, Organization};
use genkan_store::{OrganizationId, UserId, invitation, user};
use tonic::{Code, Status};

use crate::support::{Harness, InMemory, error_info, on_each_engine};

/// An identifier of the right form that names nothing.
const NOBODY: &str = "usr_100000000000000000001";

pub(crate) struct Users {
    pub(crate) harness: Harness,
    client: UserServiceClient<InMemory>,
}

impl Users {
    pub(crate) fn of(harness: Harness) -> Self {
        Self {
            client: UserServiceClient::new(harness.client()),
            harness,
        }
    }

    pub(crate) fn client(&self) -> UserServiceClient<InMemory> {
        self.client.clone()
    }

    pub(crate) async fn organization(&self, name: &str) -> OrganizationId {
        let at = self.harness.at();
        let organization = Organization::new(at.id(), name.to_owned(), at.now);
        self.harness
            .tx(async |tx, at| organization::insert(tx, at, &organization).await)
            .await;
        organization.id
    }

    pub(crate) async fn create_as(
        &self,
        organization_id: &OrganizationId,
        user: CreateUser,
        sends: Option<bool>,
    ) -> Result<User, Status> {
        let request = CreateUserAndMembershipRequest {
            organization_id: organization_id.to_string(),
            user: Some(user),
            send_invitation_email: sends,
        };
        let answer = self.client().create_user_and_membership(request).await?;
        Ok(answer.into_inner().user.unwrap())
    }

    /// An active member.
    pub(crate) async fn create(&self, organization_id: &OrganizationId, email: &str) -> User {
        let created = self.create_as(organization_id, new(email), Some(false)).await;
        created.unwrap()
    }

    pub(crate) async fn get(&self, id: &str) -> Result<User, Status> {
        let request = GetUserRequest {
            identities: Some(get_user_request::Identities::Id(id.to_owned())),
        };
        Ok(self.client().get_user(request).await?.into_inner().user.unwrap())
    }

    pub(crate) async fn join(
        &self,
        organization_id: &OrganizationId,
        user: &User,
        sends: Option<bool>,
    ) -> Result<User, Status> {
        let request = CreateMembershipRequest {
            organization_id: organization_id.to_string(),
            membership: Some(CreateMembership::default()),
            send_invitation_email: sends,
            identities: Some(create_membership_request::Identities::Id(user.id.clone())),
        };
        let answer = self.client().create_membership(request).await?;
        Ok(answer.into_inner().user.unwrap())
    }

    pub(crate) async fn leave(
        &self,
        organization_id: &OrganizationId,
        user: &User,
        cascade: Option<bool>,
    ) -> Result<(), Status> {
        let request = DeleteMembershipRequest {
            organization_id: organization_id.to_string(),
            cascade,
            identities: Some(delete_membership_request::Identities::Id(user.id.clone())),
        };
        self.client().delete_membership(request).await.map(drop)
    }

    pub(crate) async fn list(&self, size: u32, token: &str) -> (Vec<String>, String, String, u32) {
        let request = ListUsersRequest {
            page_size: size,
            page_token: token.to_owned(),
        };
        let page = self.client().list_users(request).await.unwrap().into_inner();
        let emails = page.users.into_iter().map(|user| user.email).collect();
        (
            emails,
            page.next_page_token,
            page.prev_page_token,
            page.total_size,
        )
    }

    /// The secrets of the links in the mails that wait, the newest first.
    pub(crate) async fn links(&self) -> Vec<String> {
        let key = self.harness.instance_key();
        let mails = self.harness.tx(async |tx, _| mail::newest(tx, 10).await).await;
        let link = |mail: &mail::QueuedMail| match mail.open(key).unwrap() {
            Content::Mail(Mail {
                letter: Letter::Invitation { token, .. },
                ..
            }) => token,
            other => panic!("it is an invitation: {other:?}"),
        };
        mails.iter().map(link).collect()
    }
}

fn new(email: &str) -> CreateUser {
    CreateUser {
        email: email.to_owned(),
        ..CreateUser::default()
    }
}

fn status_of(user: &User) -> MembershipStatus {
    user.memberships[0].membership_status()
}

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Status>, code: Code, error_code: &str) -> String {
    let status = result.unwrap_err();
    assert_eq!(status.code(), code, "{status:?}");
    assert_eq!(error_info(&status).error_code, error_code);
    status.message().to_owned()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    owned.collect()
}

#[tokio::test]
#[expect(deprecated, reason = "first_name and last_name mirror the newer names")]
async fn a_user_is_created_with_a_membership_and_read_back() {
    on_each_engine(async |harness| {
        let users = Users::of(harness);
        let acme = users.organization("Acme").await;
        let wanted = CreateUser {
            email: "Ada@Acme.Test".to_owned(),
            external_id: Some("u-1".to_owned()),
            membership: Some(CreateMembership {
                roles: vec![Role {
                    name: "member".to_owned(),
                    ..Role::default()
                }],
                metadata: map(&[("desk", "1A")]),
                inviter_email: Some("grace@acme.test".to_owned()),
            }),
            user_profile: Some(CreateUserProfile {
                first_name: "Ada".to_owned(),
                family_name: "Lovelace".to_owned(),
                locale: "en-GB".to_owned(),
                phone_number: "+44 20 7946 0000".to_owned(),
                preferred_username: "ada".to_owned(),
                picture: Some("https://acme.test/ada.png".to_owned()),
                gender: Some("female".to_owned()),
                groups: vec!["Engines".to_owned()],
                metadata: map(&[("since", "1833")]),
                custom_attributes: map(&[("badge", "7")]),
                ..CreateUserProfile::default()
            }),
            metadata: map(&[("plan", "gold")]),
        };
        let user = users.create_as(&acme, wanted, Some(false)).await.unwrap();
        assert!(user.environment_id.starts_with("env_"), "{user:?}");
        assert_eq!(user.email, "ada@acme.test");
        assert_eq!(user.metadata, map(&[("plan", "gold")]));
        let profile = user.user_profile.clone().unwrap();
        assert_eq!(
            (
                &*profile.given_name,
                &*profile.first_name,
                &*profile.last_name,
                &*profile.name
            ),
            ("Ada", "Ada", "Lovelace", "Ada Lovelace")
        );
        assert_eq!(profile.custom_attributes, map(&[("badge", "7")]));
        assert_eq!(profile.metadata, map(&[("since", "1833")]));
        assert_eq!(profile.groups, ["Engines"]);
        assert!(!profile.email_verified && !profile.phone_number_verified);

        let [membership] = &user.memberships[..] else {
            panic!("one membership: {user:?}")
        };
        assert_eq!(membership.membership_status(), MembershipStatus::Active);
        assert_eq!(membership.organization_id, acme.as_str());
        assert_eq!(membership.name.as_deref(), Some("Acme"));
        assert_eq!(membership.roles[0].name, "member");
        assert_eq!(membership.roles[0].display_name, "Member");
        assert_eq!(membership.metadata, map(&[("desk", "1A")]));
        assert_eq!(membership.inviter_email.as_deref(), Some("grace@acme.test"));
        assert_eq!(membership.provisioning_method.as_deref(), Some("API"));
        assert!(membership.accepted_at.is_some() && membership.expires_at.is_none());

        assert_eq!(users.get(&user.id).await.unwrap(), user);
        let request = GetUserRequest {
            identities: Some(get_user_request::Identities::ExternalId("u-1".to_owned())),
        };
        let found = users.client().get_user(request).await.unwrap().into_inner();
        assert_eq!(found.user, Some(user));
        assert_eq!(users.links().await, [""; 0], "no mail was asked for");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_created_says_why() {
    on_each_engine(async |harness| {
        let users = Users::of(harness);
        let acme = users.organization("Acme").await;
        users.create(&acme, "ada@acme.test").await;
        let create = async |user: CreateUser| users.create_as(&acme, user, Some(false)).await;

        let again = create(new("ADA@acme.test")).await;
        assert!(refused(again, Code::AlreadyExists, "ALREADY_EXISTS").contains("e-mail"));
        let bad = create(new("ada")).await;
        assert!(refused(bad, Code::InvalidArgument, "INVALID_ARGUMENT").contains("user.email"));
        let mut unknown_role = new("bob@acme.test");
        unknown_role.membership = Some(CreateMembership {
            roles: vec![Role {
                name: "emperor".to_owned(),
                ..Role::default()
            }],
            ..CreateMembership::default()
        });
        let refusal = refused(create(unknown_role).await, Code::NotFound, "RESOURCE_NOT_FOUND");
        assert_eq!(refusal, "role \"emperor\" not found");
        let mut nameless_role = new("bob@acme.test");
        nameless_role.membership = Some(CreateMembership {
            roles: vec![Role::default()],
            ..CreateMembership::default()
        });
        let refusal = refused(
            create(nameless_role).await,
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        );
        assert!(
            refusal.contains("name") && refusal.contains("required"),
            "{refusal}"
        );
        let mut long = new("bob@acme.test");
        long.external_id = Some("x".repeat(511));
        refused(create(long).await, Code::InvalidArgument, "INVALID_ARGUMENT");
        let nowhere = users.harness.at().id::<OrganizationId>();
        let nowhere = users.create_as(&nowhere, new("bob@acme.test"), Some(false)).await;
        let refusal = refused(nowhere, Code::NotFound, "RESOURCE_NOT_FOUND");
        assert_eq!(refusal, "organization not found");
        // A refusal leaves nothing behind.
        assert_eq!(users.list(10, "").await.0, ["ada@acme.test"]);
    })
    .await;
}

#[tokio::test]
async fn an_invitation_is_sent_unless_it_is_declined_and_can_be_sent_again() {
    on_each_engine(async |harness| {
        let users = Users::of(harness);
        let acme = users.organization("Acme").await;
        let ada = users.create_as(&acme, new("ada@acme.test"), None).await.unwrap();
        assert_eq!(status_of(&ada), MembershipStatus::PendingInvite);
        assert_eq!(
            ada.memberships[0].provisioning_method.as_deref(),
            Some("INVITATION")
        );
        let expires_at = ada.memberships[0].expires_at.unwrap();
        let created_at = ada.memberships[0].created_at.unwrap();
        assert_eq!(expires_at.seconds - created_at.seconds, 15 * 24 * 3600);
        let first = users.links().await;
        assert_eq!(first.len(), 1);

        users.harness.wait(Duration::from_secs(60));
        let resend = async |id: &str| {
            let request = ResendInviteRequest {
                organization_id: acme.to_string(),
                id: id.to_owned(),
            };
            let answer = users.client().resend_invite(request).await?;
            Ok::<_, Status>(answer.into_inner().invite.unwrap())
        };
        let invite = resend(&ada.id).await.unwrap();
        assert_eq!(invite.status, "PENDING_INVITE");
        assert_eq!(invite.resent_count, 1);
        assert_eq!(invite.created_at, Some(created_at));
        assert_eq!(invite.expires_at.unwrap().seconds - expires_at.seconds, 60);
        assert!(invite.resent_at.is_some());
        let links = users.links().await;
        assert_eq!(links.len(), 2);
        assert_ne!(links[0], links[1]);

        users.harness.wait(invitation::LIFETIME);
        let late = users.get(&ada.id).await.unwrap();
        assert_eq!(status_of(&late), MembershipStatus::InviteExpired);
        assert_eq!(resend(&ada.id).await.unwrap().resent_count, 2);
        let again = users.get(&ada.id).await.unwrap();
        assert_eq!(status_of(&again), MembershipStatus::PendingInvite);

        // It is sent to the address that was invited, and to no other.
        let user_id = UserId::parse(&ada.id).unwrap();
        users
            .harness
            .tx(async |tx, at| {
                let mut moved = user::find(tx, &user_id).await?.unwrap();
                moved.email = genkan_protocol::EmailAddress::parse("mallory@evil.test").unwrap();
                user::update(tx, at, &moved).await
            })
            .await;
        let renamed = resend(&ada.id).await;
        let sentence = renamed.as_ref().unwrap_err().message();
        assert!(
            sentence.contains("sent to ada@acme.test") && sentence.contains("mallory@evil.test now"),
            "{sentence}"
        );
        refused(renamed, Code::FailedPrecondition, "FAILED_PRECONDITION");

        let bob = users.create(&acme, "bob@acme.test").await;
        let accepted = resend(&bob.id).await;
        refused(accepted, Code::FailedPrecondition, "FAILED_PRECONDITION");
        refused(resend(NOBODY).await, Code::NotFound, "RESOURCE_NOT_FOUND");
    })
    .await;
}

#[tokio::test]
#[expect(deprecated, reason = "first_name is written by older clients")]
async fn an_update_changes_what_it_names() {
    on_each_engine(async |harness| {
        let users = Users::of(harness);
        let acme = users.organization("Acme").await;
        let ada = users.create(&acme, "ada@acme.test").await;
        let update = async |user: UpdateUser| {
            let request = UpdateUserRequest {
                update_mask: None,
                user: Some(user),
                identities: Some(update_user_request::Identities::Id(ada.id.clone())),
            };
            let answer = users.client().update_user(request).await?;
            Ok::<_, Status>(answer.into_inner().user.unwrap())
        };
        let named = update(UpdateUser {
            email: None,
            external_id: Some("u-1".to_owned()),
            user_profile: Some(UpdateUserProfile {
                first_name: Some("Ada".to_owned()),
                family_name: Some("King".to_owned()),
                custom_attributes: map(&[("badge", "7")]),
                ..UpdateUserProfile::default()
            }),
            metadata: map(&[("plan", "gold")]),
        })
        .await
        .unwrap();
        let profile = named.user_profile.unwrap();
        assert_eq!((&*profile.given_name, &*profile.last_name), ("Ada", "King"));

        users.harness.wait(Duration::from_secs(1));
        let cleared = update(UpdateUser {
            email: None,
            external_id: Some(String::new()),
            user_profile: Some(UpdateUserProfile {
                family_name: Some(String::new()),
                ..UpdateUserProfile::default()
            }),
            metadata: BTreeMap::new(),
        })
        .await
        .unwrap();
        let profile = cleared.user_profile.clone().unwrap();
        assert_eq!((&*profile.given_name, &*profile.family_name), ("Ada", ""));
        assert_eq!(profile.custom_attributes, map(&[("badge", "7")]));
        assert_eq!(cleared.external_id, None);
        assert_eq!(cleared.metadata, map(&[("plan", "gold")]));
        assert!(cleared.update_time.unwrap().seconds > named.update_time.unwrap().seconds);
        assert_eq!(users.get(&ada.id).await.unwrap(), cleared);

        let mut taken = new("bob@acme.test");
        taken.external_id = Some("u-2".to_owned());
        users.create_as(&acme, taken, Some(false)).await.unwrap();
        let refusal = update(UpdateUser {
            email: None,
            external_id: Some("u-2".to_owned()),
            ..UpdateUser::default()
        })
        .await;
        assert!(refused(refusal, Code::AlreadyExists, "ALREADY_EXISTS").contains("external_id"));
    })
    .await;
}

#[tokio::test]
async fn a_membership_is_made_changed_and_ended() {
    on_each_engine(async |harness| {
        let users = Users::of(harness);
        let (acme, beta) = (users.organization("Acme").await, users.organization("Beta").await);
        let ada = users.create(&acme, "ada@acme.test").await;
        let joined = users.join(&beta, &ada, None).await.unwrap();
        let statuses = |user: &User| {
            let statuses = user.memberships.iter();
            statuses
                .map(|membership| membership.membership_status())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            statuses(&joined),
            [MembershipStatus::Active, MembershipStatus::PendingInvite]
        );
        refused(
            users.join(&beta, &ada, Some(false)).await,
            Code::AlreadyExists,
            "ALREADY_EXISTS",
        );

        let request = |metadata, roles: &[&str]| UpdateMembershipRequest {
            update_mask: None,
            organization_id: beta.to_string(),
            membership: Some(UpdateMembership {
                roles: roles
                    .iter()
                    .map(|name| Role {
                        name: (*name).to_owned(),
                        ..Role::default()
                    })
                    .collect(),
                metadata,
            }),
            identities: Some(update_membership_request::Identities::Id(ada.id.clone())),
        };
        let update = async |request: UpdateMembershipRequest| {
            let answer = users.client().update_membership(request).await?;
            Ok::<_, Status>(answer.into_inner().user.unwrap())
        };
        let updated = update(request(map(&[("desk", "1A")]), &["member"]))
            .await
            .unwrap();
        assert_eq!(updated.memberships[1].metadata, map(&[("desk", "1A")]));
        assert_eq!(updated.memberships[1].roles[0].name, "member");
        let updated = update(request(BTreeMap::new(), &[])).await.unwrap();
        assert_eq!(updated.memberships[1].metadata, map(&[("desk", "1A")]));

        users.leave(&beta, &ada, None).await.unwrap();
        assert_eq!(
            statuses(&users.get(&ada.id).await.unwrap()),
            [MembershipStatus::Active]
        );
        let gone = users.leave(&beta, &ada, None).await;
        assert_eq!(
            refused(gone, Code::NotFound, "RESOURCE_NOT_FOUND"),
            "membership not found"
        );
        let gone = update(request(map(&[("desk", "1A")]), &[])).await;
        refused(gone, Code::NotFound, "RESOURCE_NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn a_user_goes_with_the_last_membership_only_if_that_is_asked_for() {
    on_each_engine(async |harness| {
        let users = Users::of(harness);
        let (acme, beta) = (users.organization("Acme").await, users.organization("Beta").await);
        let ada = users.create(&acme, "ada@acme.test").await;
        for unasked in [None, Some(false)] {
            users.leave(&acme, &ada, unasked).await.unwrap();
            assert!(users.get(&ada.id).await.unwrap().memberships.is_empty());
            // So an application moves somebody: out of one, and into another.
            users.join(&beta, &ada, Some(false)).await.unwrap();
            users.leave(&beta, &ada, unasked).await.unwrap();
            users.join(&acme, &ada, Some(false)).await.unwrap();
        }
        users.join(&beta, &ada, Some(false)).await.unwrap();
        users.leave(&beta, &ada, Some(true)).await.unwrap();
        assert_eq!(users.get(&ada.id).await.unwrap().memberships.len(), 1);
        users.leave(&acme, &ada, Some(true)).await.unwrap();
        refused(users.get(&ada.id).await, Code::NotFound, "RESOURCE_NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn roles_are_assigned_listed_and_taken_back() {
    on_each_engine(async |harness| {
        let users = Users::of(harness);
        let (acme, beta) = (users.organization("Acme").await, users.organization("Beta").await);
        users.create(&acme, "first@acme.test").await;
        let ada = users.create(&acme, "ada@acme.test").await;
        let assign = async |organization: &OrganizationId, names: &[&str]| {
            let role = |name: &&str| AssignRoleRequest {
                role_name: (*name).to_owned(),
                ..AssignRoleRequest::default()
            };
            let request = AssignUserRolesRequest {
                organization_id: organization.to_string(),
                user_id: ada.id.clone(),
                roles: names.iter().map(role).collect(),
            };
            let answer = users.client().assign_user_roles(request).await?;
            Ok::<_, Status>(names_of(&answer.into_inner().roles))
        };
        fn names_of(roles: &[Role]) -> Vec<String> {
            roles.iter().map(|role| role.name.clone()).collect()
        }
        assert_eq!(assign(&acme, &["admin"]).await.unwrap(), ["admin", "member"]);
        refused(
            assign(&acme, &["emperor"]).await,
            Code::NotFound,
            "RESOURCE_NOT_FOUND",
        );
        refused(
            assign(&beta, &["admin"]).await,
            Code::NotFound,
            "RESOURCE_NOT_FOUND",
        );
        let nameless = refused(
            assign(&acme, &[""]).await,
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
        );
        assert!(nameless.contains("role_name"), "{nameless}");

        let remove = async |name: &str| {
            let request = RemoveUserRoleRequest {
                organization_id: acme.to_string(),
                user_id: ada.id.clone(),
                role_name: name.to_owned(),
            };
            users.client().remove_user_role(request).await.map(drop)
        };
        remove("member").await.unwrap();
        refused(remove("member").await, Code::NotFound, "RESOURCE_NOT_FOUND");
        let request = ListUserRolesRequest {
            organization_id: acme.to_string(),
            user_id: ada.id.clone(),
        };
        let listed = users
            .client()
            .list_user_roles(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(names_of(&listed.roles), ["admin"]);
        let request = ListUserPermissionsRequest {
            organization_id: beta.to_string(),
            user_id: ada.id.clone(),
        };
        let elsewhere = users.client().list_user_permissions(request).await;
        refused(elsewhere, Code::NotFound, "RESOURCE_NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn an_organization_takes_no_more_users_than_it_may_have() {
    on_each_engine(async |harness| {
        let users = Users::of(harness);
        let acme = users.organization("Acme").await;
        users
            .harness
            .tx(async |tx, _| {
                let sql = "UPDATE organizations SET max_allowed_users = 1 WHERE id = $1";
                tx.exec(sql, genkan_db::p![&acme]).await?;
                Ok(())
            })
            .await;
        users.create_as(&acme, new("ada@acme.test"), None).await.unwrap();
        let full = users.create_as(&acme, new("bob@acme.test"), Some(false)).await;
        let refusal = refused(full, Code::FailedPrecondition, "FAILED_PRECONDITION");
        assert!(refusal.contains("max_allowed_users"), "{refusal}");
        assert_eq!(users.list(10, "").await.0, ["ada@acme.test"]);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_user_is_gone() {
    on_each_engine(async |harness| {
        let users = Users::of(harness);
        let acme = users.organization("Acme").await;
        let ada = users.create(&acme, "ada@acme.test").await;
        let delete = async || {
            let request = DeleteUserRequest {
                identities: Some(delete_user_request::Identities::Id(ada.id.clone())),
            };
            users.client().delete_user(request).await
        };
        delete().await.unwrap();
        refused(users.get(&ada.id).await, Code::NotFound, "RESOURCE_NOT_FOUND");
        refused(delete().await, Code::NotFound, "RESOURCE_NOT_FOUND");
        let nobody = users.client().get_user(GetUserRequest::default()).await;
        refused(nobody, Code::InvalidArgument, "INVALID_ARGUMENT");
        users.create(&acme, "ada@acme.test").await;
    })
    .await;
}

#[tokio::test]
async fn what_speaks_of_the_person_who_calls_is_not_for_clients() {
    let users = Users::of(Harness::start().await);
    let current = users.client().get_current_user(GetCurrentUserRequest {}).await;
    let refusal = refused(current, Code::PermissionDenied, "PERMISSION_DENIED");
    assert!(refusal.contains("GetCurrentUser"), "{refusal}");
    let hash = users.client().get_support_hash(()).await;
    refused(hash, Code::PermissionDenied, "PERMISSION_DENIED");
}
