//! A small steady load, and the journal of its answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::client::{Client, Does, Outcome, Wrong, send};
use super::site::{Application, Parties, Site};
use super::{sign_in::sign_in, until};

/// Between two requests of one worker.
const PAUSE: Duration = Duration::from_millis(60);

/// A refresh token, with the one that it replaced.
#[derive(Debug)]
struct Family {
    token: String,
    superseded: Option<String>,
    /// `token` counts for sure. Otherwise an answer was lost, which may have brought another one.
    is_certain: bool,
}

/// The outcome of an attempt to make an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Acknowledged,
    Refused,
    Unknown,
}

/// How often something was done.
#[derive(Debug, Default)]
struct Count {
    done: AtomicUsize,
    refused: AtomicUsize,
    unknown: AtomicUsize,
    cut: AtomicUsize,
}

impl Count {
    fn note(&self, outcome: &Outcome) {
        let one = match outcome {
            Outcome::Answered(_) => &self.done,
            Outcome::Refused => &self.refused,
            Outcome::Unknown => &self.unknown,
            Outcome::Cut => &self.cut,
        };
        one.fetch_add(1, Ordering::Relaxed);
    }
}

/// How often each kind of request ended in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) done: usize,
    pub(super) refused: usize,
    pub(super) unknown: usize,
    pub(super) cut: usize,
}

/// The kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    SignIn,
    Refresh,
    ClientToken,
    Organization,
    List,
}

const KINDS: [Kind; 5] = [
    Kind::SignIn,
    Kind::Refresh,
    Kind::ClientToken,
    Kind::Organization,
    Kind::List,
];

#[derive(Debug)]
struct Journal {
    client: Client,
    /// Of the management API.
    access_token: String,
    counts: [Count; KINDS.len()],
    people: AtomicUsize,
    families: Mutex<Vec<Family>>,
    organizations: Mutex<Vec<(String, Made)>>,
    wrong: Mutex<Vec<Wrong>>,
}

/// The load on a site.
pub(super) struct Load {
    journal: Arc<Journal>,
    parties: Arc<Parties>,
    stop: CancellationToken,
    workers: JoinSet<()>,
}

const OWN: [(&str, &str); 1] = [("grant_type", "client_credentials")];

