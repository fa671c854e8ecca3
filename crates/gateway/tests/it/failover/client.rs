//! Requests to the site, and the answers that a client may get.

use std::time::Duration;

use http::header;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;

use super::site::Application;

/// Only a hang takes longer.
const LIMIT: Duration = Duration::from_mins(2);

/// How a request ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered(Answer),
    /// 503: it was not done.
    Refused,
    /// 504: nobody can tell.
    Unknown,
    /// No node's answer came: the connection was cut, or HAProxy had no node.
    Cut,
}

/// An answer of a node that is no outage.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) location: String,
    /// As they are sent back.
    pub(super) cookies: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_default().to_owned()
    }
}

/// Why an answer is none that may be given.
pub(super) type Wrong = String;

/// The work of a request. Only a write may have an unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Read,
    Write,
}

/// Talks to the site.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    pub(super) url: String,
}

impl Client {
    pub(super) fn new(url: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(LIMIT)
            .build();
        Self {
            http: http.unwrap(),
            url: url.to_owned(),
        }
    }

    pub(super) fn get(&self, url: &str) -> RequestBuilder {
        self.http.get(url)
    }

    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url))
    }

    /// Asks for tokens.
    pub(super) async fn token(
        &self,
        application: &Application,
        does: Does,
        parameters: &[(&str, &str)],
    ) -> Result<Outcome, Wrong> {
        let mut form = parameters.to_vec();
        form.push(("client_id", &application.id));
        form.push(("client_secret", &application.secret));
        send(self.post("/oauth/token").form(&form), does).await
    }
}

/// Sends a request.
///
/// # Errors
///
/// [`Wrong`] if it is answered as none may be, whatever went away.
pub(super) async fn send(request: RequestBuilder, does: Does) -> Result<Outcome, Wrong> {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) if error.is_timeout() => return Err(format!("no answer: {error}")),
        Err(_) => return Ok(Outcome::Cut),
    };
    let is_of_node = response.headers().contains_key("x-node");
    let seen = format!("{} {:?}", response.status(), response.headers());
    let retry_after = text(&response, &header::RETRY_AFTER);
    let (status, location) = (response.status().as_u16(), text(&response, &header::LOCATION));
    let cookies = cookies(&response);
    let Ok(body) = response.text().await else {
        return Ok(Outcome::Cut);
    };
    let wrong = |why: &str| Err(format!("{why}: {seen}\n{body}"));
    match (status, does) {
        (502 | 503, _) if !is_of_node => Ok(Outcome::Cut),
        _ if !is_of_node => wrong("HAProxy answered"),
        (503, _) if retry_after.is_empty() => wrong("503 without a time to come back"),
        (503, _) => Ok(Outcome::Refused),
        (504, Does::Write) if retry_after.is_empty() => Ok(Outcome::Unknown),
        (504, Does::Write) => wrong("nobody should do it again"),
        (504, Does::Read) => wrong("nothing was written"),
        (500.., _) | (429, _) => wrong("it broke"),
        _ => Ok(Outcome::Answered(Answer {
            status,
            location,
            cookies,
            body,
        })),
    }
}

fn text(response: &Response, name: &header::HeaderName) -> String {
    let value = response.headers().get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}

fn cookies(response: &Response) -> String {
    let lines = response.headers().get_all(header::SET_COOKIE).iter();
    let pairs: Vec<&str> = lines
        .filter_map(|line| line.to_str().ok()?.split(';').next())
        .collect();
    pairs.join("; ")
}
