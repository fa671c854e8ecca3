//! Roles and permissions in tokens.

use genkan_contract::scalekit::v1::roles::roles_service_client::RolesServiceClient;
use genkan_contract::scalekit::v1::roles::{
    AddPermissionsToRoleRequest, CreateOrganizationRole, CreateOrganizationRoleRequest, CreatePermission,
    CreatePermissionRequest, CreateRole, CreateRoleRequest, DeletePermissionRequest, DeleteRoleBaseRequest,
    DeleteRoleRequest, RemovePermissionFromRoleRequest, UpdateDefaultOrganizationRolesRequest, UpdateRole,
    UpdateRoleRequest,
};
use genkan_store::{OrganizationId, UserId, membership};
use genkan_testkit::{Gateway, Person, Rp, Tokens, on_each_engine};
use serde_json::{Value, json};

use super::{Channel, channel};

struct Roles(RolesServiceClient<Channel>);

impl Roles {
    async fn of(gateway: &Gateway) -> Self {
        Self(RolesServiceClient::new(channel(gateway).await))
    }

    async fn permit(&mut self, name: &str, role: &str) {
        let permission = CreatePermission {
            name: name.to_owned(),
            ..CreatePermission::default()
        };
        let request = CreatePermissionRequest {
            permission: Some(permission),
        };
        self.0.create_permission(request).await.unwrap();
        let request = AddPermissionsToRoleRequest {
            role_name: role.to_owned(),
            permission_names: vec![name.to_owned()],
        };
        self.0.add_permissions_to_role(request).await.unwrap();
    }

    async fn create(&mut self, name: &str) {
        let role = CreateRole {
            name: name.to_owned(),
            display_name: name.to_owned(),
            ..CreateRole::default()
        };
        let request = CreateRoleRequest { role: Some(role) };
        self.0.create_role(request).await.unwrap();
    }

    async fn create_in(&mut self, org: &OrganizationId, name: &str, extends: &str) {
        let role = CreateOrganizationRole {
            name: name.to_owned(),
            display_name: name.to_owned(),
            extends: Some(extends.to_owned()),
            ..CreateOrganizationRole::default()
        };
        let request = CreateOrganizationRoleRequest {
            org_id: org.to_string(),
            role: Some(role),
        };
        self.0.create_organization_role(request).await.unwrap();
    }
}

async fn signed_in(gateway: &Gateway, rp: &Rp, person: impl Into<Person>) -> Tokens {
    let code = gateway.browser().sign_in(rp, person).await;
    rp.redeem(&code).await.expect_tokens()
}

/// What an access token says of the person's rights.
async fn rights(rp: &Rp, tokens: &Tokens) -> (Value, Value) {
    let claims = rp.verify(&tokens.access_token).await;
    (claims["roles"].clone(), claims["permissions"].clone())
}

#[tokio::test]
async fn a_change_of_roles_counts_from_the_next_token_on_also_of_a_refresh() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let mut roles = Roles::of(gateway).await;
        let first = signed_in(gateway, &rp, "ada@acme.test").await;
        assert_eq!(rights(&rp, &first).await, (json!(["admin"]), json!([])));
        let next = async || rights(&rp, &rp.refresh(first.refresh_token()).await.expect_tokens()).await;

        roles.permit("invoices:write", "admin").await;
        roles.permit("invoices:read", "member").await;
        assert_eq!(next().await, (json!(["admin"]), json!(["invoices:write"])));
        let request = UpdateRoleRequest {
            role_name: "admin".to_owned(),
            role: Some(UpdateRole {
                extends: Some("member".to_owned()),
                ..UpdateRole::default()
            }),
        };
        roles.0.update_role(request).await.unwrap();
        let both = json!(["invoices:read", "invoices:write"]);
        assert_eq!(next().await.1, both);
        // A new login says the same, and so does who asks about the token.
        let again = signed_in(gateway, &rp, "ada@acme.test").await;
        assert_eq!(rights(&rp, &again).await.1, both);
        let introspection = rp.introspect(&again.access_token).await.json;
        assert_eq!(
            (&introspection["roles"], &introspection["permissions"]),
            (&json!(["admin"]), &both)
        );
        // The ID token tells who somebody is, not what they may.
        let id_token = rp.verify(again.id_token()).await;
        assert_eq!(
            (&id_token["roles"], &id_token["permissions"]),
            (&Value::Null, &Value::Null)
        );

        roles.create_in(&acme.id, "clerk", "member").await;
        let subject = id_token["sub"].as_str().unwrap();
        let (at, user_id) = (gateway.at(), UserId::parse(subject).unwrap());
        let clerk = ["clerk".to_owned()];
        gateway
            .tx(async |tx| membership::set_roles(tx, at, &acme.id, &user_id, &clerk).await)
            .await;
        assert_eq!(next().await, (json!(["clerk"]), json!(["invoices:read"])));
        let request = RemovePermissionFromRoleRequest {
            role_name: "member".to_owned(),
            permission_name: "invoices:read".to_owned(),
        };
        roles.0.remove_permission_from_role(request).await.unwrap();
        assert_eq!(next().await, (json!(["clerk"]), json!([])));
        // What was issued stays as it is until it expires.
        assert_eq!(rights(&rp, &again).await.1, both);
    })
    .await;
}

