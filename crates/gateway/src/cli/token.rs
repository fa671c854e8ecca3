//! `genkan token create|list|show|update|revoke`

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use genkan_store::api_token::{self, ApiToken, Filter, Key, LiveToken};
use genkan_store::{ApiTokenId, Error, Secret, UserId};
use serde::Serialize;

use super::app::secret::parse_expiry;
use super::instance::{Instance, PageArgs, parse_id};
use super::output::{details, table, time};
use super::pairs::parse_pair;
use super::{Context, Failure, which};

const EXAMPLES: &str = "\
Examples:
  genkan token create --organization acme-17 --description \"Nightly export\" \\
      --custom-claim tier=gold --expires-in 90d
  genkan token list --organization acme-17
  genkan token revoke apit_241053847510274048012

An application gives such a token to its customer. If somebody presents the
token, the application asks Genkan whether it is valid.";

/// API tokens: opaque tokens of organizations and their members
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create a token; its value is shown once
    Create {
        /// The organization's identifier or external id
        #[arg(long)]
        organization: String,
        /// The identifier of the member that it stands for (default: the organization itself)
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// A description of its purpose
        #[arg(long, value_name = "TEXT", value_parser = parse_description)]
        description: Option<String>,
        /// A further claim of the token, as KEY=VALUE; may be repeated
        #[arg(long = "custom-claim", value_name = "KEY=VALUE", value_parser = parse_pair)]
        custom_claims: Vec<(String, String)>,
        /// The time after which it expires, such as 90d (default: never)
        #[arg(long, value_name = "DURATION", value_parser = parse_expiry)]
        expires_in: Option<Duration>,
    },
    /// List the valid tokens of an organization, newest first
    List {
        /// The organization's identifier or external id
        #[arg(long)]
        organization: String,
        /// Only tokens of this member
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show a token, without its value
    Show {
        /// The identifier of the token
        token: String,
    },
    /// Change a token; other settings stay
    Update {
        /// The identifier of the token
        token: String,
        /// A description of its purpose
        #[arg(long, value_name = "TEXT", value_parser = parse_description)]
        description: Option<String>,
        /// A further claim of the token, as KEY=VALUE; may be repeated. The new list replaces the old one
        #[arg(long = "custom-claim", value_name = "KEY=VALUE", value_parser = parse_pair)]
        custom_claims: Vec<(String, String)>,
    },
    /// Revoke a token; it becomes invalid at once
    Revoke {
        /// The identifier of the token
        token: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

fn parse_description(text: &str) -> Result<String, String> {
    if text.chars().count() <= api_token::MAX_DESCRIPTION_CHARS {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "write {} characters at most",
            api_token::MAX_DESCRIPTION_CHARS
        ))
    }
}

#[derive(Serialize)]
struct TokenView {
    id: String,
    organization_id: String,
    user_id: Option<String>,
    /// The last four characters, by which people tell tokens apart.
    suffix: String,
    description: Option<String>,
    custom_claims: BTreeMap<String, String>,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    /// The value of a new token. It is shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl From<&ApiToken> for TokenView {
    fn from(token: &ApiToken) -> Self {
        Self {
            id: token.id.to_string(),
            organization_id: token.organization_id.to_string(),
            user_id: token.user_id.as_ref().map(ToString::to_string),
            suffix: token.suffix.clone(),
            description: token.description.clone(),
            custom_claims: token.custom_claims.clone(),
            created_at: time(token.created_at),
            expires_at: token.expires_at.map(time),
            last_used_at: token.last_used_at.map(time),
            token: None,
        }
    }
}

impl TokenView {
    fn text(&self) -> String {
        let claims: Vec<_> = self
            .custom_claims
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut rows = vec![
            ("Token", format!("{} …{}", self.id, self.suffix)),
            ("Organization", self.organization_id.clone()),
            ("User", text(&self.user_id)),
            ("Description", text(&self.description)),
            ("Custom claims", claims.join(" ")),
            ("Since", self.created_at.clone()),
            ("Until", text(&self.expires_at)),
            ("Last used", text(&self.last_used_at)),
        ];
        if let Some(token) = &self.token {
            rows.push(("Value", token.clone()));
        }
        details(&rows)
    }
}

