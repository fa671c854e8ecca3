//! A world for tests: a fresh database and the objects that a test begins with.

use std::time::Duration;

use genkan_db::{Db, Tx};
use genkan_protocol::oauth::Scope;
use genkan_protocol::{Domain as DomainName, EmailAddress};
use genkan_store::admission::{self, AdmittedPerson, Claim, Profile, Refusal, Roles};
use genkan_store::client::{self, Client};
use genkan_store::connection::{self, Connection, OidcSettings, Protocol, Settings};
use genkan_store::domain::{self, Domain};
use genkan_store::environment::{self, Environment};
use genkan_store::grant::{self, Grant};
use genkan_store::id::Id;
use genkan_store::organization::{self, Organization};
use genkan_store::proof::{Method, Proofs};
use genkan_store::session::{self, Lifetimes, Session, SignIn};
use genkan_store::user::{self, User};
use genkan_store::{
    ConnectionId, Error, Generator, InstanceKey, MIGRATIONS, OrganizationId, Proof, Provider, Secret,
    SecretHash, SessionId, Stamp, Timestamp, role,
};

/// The start of every test.
pub(crate) const T0: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(crate) const LIFETIMES: Lifetimes = Lifetimes {
    absolute: Duration::from_secs(8 * 3600),
    idle: Duration::from_secs(3600),
};

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The hash of a secret that a test calls `name`.
pub(crate) fn hash(name: &str) -> SecretHash {
    SecretHash::of(name.as_bytes())
}

pub(crate) fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

/// Keeps a session alive, as the use of its tokens does.
pub(crate) async fn touch(
    tx: &mut Tx<'_>,
    id: &SessionId,
    idle: Duration,
    now: Timestamp,
) -> Result<bool, Error> {
    match session::last_use(tx, id).await? {
        Some(last_use) => session::touch(tx, &last_use, idle, now).await,
        None => Ok(false),
    }
}

/// A claim with nothing but the subject and the address.
pub(crate) fn claim(connection: &Connection, subject: &str, address: &str) -> Claim {
    Claim {
        proof: Proof::Connection {
            connection_id: connection.id.clone(),
            subject: subject.to_owned(),
        },
        profile: Profile {
            email: Some(email(address)),
            ..Profile::default()
        },
        groups: None,
        roles: Roles::Silent,
        attributes: serde_json::Map::new(),
    }
}

/// Runs `test` in a new world on each engine.
pub(crate) async fn on_each_engine(test: impl AsyncFn(&World)) {
    genkan_db::testing::on_each_engine_with(MIGRATIONS, async |db| test(&World::of(db)).await).await;
}

/// Runs `count` transactions at the same time and returns their results.
///
/// PostgreSQL gives up on some of them if they all need one row. These wrote nothing and are repeated, as a
/// client would do.
pub(crate) async fn try_race<T, F>(count: usize, run: impl Fn(usize) -> F) -> Vec<Result<T, Error>>
where
    F: Future<Output = Result<T, Error>>,
{
    let run = &run;
    let racers = (0..count).map(|number| async move {
        loop {
            match run(number).await {
                Err(Error::Database(genkan_db::Error::Busy(_))) => {}
                outcome => return outcome,
            }
        }
    });
    futures_util::future::join_all(racers).await
}

