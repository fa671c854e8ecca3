//! Proof of an address by a mailed code or link.

use std::time::Duration;

use genkan_api::{Caller, Credential, Permissions};
use genkan_contract::scalekit::v1::auth::passwordless::passwordless_service_client::PasswordlessServiceClient;
use genkan_contract::scalekit::v1::auth::passwordless::verify_password_less_request::AuthCredential;
use genkan_contract::scalekit::v1::auth::passwordless::{
    PasswordlessType, ResendPasswordlessRequest, SendPasswordlessRequest, SendPasswordlessResponse,
    TemplateType, VerifyPasswordLessRequest, VerifyPasswordLessResponse,
};
use genkan_db::p;
use genkan_store::mail::{self, Content, Letter, Mail};
use genkan_store::{ClientId, user};
use tonic::{Code, Status};

use crate::support::{Harness, InMemory, MANAGEMENT, error_info, on_each_engine};

/// Stores the application that calls with `token`.
async fn application(harness: &Harness, token: &str, name: &str) -> ClientId {
    let id: ClientId = harness.at().id();
    harness
        .tx(async |tx, at| {
            tx.exec(
                "INSERT INTO clients (id, name, kind, redirect_uris, post_logout_redirect_uris, back_channel_logout_uris,
                    any_loopback_redirect, enforce_pkce, secret_optional_with_pkce, strict_refresh_rotation,
                    profile_in_access_token, management_access, token_algorithm, created_at, updated_at)
                 VALUES ($1, $2, 'WEB_APP', '[]', '[]', '[]', FALSE, FALSE, FALSE, FALSE, FALSE, TRUE, 'RS256', $3, $3)",
                p![&id, name, at.now.as_micros()],
            )
            .await?;
            Ok(())
        })
        .await;
    harness.present(
        token,
        Credential::Management(Caller {
            client_id: id.clone(),
            permissions: Permissions::All,
        }),
    );
    id
}

async fn start(harness: &Harness) -> PasswordlessServiceClient<InMemory> {
    application(harness, MANAGEMENT, "Acme Notes").await;
    PasswordlessServiceClient::new(harness.client())
}

fn to(email: &str) -> SendPasswordlessRequest {
    SendPasswordlessRequest {
        email: email.to_owned(),
        ..SendPasswordlessRequest::default()
    }
}

async fn send(
    client: &mut PasswordlessServiceClient<InMemory>,
    request: SendPasswordlessRequest,
) -> Result<SendPasswordlessResponse, Status> {
    client
        .send_passwordless_email(request)
        .await
        .map(tonic::Response::into_inner)
}

async fn verify(
    client: &mut PasswordlessServiceClient<InMemory>,
    id: Option<&str>,
    credential: AuthCredential,
) -> Result<VerifyPasswordLessResponse, Status> {
    let request = VerifyPasswordLessRequest {
        auth_request_id: id.map(str::to_owned),
        auth_credential: Some(credential),
    };
    client
        .verify_passwordless_email(request)
        .await
        .map(tonic::Response::into_inner)
}

fn code(text: &str) -> AuthCredential {
    AuthCredential::Code(text.to_owned())
}

/// The content of the newest mail.
struct Mailed {
    to: String,
    application: String,
    is_sign_up: bool,
    code: Option<String>,
    link: Option<String>,
    lifetime_secs: u64,
}

async fn mailed(harness: &Harness) -> Mailed {
    let mails = harness.tx(async |tx, _| mail::newest(tx, 1).await).await;
    match mails[0].open(harness.instance_key()).unwrap() {
        Content::Mail(Mail {
            to,
            letter:
                Letter::SignInCode {
                    application,
                    is_sign_up,
                    code,
                    link,
                    lifetime_secs,
                },
            ..
        }) => Mailed {
            to: to.to_string(),
            application,
            is_sign_up,
            code,
            link,
            lifetime_secs,
        },
        other => panic!("it proves an address: {other:?}"),
    }
}

fn code_in(mail: &Mailed) -> String {
    let code = mail.code.as_deref().unwrap();
    assert!(code.len() == 6 && code.bytes().all(|c| c.is_ascii_digit()));
    code.to_owned()
}

fn link_token_in(mail: &Mailed) -> String {
    let (_, token) = mail.link.as_deref().unwrap().split_once("link_token=").unwrap();
    token.to_owned()
}

