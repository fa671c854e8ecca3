//! `genkan connection certificates list|rotate`: the keys of our own at a SAML provider.

use clap::{Args, Subcommand};
use genkan_protocol::saml::IdpCertificate;
use genkan_store::CertificateId;
use genkan_store::connection::key::{
    self, ConnectionKey, ConnectionKeys, Publishing, Purpose, Retiring, State,
};
use genkan_store::connection::{self, Change, Connection, Edit, Kind, ProtocolChange, SamlChange};
use serde::Serialize;

use super::find;
use crate::cli::instance::Instance;
use crate::cli::output::{table, time, yes_no};
use crate::cli::{Context, Failure};
use crate::connections::saml::keys::{Keeper, KeyFailure};
use crate::failure::chain;

/// Our certificates at a SAML provider: which one signs, and which one it encrypts to
#[derive(Debug, Args)]
pub(super) struct CertificatesArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the certificates of a connection; its metadata hold those that are not retired
    List {
        /// The connection's identifier
        connection: String,
        /// Print the certificates in the metadata themselves, to upload at the provider
        #[arg(long)]
        pem: bool,
    },
    Rotate(RotateArgs),
}

const EXAMPLES: &str = "\
Examples:
  genkan connection certificates rotate conn_241053847510274048012
                                            1. the next key is in our metadata;
                                               register it at the provider
  genkan connection certificates rotate conn_241053847510274048012 --switch
                                            2. it signs
  genkan connection certificates rotate conn_241053847510274048012 --retire
                                            3. the old one leaves our metadata
  genkan connection certificates rotate conn_241053847510274048012 --encryption
                                            providers encrypt to a new key; the
                                            one before opens for 60 days more

A provider that does not read our metadata again needs the new certificate by
hand, before --switch: `genkan connection certificates list --pem` prints it.";

/// Hand over to a new key: publish it, sign with it, retire the one before
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct RotateArgs {
    /// The connection's identifier
    connection: String,
    /// Sign with the key that was published
    #[arg(long, group = "step")]
    switch: bool,
    /// Take the key that signed before out of the metadata
    #[arg(long, group = "step")]
    retire: bool,
    /// Publish a new key to encrypt to, in place of the one before
    #[arg(long, group = "step")]
    encryption: bool,
}

/// A certificate in the output.
#[derive(Serialize)]
struct CertificateView {
    id: String,
    purpose: &'static str,
    state: &'static str,
    /// The use of the key, in words for people. The state PUBLISHED does not tell the next key from the one before.
    usage: &'static str,
    in_metadata: bool,
    created_at: String,
    expires_at: Option<String>,
    /// When a retired key is deleted.
    ends_at: Option<String>,
    pem: Option<String>,
}

impl CertificateView {
    fn new(keys: &ConnectionKeys, key: &ConnectionKey) -> Self {
        // Its making checked it.
        let read = IdpCertificate::from_der(&key.certificate).ok();
        let state = keys.state(key);
        Self {
            id: key.id.to_string(),
            purpose: key.purpose.as_str(),
            state: state.as_str(),
            usage: usage(keys, key, state),
            in_metadata: state != State::Retired,
            created_at: time(key.created_at),
            expires_at: read.as_ref().map(|read| time(read.expires_at())),
            ends_at: key.ends_at.map(time),
            pem: read.map(|read| read.to_pem()),
        }
    }
}

fn usage(keys: &ConnectionKeys, key: &ConnectionKey, state: State) -> &'static str {
    let is_next = keys.next().is_some_and(|next| next.id == key.id);
    match (key.purpose, state) {
        (Purpose::Signing, State::Active) => "signs",
        (Purpose::Signing, State::Published) if is_next => "signs next",
        (Purpose::Signing, State::Published | State::Retired) => "signed before",
        (Purpose::Decryption, State::Active) => "encrypted to",
        (Purpose::Decryption, State::Published | State::Retired) => "opens older answers",
    }
}

#[derive(Serialize)]
struct Listing {
    connection_id: String,
    certificates: Vec<CertificateView>,
}

pub(super) async fn run(
    args: &CertificatesArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let text = match &args.verb {
        Verb::List { connection, .. } => connection,
        Verb::Rotate(args) => &args.connection,
    };
    let connection = find(instance, text).await?;
    if connection.kind() != Kind::Saml {
        return Err(Failure::usage(format!(
            "{} speaks {}, which needs no certificate of ours.",
            connection.id,
            connection.kind().title()
        )));
    }
    let instance_key = instance.key().await?;
    let keeper = Keeper {
        db: &instance.db,
        instance_key: &instance_key,
        at: instance.stamp(),
        public_url: instance.config.public_url.as_str(),
    };
    match &args.verb {
        Verb::List { pem, .. } => list(&connection, keeper, *pem, context).await,
        Verb::Rotate(args) => rotate(args, &connection, keeper, (instance, context)).await,
    }
}

fn failed(failure: &KeyFailure) -> Failure {
    Failure::new(format!(
        "The keys of the connection cannot be used: {}",
        chain(failure)
    ))
    .remedy("`genkan doctor` looks at the database and the instance key.")
}