impl Load {
    pub(super) async fn start(site: &Site) -> Self {
        let client = Client::new(&site.url);
        let Ok(Outcome::Answered(token)) = client.token(&site.parties.manager, Does::Read, &OWN).await else {
            panic!("the site is whole")
        };
        let journal = Arc::new(Journal {
            access_token: token.text("access_token"),
            client,
            counts: [(); KINDS.len()].map(|()| Count::default()),
            people: AtomicUsize::default(),
            families: Mutex::default(),
            organizations: Mutex::default(),
            wrong: Mutex::default(),
        });
        let mut load = Self {
            journal,
            parties: Arc::clone(&site.parties),
            stop: CancellationToken::new(),
            workers: JoinSet::new(),
        };
        for kind in [
            Kind::SignIn,
            Kind::SignIn,
            Kind::Refresh,
            Kind::Refresh,
            Kind::ClientToken,
            Kind::Organization,
            Kind::Organization,
            Kind::List,
        ] {
            let (journal, parties) = (Arc::clone(&load.journal), Arc::clone(&load.parties));
            let stop = load.stop.clone();
            load.workers.spawn(async move {
                while !stop.is_cancelled() {
                    if let Err(wrong) = journal.act(kind, &parties).await {
                        journal.wrong.lock().push(format!("{kind:?}: {wrong}"));
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        load.goes_on().await;
        load
    }

    pub(super) fn seen(&self, kind: Kind) -> Seen {
        self.journal.seen(kind)
    }

    pub(super) fn seen_in_all(&self) -> Seen {
        let each = KINDS.map(|kind| self.seen(kind));
        Seen {
            done: each.iter().map(|seen| seen.done).sum(),
            refused: each.iter().map(|seen| seen.refused).sum(),
            unknown: each.iter().map(|seen| seen.unknown).sum(),
            cut: each.iter().map(|seen| seen.cut).sum(),
        }
    }

    /// Waits until requests of every kind succeed again.
    pub(super) async fn goes_on(&self) {
        self.goes_on_with(&KINDS).await;
    }

    pub(super) async fn goes_on_with(&self, kinds: &[Kind]) {
        let before = KINDS.map(|kind| self.seen(kind).done);
        for kind in kinds {
            let before = before[*kind as usize];
            until(&format!("{kind:?} succeeds"), async || {
                self.nothing_is_wrong();
                self.seen(*kind).done > before + 2
            })
            .await;
        }
    }

    fn nothing_is_wrong(&self) {
        let wrong = self.journal.wrong.lock();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// Ends the load, and looks whether everything is as it was answered. The site must be whole.
    pub(super) async fn finish(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.workers.join_next().await {
            ended.unwrap();
        }
        self.nothing_is_wrong();
        let journal = &self.journal;
        let organizations = std::mem::take(&mut *journal.organizations.lock());
        for (name, made) in organizations {
            let status = journal.look_for(&name).await;
            match made {
                Made::Acknowledged => assert_eq!(status, 200, "{name} was acknowledged"),
                Made::Refused => assert_eq!(status, 404, "{name} was refused"),
                Made::Unknown => {}
            }
        }
        let application = &self.parties.application;
        let families = std::mem::take(&mut *journal.families.lock());
        assert!(!families.is_empty());
        for family in families {
            let Ok(Outcome::Answered(now)) = journal.refresh(application, &family.token).await else {
                panic!("the site is whole")
            };
            assert!(now.status == 200 || !family.is_certain, "{family:?}: {now:?}");
            if let Some(superseded) = &family.superseded {
                let Ok(Outcome::Answered(old)) = journal.refresh(application, superseded).await else {
                    panic!("the site is whole")
                };
                assert_eq!(old.text("error"), "invalid_grant", "{family:?}: {old:?}");
            }
        }
    }
}

impl Journal {
    fn seen(&self, kind: Kind) -> Seen {
        let count = &self.counts[kind as usize];
        Seen {
            done: count.done.load(Ordering::Relaxed),
            refused: count.refused.load(Ordering::Relaxed),
            unknown: count.unknown.load(Ordering::Relaxed),
            cut: count.cut.load(Ordering::Relaxed),
        }
    }

    async fn act(&self, kind: Kind, parties: &Parties) -> Result<(), Wrong> {
        match kind {
            Kind::SignIn => self.sign_in(parties).await,
            Kind::Refresh => self.refresh_one(parties).await,
            Kind::ClientToken => {
                let outcome = self.client.token(&parties.manager, Does::Read, &OWN).await?;
                self.expect(kind, &outcome, 200)
            }
            Kind::Organization => self.make_organization().await,
            Kind::List => {
                let list = self
                    .client
                    .get(&format!("{}/api/v1/organizations", self.client.url));
                let outcome = send(list.bearer_auth(&self.access_token), Does::Read).await?;
                self.expect(kind, &outcome, 200)
            }
        }
    }

    fn expect(&self, kind: Kind, outcome: &Outcome, status: u16) -> Result<(), Wrong> {
        match outcome {
            Outcome::Answered(answer) if answer.status != status => Err(format!("{answer:?}")),
            outcome => {
                self.counts[kind as usize].note(outcome);
                Ok(())
            }
        }
    }

    async fn sign_in(&self, parties: &Parties) -> Result<(), Wrong> {
        let person = self.people.fetch_add(1, Ordering::Relaxed);
        let token = sign_in(&self.client, parties, &format!("person-{person}@acme.test")).await?;
        let Some(token) = token else { return Ok(()) };
        self.counts[Kind::SignIn as usize]
            .done
            .fetch_add(1, Ordering::Relaxed);
        self.families.lock().push(Family {
            token,
            superseded: None,
            is_certain: true,
        });
        Ok(())
    }

    async fn refresh(&self, application: &Application, token: &str) -> Result<Outcome, Wrong> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.client.token(application, Does::Write, &form).await
    }

    /// Refreshes the token that was refreshed longest ago.
    async fn refresh_one(&self, parties: &Parties) -> Result<(), Wrong> {
        let oldest = {
            let mut families = self.families.lock();
            if families.is_empty() {
                return Ok(());
            }
            families.remove(0)
        };
        let mut family = oldest;
        let outcome = self.refresh(&parties.application, &family.token).await?;
        self.counts[Kind::Refresh as usize].note(&outcome);
        match outcome {
            Outcome::Answered(answer) if answer.status == 200 => {
                let next = answer.text("refresh_token");
                family.superseded = Some(std::mem::replace(&mut family.token, next));
                family.is_certain = true;
            }
            Outcome::Answered(answer) if family.is_certain => {
                return Err(format!("a grant is lost: {family:?} {answer:?}"));
            }
            // The lost answer had brought another one.
            Outcome::Answered(_) => return Ok(()),
            Outcome::Refused => {}
            Outcome::Unknown | Outcome::Cut => family.is_certain = false,
        }
        self.families.lock().push(family);
        Ok(())
    }

    async fn make_organization(&self) -> Result<(), Wrong> {
        let name = format!("organization-{}", self.people.fetch_add(1, Ordering::Relaxed));
        let body = serde_json::json!({ "display_name": name, "external_id": name });
        let request = self.client.post("/api/v1/organizations").json(&body);
        let outcome = send(request.bearer_auth(&self.access_token), Does::Write).await?;
        self.expect(Kind::Organization, &outcome, 201)?;
        let made = match outcome {
            Outcome::Answered(_) => Made::Acknowledged,
            Outcome::Refused => Made::Refused,
            Outcome::Unknown | Outcome::Cut => Made::Unknown,
        };
        self.organizations.lock().push((name, made));
        Ok(())
    }

    /// The status with which the organization of that name is shown.
    async fn look_for(&self, name: &str) -> u16 {
        let url = format!("{}/api/v1/organizations:external/{name}", self.client.url);
        let request = self.client.get(&url).bearer_auth(&self.access_token);
        match send(request, Does::Read).await {
            Ok(Outcome::Answered(answer)) => answer.status,
            other => panic!("the site is whole: {other:?}"),
        }
    }
}