#[tokio::test]
async fn a_mailed_code_proves_the_address_once() {
    on_each_engine(async |harness: Harness| {
        let mut client = start(&harness).await;
        let sent = send(&mut client, to("Ada.Lovelace@Example.com")).await.unwrap();
        assert_eq!(sent.expires_in, 300);
        assert_eq!(sent.expires_at, harness.now().as_secs() + 300);
        assert_eq!(sent.passwordless_type(), PasswordlessType::Otp);

        let mail = mailed(&harness).await;
        assert_eq!(mail.to, "ada.lovelace@example.com");
        let digits = code_in(&mail);
        assert_eq!(
            (mail.application.as_str(), mail.is_sign_up),
            ("Acme Notes", false)
        );
        assert_eq!((mail.link, mail.lifetime_secs), (None, 300));

        let id = sent.auth_request_id.as_str();
        let proven = verify(&mut client, Some(id), code(&digits)).await.unwrap();
        assert_eq!(proven.email, "ada.lovelace@example.com");
        assert_eq!((proven.state.clone(), proven.template), (None, None));
        assert_eq!(proven.passwordless_type(), PasswordlessType::Otp);
        let again = verify(&mut client, Some(id), code(&digits)).await.unwrap_err();
        assert_eq!(again.code(), Code::FailedPrecondition);
        assert_eq!(error_info(&again).error_code, "FAILED_PRECONDITION");
    })
    .await;
}

#[tokio::test]
async fn a_link_comes_with_the_code_and_brings_back_state_and_template() {
    let harness = Harness::start().await;
    let mut client = start(&harness).await;
    let request = SendPasswordlessRequest {
        template: Some(TemplateType::Signup.into()),
        magiclink_auth_uri: Some("https://notes.acme.test/enter?from=mail".to_owned()),
        state: Some("s-1".to_owned()),
        expires_in: Some(3600),
        template_variables: [("city".to_owned(), "Rome".to_owned())].into(),
        ..to("ada@example.com")
    };
    let sent = send(&mut client, request).await.unwrap();
    assert_eq!(sent.expires_in, 3600);
    assert_eq!(sent.passwordless_type(), PasswordlessType::LinkOtp);
    // The numbers of this package, and not those of connections.
    assert_eq!(sent.passwordless_type, 3);
    let mail = mailed(&harness).await;
    let link = mail.link.as_deref().unwrap();
    assert!(
        link.starts_with("https://notes.acme.test/enter?from=mail&link_token="),
        "{link}"
    );
    assert_eq!((mail.is_sign_up, mail.lifetime_secs), (true, 3600));

    let token = AuthCredential::LinkToken(link_token_in(&mail));
    let proven = verify(&mut client, None, token.clone()).await.unwrap();
    assert_eq!(proven.state.as_deref(), Some("s-1"));
    assert_eq!(proven.template(), TemplateType::Signup);
    let id = Some(sent.auth_request_id.as_str());
    for late in [token, code(&code_in(&mail))] {
        let error = verify(&mut client, id, late).await.unwrap_err();
        assert_eq!(error.code(), Code::FailedPrecondition);
    }
}

#[tokio::test]
async fn five_wrong_codes_end_the_guessing() {
    let harness = Harness::start().await;
    let mut client = start(&harness).await;
    let sent = send(&mut client, to("ada@example.com")).await.unwrap();
    let digits = code_in(&mailed(&harness).await);
    let wrong = if digits == "000000" { "000001" } else { "000000" };
    let id = Some(sent.auth_request_id.as_str());
    for _ in 0..5 {
        let error = verify(&mut client, id, code(wrong)).await.unwrap_err();
        assert_eq!(
            (error.code(), error.message()),
            (Code::InvalidArgument, "code: is wrong")
        );
    }
    let error = verify(&mut client, id, code(&digits)).await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert_eq!(error_info(&error).error_code, "RATE_LIMITED");
}

