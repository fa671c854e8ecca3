//! Users, memberships and sessions in logins and tokens.

use genkan_contract::scalekit::v1::sessions::RevokeSessionRequest;
use genkan_contract::scalekit::v1::sessions::session_service_client::SessionServiceClient;
use genkan_contract::scalekit::v1::users::user_service_client::UserServiceClient;
use genkan_contract::scalekit::v1::users::{
    CreateUser, CreateUserAndMembershipRequest, DeleteMembershipRequest, DeleteUserRequest, UpdateUser,
    UpdateUserProfile, UpdateUserRequest, User, delete_membership_request, delete_user_request,
    update_user_request,
};
use genkan_store::membership::{self, Status};
use genkan_store::{OrganizationId, UserId};
use genkan_testkit::{Gateway, Receiver, Rp, Tokens, on_each_engine};
use serde_json::{Value, json};

use super::{Channel, channel};

async fn users(gateway: &Gateway) -> UserServiceClient<Channel> {
    UserServiceClient::new(channel(gateway).await)
}

async fn signed_in(gateway: &Gateway, rp: &Rp) -> Tokens {
    let code = gateway.browser().sign_in(rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens()
}

async fn user_of(rp: &Rp, tokens: &Tokens) -> UserId {
    let claims = rp.verify(tokens.id_token()).await;
    UserId::parse(claims["sub"].as_str().unwrap()).unwrap()
}

async fn is_refused(rp: &Rp, tokens: &Tokens) -> bool {
    let refresh = rp.refresh(tokens.refresh_token()).await;
    let introspection = rp.introspect(&tokens.access_token).await;
    let userinfo = rp.userinfo(&tokens.access_token).await;
    refresh.status == 400 && !introspection.active && userinfo.status == 401
}

async fn invite(client: &mut UserServiceClient<Channel>, organization_id: &OrganizationId) -> User {
    let request = CreateUserAndMembershipRequest {
        organization_id: organization_id.to_string(),
        user: Some(CreateUser {
            email: "ada@acme.test".to_owned(),
            ..CreateUser::default()
        }),
        send_invitation_email: Some(true),
    };
    let answer = client.create_user_and_membership(request).await.unwrap();
    answer.into_inner().user.unwrap()
}

async fn status(gateway: &Gateway, organization_id: &OrganizationId, user_id: &str) -> Status {
    let user_id = UserId::parse(user_id).unwrap();
    let found = gateway
        .tx(async |tx| membership::find(tx, organization_id, &user_id).await)
        .await;
    found.unwrap().status_at(gateway.now())
}

#[tokio::test]
async fn a_changed_profile_shows_in_the_next_token_and_in_userinfo() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let request = rp
            .authorize()
            .with("scope", "openid profile email phone offline_access");
        let code = gateway.browser().sign_in_with(&request, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        let request = UpdateUserRequest {
            update_mask: None,
            user: Some(UpdateUser {
                external_id: Some("u-1".to_owned()),
                user_profile: Some(UpdateUserProfile {
                    name: Some("Augusta Ada King".to_owned()),
                    phone_number: Some("+442079460000".to_owned()),
                    preferred_username: Some("ada".to_owned()),
                    gender: Some("female".to_owned()),
                    ..UpdateUserProfile::default()
                }),
                ..UpdateUser::default()
            }),
            identities: Some(update_user_request::Identities::Id(
                user_of(&rp, &tokens).await.to_string(),
            )),
        };
        users(gateway).await.update_user(request).await.unwrap();

        let refreshed = rp.refresh(tokens.refresh_token()).await.expect_tokens();
        let claims = rp.verify(refreshed.id_token()).await;
        let picked = |claims: &Value| {
            let names = [
                "name",
                "preferred_username",
                "gender",
                "phone_number",
                "phone_number_verified",
            ];
            names.map(|name| claims[name].clone())
        };
        let expected = [
            json!("Augusta Ada King"),
            json!("ada"),
            json!("female"),
            json!("+442079460000"),
            json!(false),
        ];
        assert_eq!(picked(&claims), expected);
        assert_eq!(rp.verify(&refreshed.access_token).await["xuid"], "u-1");
        // The old token asks and is told the new name.
        assert_eq!(picked(&rp.userinfo(&tokens.access_token).await.json()), expected);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_users_sessions_end_and_their_applications_hear_of_it() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let ears = Receiver::start().await;
        let rp = gateway.client("rp").back_channel_logout(ears.url()).await;
        let tokens = signed_in(gateway, &rp).await;
        let request = DeleteUserRequest {
            identities: Some(delete_user_request::Identities::Id(
                user_of(&rp, &tokens).await.to_string(),
            )),
        };
        users(gateway).await.delete_user(request).await.unwrap();
        assert!(is_refused(&rp, &tokens).await);
        let heard = rp.verify(&ears.next().await).await;
        assert_eq!(heard["sid"], rp.verify(tokens.id_token()).await["sid"]);
    })
    .await;
}

