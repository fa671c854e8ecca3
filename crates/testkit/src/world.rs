//! What a gateway shares with the browsers and applications around it.

use std::collections::VecDeque;

use genkan::app::App;
use genkan_db::Tx;
use genkan_store::Error;
use parking_lot::Mutex;

use crate::Clock;
use crate::redact::Redactor;

/// What a gateway shares with the browsers and applications around it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) clock: Clock,
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    /// The addresses of the gateway's nodes. Requests go to them in turn.
    pub(crate) nodes: Mutex<VecDeque<String>>,
    /// The servers that browsers really visit, each with its name in transcripts. Everything else is an
    /// application.
    pub(crate) servers: Mutex<Vec<(String, String)>>,
}

impl World {
    /// The real address for a request to `url`.
    pub(crate) fn route(&self, url: &str) -> String {
        let Some(path) = url.strip_prefix(&self.url) else {
            return url.to_owned();
        };
        let mut nodes = self.nodes.lock();
        nodes.rotate_left(1);
        format!("{}{path}", nodes[0])
    }

    pub(crate) fn add_server(&self, url: &str, shown_as: &str) {
        let mut servers = self.servers.lock();
        servers.push((url.to_owned(), shown_as.to_owned()));
    }

    pub(crate) fn has_server(&self, origin: &str) -> bool {
        let servers = self.servers.lock();
        servers.iter().any(|(url, _)| url == origin)
    }

    pub(crate) fn redactor(&self) -> Redactor {
        let servers = self.servers.lock();
        Redactor::new(&servers)
    }

    pub(crate) async fn tx<T>(&self, act: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, Error> + Clone) -> T {
        self.app.db().tx(act).await.unwrap()
    }
}