#[derive(Serialize)]
struct Listing {
    tokens: Vec<TokenView>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Revocation {
    id: String,
    revoked: bool,
}

pub(super) async fn run(args: &TokenArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = &context.open().await?;
    match &args.verb {
        Verb::Create { .. } => create(&args.verb, instance, context).await,
        Verb::List {
            organization,
            user,
            page,
        } => list((organization, user.as_deref()), page, instance, context).await,
        Verb::Show { token } => {
            let view = TokenView::from(&find(instance, token).await?.token);
            context.console.print(&view, || view.text())
        }
        Verb::Update {
            token,
            description,
            custom_claims,
        } => update((token, description.as_ref(), custom_claims), instance, context).await,
        Verb::Revoke { token, yes } => revoke(token, *yes, instance, context).await,
    }
}

fn claims(pairs: &[(String, String)]) -> Result<BTreeMap<String, String>, Failure> {
    let claims: BTreeMap<_, _> = pairs.iter().cloned().collect();
    api_token::check_claims(&claims)
        .map(|()| claims)
        .map_err(|sentence| Failure::usage(format!("The claims cannot be kept: {sentence}.")))
}

async fn create(verb: &Verb, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let Verb::Create {
        organization,
        user,
        description,
        custom_claims,
        expires_in,
    } = verb
    else {
        return Ok(());
    };
    let organization = which::organization(instance, organization).await?;
    let at = instance.stamp();
    let value = Secret::generate_with_prefix(&format!("{}api_", instance.secret_prefix()));
    let hash = value.sha256();
    let token = ApiToken {
        id: at.id(),
        suffix: value.suffix().to_owned(),
        organization_id: organization.id,
        user_id: user.as_deref().map(parse_id::<UserId>).transpose()?,
        custom_claims: claims(custom_claims)?,
        description: description.clone().filter(|text| !text.is_empty()),
        created_at: at.now,
        updated_at: at.now,
        expires_at: expires_in.map(|expires_in| at.now + expires_in),
        last_used_at: None,
    };
    // `None`: the user is no active member. The store gives no reason for it.
    let made = instance
        .change(async |tx| match api_token::insert(tx, at, &token, &hash).await {
            Ok(()) => Ok(Some(())),
            Err(Error::Stale) => Ok(None),
            Err(error) => Err(error),
        })
        .await?;
    if made.is_none() {
        return Err(Failure::not_found(
            "The user is no active member of the organization.",
        ));
    }
    let view = TokenView {
        token: Some(value.expose().to_owned()),
        ..TokenView::from(&token)
    };
    context.console.print(&view, || view.text())?;
    context.console.note("Keep the value now: it is not shown again.");
    Ok(())
}

async fn list(
    (organization, user): (&str, Option<&str>),
    args: &PageArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let filter = Filter {
        organization_id: which::organization(instance, organization).await?.id,
        user_id: user.map(parse_id).transpose()?,
    };
    let page = args.page()?;
    let found = instance
        .read(async |tx| api_token::list(tx, &filter, instance.now, &page).await)
        .await?;
    let next = args.next(&found, |found| found.token.id.to_string());
    let listing = Listing {
        tokens: found.iter().map(|found| TokenView::from(&found.token)).collect(),
        next,
    };
    let row = |view: &TokenView| {
        [
            view.id.clone(),
            format!("…{}", view.suffix),
            view.user_id.clone().unwrap_or_default(),
            view.expires_at.clone().unwrap_or_default(),
            view.description.clone().unwrap_or_default(),
        ]
    };
    context.console.print(&listing, || {
        let rows: Vec<_> = listing.tokens.iter().map(row).collect();
        table(
            ["TOKEN", "VALUE", "USER", "UNTIL", "DESCRIPTION"],
            &rows,
            "There are no tokens.",
        )
    })?;
    context.console.tell_next(listing.next.as_deref());
    Ok(())
}

async fn update(
    (token, description, custom_claims): (&str, Option<&String>, &[(String, String)]),
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let mut token = find(instance, token).await?.token;
    if let Some(description) = description {
        token.description = Some(description.clone()).filter(|text| !text.is_empty());
    }
    if !custom_claims.is_empty() {
        token.custom_claims = claims(custom_claims)?;
    }
    let at = instance.stamp();
    instance
        .change(async |tx| api_token::update(tx, at, &token).await)
        .await?;
    let view = TokenView::from(&token);
    context.console.print(&view, || view.text())
}

async fn revoke(text: &str, yes: bool, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let token = find(instance, text).await?.token;
    let question = format!("revoke the token {}, which ends in {}", token.id, token.suffix);
    context.console.confirm(&question, yes)?;
    let at = instance.stamp();
    let key = Key::Id(token.id.clone());
    instance
        .change(async |tx| api_token::revoke(tx, at, &key).await)
        .await?;
    let revoked = Revocation {
        id: token.id.to_string(),
        revoked: true,
    };
    context
        .console
        .print(&revoked, || format!("Revoked {}.\n", revoked.id))
}

/// The token that the command line names.
async fn find(instance: &Instance, text: &str) -> Result<LiveToken, Failure> {
    let id: ApiTokenId = parse_id(text)?;
    let key = Key::Id(id);
    let found = instance
        .read(async |tx| api_token::find_live(tx, &key, instance.now).await)
        .await?;
    found.ok_or_else(|| {
        Failure::not_found(format!("There is no token {text} that counts."))
            .remedy("`genkan token list --organization …` shows those there are.")
    })
}
