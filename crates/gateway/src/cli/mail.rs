//! `genkan mail test`

use std::time::Duration;

use clap::{Args, Subcommand};
use genkan_protocol::{EmailAddress, Timestamp};
use genkan_store::environment::Kind as EnvironmentKind;
use genkan_store::mail::{self, Content, Letter, Mail};
use serde::Serialize;

use super::instance::Instance;
use super::{Context, Failure};
use crate::letters;
use crate::mail::{Mailer, Smtp};

const EXAMPLES: &str = "\
Examples:
  genkan mail test you@example.com

The mail is sent directly to the server of mail.smtp_url, and the command
prints the server's answer. A development instance without a mail server puts
the mail into its inbox.";

/// Mail: test the mail server
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MailArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Send a test mail
    Test {
        /// The e-mail address of the recipient
        address: EmailAddress,
    },
}

#[derive(Serialize)]
struct MailTest {
    to: String,
    /// Whether a mail server accepted it.
    sent: bool,
    /// The inbox where it is otherwise.
    inbox: Option<String>,
}

pub(super) async fn run(args: &MailArgs, context: &mut Context) -> Result<(), Failure> {
    let Verb::Test { address } = &args.verb;
    let instance = context.open().await?;
    let is_development = instance.environment.kind == EnvironmentKind::Development;
    let mailer = Mailer::of(&instance.config, is_development)
        .map_err(|error| Failure::new(format!("Mail cannot be set up: {error}")))?;
    let tested = match &mailer {
        Mailer::Smtp(smtp) => send(&instance, smtp, address).await?,
        Mailer::Inbox => put_into_inbox(&instance, address).await?,
        Mailer::Absent => {
            return Err(Failure::new("Mail is not configured.").remedy(
                "Write smtp_url and from in [mail], or set GENKAN_MAIL_SMTP_URL and GENKAN_MAIL_FROM.",
            ));
        }
    };
    context.console.print(&tested, || match &tested.inbox {
        None => format!("The mail server took the mail for {}.\n", tested.to),
        Some(inbox) => format!("The mail is in the inbox of this instance: {inbox}\n"),
    })
}

fn test_mail(to: &EmailAddress, now: Timestamp) -> Mail {
    Mail {
        to: to.clone(),
        letter: Letter::Test,
        expires_at: now + Duration::from_hours(1),
    }
}

async fn send(instance: &Instance, smtp: &Smtp, to: &EmailAddress) -> Result<MailTest, Failure> {
    let at = instance.stamp();
    let content = Content::Mail(test_mail(to, at.now));
    let letter = letters::write(instance.config.public_url.as_str(), content);
    smtp.send(&at.id(), at.now, &letter)
        .await
        .map_err(|error| Failure::new(format!("The mail did not go out: {error}")).remedy(error.remedy()))?;
    Ok(MailTest {
        to: to.to_string(),
        sent: true,
        inbox: None,
    })
}

async fn put_into_inbox(instance: &Instance, to: &EmailAddress) -> Result<MailTest, Failure> {
    let (key, at) = (instance.key().await?, instance.stamp());
    let mail = test_mail(to, at.now);
    instance
        .change(async |tx| mail::enqueue(tx, at, &key, &mail).await.map(drop))
        .await?;
    Ok(MailTest {
        to: to.to_string(),
        sent: false,
        inbox: Some(instance.config.public_url.join(crate::dev::mail::PATH)),
    })
}