#[tokio::test]
async fn a_code_expires_and_another_mail_brings_another_one() {
    let harness = Harness::start().await;
    let mut client = start(&harness).await;
    let sent = send(&mut client, to("ada@example.com")).await.unwrap();
    let first = code_in(&mailed(&harness).await);
    harness.wait(Duration::from_secs(200));
    let resend = ResendPasswordlessRequest {
        auth_request_id: sent.auth_request_id.clone(),
    };
    let resent = client
        .resend_passwordless_email(resend.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(resent.auth_request_id, sent.auth_request_id);
    assert_eq!(resent.expires_at, sent.expires_at + 200);
    let second = code_in(&mailed(&harness).await);
    assert_ne!(first, second);

    harness.wait(Duration::from_secs(299));
    let id = Some(sent.auth_request_id.as_str());
    assert_eq!(
        verify(&mut client, id, code(&first)).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    harness.wait(Duration::from_secs(1));
    let late = verify(&mut client, id, code(&second)).await.unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition);
    let late = client.resend_passwordless_email(resend).await.unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn an_account_changes_no_answer() {
    let harness = Harness::start().await;
    let mut client = start(&harness).await;
    harness
        .tx(async |tx, at| {
            let email = genkan_protocol::EmailAddress::parse("ada@example.com").unwrap();
            user::insert(tx, at, &user::User::new(at.id(), email, at.now)).await
        })
        .await;
    let known = send(&mut client, to("ada@example.com")).await.unwrap();
    let stranger = send(&mut client, to("nobody@example.com")).await.unwrap();
    assert_eq!(known.auth_request_id.len(), stranger.auth_request_id.len());
    assert_eq!(
        (known.expires_at, known.expires_in, known.passwordless_type),
        (
            stranger.expires_at,
            stranger.expires_in,
            stranger.passwordless_type
        )
    );
}

#[tokio::test]
async fn another_application_finds_nothing() {
    let harness = Harness::start().await;
    let mut client = start(&harness).await;
    application(&harness, "other", "Other").await;
    let mut other = PasswordlessServiceClient::new(harness.client_with(["other"]));
    let request = SendPasswordlessRequest {
        magiclink_auth_uri: Some("https://notes.acme.test/".to_owned()),
        ..to("ada@example.com")
    };
    let sent = send(&mut client, request).await.unwrap();
    let mail = mailed(&harness).await;
    let id = Some(sent.auth_request_id.as_str());
    for credential in [
        code(&code_in(&mail)),
        AuthCredential::LinkToken(link_token_in(&mail)),
    ] {
        let error = verify(&mut other, id, credential).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
    }
    let resend = ResendPasswordlessRequest {
        auth_request_id: sent.auth_request_id.clone(),
    };
    assert_eq!(
        other.resend_passwordless_email(resend).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn an_address_is_not_flooded() {
    let harness = Harness::start().await;
    let mut client = start(&harness).await;
    for _ in 0..10 {
        send(&mut client, to("ada@example.com")).await.unwrap();
    }
    let error = send(&mut client, to("ada@example.com")).await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    send(&mut client, to("bob@example.com")).await.unwrap();
    let mails = harness.tx(async |tx, _| mail::newest(tx, 50).await).await;
    assert_eq!(mails.len(), 11, "a refused wish leaves no mail");
    harness.wait(Duration::from_secs(600));
    send(&mut client, to("ada@example.com")).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_with_the_field() {
    let harness = Harness::start().await;
    let mut client = start(&harness).await;
    let link = |uri: &str| SendPasswordlessRequest {
        magiclink_auth_uri: Some(uri.to_owned()),
        ..to("ada@example.com")
    };
    let lasting = |secs| SendPasswordlessRequest {
        expires_in: Some(secs),
        ..to("ada@example.com")
    };
    for (request, field) in [
        (to("ada"), "email"),
        (to("ada@example.com\r\nBcc: eve@evil.example"), "email"),
        (lasting(59), "expires_in"),
        (lasting(3601), "expires_in"),
        (link("javascript:alert(1)"), "magiclink_auth_uri"),
        (link("notes.acme.test"), "magiclink_auth_uri"),
        (link("https://notes.acme.test/#x"), "magiclink_auth_uri"),
        (link("https://notes.acme.test/\nx"), "magiclink_auth_uri"),
    ] {
        let error = send(&mut client, request).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{field}");
        assert!(
            error.message().contains(field),
            "{} names {field}",
            error.message()
        );
    }
    let nothing = client
        .verify_passwordless_email(VerifyPasswordLessRequest::default())
        .await
        .unwrap_err();
    assert_eq!(nothing.code(), Code::InvalidArgument);
    let homeless = verify(&mut client, None, code("271828")).await.unwrap_err();
    assert!(homeless.message().contains("auth_request_id"));
}

#[tokio::test]
async fn without_a_mail_server_nothing_is_promised() {
    let harness = Harness::start().await;
    let mut client = start(&harness).await;
    harness.without_mail();
    let error = send(&mut client, to("ada@example.com")).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert!(
        error.message().starts_with("mail is not configured"),
        "{}",
        error.message()
    );
}
