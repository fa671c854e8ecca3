//! Builds applications.

use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;

use genkan_protocol::jose::Algorithm;
use genkan_store::client::{self, Client, ClientSecret, Kind};
use genkan_store::{ClientId, Secret};

use crate::{Gateway, Rp};

/// An application that is not registered yet.
pub struct ClientBuilder<'a> {
    gateway: &'a Gateway,
    client: Client,
}

impl<'a> ClientBuilder<'a> {
    pub(crate) fn new(gateway: &'a Gateway, name: &str) -> Self {
        let at = gateway.at();
        let prefix = Kind::WebApp.id_prefix();
        let id = gateway.app().ids().next_with_prefix(prefix, at.now);
        let client = Client {
            redirect_uris: vec![format!("https://{name}.test/callback")],
            post_logout_redirect_uris: vec![format!("https://{name}.test/")],
            profile_in_access_token: false,
            ..Client::new(id, name.to_owned(), Kind::WebApp, at.now)
        };
        Self { gateway, client }
    }

    /// A single-page application: public.
    #[must_use]
    pub fn spa(self) -> Self {
        self.kind(Kind::Spa)
    }

    /// An application on a device: public.
    #[must_use]
    pub fn native(self) -> Self {
        self.kind(Kind::Native)
    }

    fn kind(mut self, kind: Kind) -> Self {
        self.client.kind = kind;
        self.id_prefix(kind.id_prefix())
    }

    /// With another prefix of its identifier, such as `skc_`.
    #[must_use]
    pub fn id_prefix(mut self, prefix: &'static str) -> Self {
        let now = self.gateway.now();
        self.client.id = self.gateway.app().ids().next_with_prefix(prefix, now);
        self
    }

    /// Its refresh tokens rotate strictly.
    #[must_use]
    pub fn strict_refresh_rotation(self) -> Self {
        self.change(|client| client.strict_refresh_rotation = true)
    }

    /// Tokens signed with ES256.
    #[must_use]
    pub fn es256(self) -> Self {
        self.change(|client| client.token_algorithm = Algorithm::Es256)
    }

    /// With an address for back-channel logout.
    #[must_use]
    pub fn back_channel_logout(self, uri: &str) -> Self {
        let uri = uri.to_owned();
        self.change(|client| client.back_channel_logout_uris.push(uri))
    }

    /// With any other change.
    #[must_use]
    pub fn change(mut self, change: impl FnOnce(&mut Client)) -> Self {
        change(&mut self.client);
        self
    }

    async fn make(self) -> Rp {
        let (gateway, client, at) = (self.gateway, self.client, self.gateway.at());
        let secret = (!client.is_public()).then(Secret::generate);
        let row = secret
            .as_ref()
            .map(|secret| ClientSecret::new(at, &client.id, secret, None));
        gateway
            .tx(async |tx| {
                client::insert(tx, at, &client).await?;
                match &row {
                    Some(row) => client::add_secret(tx, at, row).await,
                    None => Ok(()),
                }
            })
            .await;
        Rp::new(
            Arc::clone(&gateway.world),
            &client,
            secret.map(|secret| secret.expose().to_owned()),
        )
    }
}

impl<'a> IntoFuture for ClientBuilder<'a> {
    type Output = Rp;
    type IntoFuture = Pin<Box<dyn Future<Output = Rp> + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

impl Gateway {
    /// Builds an application: confidential, at `https://{name}.test`.
    pub fn client(&self, name: &str) -> ClientBuilder<'_> {
        ClientBuilder::new(self, name)
    }

    /// A registered application, with its secret.
    ///
    /// # Panics
    ///
    /// If it is not registered.
    pub async fn registered(&self, id: &str, secret: Option<&str>) -> Rp {
        let id = ClientId::parse(id).unwrap();
        let client = self.tx(async |tx| client::find(tx, &id).await).await;
        let secret = secret.map(ToOwned::to_owned);
        Rp::new(
            Arc::clone(&self.world),
            &client.expect("the client exists"),
            secret,
        )
    }
}
