//! Sign-ins show in the log, and a mailed code arrives and proves its address.

use genkan::simulator::Fault;
use genkan_contract::scalekit::v1::auditlogs::audit_logs_service_client::AuditLogsServiceClient;
use genkan_contract::scalekit::v1::auditlogs::{AuthLogRequest, ListAuthLogRequest};
use genkan_contract::scalekit::v1::auth::GetLoginRequestDetailsRequest;
use genkan_contract::scalekit::v1::auth::auth_service_client::AuthServiceClient;
use genkan_contract::scalekit::v1::auth::passwordless::passwordless_service_client::PasswordlessServiceClient;
use genkan_contract::scalekit::v1::auth::passwordless::verify_password_less_request::AuthCredential;
use genkan_contract::scalekit::v1::auth::passwordless::{SendPasswordlessRequest, VerifyPasswordLessRequest};
use genkan_testkit::{Gateway, MailServer, Person, on_each_engine};
use tonic::Code;

use super::{Channel, channel};

async fn log(client: &mut AuditLogsServiceClient<Channel>) -> Vec<AuthLogRequest> {
    let answer = client
        .list_auth_requests(ListAuthLogRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(usize::try_from(answer.total_size), Ok(answer.auth_requests.len()));
    answer.auth_requests
}

#[tokio::test]
async fn a_sign_in_is_in_the_log_from_its_first_step_to_its_end() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("notes").await;
        let channel = channel(gateway).await;
        let mut client = AuditLogsServiceClient::new(channel.clone());
        assert_eq!(log(&mut client).await, []);

        let mut browser = gateway.browser();
        let arrival = browser.start(&rp.authorize()).await;
        let begun = log(&mut client).await.remove(0);
        assert_eq!((begun.status.as_str(), begun.email.as_str()), ("INITIATED", ""));
        assert_eq!(
            (begun.client_id, begun.client_name.as_str()),
            (rp.id.to_string(), "notes")
        );
        assert_eq!(begun.connection_details, []);

        // The application may ask what this login is about.
        let mut logins = AuthServiceClient::new(channel);
        let details = logins
            .get_login_request_details(GetLoginRequestDetailsRequest {
                login_request_id: begun.auth_request_id.clone(),
            })
            .await
            .unwrap()
            .into_inner();
        assert_eq!(details.client.unwrap().client_name, "notes");

        let code = browser.go_on(arrival, "ada@acme.test").await.callback().code();
        assert!(!code.is_empty());
        let done = log(&mut client).await.remove(0);
        assert_eq!(done.auth_request_id, begun.auth_request_id);
        assert_eq!(
            (done.status.as_str(), done.email.as_str()),
            ("SUCCESS", "ada@acme.test")
        );
        assert_eq!(done.connection_type, "OIDC");
        assert_eq!(done.connection_details[0].organization_id, done.organization_id);
        assert!(done.organization_id.starts_with("org_") && done.connection_id.starts_with("conn_"));

        // The session of this browser answers the next time, and that is a sign-in as well.
        browser.start(&rp.authorize()).await.callback();
        let logs = log(&mut client).await;
        assert_eq!((logs.len(), logs[0].status.as_str()), (2, "SUCCESS"));
        assert_eq!(logs[0].email, "ada@acme.test");
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_that_is_refused_is_a_failure() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut client = AuditLogsServiceClient::new(channel(&gateway).await);
    let mut browser = gateway.browser();
    let arrival = browser.start(&rp.authorize()).await;
    let person = Person::new("ada@acme.test").with_fault(Fault::WrongNonce);
    browser.go_on(arrival, &person).await.page();
    let failures = ListAuthLogRequest {
        status: vec!["FAILURE".to_owned()],
        email: "ada@acme.test".to_owned(),
        ..ListAuthLogRequest::default()
    };
    let failed = client.list_auth_requests(failures).await.unwrap().into_inner();
    assert_eq!(failed.auth_requests.len(), 1);
}

#[tokio::test]
async fn a_code_that_came_by_mail_proves_the_address() {
    let server = MailServer::start().await;
    let gateway = Gateway::setup().mailer(server.mailer()).start().await;
    let mut client = PasswordlessServiceClient::new(channel(&gateway).await);
    let request = SendPasswordlessRequest {
        email: "ada@example.com".to_owned(),
        ..SendPasswordlessRequest::default()
    };
    let sent = client
        .send_passwordless_email(request)
        .await
        .unwrap()
        .into_inner();
    let mail = server.next().await;
    assert_eq!(mail.recipients, ["<ada@example.com>"]);
    let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|c| c.is_ascii_digit());
    let code = mail.text.lines().find(is_code).unwrap().to_owned();
    let verify = VerifyPasswordLessRequest {
        auth_request_id: Some(sent.auth_request_id),
        auth_credential: Some(AuthCredential::Code(code)),
    };
    let proven = client
        .verify_passwordless_email(verify)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(proven.email, "ada@example.com");
}

#[tokio::test]
async fn a_production_instance_without_a_mail_server_refuses_to_send() {
    let gateway = Gateway::setup().production().https().start().await;
    let mut client = PasswordlessServiceClient::new(channel(&gateway).await);
    let request = SendPasswordlessRequest {
        email: "ada@example.com".to_owned(),
        ..SendPasswordlessRequest::default()
    };
    let error = client.send_passwordless_email(request).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert!(
        error.message().starts_with("mail is not configured"),
        "{}",
        error.message()
    );
}