#[tokio::test]
async fn what_is_taken_away_is_gone_from_the_next_token() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut roles = Roles::of(&gateway).await;
    roles.create("base").await;
    roles.create("guest").await;
    for (permission, role) in [("one", "base"), ("two", "admin"), ("three", "guest")] {
        roles.permit(permission, role).await;
    }
    let request = UpdateRoleRequest {
        role_name: "admin".to_owned(),
        role: Some(UpdateRole {
            extends: Some("base".to_owned()),
            ..UpdateRole::default()
        }),
    };
    roles.0.update_role(request).await.unwrap();
    let first = signed_in(&gateway, &rp, "ada@acme.test").await;
    let next = async || rights(&rp, &rp.refresh(first.refresh_token()).await.expect_tokens()).await;
    assert_eq!(next().await.1, json!(["one", "two"]));

    let request = DeleteRoleBaseRequest {
        role_name: "admin".to_owned(),
    };
    roles.0.delete_role_base(request).await.unwrap();
    assert_eq!(next().await.1, json!(["two"]));
    let request = DeletePermissionRequest {
        permission_name: "two".to_owned(),
    };
    roles.0.delete_permission(request).await.unwrap();
    assert_eq!(next().await, (json!(["admin"]), json!([])));
    let request = DeleteRoleRequest {
        role_name: "admin".to_owned(),
        reassign_role_name: Some("guest".to_owned()),
        ..DeleteRoleRequest::default()
    };
    roles.0.delete_role(request).await.unwrap();
    assert_eq!(next().await, (json!(["guest"]), json!(["three"])));
}

#[tokio::test]
async fn a_provider_gives_an_organizations_own_role_and_another_organizations_never() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_claims_named().await;
    let beta = gateway.organization("beta.test").with_claims_named().await;
    let rp = gateway.client("rp").await;
    let mut roles = Roles::of(&gateway).await;
    roles.permit("books:read", "member").await;
    roles.create_in(&acme.id, "clerk", "member").await;
    roles.create_in(&beta.id, "spy", "member").await;
    // The first one of an organization is its admin.
    for address in ["first@acme.test", "first@beta.test"] {
        signed_in(&gateway, &rp, address).await;
    }
    let request = UpdateDefaultOrganizationRolesRequest {
        org_id: beta.id.to_string(),
        default_member_role: "spy".to_owned(),
    };
    roles.0.update_default_organization_roles(request).await.unwrap();

    let ada = signed_in(
        &gateway,
        &rp,
        Person::new("ada@acme.test").with_roles("clerk,spy"),
    )
    .await;
    assert_eq!(
        rights(&rp, &ada).await,
        (json!(["clerk", "member"]), json!(["books:read"]))
    );
    let bob = signed_in(&gateway, &rp, Person::new("bob@beta.test").with_roles("clerk")).await;
    assert_eq!(rights(&rp, &bob).await, (json!(["spy"]), json!(["books:read"])));
}
