//! What one connection does again and again.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::Failure;
use crate::http::{Connection, decode, encode, get, post};
use crate::saml::Provider;
use crate::target::{DISCOVERY, Endpoints, Target, path_of};

/// RFC 7636 Appendix B. One pair for all logins: hashing is not what is measured.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// People whom each connection signs in again and again.
const KNOWN: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// One access token for the client itself
    ClientCredentials,
    /// A refresh token for new tokens, each one used once
    Refresh,
    /// Authorization request with a live session, then code for tokens, with PKCE
    Login,
    /// A whole sign-in of somebody known through `bench/upstream.mjs`, in a new browser, to the tokens
    SignIn,
    /// The same of somebody new
    FirstSignIn,
    /// A whole sign-in of somebody known through the SAML provider that this program plays, in a new
    /// browser, to the tokens
    Saml,
    /// The discovery document
    Discovery,
    /// The key set
    Jwks,
}

/// Which connection it is.
pub struct Place<'a> {
    pub number: usize,
    /// How many there are.
    pub connections: usize,
    /// Where people sign in through the upstream.
    pub organization: Option<&'a str>,
    pub saml: Option<&'a Rc<Provider>>,
}

/// One connection's part in a scenario.
pub struct Flow {
    scenario: Scenario,
    connection: Connection,
    host: String,
    /// The request that does not change, or the beginning of the one that does.
    request: Vec<u8>,
    sessions: Vec<String>,
    turn: usize,
    authorize_path: String,
    token_path: String,
    /// The form of the token request, without what changes.
    form: String,
    redirect_uri: String,
    refresh_token: String,
    /// Begins the names of those who sign in on this connection, in this run.
    people: String,
    saml: Option<Rc<Provider>>,
}

impl Flow {
    /// Prepares the `number`th of `connections`: signs in where that is needed.
    pub async fn prepare(
        target: &Target,
        endpoints: &Endpoints,
        scenario: Scenario,
        algorithm: &str,
        place: Place<'_>,
    ) -> Result<Self, Failure> {
        let Place {
            number,
            connections,
            organization,
            saml,
        } = place;
        let client = target.client(algorithm)?;
        let host = target.address().to_owned();
        let credentials = format!("client_id={}&client_secret={}", client.id, encode(&client.secret));
        let mut authorize_path = format!(
            "{}?response_type=code&client_id={}&redirect_uri={}&scope={}&state=c3RhdGU&nonce=bm9uY2U&code_challenge={CHALLENGE}&code_challenge_method=S256",
            endpoints.authorize,
            client.id,
            encode(&target.redirect_uri),
            encode(&target.scope),
        );
        if let Some(organization) = organization {
            authorize_path = format!("{authorize_path}&organization_id={organization}");
        }
        let request = match scenario {
            Scenario::ClientCredentials => post(
                &host,
                &endpoints.token,
                &format!("grant_type=client_credentials&{credentials}"),
            ),
            Scenario::Discovery => get(&host, DISCOVERY, ""),
            Scenario::Jwks => get(&host, &endpoints.jwks, ""),
            Scenario::Refresh
            | Scenario::Login
            | Scenario::SignIn
            | Scenario::FirstSignIn
            | Scenario::Saml => Vec::new(),
        };
        let mut flow = Self {
            scenario,
            connection: Connection::open(&host).await?,
            host,
            request,
            // Each connection has sessions of its own, as browsers have.
            sessions: target
                .sessions
                .iter()
                .skip(number)
                .step_by(connections)
                .cloned()
                .collect(),
            turn: 0,
            authorize_path,
            token_path: endpoints.token.clone(),
            form: credentials,
            redirect_uri: target.redirect_uri.clone(),
            refresh_token: String::new(),
            people: format!("{number}-{}", std::process::id()),
            saml: saml.cloned(),
        };
        if matches!(scenario, Scenario::Refresh | Scenario::Login) {
            if flow.sessions.is_empty() {
                let session = flow.sign_in().await?;
                flow.sessions.push(session);
            }
            flow.login().await?;
        }
        if scenario == Scenario::SignIn {
            for person in 0..KNOWN {
                flow.sign_in_as(person).await?;
            }
        }
        if scenario == Scenario::Saml {
            for _ in 0..KNOWN {
                flow.sign_in_by_saml().await?;
            }
        }
        Ok(flow)
    }

    /// Does it once.
    pub async fn step(&mut self) -> Result<(), Failure> {
        match self.scenario {
            Scenario::ClientCredentials | Scenario::Discovery | Scenario::Jwks => {
                self.connection.exchange(&self.request).await?.expect(200)?;
                Ok(())
            }
            Scenario::Refresh => self.refresh().await,
            Scenario::Login => self.login().await,
            Scenario::SignIn => {
                self.turn += 1;
                self.sign_in_as(self.turn % KNOWN).await
            }
            Scenario::FirstSignIn => {
                self.turn += 1;
                self.sign_in_as(self.turn).await
            }
            Scenario::Saml => self.sign_in_by_saml().await,
        }
    }

    async fn refresh(&mut self) -> Result<(), Failure> {
        let form = format!(
            "grant_type=refresh_token&refresh_token={}&{}",
            self.refresh_token, self.form
        );
        let request = post(&self.host, &self.token_path, &form);
        let answer = self.connection.exchange(&request).await?.expect(200)?;
        let next = answer.member("refresh_token")?;
        if next == self.refresh_token {
            return Err("the refresh token was not rotated".into());
        }
        self.refresh_token = next.to_owned();
        Ok(())
    }

