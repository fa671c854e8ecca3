//! A Genkan database with clients, people and sessions, written through the
//! store as sign-ins would have written them, events included.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use genkan_protocol::jose::Algorithm;
use genkan_protocol::oauth::Scope;
use genkan_protocol::{EmailAddress, Timestamp};
use genkan_store::client::{self, Client, ClientSecret, Kind};
use genkan_store::grant::{self, Grant};
use genkan_store::organization::{self, Organization};
use genkan_store::proof::Proofs;
use genkan_store::session::{self, Lifetimes, SignIn};
use genkan_store::user::{self, User};
use genkan_store::{ClientId, Error, Generator, OrganizationId, Secret, Stamp, membership, refresh_token};

use crate::Failure;
use crate::target;

const REDIRECT_URI: &str = "https://app.example.com/callback";
const SCOPE: &str = "openid profile email offline_access";

/// People who are written in one transaction.
const BATCH: usize = 1000;

/// One organization for so many people.
const ORGANIZATION_SIZE: usize = 100;

/// Sessions that are written to the target file, evenly chosen.
const SESSIONS_MAX: usize = 10_000;

const LIFETIMES: Lifetimes = Lifetimes {
    absolute: Duration::from_secs(30 * 24 * 60 * 60),
    idle: Duration::from_secs(7 * 24 * 60 * 60),
};

#[derive(clap::Args)]
pub struct Args {
    /// `sqlite:<path>` or `postgres://…`; the server that created it may run
    #[arg(long)]
    database: String,
    /// Where Genkan listens
    #[arg(long)]
    base: String,
    /// People, each with a membership, a session, a grant and a refresh token
    #[arg(long, default_value_t = 1000)]
    people: usize,
    /// Written for `load`
    #[arg(long)]
    target: PathBuf,
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let db = genkan_store::open(&args.database).await?;
    let ids = Generator::random();
    let mut clients = BTreeMap::new();
    let mut client_id = None;
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let at = Stamp::new(&ids, now());
        let client = application(at, algorithm);
        let secret = Secret::generate();
        let row = ClientSecret::new(at, &client.id, &secret, None);
        db.tx(async |tx| -> Result<(), Error> {
            client::insert(tx, at, &client).await?;
            client::add_secret(tx, at, &row).await
        })
        .await?;
        let described = target::Client {
            id: client.id.to_string(),
            secret: secret.expose().to_owned(),
        };
        clients.insert(algorithm.to_string(), described);
        client_id = Some(client.id);
    }
    let client_id = client_id.ok_or("there is no client")?;

    let mut sessions = Vec::new();
    let every = args.people.div_ceil(SESSIONS_MAX).max(1);
    let mut organization_id = None;
    for first in (0..args.people).step_by(BATCH) {
        let at = Stamp::new(&ids, now());
        let people: Vec<Person> = (first..args.people.min(first + BATCH))
            .map(|number| {
                if number % ORGANIZATION_SIZE == 0 {
                    organization_id = Some(at.id::<OrganizationId>());
                }
                Person {
                    number,
                    organization_id: organization_id.clone().expect("the first person has made one"),
                    cookie: Secret::generate(),
                }
            })
            .collect();
        db.tx(async |tx| -> Result<(), Error> {
            for person in &people {
                person.sign_in(tx, at, &client_id).await?;
            }
            Ok(())
        })
        .await?;
        for person in people.iter().filter(|person| person.number % every == 0) {
            sessions.push(format!("genkan_session={}", person.cookie.expose()));
        }
    }
    db.close().await;
    let target = target::Target {
        base: args.base,
        redirect_uri: REDIRECT_URI.to_owned(),
        scope: SCOPE.to_owned(),
        clients,
        sessions,
    };
    std::fs::write(&args.target, serde_json::to_vec(&target)?)?;
    Ok(())
}

fn application(at: Stamp<'_>, algorithm: Algorithm) -> Client {
    let id = at.ids.next_with_prefix("webc_", at.now);
    Client {
        redirect_uris: vec![REDIRECT_URI.to_owned()],
        enforce_pkce: true,
        // A refresh token counts once, as with the peer.
        strict_refresh_rotation: true,
        token_algorithm: algorithm,
        ..Client::new(id, format!("Bench {algorithm}"), Kind::WebApp, at.now)
    }
}

/// Somebody who is signed in, and has been given tokens once.
struct Person {
    number: usize,
    organization_id: OrganizationId,
    cookie: Secret,
}

impl Person {
    async fn sign_in(
        &self,
        tx: &mut genkan_db::Tx<'_>,
        at: Stamp<'_>,
        client_id: &ClientId,
    ) -> Result<(), Error> {
        let Self {
            number,
            organization_id,
            cookie,
        } = self;
        if number % ORGANIZATION_SIZE == 0 {
            let organization = Organization {
                external_id: Some(format!("company-{number}")),
                ..Organization::new(organization_id.clone(), format!("Company {number}"), at.now)
            };
            organization::insert(tx, at, &organization).await?;
        }
        let email = EmailAddress::parse(&format!(
            "person{number}@company{}.example.com",
            number / ORGANIZATION_SIZE
        ))
        .expect("it is an address");
        let mut user = User::new(at.id(), email, at.now);
        user.email_verified = true;
        user.given_name = Some("Ada".to_owned());
        user.family_name = Some("Lovelace".to_owned());
        user.name = Some("Ada Lovelace".to_owned());
        user::insert(tx, at, &user).await?;
        membership::insert(tx, at, organization_id, &user.id).await?;
        let sign_in = SignIn {
            session_id: at.id(),
            user_id: user.id,
            organization_id: Some(organization_id.clone()),
            connection_id: None,
            proofs: Proofs::default(),
            browser: None,
            ip: Some("192.0.2.1".to_owned()),
            user_agent: Some(
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
            ),
        };
        let session = session::start(tx, at, &sign_in, &cookie.sha256(), LIFETIMES).await?;
        let grant = Grant {
            id: at.id(),
            client_id: client_id.clone(),
            session_id: session.id,
            user_id: session.user_id,
            organization_id: session.organization_id,
            connection_id: None,
            scope: Scope::parse(SCOPE).expect("it is a scope"),
            nonce: None,
            authenticated_at: at.now,
            proofs: Proofs::default(),
            created_at: at.now,
            expires_at: session.expires_at,
            revoked_at: None,
        };
        grant::insert(tx, at, &grant).await?;
        let token = Secret::generate().sha256();
        refresh_token::issue(tx, &token, &grant.id, grant.expires_at, at.now).await
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program of its own has no clock but the machine's"
)]
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
