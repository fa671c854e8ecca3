//! `genkan trace list|show`

use clap::{Args, Subcommand};
use genkan_protocol::trace::{Check, CheckOutcome};
use genkan_store::login_message::{self, LoginMessage};
use genkan_store::login_trace::{self, LoginTrace};
use genkan_store::{Error, TraceId};
use serde::Serialize;

use super::instance::{Instance, PageArgs, parse_id};
use super::output::{details, printable_lines, table, time};
use super::which;
use super::{Context, Failure};
use crate::web::indent::indented;

const EXAMPLES: &str = "\
Examples:
  genkan trace list --organization acme-17
  genkan trace show err_241053847510274048012

The error page shows the number of the trace. The check that failed stands
first, with the expected and the received value, and how to correct it. Each
check of the sign-in follows, and our request and the provider's answer, as
far as they were kept. XML gets line feeds between its tags, for people only:
--json prints it as it is stored. A trace contains no secret and no token.

The reference of causes is docs/reference/causes.md.";

/// Traces: the checks of failed sign-ins
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TraceArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List failed sign-ins, newest first
    List {
        /// Only of this organization, by identifier or external id
        #[arg(long)]
        organization: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show each check of a failed sign-in
    Show {
        /// The number on the error page, err_…
        trace: String,
    },
}

#[derive(Serialize)]
struct TraceView<'a> {
    id: String,
    created_at: String,
    /// A code such as `invalid_id_token`.
    cause: &'a str,
    /// What to change, and where.
    remedy: &'a str,
    organization_id: Option<String>,
    connection_id: Option<String>,
    client_id: Option<String>,
    checks: &'a [Check],
    /// Our request and the provider's answer, without what could be used again.
    #[serde(flatten)]
    messages: LoginMessage,
}

impl<'a> From<&'a LoginTrace> for TraceView<'a> {
    fn from(trace: &'a LoginTrace) -> Self {
        Self {
            id: trace.id.to_string(),
            created_at: time(trace.created_at),
            cause: &trace.cause,
            remedy: &trace.remedy,
            organization_id: trace.organization_id.as_ref().map(ToString::to_string),
            connection_id: trace.connection_id.as_ref().map(ToString::to_string),
            client_id: trace.client_id.as_ref().map(ToString::to_string),
            checks: trace.trace.checks(),
            messages: LoginMessage::default(),
        }
    }
}

impl TraceView<'_> {
    fn text(&self) -> String {
        let optional = |value: &Option<String>| value.clone().unwrap_or_default();
        let mut head = vec![
            ("Trace", self.id.clone()),
            ("Time", self.created_at.clone()),
            ("Cause", self.cause.to_owned()),
        ];
        head.extend(failed(self.checks));
        head.extend([
            ("What to do", self.remedy.to_owned()),
            ("Organization", optional(&self.organization_id)),
            ("Connection", optional(&self.connection_id)),
            ("Application", optional(&self.client_id)),
        ]);
        let message = |what: &str, text: &Option<String>| match text {
            Some(text) => format!("\n{what}:\n{}", quoted(&indented(text))),
            None => String::new(),
        };
        let LoginMessage { request, answer } = &self.messages;
        format!(
            "{}\n{}{}{}",
            details(&head),
            checks(self.checks),
            message("Our request", request),
            message("The provider's answer", answer)
        )
    }
}

/// Each line begins with a bar, because a stranger may write lines that look like ours.
fn quoted(message: &str) -> String {
    message.lines().map(|line| format!("| {line}\n")).collect()
}

/// The messages are a stranger's, and the terminal must not obey them. JSON does not escape the control characters
/// beyond ASCII.
fn printable_messages(messages: LoginMessage) -> LoginMessage {
    let printable = |text: Option<String>| text.as_deref().map(printable_lines);
    LoginMessage {
        request: printable(messages.request),
        answer: printable(messages.answer),
    }
}