/// As [`try_race`], if nobody may fail.
pub(crate) async fn race<T, F>(count: usize, run: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = Result<T, Error>>,
{
    try_race(count, run)
        .await
        .into_iter()
        .map(|outcome| outcome.unwrap())
        .collect()
}

pub(crate) struct World {
    pub(crate) db: Db,
    pub(crate) ids: Generator,
    pub(crate) key: InstanceKey,
}

impl World {
    pub(crate) fn of(db: Db) -> Self {
        Self {
            db,
            ids: Generator::random(),
            key: InstanceKey::generate(),
        }
    }

    pub(crate) fn id<I: Id>(&self) -> I {
        self.ids.next(T0)
    }

    /// The moment at the start of the test.
    pub(crate) fn start(&self) -> Stamp<'_> {
        Stamp::new(&self.ids, T0)
    }

    /// A moment some seconds later.
    pub(crate) fn after(&self, secs: u64) -> Stamp<'_> {
        Stamp::new(&self.ids, T0 + Duration::from_secs(secs))
    }

    /// Runs a transaction that succeeds.
    pub(crate) async fn tx<T>(&self, f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, Error> + Clone) -> T {
        self.db.tx(f).await.unwrap()
    }

    /// Runs a transaction that fails.
    pub(crate) async fn failed_tx<T: std::fmt::Debug>(
        &self,
        f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, Error> + Clone,
    ) -> Error {
        self.db.tx(f).await.unwrap_err()
    }

    /// The number that a query returns.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        let row = self.db.read(async |tx| tx.opt(sql, &[]).await).await.unwrap();
        row.unwrap().get(0).unwrap()
    }

    pub(crate) async fn environment(&self) -> Environment {
        let environment = Environment {
            id: self.id(),
            kind: environment::Kind::Development,
            generation: 1,
            access_token_lifetime: secs(300),
            client_access_token_lifetime: secs(86_400),
            session_absolute: LIFETIMES.absolute,
            session_idle: LIFETIMES.idle,
            created_at: T0,
        };
        self.tx(async |tx| environment::create(tx, &environment, &self.key).await)
            .await;
        environment
    }

    pub(crate) fn new_client(&self, kind: client::Kind) -> Client {
        Client {
            redirect_uris: vec!["https://app.test/callback".to_owned()],
            post_logout_redirect_uris: vec!["https://app.test".to_owned()],
            initiate_login_uri: Some("https://app.test/login".to_owned()),
            secret_optional_with_pkce: true,
            ..Client::new(
                self.ids.next_with_prefix(kind.id_prefix(), T0),
                "Demo".to_owned(),
                kind,
                T0,
            )
        }
    }

    pub(crate) async fn client(&self, kind: client::Kind) -> Client {
        let client = self.new_client(kind);
        self.tx(async |tx| client::insert(tx, self.start(), &client).await)
            .await;
        client
    }

    pub(crate) async fn organization(&self) -> Organization {
        let organization = Organization::new(self.id(), "Acme", T0);
        self.tx(async |tx| organization::insert(tx, self.start(), &organization).await)
            .await;
        organization
    }

    pub(crate) fn new_domain(&self, organization_id: &OrganizationId, name: &str) -> Domain {
        let name = DomainName::parse(name).unwrap();
        Domain::new(
            self.id(),
            organization_id.clone(),
            name,
            domain::Kind::OrganizationDomain,
            T0,
        )
    }

    pub(crate) fn new_connection(&self, organization_id: Option<&OrganizationId>) -> Connection {
        let mut settings = Settings::from(Protocol::Oidc(OidcSettings {
            issuer: "https://idp.acme.test".to_owned(),
            client_id: "genkan".to_owned(),
            scopes: vec!["openid".to_owned(), "email".to_owned()],
            groups_claim: Some("groups".to_owned()),
            ..OidcSettings::default()
        }));
        settings.common.attribute_mapping = [("email".to_owned(), "mail".to_owned())].into();
        let mut connection =
            Connection::new(self.start(), organization_id.cloned(), Provider::Okta, settings);
        let secret = Secret::from_presented("what we are known by at Okta");
        connection.client_secret_sealed =
            Some(connection::seal_client_secret(&self.key, &connection.id, &secret));
        connection.name = "Acme Okta".to_owned();
        connection.enabled = true;
        connection
    }

    /// An organization with one domain and one connection. The first roles exist.
    pub(crate) async fn company(&self, domain: &str) -> (Organization, Connection) {
        let organization = self.organization().await;
        let domain = self.new_domain(&organization.id, domain);
        let connection = self.new_connection(Some(&organization.id));
        self.tx(async |tx| {
            role::seed(tx, self.start()).await?;
            domain::insert(tx, self.start(), &domain).await?;
            connection::insert(tx, self.start(), &connection).await
        })
        .await;
        (organization, connection)
    }

    pub(crate) async fn user(&self, address: &str) -> User {
        let user = User::new(self.id(), email(address), T0);
        self.tx(async |tx| user::insert(tx, self.start(), &user).await)
            .await;
        user
    }

    pub(crate) async fn admit(&self, claim: &Claim) -> Result<AdmittedPerson, Refusal> {
        self.tx(async |tx| admission::admit(tx, self.start(), claim).await)
            .await
    }

    /// Admits a person who must not be refused.
    pub(crate) async fn enter(&self, claim: &Claim) -> User {
        self.admit(claim).await.unwrap().user
    }

    /// Counts everything that a claim could write, to check that a refusal wrote nothing.
    pub(crate) async fn footprint(&self) -> [i64; 5] {
        [
            self.count("SELECT COUNT(*) FROM users").await,
            self.count("SELECT COUNT(*) FROM identities").await,
            self.count("SELECT COUNT(*) FROM memberships").await,
            self.count("SELECT COUNT(*) FROM membership_roles").await,
            self.count("SELECT COUNT(*) FROM events").await,
        ]
    }

    pub(crate) async fn assert_refused(&self, claim: &Claim, expected: &Refusal) {
        let before = self.footprint().await;
        let foreseen = self
            .tx(async |tx| admission::recognize(tx, claim, T0).await)
            .await;
        assert_eq!(foreseen, Err(expected.clone()), "it is foreseen");
        assert_eq!(self.admit(claim).await, Err(expected.clone()));
        assert_eq!(self.footprint().await, before, "a refusal changes nothing");
    }

    pub(crate) fn sign_in(&self, user: &User) -> SignIn {
        SignIn {
            session_id: self.id(),
            user_id: user.id.clone(),
            organization_id: None,
            connection_id: None,
            proofs: Proofs::one(Method::Connection, Some(T0)),
            browser: None,
            ip: Some("192.0.2.1".to_owned()),
            user_agent: Some("Test/1".to_owned()),
        }
    }

    /// A session of `user` whose cookie is called `cookie`.
    pub(crate) async fn session(&self, user: &User, cookie: &str) -> Session {
        let sign_in = self.sign_in(user);
        self.tx(async |tx| session::start(tx, self.start(), &sign_in, &hash(cookie), LIFETIMES).await)
            .await
    }

    pub(crate) fn new_grant(&self, client: &Client, session: &Session) -> Grant {
        Grant {
            id: self.id(),
            client_id: client.id.clone(),
            session_id: session.id.clone(),
            user_id: session.user_id.clone(),
            organization_id: session.organization_id.clone(),
            connection_id: session.connection_id.clone(),
            scope: Scope::parse("openid email offline_access").unwrap(),
            nonce: Some("n-0S6_WzA2Mj".to_owned()),
            authenticated_at: session.authenticated_at,
            proofs: session.proofs.clone(),
            created_at: T0,
            expires_at: session.expires_at,
            revoked_at: None,
        }
    }

    pub(crate) async fn grant(&self, client: &Client, session: &Session) -> Grant {
        let grant = self.new_grant(client, session);
        self.tx(async |tx| grant::insert(tx, self.start(), &grant).await)
            .await;
        grant
    }

    /// A grant with everything that it needs.
    pub(crate) async fn signed_in(&self, kind: client::Kind) -> (Client, Session, Grant) {
        let client = self.client(kind).await;
        let user = self.user("ada@acme.test").await;
        let session = self.session(&user, "cookie").await;
        let grant = self.grant(&client, &session).await;
        (client, session, grant)
    }

    pub(crate) fn any_connection_id(&self) -> ConnectionId {
        self.id()
    }
}
