//! The present configuration: environment, clients, keys, from the cache if that is
//! current.

use std::sync::Arc;

use genkan_store::environment::Environment;
use genkan_store::user_attribute::UserAttribute;
use genkan_store::{ClientId, Error, client, environment, user_attribute};

use crate::app::App;
use crate::cache::{CachedClient, CurrentGeneration, GenerationCache, TRUSTED_FOR, read_client};
use crate::keys::{Keyring, KeyringError};

/// The configuration of one request, which checks once whether it changed.
#[derive(Debug, Clone)]
pub struct Configuration {
    app: App,
    kept: Arc<GenerationCache>,
    in_force: CurrentGeneration,
}

impl App {
    /// The present configuration.
    pub async fn configuration(&self) -> Result<Configuration, Error> {
        let in_force = self.cache().in_force(self.db()).await?;
        Ok(Configuration {
            app: self.clone(),
            kept: self.cache().kept(in_force.generation),
            in_force,
        })
    }

    /// The environment's settings.
    pub async fn environment(&self) -> Result<Arc<Environment>, Error> {
        self.configuration().await?.environment().await
    }

    /// A registered client, if there is one of that id.
    pub async fn client(&self, id: &str) -> Result<Option<Arc<CachedClient>>, Error> {
        self.configuration().await?.client(id).await
    }

    /// The signing keys, parsed.
    pub async fn keyring(&self) -> Result<Arc<Keyring>, KeyringError> {
        self.configuration().await?.keyring().await
    }

    /// The origins of all registered redirect URIs: who may call from a browser.
    pub async fn registered_origins(&self) -> Result<Arc<Vec<String>>, Error> {
        self.configuration().await?.registered_origins().await
    }

    /// The registered custom attributes of users, by key.
    pub async fn user_attributes(&self) -> Result<Arc<Vec<UserAttribute>>, Error> {
        self.configuration().await?.user_attributes().await
    }

    /// Lets the next request check the configuration again: this process changed it.
    pub(crate) fn forget_configuration(&self) {
        self.cache().forget();
    }
}

impl Configuration {
    /// Whether somebody could say lately that it is in force: then it is enough for tokens that
    /// nothing else is asked for.
    pub fn is_trusted(&self) -> bool {
        self.in_force.known_at.elapsed() < TRUSTED_FOR
    }

    /// Whether the database is away, so that there may be a newer one.
    pub fn is_old(&self) -> bool {
        self.in_force.is_old
    }

    /// Whether the database need not be asked for this client.
    pub fn knows_client(&self, id: &str) -> bool {
        ClientId::parse(id).is_ok_and(|id| self.kept.knows(&id))
    }

    /// The environment's settings.
    pub async fn environment(&self) -> Result<Arc<Environment>, Error> {
        let read = async || {
            let found = self.app.db().read(async |tx| environment::get(tx).await).await?;
            Ok::<_, Error>(Arc::new(found))
        };
        self.kept.environment.get_or_try_init(read).await.cloned()
    }

    /// A registered client, if there is one of that id.
    pub async fn client(&self, id: &str) -> Result<Option<Arc<CachedClient>>, Error> {
        let Ok(id) = ClientId::parse(id) else {
            return Ok(None);
        };
        let read = async || {
            let found = self.app.db().read(async |tx| read_client(tx, &id).await).await?;
            Ok::<_, Error>(found.map(Arc::new))
        };
        self.kept.client(&id).get_or_try_init(read).await.cloned()
    }

    /// The signing keys, parsed.
    pub async fn keyring(&self) -> Result<Arc<Keyring>, KeyringError> {
        let is_current = |keyring: &&Arc<Keyring>| keyring.is_current(self.app.now());
        if let Some(found) = self.kept.keyring.read().await.as_ref().filter(is_current) {
            return Ok(Arc::clone(found));
        }
        let mut kept = self.kept.keyring.write().await;
        // Somebody may have loaded them while we waited.
        if let Some(found) = kept.as_ref().filter(is_current) {
            return Ok(Arc::clone(found));
        }
        let (db, instance_key) = (self.app.db(), self.app.instance_key());
        let found = Arc::new(Keyring::load(db, instance_key, self.app.now()).await?);
        *kept = Some(Arc::clone(&found));
        Ok(found)
    }

    /// The origins of all registered redirect URIs: who may call from a browser.
    pub async fn registered_origins(&self) -> Result<Arc<Vec<String>>, Error> {
        self.kept
            .origins
            .get_or_try_init(async || self.read_origins().await)
            .await
            .cloned()
    }

    /// The registered custom attributes of users, by key.
    pub async fn user_attributes(&self) -> Result<Arc<Vec<UserAttribute>>, Error> {
        let read = async || {
            let found = self
                .app
                .db()
                .read(async |tx| user_attribute::list(tx).await)
                .await?;
            Ok::<_, Error>(Arc::new(found))
        };
        self.kept.user_attributes.get_or_try_init(read).await.cloned()
    }

    async fn read_origins(&self) -> Result<Arc<Vec<String>>, Error> {
        let uris = self
            .app
            .db()
            .read(async |tx| client::all_redirect_uris(tx).await)
            .await?;
        let mut origins: Vec<String> = uris
            .iter()
            .filter_map(|uri| url::Url::parse(uri).ok())
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .map(|url| url.origin().ascii_serialization())
            .collect();
        origins.sort_unstable();
        origins.dedup();
        Ok(Arc::new(origins))
    }
}
