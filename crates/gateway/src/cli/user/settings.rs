//! The options of a user, for their creation and for changes.

use clap::Args;
use genkan_protocol::EmailAddress;
use genkan_store::user::{self, User};

use super::{find, show};
use crate::cli::instance::Instance;
use crate::cli::pairs::{PairsChange, parse_pair};
use crate::cli::{Context, Failure};

/// Other settings stay. An empty text clears a setting.
#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
    /// Their full name (default: given name and family name)
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    given_name: Option<String>,
    #[arg(long)]
    family_name: Option<String>,
    /// The name by which they want to be addressed
    #[arg(long, value_name = "NAME")]
    preferred_username: Option<String>,
    /// Their telephone number
    #[arg(long, value_name = "NUMBER")]
    phone_number: Option<String>,
    /// Their language and region, such as de-AT
    #[arg(long)]
    locale: Option<String>,
    #[arg(long)]
    gender: Option<String>,
    /// The address of their picture
    #[arg(long, value_name = "URL")]
    picture: Option<String>,
    /// The identifier of your application for them
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// An entry of their metadata, removed if it has no value; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    metadata: Vec<(String, String)>,
    /// Clear the metadata before entries are set
    #[arg(long)]
    no_metadata: bool,
}

impl SettingsArgs {
    pub(super) fn apply(&self, user: &mut User) {
        let number = user.phone_number.clone();
        for (field, text) in [
            (&mut user.name, &self.name),
            (&mut user.given_name, &self.given_name),
            (&mut user.family_name, &self.family_name),
            (&mut user.preferred_username, &self.preferred_username),
            (&mut user.phone_number, &self.phone_number),
            (&mut user.locale, &self.locale),
            (&mut user.gender, &self.gender),
            (&mut user.picture, &self.picture),
            (&mut user.external_id, &self.external_id),
        ] {
            let Some(text) = text else { continue };
            *field = Some(text.clone()).filter(|text| !text.is_empty());
        }
        if user.phone_number != number {
            user.phone_number_verified = false;
        }
        let change = PairsChange {
            clear: self.no_metadata,
            pairs: &self.metadata,
        };
        change.apply(&mut user.metadata);
    }
}

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    /// The user, by identifier or e-mail address
    user: String,
    /// A new e-mail address, which is not verified yet
    #[arg(long, value_parser = super::parse_email)]
    email: Option<EmailAddress>,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// `genkan user update`
pub(super) async fn update(
    args: &UpdateArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let mut user = find(instance, &args.user).await?;
    if let Some(email) = args.email.as_ref().filter(|email| **email != user.email) {
        user.email.clone_from(email);
        user.email_verified = false;
    }
    args.settings.apply(&mut user);
    let at = instance.stamp();
    instance
        .change(async |tx| user::update(tx, at, &user).await)
        .await?;
    show(user.id.as_str(), instance, context).await
}
