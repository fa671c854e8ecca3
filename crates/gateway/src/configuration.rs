//! The configuration that is in force: environment, clients, keys, from the cache
//! where that still holds.

use std::sync::Arc;

use genkan_store::environment::Environment;
use genkan_store::{ClientId, Error, client, environment};

use crate::app::App;
use crate::cache::{CachedClient, read_client};
use crate::keys::{Keyring, KeyringError};

/// The configuration as one request sees it: whether it changed is asked once.
#[derive(Debug, Clone)]
pub struct Configuration {
    app: App,
    generation: i64,
}

impl App {
    /// The configuration that is in force.
    pub async fn configuration(&self) -> Result<Configuration, Error> {
        Ok(Configuration {
            app: self.clone(),
            generation: self.cache().generation(self.db()).await?,
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

    /// Lets the next request ask for the configuration again: this process changed it.
    pub(crate) fn forget_configuration(&self) {
        self.cache().forget();
    }
}

impl Configuration {
    /// The environment's settings.
    pub async fn environment(&self) -> Result<Arc<Environment>, Error> {
        if let Some(found) = self
            .app
            .cache()
            .kept(self.generation, |kept| kept.environment.clone())
        {
            return Ok(found);
        }
        let found = Arc::new(self.app.db().read(async |tx| environment::get(tx).await).await?);
        self.app.cache().keep(self.generation, |kept| {
            kept.environment = Some(Arc::clone(&found))
        });
        Ok(found)
    }

    /// A registered client, if there is one of that id.
    pub async fn client(&self, id: &str) -> Result<Option<Arc<CachedClient>>, Error> {
        let Ok(id) = ClientId::parse(id) else {
            return Ok(None);
        };
        if let Some(found) = self.app.cache().kept(self.generation, |kept| kept.client(&id)) {
            return Ok(found);
        }
        let found = self
            .app
            .db()
            .read(async |tx| read_client(tx, &id).await)
            .await?
            .map(Arc::new);
        self.app
            .cache()
            .keep(self.generation, |kept| kept.keep_client(id, found.clone()));
        Ok(found)
    }

    /// The signing keys, parsed.
    pub async fn keyring(&self) -> Result<Arc<Keyring>, KeyringError> {
        let kept = self
            .app
            .cache()
            .kept(self.generation, |kept| kept.keyring.clone());
        if let Some(found) = kept.filter(|keyring| keyring.is_current(self.app.now())) {
            return Ok(found);
        }
        let found = Arc::new(Keyring::load(self.app.db(), self.app.instance_key(), self.app.now()).await?);
        self.app
            .cache()
            .keep(self.generation, |kept| kept.keyring = Some(Arc::clone(&found)));
        Ok(found)
    }

    /// The origins of all registered redirect URIs: who may call from a browser.
    pub async fn registered_origins(&self) -> Result<Arc<Vec<String>>, Error> {
        if let Some(found) = self
            .app
            .cache()
            .kept(self.generation, |kept| kept.origins.clone())
        {
            return Ok(found);
        }
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
        let found = Arc::new(origins);
        self.app
            .cache()
            .keep(self.generation, |kept| kept.origins = Some(Arc::clone(&found)));
        Ok(found)
    }
}