async fn list(
    connection: &Connection,
    keeper: Keeper<'_>,
    pem: bool,
    context: &mut Context,
) -> Result<(), Failure> {
    let keys = keeper.keys(connection).await.map_err(|why| failed(&why))?;
    let listing = Listing {
        connection_id: connection.id.to_string(),
        certificates: keys
            .all()
            .iter()
            .map(|key| CertificateView::new(&keys, key))
            .collect(),
    };
    context.console.print(&listing, || match pem {
        true => published_pem(&listing),
        false => as_table(&listing),
    })
}

fn published_pem(listing: &Listing) -> String {
    let published = listing.certificates.iter().filter(|view| view.in_metadata);
    let block = |view: &CertificateView| {
        let pem = view.pem.as_deref().unwrap_or_default();
        format!("{} {} {}\n{pem}", view.id, view.purpose, view.usage)
    };
    published.map(block).collect()
}

fn as_table(listing: &Listing) -> String {
    let row = |view: &CertificateView| {
        let optional = |value: &Option<String>| value.clone().unwrap_or_default();
        [
            view.id.clone(),
            view.purpose.to_owned(),
            view.usage.to_owned(),
            yes_no(view.in_metadata),
            optional(&view.expires_at),
            optional(&view.ends_at),
        ]
    };
    let rows: Vec<_> = listing.certificates.iter().map(row).collect();
    let heading = [
        "CERTIFICATE",
        "PURPOSE",
        "USE",
        "IN METADATA",
        "CERTIFICATE ENDS",
        "KEY DELETED",
    ];
    table(heading, &rows, "There are no certificates.")
}

async fn rotate(
    args: &RotateArgs,
    connection: &Connection,
    keeper: Keeper<'_>,
    (instance, context): (&Instance, &mut Context),
) -> Result<(), Failure> {
    let keys = keeper.keys(connection).await.map_err(|why| failed(&why))?;
    let note = if args.switch {
        switch(connection, &keys, instance).await?;
        "It signs from now on. When no sign-in of before is under way any more: add --retire.".to_owned()
    } else if args.retire {
        retire(connection, &keys, instance).await?;
        "The key before has left our metadata.".to_owned()
    } else {
        let purpose = match args.encryption {
            true => Purpose::Decryption,
            false => Purpose::Signing,
        };
        publish(connection, &keys, keeper, purpose).await?;
        match purpose {
            Purpose::Signing => {
                "The next key is in our metadata. Register its certificate at the provider, then: \
                                 add --switch."
                    .to_owned()
            }
            Purpose::Decryption => {
                "The new key is in our metadata. Register its certificate at the provider within \
                                    60 days: for so long the one before opens assertions too."
                    .to_owned()
            }
        }
    };
    let connection = find(instance, connection.id.as_str()).await?;
    list(&connection, keeper, false, context).await?;
    context.console.note(&note);
    Ok(())
}

async fn publish(
    connection: &Connection,
    keys: &ConnectionKeys,
    keeper: Keeper<'_>,
    purpose: Purpose,
) -> Result<(), Failure> {
    let key = keeper.make(connection, keys, purpose).await;
    let key = key.map_err(|why| failed(&why))?;
    let publishing = keeper
        .db
        .tx_read_committed(async |tx| key::publish(tx, keeper.at, &key).await)
        .await?;
    match publishing {
        Publishing::Published => Ok(()),
        Publishing::TooMany => Err(Failure::new("Two signing keys are in our metadata already.")
            .remedy("Sign with the newer one (--switch), or take the one before out of them (--retire).")),
    }
}

async fn switch(connection: &Connection, keys: &ConnectionKeys, instance: &Instance) -> Result<(), Failure> {
    let next = keys.next().ok_or_else(|| {
        Failure::new("No next key is published.").remedy(
            "The command without --switch publishes one. Register its certificate at the provider first.",
        )
    })?;
    let change = Change {
        protocol: Some(ProtocolChange::Saml(SamlChange {
            certificate_id: Edit::Set(next.id.to_string()),
            ..SamlChange::default()
        })),
        ..Change::default()
    };
    let (mut connection, at) = (connection.clone(), instance.stamp());
    super::apply(&mut connection, &change, at, instance)?;
    instance
        .change_read_committed(async |tx| connection::update(tx, at, &connection).await)
        .await
}

async fn retire(connection: &Connection, keys: &ConnectionKeys, instance: &Instance) -> Result<(), Failure> {
    let active = keys.active(Purpose::Signing).map(|key| key.number);
    let before: Vec<CertificateId> = keys
        .in_metadata(Purpose::Signing)
        .into_iter()
        .filter(|key| Some(key.number) < active)
        .map(|key| key.id.clone())
        .collect();
    if before.is_empty() {
        return Err(Failure::new("No key from before is in our metadata.")
            .remedy("--switch comes first: then the key before can be retired."));
    }
    let at = instance.stamp();
    for id in before {
        let retiring = instance
            .change_read_committed(async |tx| key::retire(tx, at, &connection.id, &id).await)
            .await?;
        if retiring == Retiring::InUse {
            return Err(Failure::new(format!("{id} signs again meanwhile, and stays.")));
        }
    }
    Ok(())
}
