//! Logout tokens to several applications, of which some hang.
//!
//! Source: OIDC Back-Channel Logout 1.0 §2.5.

use std::time::Duration;

use genkan_testkit::{Gateway, Receiver};
use tokio::net::TcpListener;

#[tokio::test]
async fn an_application_that_hangs_keeps_no_other_one_waiting() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    // Connections wait in its backlog for ever.
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = hanging.local_addr().unwrap();
    let mut stuck = gateway.client("stuck");
    for n in 0..40 {
        stuck = stuck.back_channel_logout(&format!("http://{address}/{n}"));
    }
    let (stuck, receiver) = (stuck.await, Receiver::start().await);
    let rp = gateway.client("rp").back_channel_logout(receiver.url()).await;
    let mut browser = gateway.browser();
    browser.sign_in(&stuck, "ada@acme.test").await;
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();

    let hint = [("id_token_hint", tokens.id_token())];
    browser.open(&rp.logout_url(&hint)).await.page();
    tokio::time::timeout(Duration::from_secs(5), receiver.next())
        .await
        .expect("within seconds, whatever the other application does");
    drop(hanging);
}
