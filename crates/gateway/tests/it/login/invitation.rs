//! The link of an invitation.

use genkan_protocol::EmailAddress;
use genkan_store::membership::{self, NewMember, ProvisioningMethod, Status};
use genkan_store::user::{self, User};
use genkan_store::{OrganizationId, UserId, invitation, mail};
use genkan_testkit::{Gateway, on_each_engine};

/// Invites Ada, and gives who she is and the link of her mail.
pub(super) async fn invite(gateway: &Gateway, organization_id: &OrganizationId) -> (UserId, String) {
    let at = gateway.at();
    let ada = User::new(at.id(), EmailAddress::parse("ada@acme.test").unwrap(), at.now);
    let joining = NewMember {
        inviter_email: Some("grace@acme.test".to_owned()),
        ..NewMember::new(organization_id, &ada.id, ProvisioningMethod::Invitation)
    };
    let key = gateway.app().instance_key();
    gateway
        .tx(async |tx| {
            user::insert(tx, at, &ada).await?;
            invitation::send(tx, at, key, &joining).await
        })
        .await;
    (ada.id.clone(), newest_link(gateway).await)
}

async fn newest_link(gateway: &Gateway) -> String {
    let mails = gateway.tx(async |tx| mail::newest(tx, 1).await).await;
    let content = mails[0].open(gateway.app().instance_key()).unwrap();
    let letter = genkan::letters::write(gateway.url(), content);
    assert_eq!(letter.to.as_str(), "ada@acme.test");
    let link = letter.text.lines().find(|line| line.starts_with("http"));
    link.unwrap().to_owned()
}

async fn status(gateway: &Gateway, organization_id: &OrganizationId, user_id: &UserId) -> Status {
    let found = gateway
        .tx(async |tx| membership::find(tx, organization_id, user_id).await)
        .await;
    found.unwrap().status_at(gateway.now())
}

#[tokio::test]
async fn a_person_looks_accepts_and_goes_on_to_the_application() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        gateway
            .client("rp")
            .change(|client| client.initiate_login_uri = Some("https://rp.test/login".to_owned()))
            .await;
        let (ada, link) = invite(gateway, &acme.id).await;
        let mut browser = gateway.browser();
        let page = browser.open(&link).await.page();
        assert!(page.heading().starts_with("Join "), "{}", page.heading());
        // Whoever wrote that name may be anybody.
        assert!(!page.reply.text().contains("grace@acme.test"));
        assert!(page.reply.text().contains("ada@acme.test"));
        // Scanners of mail look too.
        gateway.browser().open(&link).await.page();
        assert_eq!(status(gateway, &acme.id, &ada).await, Status::PendingInvite);

        let callback = browser.submit(&page, &[]).await.callback();
        assert_eq!(callback.url.path(), "/login");
        assert_eq!(callback.parameter("iss").as_deref(), Some(gateway.url()));
        assert_eq!(callback.parameter("login_hint").as_deref(), Some("ada@acme.test"));
        assert_eq!(status(gateway, &acme.id, &ada).await, Status::Active);
        assert!(
            browser.cookies.get("genkan_session").is_none(),
            "nobody is signed in by it"
        );

        let used = browser.open(&link).await.page();
        assert!(
            used.heading().starts_with("You have joined "),
            "{}",
            used.heading()
        );
        // Sent once more, the form changes nothing and says the same.
        let again = browser.submit(&page, &[]).await.page();
        assert_eq!(again.heading(), used.heading());
    })
    .await;
}

#[tokio::test]
async fn a_link_that_does_not_count_says_why() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").await;
        let (ada, link) = invite(gateway, &acme.id).await;
        let mut browser = gateway.browser();
        let page = browser.open(&link).await.page();
        gateway.clock().advance(invitation::LIFETIME);
        let expired = browser.open(&link).await.page();
        assert_eq!(expired.reply.status, 410);
        assert_eq!(expired.heading(), "This invitation has expired");
        let late = browser.submit(&page, &[]).await.page();
        assert_eq!(late.heading(), "This invitation has expired");
        assert_eq!(status(gateway, &acme.id, &ada).await, Status::InviteExpired);

        let (at, key) = (gateway.at(), gateway.app().instance_key());
        gateway
            .tx(async |tx| invitation::send_again(tx, at, key, (&acme.id, &ada)).await)
            .await;
        let replaced = browser.open(&link).await.page();
        assert_eq!(replaced.reply.status, 404);
        assert_eq!(replaced.heading(), "This invitation cannot be found");
        let fresh = browser.open(&newest_link(gateway).await).await.page();
        let joined = browser.submit(&fresh, &[]).await.page();
        assert!(
            joined.heading().starts_with("You have joined "),
            "{}",
            joined.heading()
        );
    })
    .await;
}

#[tokio::test]
async fn a_link_to_an_address_that_changed_lets_nobody_in() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").await;
        let (ada, link) = invite(gateway, &acme.id).await;
        let mut browser = gateway.browser();
        let page = browser.open(&link).await.page();
        let at = gateway.at();
        gateway
            .tx(async |tx| {
                let found = user::find(tx, &ada).await?.unwrap();
                let renamed = User {
                    email: EmailAddress::parse("ada.king@acme.test").unwrap(),
                    ..found
                };
                user::update(tx, at, &renamed).await
            })
            .await;
        for page in [
            browser.submit(&page, &[]).await.page(),
            browser.open(&link).await.page(),
        ] {
            assert_eq!(page.reply.status, 410);
            assert_eq!(page.heading(), "This invitation does not count any more");
            assert!(!page.reply.text().contains("ada.king"), "{}", page.reply.text());
        }
        assert_eq!(status(gateway, &acme.id, &ada).await, Status::PendingInvite);
    })
    .await;
}

#[tokio::test]
async fn nobody_else_accepts_in_a_persons_place() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").await;
        let (ada, link) = invite(gateway, &acme.id).await;
        let mut browser = gateway.browser();
        browser.open(&link).await.page();
        // A page elsewhere that knows the link sends the form.
        let forged = browser.post_from("https://evil.test", &link, &[]).await.page();
        assert_eq!(forged.reply.status, 403);
        // So does a program without the form of this browser.
        let bare = gateway.call(http::Method::POST, link.strip_prefix(gateway.url()).unwrap());
        assert_eq!(bare.form(&[]).send().await.status, 403);
        let head = gateway.call(http::Method::HEAD, link.strip_prefix(gateway.url()).unwrap());
        assert_eq!(head.send().await.status, 405);
        assert_eq!(status(gateway, &acme.id, &ada).await, Status::PendingInvite);
    })
    .await;
}

#[tokio::test]
async fn an_organization_without_room_keeps_the_invitation() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").await;
        let (ada, link) = invite(gateway, &acme.id).await;
        let limit = async |most: Option<i64>| {
            gateway
                .tx(async |tx| {
                    let sql = "UPDATE organizations SET max_allowed_users = $2 WHERE id = $1";
                    tx.exec(sql, genkan_db::p![&acme.id, most]).await?;
                    Ok(())
                })
                .await;
        };
        let mut browser = gateway.browser();
        let page = browser.open(&link).await.page();
        limit(Some(0)).await;
        let full = browser.submit(&page, &[]).await.page();
        assert_eq!(
            (full.reply.status.as_u16(), full.heading()),
            (409, "There is no free place")
        );
        assert_eq!(status(gateway, &acme.id, &ada).await, Status::PendingInvite);
        limit(None).await;
        let joined = browser.submit(&page, &[]).await.page();
        assert!(
            joined.heading().starts_with("You have joined "),
            "{}",
            joined.heading()
        );
    })
    .await;
}