/// The check that failed, for the head of a page. In the list it stands among some thirty others.
pub(super) fn failed(checks: &[Check]) -> Vec<(&'static str, String)> {
    let failed = checks.iter().find(|check| check.outcome == CheckOutcome::Failed);
    failed.map_or_else(Vec::new, |check| {
        vec![
            ("Failed check", check.name.clone()),
            ("Expected", check.expected.clone().unwrap_or_default()),
            ("Received", check.received.clone().unwrap_or_default()),
        ]
    })
}

/// One line for each check.
pub(super) fn checks(checks: &[Check]) -> String {
    let rows: Vec<_> = checks.iter().map(row).collect();
    table(["", "CHECK", "WHAT WAS SEEN"], &rows, "No check was reached.")
}

fn row(check: &Check) -> [String; 3] {
    let optional = |value: &Option<String>| value.clone().unwrap_or_default();
    let (mark, seen) = match check.outcome {
        CheckOutcome::Passed => ("ok", optional(&check.note)),
        CheckOutcome::Failed => (
            "FAILED",
            format!(
                "expected {}, received {}",
                optional(&check.expected),
                optional(&check.received)
            ),
        ),
        CheckOutcome::NotReached => ("-", "not reached".to_owned()),
        CheckOutcome::PassedOver => ("note", optional(&check.note)),
    };
    [mark.to_owned(), check.name.clone(), seen]
}

#[derive(Serialize)]
struct Listing<'a> {
    traces: Vec<TraceView<'a>>,
    next: Option<String>,
}

pub(super) async fn run(args: &TraceArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = context.open().await?;
    match &args.verb {
        Verb::List { organization, page } => list(organization.as_deref(), page, &instance, context).await,
        Verb::Show { trace } => show(trace, &instance, context).await,
    }
}

async fn list(
    organization: Option<&str>,
    args: &PageArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let page = args.page()?;
    let organization = match organization {
        Some(text) => Some(which::organization(instance, text).await?.id),
        None => None,
    };
    let traces = instance
        .read(async |tx| login_trace::list(tx, organization.as_ref(), &page).await)
        .await?;
    let next = args.next(&traces, |trace| trace.id.to_string());
    let listing = Listing {
        traces: traces.iter().map(TraceView::from).collect(),
        next,
    };
    let row = |view: &TraceView<'_>| {
        let optional = |value: &Option<String>| value.clone().unwrap_or_default();
        [
            view.id.clone(),
            view.created_at.clone(),
            view.cause.to_owned(),
            optional(&view.connection_id),
        ]
    };
    context.console.print(&listing, || {
        let rows: Vec<_> = listing.traces.iter().map(row).collect();
        table(
            ["TRACE", "TIME", "CAUSE", "CONNECTION"],
            &rows,
            "No sign-in failed.",
        )
    })?;
    context.console.tell_next(listing.next.as_deref());
    Ok(())
}

async fn show(text: &str, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    if text.starts_with("req_") {
        return Err(
            Failure::usage(format!("{text} is the number of a request, and only err_… has a trace."))
                .remedy("Look for it in the log of the server; `genkan app doctor APP` shows refused requests of an application."),
        );
    }
    let id: TraceId = parse_id(text)?;
    let now = instance.now;
    let (found, messages) = instance
        .read(async |tx| -> Result<_, Error> {
            Ok((
                login_trace::find(tx, &id).await?,
                login_message::find(tx, &id, now).await?,
            ))
        })
        .await?;
    let trace = found.ok_or_else(|| {
        Failure::not_found(format!("There is no trace {id}.")).remedy(
            "Traces are kept for 30 days, and those of SAML answers that no provider has signed for a day; \
                 `genkan trace list` shows those there are.",
        )
    })?;
    let view = TraceView {
        messages: printable_messages(messages.unwrap_or_default()),
        ..TraceView::from(&trace)
    };
    context.console.print(&view, || view.text())
}