    async fn login(&mut self) -> Result<(), Failure> {
        let session = &self.sessions[self.turn % self.sessions.len()];
        self.turn += 1;
        let request = get(&self.host, &self.authorize_path, session);
        let answer = self.connection.exchange(&request).await?.expect(303)?;
        let code = code(answer.header("location").unwrap_or_default(), &self.redirect_uri)?.to_owned();
        self.redeem(&code).await
    }

    async fn redeem(&mut self, code: &str) -> Result<(), Failure> {
        let form = format!(
            "grant_type=authorization_code&code={code}&redirect_uri={}&code_verifier={VERIFIER}&{}",
            encode(&self.redirect_uri),
            self.form
        );
        let request = post(&self.host, &self.token_path, &form);
        let answer = self.connection.exchange(&request).await?.expect(200)?;
        answer.member("id_token")?;
        // saml-jackson gives none.
        if self.scenario != Scenario::Saml {
            self.refresh_token = answer.member("refresh_token")?.to_owned();
        }
        Ok(())
    }

    /// Signs a person in through the upstream, in a browser that has never been here. The upstream
    /// would show a page and send the browser back with a code; this does the second.
    async fn sign_in_as(&mut self, person: usize) -> Result<(), Failure> {
        let subject = format!("{}-{person}", self.people);
        let mut cookies = BTreeMap::new();
        let mut path = self.authorize_path.clone();
        for _ in 0..10 {
            let location = self.follow(&path, &mut cookies).await?;
            if location.starts_with(&self.redirect_uri) {
                let code = code(&location, &self.redirect_uri)?.to_owned();
                return self.redeem(&code).await;
            }
            let is_ours = location.starts_with('/') || location.split('/').nth(2) == Some(&self.host);
            path = if is_ours {
                path_of(&location).to_owned()
            } else {
                let [callback, state, nonce] =
                    ["redirect_uri", "state", "nonce"].map(|name| parameter(&location, name));
                let callback = decode(callback?)?;
                format!(
                    "{}?code={subject}~{}&state={}",
                    path_of(&callback),
                    nonce?,
                    state?
                )
            };
        }
        Err("the redirects of the sign-in do not end".into())
    }

    /// Signs a person in through the SAML provider, in a browser that has never been here. The provider would
    /// show a page and have the browser post its answer; this does the second.
    async fn sign_in_by_saml(&mut self) -> Result<(), Failure> {
        self.turn += 1;
        let provider = self.saml.clone().ok_or("--saml-provider is missing")?;
        let person = format!("{}-{}", self.people, self.turn % KNOWN);
        let mut cookies = BTreeMap::new();
        let mut path = self.authorize_path.clone();
        for _ in 0..10 {
            let location = self.follow(&path, &mut cookies).await?;
            if location.starts_with(&self.redirect_uri) {
                let code = code(&location, &self.redirect_uri)?.to_owned();
                return self.redeem(&code).await;
            }
            let is_ours = location.starts_with('/') || location.split('/').nth(2) == Some(&self.host);
            path = if is_ours {
                path_of(&location).to_owned()
            } else {
                let request = decode(parameter(&location, "SAMLRequest")?)?;
                let secret = format!("{}-{}", self.people, self.turn);
                let answer = provider.answer(&request, &secret, &person)?;
                let form = format!(
                    "SAMLResponse={}&RelayState={}",
                    encode(&answer.form_value),
                    parameter(&location, "RelayState")?
                );
                // From another site, so without the cookies.
                let request = post(&self.host, path_of(&answer.acs_url), &form);
                let answer = self.connection.exchange(&request).await?.expect(303)?;
                let location = answer.header("location").unwrap_or_default();
                if location.starts_with(&self.redirect_uri) {
                    let code = code(location, &self.redirect_uri)?.to_owned();
                    return self.redeem(&code).await;
                }
                path_of(location).to_owned()
            };
        }
        Err("the redirects of the sign-in do not end".into())
    }

    /// Where a redirect leads; keeps the cookies that came with it.
    async fn follow(
        &mut self,
        path: &str,
        cookies: &mut BTreeMap<String, String>,
    ) -> Result<String, Failure> {
        let request = get(&self.host, path, &cookie_header(cookies));
        let answer = self.connection.exchange(&request).await?.expect(303)?;
        cookies.extend(
            answer
                .cookies()
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        Ok(answer.header("location").unwrap_or_default().to_owned())
    }

    /// Signs in at a server that asks no questions, by following its redirects.
    async fn sign_in(&mut self) -> Result<String, Failure> {
        let mut cookies = BTreeMap::<String, String>::new();
        let mut path = self.authorize_path.clone();
        for _ in 0..10 {
            let location = self.follow(&path, &mut cookies).await?;
            if location.starts_with(&self.redirect_uri) {
                return Ok(cookie_header(&cookies));
            }
            path = path_of(&location).to_owned();
        }
        Err("the redirects of the sign-in do not end".into())
    }
}

fn cookie_header(cookies: &BTreeMap<String, String>) -> String {
    let pairs = cookies.iter().filter(|(_, value)| !value.is_empty());
    pairs
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("; ")
}

fn code<'a>(location: &'a str, redirect_uri: &str) -> Result<&'a str, Failure> {
    if !location.starts_with(redirect_uri) {
        return Err(format!("the redirect leads to {location}").into());
    }
    parameter(location, "code")
}

/// A parameter of a URL's query, as it is written there.
fn parameter<'a>(url: &'a str, name: &str) -> Result<&'a str, Failure> {
    let (_, query) = url.split_once('?').unwrap_or_default();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(key, _)| *key == name).map(|(_, value)| value);
    Ok(found.ok_or_else(|| format!("no {name} in {url}"))?)
}
