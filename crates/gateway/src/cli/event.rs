//! `genkan event list`

use clap::{Args, Subcommand};
use genkan_store::event::{self, Event, Filter, Kind};
use genkan_store::{ClientId, ConnectionId, DirectoryId};
use serde::Serialize;
use serde_json::{Map, Value};

use super::instance::{PageArgs, parse_id};
use super::output::{table, time};
use super::{Context, Failure, user, which};

const EXAMPLES: &str = "\
Examples:
  genkan event list --limit 20
  genkan event list --kind user.login --user ada@acme.com
  genkan event list --json | jq '.events[] | select(.kind == \"user.login\")'";

/// Events: sign-ins and changes, newest first
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct EventArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List sign-ins, and changes with their objects
    List(ListArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only of this kind, such as user.login
    #[arg(long)]
    kind: Option<Kind>,
    /// Only of this organization, by identifier or external id
    #[arg(long)]
    organization: Option<String>,
    /// Only of this user, by identifier or e-mail address
    #[arg(long)]
    user: Option<String>,
    /// Only of this application
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Only about this connection
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    /// Only about this directory
    #[arg(long, value_name = "ID")]
    directory: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Serialize)]
struct EventView<'a> {
    id: String,
    occurred_at: String,
    kind: &'static str,
    organization_id: Option<String>,
    user_id: Option<String>,
    client_id: Option<String>,
    session_id: Option<String>,
    actor: Option<String>,
    data: &'a Map<String, Value>,
}

impl<'a> From<&'a Event> for EventView<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            id: event.id.to_string(),
            occurred_at: time(event.occurred_at),
            kind: event.kind.as_str(),
            organization_id: event.organization_id.as_ref().map(ToString::to_string),
            user_id: event.user_id.as_ref().map(ToString::to_string),
            client_id: event.client_id.as_ref().map(ToString::to_string),
            session_id: event.session_id.as_ref().map(ToString::to_string),
            actor: event.actor.clone(),
            data: &event.data,
        }
    }
}

impl EventView<'_> {
    fn row(&self) -> [String; 4] {
        let about = [&self.user_id, &self.organization_id, &self.client_id];
        let about: Vec<_> = about.into_iter().flatten().map(String::as_str).collect();
        let data = self.data.iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        });
        [
            self.occurred_at.clone(),
            self.kind.to_owned(),
            about.join(" "),
            data.collect::<Vec<_>>().join(" "),
        ]
    }
}

#[derive(Serialize)]
struct Listing<'a> {
    events: Vec<EventView<'a>>,
    next: Option<String>,
}

pub(super) async fn run(args: &EventArgs, context: &mut Context) -> Result<(), Failure> {
    let Verb::List(args) = &args.verb;
    let client_id = args.app.as_deref().map(parse_id::<ClientId>).transpose()?;
    let connection_id = args
        .connection
        .as_deref()
        .map(parse_id::<ConnectionId>)
        .transpose()?;
    let directory_id = args
        .directory
        .as_deref()
        .map(parse_id::<DirectoryId>)
        .transpose()?;
    let page = args.page.page()?;
    let instance = context.open().await?;
    let filter = Filter {
        kind: args.kind,
        organization_id: match &args.organization {
            Some(text) => Some(which::organization_id(&instance, text).await?),
            None => None,
        },
        user_id: match &args.user {
            Some(text) => Some(user::id_of(&instance, text).await?),
            None => None,
        },
        client_id,
        connection_id,
        directory_id,
        ..Filter::default()
    };
    let events = instance
        .read(async |tx| event::list(tx, &filter, &page).await)
        .await?;
    let next = args.page.next(&events, |event| event.id.to_string());
    let listing = Listing {
        events: events.iter().map(EventView::from).collect(),
        next,
    };
    context.console.print(&listing, || {
        let rows: Vec<_> = listing.events.iter().map(EventView::row).collect();
        table(["TIME", "EVENT", "ABOUT", "DATA"], &rows, "Nothing happened.")
    })?;
    context.console.tell_next(listing.next.as_deref());
    Ok(())
}
