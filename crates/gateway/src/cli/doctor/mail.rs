//! Checks whether mail is delivered.

use genkan_db::Db;
use genkan_store::environment::Kind;
use genkan_store::mail;

use super::Findings;
use crate::config::Config;
use crate::failure::chain;
use crate::mail::Mailer;

const CHECK: &str = "Mail";

pub(super) async fn examine(config: &Config, kind: Kind, db: &Db, findings: &mut Findings) {
    match Mailer::of(config, kind == Kind::Development) {
        Err(error) => findings.fail(CHECK, error.to_string(), "See the configuration above."),
        Ok(Mailer::Inbox) => findings.ok(CHECK, "stays in the inbox of this development instance"),
        Ok(Mailer::Absent) => findings.warn(
            CHECK,
            "no mail server is named, so sign-in codes and invitations are refused",
            "Write smtp_url and from in [mail].",
        ),
        Ok(Mailer::Smtp(smtp)) => match smtp.greet().await {
            Ok(true) => findings.ok(CHECK, "the mail server answers"),
            Ok(false) => findings.fail(CHECK, "the mail server does not want to talk", REMEDY),
            Err(error) => findings.fail(CHECK, error.to_string(), REMEDY),
        },
    }
    match db.read(async |tx| mail::backlog(tx).await).await {
        Ok(backlog) if backlog.failing > 0 && kind == Kind::Production => findings.warn(
            CHECK,
            format!("{} mails were refused and will be tried again", backlog.failing),
            "`genkan mail test you@example.com` prints what the mail server answers.",
        ),
        Ok(_) => {}
        Err(error) => findings.fail(CHECK, chain(&error), "See the database above."),
    }
}

const REMEDY: &str =
    "Check mail.smtp_url: the host, the port, smtps:// or smtp://, the user and the password.";
