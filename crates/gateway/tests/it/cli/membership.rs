//! Invitations and memberships from the command line.

use genkan_db::testing::Scratch;
use genkan_store::MIGRATIONS;
use genkan_store::environment::Kind;
use serde_json::{Value, json};

use super::Instance;

/// Without what depends on the clock.
fn picked(membership: &Value) -> Value {
    json!([
        membership["status"],
        membership["roles"],
        membership["provisioning_method"]
    ])
}

#[tokio::test]
async fn a_person_is_invited_and_their_membership_kept() {
    for database in Scratch::each_with(MIGRATIONS).await {
        let instance = Instance::on(database, Kind::Development).await;
        instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
        let at_acme = |words: &[&str]| {
            let mut words = words.to_vec();
            words.extend(["--organization", "acme"]);
            instance.json(&words)
        };
        let invited = at_acme(&["user", "invite", "Ada@acme.com", "--role", "member"]);
        assert_eq!(invited["email"], "ada@acme.com");
        assert_eq!(
            (&invited["status"], &invited["resent_count"]),
            (&json!("PENDING_INVITE"), &json!(0))
        );
        let show = || instance.json(&["user", "show", "ada@acme.com"])["memberships"][0].clone();
        assert_eq!(
            picked(&show()),
            json!(["PENDING_INVITE", ["member"], "INVITATION"])
        );
        assert_eq!(show()["expires_at"], invited["expires_at"]);
        let again = at_acme(&["user", "resend", "ada@acme.com"]);
        assert_eq!(again["resent_count"], 1);
        instance.json(&["user", "update", "ada@acme.com", "--email", "ada@acme.org"]);
        instance
            .run(&["user", "resend", "ada@acme.org", "--organization", "acme"])
            .failed(
                1,
                "The invitation was sent to ada@acme.com, and the address is ada@acme.org now.",
            );
        instance.json(&["user", "update", "ada@acme.org", "--email", "ada@acme.com"]);

        at_acme(&["user", "membership", "activate", "ada@acme.com"]);
        assert_eq!(picked(&show()), json!(["ACTIVE", ["member"], "INVITATION"]));
        instance
            .run(&["user", "resend", "ada@acme.com", "--organization", "acme"])
            .failed(3, "ada@acme.com has no invitation that waits.");
        let roles = at_acme(&["user", "membership", "roles", "ada@acme.com", "--role", "admin"]);
        assert_eq!(roles["roles"], json!(["admin"]));
        at_acme(&["user", "membership", "deactivate", "ada@acme.com"]);
        assert_eq!(picked(&show()), json!(["INACTIVE", ["admin"], "INVITATION"]));
        let shown = instance.run(&["user", "show", "ada@acme.com"]).stdout;
        assert!(shown.contains("as admin (inactive)"), "{shown}");

        let removed = at_acme(&["user", "membership", "remove", "ada@acme.com", "--yes"]);
        assert_eq!(removed["removed"], true);
        let outside = instance.json(&["user", "show", "ada@acme.com"]);
        assert_eq!(outside["memberships"], json!([]), "the user stays");
        instance
            .run(&[
                "user",
                "membership",
                "deactivate",
                "ada@acme.com",
                "--organization",
                "acme",
            ])
            .failed(3, "ada@acme.com does not belong to Acme.");
        let added = at_acme(&["user", "membership", "add", "ada@acme.com"]);
        assert_eq!(picked(&added), json!(["ACTIVE", ["admin"], "CLI"]));
    }
}

#[tokio::test]
async fn nobody_is_invited_where_no_mail_goes_out() {
    let instance = Instance::on(Scratch::sqlite_with(MIGRATIONS).await, Kind::Production).await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let invite = [
        "user",
        "invite",
        "--email",
        "ada@acme.com",
        "--organization",
        "acme",
    ];
    instance.run(&invite).failed(1, "Mail is not configured.");
    assert_eq!(instance.json(&["user", "list"])["users"], json!([]));
}
