//! `genkan connection relink`

use clap::Args;
use genkan_store::identity::relink;
use serde::Serialize;

use super::find;
use crate::cli::instance::Instance;
use crate::cli::output::time;
use crate::cli::{Context, Failure, user};

#[derive(Debug, Args)]
pub(super) struct RelinkArgs {
    /// Its identifier
    connection: String,
    /// Only this user, by identifier or e-mail address
    #[arg(long)]
    user: Option<String>,
}

#[derive(Serialize)]
struct RelinkPermission {
    id: String,
    connection_id: String,
    user_id: Option<String>,
    expires_at: String,
}

pub(super) async fn run(
    args: &RelinkArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let connection = find(instance, &args.connection).await?;
    let user = match &args.user {
        Some(text) => Some(user::find(instance, text).await?),
        None => None,
    };
    let user_id = user.map(|user| user.id);
    let at = instance.stamp();
    let id = instance
        .change(async |tx| relink::allow(tx, at, &connection.id, user_id.as_ref()).await)
        .await?;
    let allowed = RelinkPermission {
        id: id.to_string(),
        connection_id: connection.id.to_string(),
        user_id: user_id.map(|id| id.to_string()),
        expires_at: time(at.now + relink::LIFETIME),
    };
    context.console.print(&allowed, || {
        let who = match &allowed.user_id {
            Some(user_id) => format!("{user_id} may"),
            None => "Each person may".to_owned(),
        };
        format!(
            "{who} come to {} with another subject, once, until {}.\n",
            allowed.connection_id, allowed.expires_at
        )
    })
}
