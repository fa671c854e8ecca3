//! `genkan attribute create|list|show|update|delete`

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};
use genkan_store::user_attribute::{self, Datatype, DeletionOutcome, UserAttribute, name_in_mapping};
use genkan_store::{Error, connection};
use serde::Serialize;

use super::instance::{Deletion, Instance};
use super::output::{details, table, time, yes_no};
use super::{Context, Failure};

const EXAMPLES: &str = "\
Examples:
  genkan attribute create department --label \"Department\"
  genkan attribute create level --label \"Level\" --type number \\
      --oidc-claim job_level --saml-attribute jobLevel
  genkan connection update conn_241053847510274048012 \\
      --attribute custom.department=dept
  genkan attribute update department --required on
  genkan attribute delete level

An attribute is registered once, for all organizations. A connection reads it
from the claim or SAML attribute that its --attribute custom.KEY=NAME names, or
else from the one that is named here. At each sign-in through the company of a
person, the value becomes that of the user. ID tokens and userinfo have it
under its key, in its type, for the scope profile. A value of another type or
of more than 256 characters is left out; `genkan connection test` says so.";

/// Custom attributes of users: read from identity providers, and part of tokens
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct AttributeArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Register an attribute, at most 20
    Create {
        /// The name in tokens and at users: 3 to 25 letters, digits, - and _; it cannot be changed
        #[arg(value_parser = parse_key)]
        key: String,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// List the attributes by key
    List,
    /// Show an attribute
    Show {
        /// The key of the attribute
        key: String,
    },
    /// Change an attribute; what is not named stays
    Update {
        /// The key of the attribute
        key: String,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Remove an attribute from the register; users keep their values, and tokens lose them
    Delete {
        /// The key of the attribute
        key: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct SettingsArgs {
    /// The name for people: the key unless you choose
    #[arg(long)]
    label: Option<String>,
    /// The type in tokens: string, number, bool, array or object; string unless you choose
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_type)]
    datatype: Option<Datatype>,
    /// Whether sign-ins read it and tokens contain it: on unless you choose
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new())]
    enabled: Option<bool>,
    /// Whether people without it are refused, at every connection of every organization
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), num_args = 0..=1,
        default_missing_value = "on")]
    required: Option<bool>,
    /// The claim that OIDC connections read if they name none themselves; empty for none
    #[arg(long, value_name = "CLAIM")]
    oidc_claim: Option<String>,
    /// The attribute that SAML connections read if they name none themselves; empty for none
    #[arg(long, value_name = "NAME")]
    saml_attribute: Option<String>,
}

impl SettingsArgs {
    fn is_empty(&self) -> bool {
        let Self {
            label,
            datatype,
            enabled,
            required,
            oidc_claim,
            saml_attribute,
        } = self;
        let texts = [label, oidc_claim, saml_attribute];
        let switches = [enabled, required];
        texts.iter().all(|text| text.is_none())
            && switches.iter().all(|switch| switch.is_none())
            && datatype.is_none()
    }

    fn apply(&self, attribute: &mut UserAttribute) {
        let Self {
            label,
            datatype,
            enabled,
            required,
            oidc_claim,
            saml_attribute,
        } = self;
        if let Some(label) = label {
            label.trim().clone_into(&mut attribute.label);
        }
        attribute.datatype = datatype.unwrap_or(attribute.datatype);
        attribute.enabled = enabled.unwrap_or(attribute.enabled);
        attribute.required = required.unwrap_or(attribute.required);
        for (ours, entered) in [
            (&mut attribute.oidc_claim, oidc_claim),
            (&mut attribute.saml_attribute, saml_attribute),
        ] {
            if let Some(text) = entered {
                *ours = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
            }
        }
    }
}

fn parse_key(text: &str) -> Result<String, String> {
    if !user_attribute::is_key(text) {
        return Err("write 3 to 25 letters, digits, - and _, a letter first".to_owned());
    }
    if user_attribute::is_reserved(text) {
        return Err("tokens have another claim of this name: choose another one".to_owned());
    }
    Ok(text.to_owned())
}

fn parse_type(text: &str) -> Result<Datatype, String> {
    text.to_ascii_uppercase()
        .parse()
        .map_err(|_| "write string, number, bool, array or object".to_owned())
}

#[derive(Serialize)]
struct AttributeView {
    key: String,
    label: String,
    #[serde(rename = "type")]
    datatype: String,
    enabled: bool,
    required: bool,
    oidc_claim: Option<String>,
    saml_attribute: Option<String>,
    created_at: String,
    updated_at: String,
}

impl From<&UserAttribute> for AttributeView {
    fn from(attribute: &UserAttribute) -> Self {
        Self {
            key: attribute.key.clone(),
            label: attribute.label.clone(),
            datatype: attribute.datatype.as_str().to_ascii_lowercase(),
            enabled: attribute.enabled,
            required: attribute.required,
            oidc_claim: attribute.oidc_claim.clone(),
            saml_attribute: attribute.saml_attribute.clone(),
            created_at: time(attribute.created_at),
            updated_at: time(attribute.updated_at),
        }
    }
}

impl AttributeView {
    fn text(&self) -> String {
        let source = |name: &Option<String>| name.clone().unwrap_or_else(|| "none".to_owned());
        details(&[
            ("Attribute", self.key.clone()),
            ("Label", self.label.clone()),
            ("Type", self.datatype.clone()),
            ("Enabled", yes_no(self.enabled)),
            ("Required", yes_no(self.required)),
            ("OIDC claim", source(&self.oidc_claim)),
            ("SAML attribute", source(&self.saml_attribute)),
            ("Created", self.created_at.clone()),
            ("Updated", self.updated_at.clone()),
        ])
    }
}