#[tokio::test]
async fn who_is_taken_out_of_an_organization_is_signed_out_of_it() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let tokens = signed_in(gateway, &rp).await;
        let request = DeleteMembershipRequest {
            organization_id: acme.id.to_string(),
            cascade: None,
            identities: Some(delete_membership_request::Identities::Id(
                user_of(&rp, &tokens).await.to_string(),
            )),
        };
        users(gateway).await.delete_membership(request).await.unwrap();
        assert!(is_refused(&rp, &tokens).await);
    })
    .await;
}

#[tokio::test]
async fn an_inactive_member_is_signed_out_and_kept_out() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let tokens = signed_in(gateway, &rp).await;
        let (at, user_id) = (gateway.at(), user_of(&rp, &tokens).await);
        let set_active = async |active| {
            gateway
                .tx(async |tx| membership::set_active(tx, at, &acme.id, &user_id, active).await)
                .await
        };
        assert!(set_active(false).await);
        assert!(is_refused(&rp, &tokens).await);
        let mut browser = gateway.browser();
        let arrival = browser.start(&rp.authorize()).await;
        let page = browser.go_on(arrival, "ada@acme.test").await.page();
        assert_eq!(page.heading(), "We could not sign you in");
        assert_eq!(gateway.login_trace().await.cause, "user_not_active");

        assert!(set_active(true).await);
        signed_in(gateway, &rp).await;
    })
    .await;
}

#[tokio::test]
async fn a_revoked_session_takes_its_tokens_with_it_and_its_applications_hear_of_it() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let ears = Receiver::start().await;
        let rp = gateway.client("rp").back_channel_logout(ears.url()).await;
        let (tokens, other) = (signed_in(gateway, &rp).await, signed_in(gateway, &rp).await);
        let session_id = rp.verify(tokens.id_token()).await["sid"].clone();
        let request = RevokeSessionRequest {
            session_id: session_id.as_str().unwrap().to_owned(),
        };
        let mut sessions = SessionServiceClient::new(channel(gateway).await);
        sessions.revoke_session(request).await.unwrap();
        assert!(is_refused(&rp, &tokens).await);
        assert_eq!(rp.verify(&ears.next().await).await["sid"], session_id);
        rp.refresh(other.refresh_token()).await.expect_tokens();
    })
    .await;
}

#[tokio::test]
async fn an_invited_person_who_signs_in_at_their_company_is_an_active_member() {
    on_each_engine(async |gateway: &Gateway| {
        // Nobody else gets in here without an invitation.
        let acme = gateway
            .organization("acme.test")
            .with_connection(|connection| connection.jit_provisioning = false)
            .await;
        let rp = gateway.client("rp").await;
        let mut client = users(gateway).await;
        let invited = invite(&mut client, &acme.id).await;
        assert_eq!(
            status(gateway, &acme.id, &invited.id).await,
            Status::PendingInvite
        );
        let tokens = signed_in(gateway, &rp).await;
        assert_eq!(user_of(&rp, &tokens).await.as_str(), invited.id);
        assert_eq!(status(gateway, &acme.id, &invited.id).await, Status::Active);

        let mut browser = gateway.browser();
        let arrival = browser.start(&rp.authorize()).await;
        let stranger = browser.go_on(arrival, "eve@acme.test").await.page();
        assert_eq!(stranger.heading(), "We could not sign you in");
        assert_eq!(gateway.login_trace().await.cause, "user_not_provisioned");
    })
    .await;
}

#[tokio::test]
async fn a_first_login_finds_an_organization_full() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        gateway
            .tx(async |tx| {
                let sql = "UPDATE organizations SET max_allowed_users = 1 WHERE id = $1";
                tx.exec(sql, genkan_db::p![&acme.id]).await?;
                Ok(())
            })
            .await;
        signed_in(gateway, &rp).await;
        let mut browser = gateway.browser();
        let arrival = browser.start(&rp.authorize()).await;
        let page = browser.go_on(arrival, "bob@acme.test").await.page();
        assert_eq!(page.heading(), "We could not sign you in");
        assert_eq!(gateway.login_trace().await.cause, "organization_full");
        // Who has a place keeps it.
        signed_in(gateway, &rp).await;
    })
    .await;
}
