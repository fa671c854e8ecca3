//! The server of an application that receives logout tokens.
//!
//! Source: OpenID Connect Back-Channel Logout 1.0 §2.5, §2.8.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use http::StatusCode;
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;

/// Longer than a delivery, and short enough for a failing test.
const PATIENCE: Duration = Duration::from_secs(10);

/// Receives logout tokens.
#[derive(Debug)]
pub struct Receiver {
    url: String,
    refusals: Arc<AtomicU32>,
    tokens: Mutex<mpsc::UnboundedReceiver<String>>,
    running: AbortHandle,
}

#[derive(Clone)]
struct Desk {
    refusals: Arc<AtomicU32>,
    tokens: mpsc::UnboundedSender<String>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/backchannel-logout", listener.local_addr().unwrap());
        let (sender, receiver) = mpsc::unbounded_channel();
        let refusals = Arc::new(AtomicU32::new(0));
        let desk = Desk {
            refusals: Arc::clone(&refusals),
            tokens: sender,
        };
        let router = Router::new()
            .route("/backchannel-logout", post(receive))
            .with_state(desk);
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self {
            url,
            refusals,
            tokens: Mutex::new(receiver),
            running: serving.abort_handle(),
        }
    }

    /// The address for logout tokens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next `count` tokens are answered with an error.
    pub fn refuse_next(&self, count: u32) {
        self.refusals.store(count, Ordering::SeqCst);
    }

    /// The next token, even if it was refused.
    ///
    /// # Panics
    ///
    /// If none comes.
    pub async fn next(&self) -> String {
        let mut tokens = self.tokens.lock().await;
        tokio::time::timeout(PATIENCE, tokens.recv())
            .await
            .expect("a logout token arrives")
            .expect("the receiver runs")
    }

    /// Whether there is a token that the test has not read.
    pub async fn has_next(&self) -> bool {
        !self.tokens.lock().await.is_empty()
    }
}

async fn receive(State(desk): State<Desk>, body: Bytes) -> StatusCode {
    let token = url::form_urlencoded::parse(&body)
        .find(|(name, _)| name == "logout_token")
        .map(|(_, value)| value.into_owned());
    let Some(token) = token else {
        return StatusCode::BAD_REQUEST;
    };
    let _ = desk.tokens.send(token);
    let refused = desk
        .refusals
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
        .is_ok();
    if refused {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    }
}