#[derive(Serialize)]
struct Listing {
    attributes: Vec<AttributeView>,
}

pub(super) async fn run(args: &AttributeArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = context.open().await?;
    match &args.verb {
        Verb::Create { key, settings } => create(key, settings, &instance, context).await,
        Verb::List => list(&instance, context).await,
        Verb::Show { key } => {
            let view = AttributeView::from(&find(&instance, key).await?);
            context.console.print(&view, || view.text())
        }
        Verb::Update { key, settings } => update(key, settings, &instance, context).await,
        Verb::Delete { key, yes } => delete(key, *yes, &instance, context).await,
    }
}

async fn create(
    key: &str,
    settings: &SettingsArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let at = instance.stamp();
    let mut attribute = UserAttribute {
        key: key.to_owned(),
        label: key.to_owned(),
        datatype: Datatype::String,
        enabled: true,
        required: false,
        oidc_claim: None,
        saml_attribute: None,
        created_at: at.now,
        updated_at: at.now,
    };
    settings.apply(&mut attribute);
    instance
        .change(async |tx| user_attribute::insert(tx, at, &attribute).await)
        .await?;
    let view = AttributeView::from(&attribute);
    context.console.print(&view, || view.text())?;
    warn(&attribute, instance, context).await?;
    if attribute.oidc_claim.is_none() || attribute.saml_attribute.is_none() {
        context.console.note(&format!(
            "Name what carries it at a provider: genkan connection update CONNECTION --attribute {}=NAME",
            name_in_mapping(key)
        ));
    }
    Ok(())
}

async fn list(instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let attributes = instance.read(async |tx| user_attribute::list(tx).await).await?;
    let listing = Listing {
        attributes: attributes.iter().map(AttributeView::from).collect(),
    };
    let row = |view: &AttributeView| {
        [
            view.key.clone(),
            view.label.clone(),
            view.datatype.clone(),
            yes_no(view.enabled),
            yes_no(view.required),
        ]
    };
    context.console.print(&listing, || {
        let rows: Vec<_> = listing.attributes.iter().map(row).collect();
        table(
            ["ATTRIBUTE", "LABEL", "TYPE", "ENABLED", "REQUIRED"],
            &rows,
            "There are no custom attributes.",
        )
    })
}

async fn update(
    key: &str,
    settings: &SettingsArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    if settings.is_empty() {
        return Err(Failure::usage("There is nothing to change.")
            .remedy("Name at least one of the options; `genkan attribute update --help` lists them."));
    }
    let mut attribute = find(instance, key).await?;
    settings.apply(&mut attribute);
    let at = instance.stamp();
    let updated = instance
        .change(async |tx| {
            user_attribute::update(tx, at, &attribute).await?;
            user_attribute::find(tx, key).await?.ok_or(Error::Stale)
        })
        .await?;
    let view = AttributeView::from(&updated);
    context.console.print(&view, || view.text())?;
    warn(&updated, instance, context).await
}

/// Names the connections that refuse everybody, because nobody has said what carries a required attribute there.
async fn warn(attribute: &UserAttribute, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    /// More are not listed.
    const MOST: usize = 10;

    if !attribute.required || !attribute.enabled {
        return Ok(());
    }
    let lacking = instance
        .read(async |tx| connection::without_source(tx, attribute, MOST + 1).await)
        .await?;
    if lacking.is_empty() {
        return Ok(());
    }
    let shown: Vec<&str> = lacking.iter().take(MOST).map(|id| id.as_str()).collect();
    let more = match lacking.len() > MOST {
        true => ", and others",
        false => "",
    };
    let key = &attribute.key;
    context.console.note(&format!(
        "Nobody can sign in through these connections now, because they have no source for {key}: {}{more}.\n\
         Name what carries it there: `genkan connection update CONNECTION --attribute {}=NAME`. Or let people sign in \
         without it: `genkan attribute update {key} --required off`.",
        shown.join(", "),
        name_in_mapping(key)
    ));
    Ok(())
}

async fn delete(key: &str, yes: bool, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    find(instance, key).await?;
    let question = format!("delete {key}, which takes it out of tokens");
    context.console.confirm(&question, yes)?;
    let at = instance.stamp();
    let outcome = instance
        .change(async |tx| user_attribute::delete(tx, at, key).await)
        .await?;
    match outcome {
        DeletionOutcome::Deleted => {
            let deleted = Deletion::new(&key);
            context.console.print(&deleted, || deleted.text())
        }
        DeletionOutcome::Unknown => Err(unknown(key)),
        DeletionOutcome::Mapped(connections) => {
            let ids: Vec<_> = connections.iter().map(ToString::to_string).collect();
            Err(
                Failure::new(format!("Connections map the attribute: {}.", ids.join(", "))).remedy(format!(
                    "Take it out of each mapping first: genkan connection update CONNECTION --attribute {}=",
                    name_in_mapping(key)
                )),
            )
        }
    }
}

async fn find(instance: &Instance, key: &str) -> Result<UserAttribute, Failure> {
    let found = instance
        .read(async |tx| user_attribute::find(tx, key).await)
        .await?;
    found.ok_or_else(|| unknown(key))
}

fn unknown(key: &str) -> Failure {
    Failure::not_found(format!("There is no attribute \"{key}\"."))
        .remedy("`genkan attribute list` shows those there are.")
}
