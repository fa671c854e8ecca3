//! `genkan session list|show|end`

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use genkan_protocol::Timestamp;
use genkan_store::session::{self, Client, Filter, Session, Status};
use genkan_store::{MAX_LIMIT, Page, SessionId};
use serde::Serialize;

use super::instance::{Instance, PageArgs, parse_id};
use super::output::{details, table, time};
use super::{Context, Failure, user};

const EXAMPLES: &str = "\
Examples:
  genkan session list --user ada@acme.com
  genkan session list --user ada@acme.com --status active
  genkan session show ses_241053847510274048012
  genkan session end ses_241053847510274048012
  genkan session end --user ada@acme.com --yes

A person who was signed out can sign in again. `genkan user disable` prevents
it.";

/// Sessions: the signed-in browsers of people
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SessionArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List a user's sessions, newest first
    List {
        /// The user, by identifier or e-mail address
        #[arg(long)]
        user: String,
        /// Only sessions in this status: active, expired, revoked or logout; may be repeated
        #[arg(long = "status", value_name = "STATUS", value_parser = parse_status)]
        statuses: Vec<Status>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show a session with its applications
    Show {
        /// The identifier of the session
        session: String,
    },
    /// End one session or all sessions of a user; applications are told, and the tokens become invalid
    End {
        /// The identifier of the session
        #[arg(required_unless_present = "user")]
        session: Option<String>,
        /// All sessions of this user, by identifier or e-mail address
        #[arg(long, conflicts_with = "session")]
        user: Option<String>,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

fn parse_status(text: &str) -> Result<Status, String> {
    text.to_ascii_lowercase()
        .parse()
        .map_err(|_| "write active, expired, revoked or logout".to_owned())
}

#[derive(Serialize)]
struct SessionView {
    id: String,
    user_id: String,
    organization_id: Option<String>,
    connection_id: Option<String>,
    status: &'static str,
    authenticated_at: String,
    created_at: String,
    last_active_at: String,
    idle_expires_at: String,
    expires_at: String,
    ended_at: Option<String>,
    ip: Option<String>,
    user_agent: Option<String>,
    clients: BTreeSet<String>,
}

impl SessionView {
    /// `clients` may include those of other sessions.
    fn new(session: &Session, clients: &[Client], now: Timestamp) -> Self {
        let of_it = clients.iter().filter(|client| client.session_id == session.id);
        Self {
            id: session.id.to_string(),
            user_id: session.user_id.to_string(),
            organization_id: session.organization_id.as_ref().map(ToString::to_string),
            connection_id: session.connection_id.as_ref().map(ToString::to_string),
            status: session.status_at(now).as_str(),
            authenticated_at: time(session.authenticated_at),
            created_at: time(session.created_at),
            last_active_at: time(session.last_active_at),
            idle_expires_at: time(session.idle_expires_at),
            expires_at: time(session.expires_at),
            ended_at: session.ended_at.map(time),
            ip: session.ip.clone(),
            user_agent: session.user_agent.clone(),
            clients: of_it.map(|client| client.client_id.to_string()).collect(),
        }
    }

    fn text(&self) -> String {
        let optional = |value: &Option<String>| value.clone().unwrap_or_default();
        let clients: Vec<&str> = self.clients.iter().map(String::as_str).collect();
        details(&[
            ("Session", self.id.clone()),
            ("User", self.user_id.clone()),
            ("Organization", optional(&self.organization_id)),
            ("Connection", optional(&self.connection_id)),
            ("Status", self.status.to_owned()),
            ("Applications", clients.join(", ")),
            ("Signed in", self.authenticated_at.clone()),
            ("Last used", self.last_active_at.clone()),
            ("Idle until", self.idle_expires_at.clone()),
            ("Ends", self.expires_at.clone()),
            ("Ended", optional(&self.ended_at)),
            ("Address", optional(&self.ip)),
            ("Browser", optional(&self.user_agent)),
        ])
    }
}

#[derive(Serialize)]
struct Listing {
    sessions: Vec<SessionView>,
    next: Option<String>,
}

#[derive(Serialize)]
struct SessionEnd {
    ended: u64,
}

pub(super) async fn run(args: &SessionArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = context.open().await?;
    match &args.verb {
        Verb::List { user, statuses, page } => {
            let filter = Filter {
                statuses: statuses.clone(),
                ..Filter::default()
            };
            list(user, &filter, page, &instance, context).await
        }
        Verb::Show { session } => {
            let view = read(&find(&instance, session).await?, &instance).await?;
            context.console.print(&view, || view.text())
        }
        Verb::End {
            session: Some(session),
            yes,
            ..
        } => end(session, *yes, &instance, context).await,
        Verb::End { user, yes, .. } => {
            end_all(user.as_deref().unwrap_or_default(), *yes, &instance, context).await
        }
    }
}

async fn list(
    user: &str,
    filter: &Filter,
    args: &PageArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let (page, user) = (args.page()?, user::find(instance, user).await?);
    let (sessions, clients) = instance
        .read(async |tx| {
            let sessions = session::list_for_user(tx, &user.id, filter, instance.now, &page).await?;
            let clients = session::clients_of(tx, &sessions).await?;
            Ok((sessions, clients))
        })
        .await?;
    let next = args.next(&sessions, |session| session.id.to_string());
    let view = |session: &Session| SessionView::new(session, &clients, instance.now);
    let listing = Listing {
        sessions: sessions.iter().map(view).collect(),
        next,
    };
    let row = |view: &SessionView| {
        [
            view.id.clone(),
            view.status.to_owned(),
            view.organization_id.clone().unwrap_or_default(),
            view.ip.clone().unwrap_or_default(),
            view.authenticated_at.clone(),
            view.last_active_at.clone(),
        ]
    };
    context.console.print(&listing, || {
        let rows: Vec<_> = listing.sessions.iter().map(row).collect();
        table(
            [
                "SESSION",
                "STATUS",
                "ORGANIZATION",
                "ADDRESS",
                "SIGNED IN",
                "LAST USED",
            ],
            &rows,
            "The user has no such sessions.",
        )
    })?;
    context.console.tell_next(listing.next.as_deref());
    Ok(())
}

async fn read(session: &Session, instance: &Instance) -> Result<SessionView, Failure> {
    let clients = instance
        .read(async |tx| session::clients_of(tx, std::slice::from_ref(session)).await)
        .await?;
    Ok(SessionView::new(session, &clients, instance.now))
}

async fn end(text: &str, yes: bool, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let session = find(instance, text).await?;
    context.console.confirm(
        &format!(
            "sign {} out of this session and everything that was used in it",
            session.user_id
        ),
        yes,
    )?;
    if session.status_at(instance.now) == Status::Active {
        let at = instance.stamp();
        instance
            .change(async |tx| session::end(tx, at, &session.id, Status::Revoked).await)
            .await?;
    }
    let view = read(&find(instance, text).await?, instance).await?;
    context
        .console
        .print(&view, || format!("{} has ended ({}).\n", view.id, view.status))
}

async fn end_all(text: &str, yes: bool, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let user = user::find(instance, text).await?;
    context.console.confirm(
        &format!("sign {} ({}) out everywhere", user.email.as_str(), user.id),
        yes,
    )?;
    let at = instance.stamp();
    let active = Filter {
        statuses: vec![Status::Active],
        ..Filter::default()
    };
    let ended = instance
        .change(async |tx| {
            let mut ended = 0;
            session::hold_person(tx, &user.id).await?;
            loop {
                // Sessions that were ended are no longer active, so the next page is the first page.
                let page = Page::first(MAX_LIMIT);
                let rows = session::list_for_user(tx, &user.id, &active, at.now, &page).await?;
                if rows.is_empty() {
                    return Ok(ended);
                }
                for row in rows {
                    ended += u64::from(session::end(tx, at, &row.id, Status::Revoked).await?);
                }
            }
        })
        .await?;
    context.console.print(&SessionEnd { ended }, || match ended {
        1 => "1 session has ended.\n".to_owned(),
        ended => format!("{ended} sessions have ended.\n"),
    })
}

async fn find(instance: &Instance, text: &str) -> Result<Session, Failure> {
    let id: SessionId = parse_id(text)?;
    let found = instance.read(async |tx| session::find(tx, &id).await).await?;
    found.ok_or_else(|| {
        Failure::not_found(format!("There is no session {id}."))
            .remedy("`genkan session list --user USER` shows those of a user.")
    })
}
