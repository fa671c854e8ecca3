//! Passkeys of users.

use genkan_contract::scalekit::v1::auth::webauthn::web_authn_service_client::WebAuthnServiceClient;
use genkan_contract::scalekit::v1::auth::webauthn::{
    BeginRegistrationRequest, DeleteCredentialRequest, GetRelatedOriginsRequest, ListCredentialsRequest,
    UpdateCredentialRequest,
};
use genkan_protocol::EmailAddress;
use genkan_store::webauthn::{self, Credential, Flags};
use genkan_store::{CredentialId, UserId, user};
use tonic::Code;

use crate::support::{Harness, on_each_engine};

async fn person(harness: &Harness, email: &str) -> UserId {
    harness
        .tx(async |tx, at| {
            let user = user::User::new(at.id(), EmailAddress::parse(email).unwrap(), at.now);
            user::insert(tx, at, &user).await?;
            Ok(user.id)
        })
        .await
}

async fn passkey(harness: &Harness, user_id: &UserId, name: &[u8]) -> CredentialId {
    harness
        .tx(async |tx, at| {
            let credential = Credential {
                id: at.id(),
                user_id: user_id.clone(),
                credential_id: name.to_vec(),
                public_key: vec![1],
                sign_count: 0,
                attestation_type: "none".to_owned(),
                aaguid: "00000000-0000-0000-0000-000000000000".to_owned(),
                attachment: "platform".to_owned(),
                transports: vec!["internal".to_owned()],
                flags: Flags {
                    user_present: true,
                    ..Flags::default()
                },
                display_name: None,
                user_agent: None,
                ip: None,
                created_at: at.now,
                updated_at: at.now,
            };
            webauthn::insert(tx, at, &credential).await?;
            Ok(credential.id)
        })
        .await
}

#[tokio::test]
async fn passkeys_are_listed_renamed_and_deleted() {
    on_each_engine(async |harness: Harness| {
        let mut client = WebAuthnServiceClient::new(harness.client());
        let (ada, bob) = (
            person(&harness, "ada@example.com").await,
            person(&harness, "bob@example.com").await,
        );
        let id = passkey(&harness, &ada, b"key-1").await;
        passkey(&harness, &bob, b"key-2").await;
        let list = ListCredentialsRequest {
            user_id: ada.to_string(),
        };
        let listed = client.list_credentials(list.clone()).await.unwrap().into_inner();
        assert_eq!(listed.credentials.len(), 1);
        let credential = &listed.credentials[0];
        assert_eq!(
            (credential.id.as_str(), credential.credential_id.as_slice()),
            (id.as_str(), &b"key-1"[..])
        );
        assert!(credential.authenticator_flags.unwrap().user_present);
        assert_eq!(credential.display_name, None);
        let accepted = listed.all_accepted_credentials_options.unwrap();
        assert_eq!(accepted.rp_id, "auth.acme.test");
        assert_eq!(accepted.all_accepted_credential_ids, ["a2V5LTE"]);

        let update = UpdateCredentialRequest {
            credential_id: id.to_string(),
            display_name: "Laptop".to_owned(),
        };
        let renamed = client.update_credential(update).await.unwrap().into_inner();
        assert_eq!(
            renamed.credential.unwrap().display_name.as_deref(),
            Some("Laptop")
        );

        let delete = DeleteCredentialRequest {
            credential_id: id.to_string(),
        };
        let deleted = client
            .delete_credential(delete.clone())
            .await
            .unwrap()
            .into_inner();
        assert!(deleted.success);
        assert_eq!(
            deleted.unknown_credential_options.unwrap().credential_id,
            "a2V5LTE"
        );
        assert_eq!(
            client.delete_credential(delete).await.unwrap_err().code(),
            Code::NotFound
        );
        let left = client.list_credentials(list).await.unwrap().into_inner();
        assert!(left.credentials.is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let harness = Harness::start().await;
    let mut client = WebAuthnServiceClient::new(harness.client());
    for (user_id, code) in [
        ("", Code::InvalidArgument),
        ("usr_1", Code::NotFound),
        ("nobody", Code::NotFound),
    ] {
        let list = ListCredentialsRequest {
            user_id: user_id.to_owned(),
        };
        assert_eq!(
            client.list_credentials(list).await.unwrap_err().code(),
            code,
            "{user_id}"
        );
    }
    for credential_id in ["cred_1", "x"] {
        let update = UpdateCredentialRequest {
            credential_id: credential_id.to_owned(),
            display_name: "x".to_owned(),
        };
        assert_eq!(
            client.update_credential(update).await.unwrap_err().code(),
            Code::NotFound
        );
    }
    let long = UpdateCredentialRequest {
        credential_id: "cred_1".to_owned(),
        display_name: "x".repeat(121),
    };
    assert_eq!(
        client.update_credential(long).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn what_needs_a_browser_says_so() {
    let harness = Harness::start().await;
    let mut client = WebAuthnServiceClient::new(harness.client());
    let error = client
        .begin_registration(BeginRegistrationRequest {})
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented);
    assert!(error.message().contains("browser"), "{}", error.message());
    let origins = client
        .get_related_origins(GetRelatedOriginsRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(origins.origins, ["https://auth.acme.test"]);
}
