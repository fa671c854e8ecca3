//! A browser without a screen. It keeps cookies, follows redirects, fills in forms, and stops at the
//! address of an application.

pub(crate) mod cookies;
mod referer;

use std::sync::Arc;

use http::{Method, header};
use url::Url;

use crate::html::{Form, Html};
use crate::reply::Reply;
use crate::rp::{Authorize, Code, Rp};
use crate::world::World;
use crate::{Gateway, Organization, Person};
use cookies::{CookieJar, From};
use referer::Referer;

/// More redirects than this are a loop.
const MAX_REDIRECTS: usize = 20;

/// Where a navigation ended.
#[derive(Debug)]
#[must_use]
pub enum Arrival {
    /// At a page of the gateway or of an identity provider.
    Page(Box<Page>),
    /// At an application.
    Application(Callback),
}

/// A page that the browser shows.
#[derive(Debug)]
pub struct Page {
    pub url: Url,
    pub reply: Reply,
    pub html: Html,
}

/// A redirect to an application, which is not followed.
#[derive(Debug, Clone)]
pub struct Callback {
    pub url: Url,
    shown: String,
}

impl Callback {
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut values = self.url.query_pairs().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.into_owned());
        assert!(values.next().is_none(), "{name} is repeated in {}", self.url);
        value
    }

    /// # Panics
    ///
    /// If there is none.
    pub fn code(&self) -> String {
        self.parameter("code")
            .unwrap_or_else(|| panic!("no code in {}", self.url))
    }

    /// The `error`; empty if there is none.
    pub fn error(&self) -> String {
        self.parameter("error").unwrap_or_default()
    }

    /// The address, equal in every run.
    pub fn transcript(&self) -> &str {
        &self.shown
    }
}

impl Arrival {
    /// # Panics
    ///
    /// If it is not a page.
    pub fn page(self) -> Page {
        match self {
            Self::Page(page) => *page,
            Self::Application(callback) => panic!("not a page but {}", callback.url),
        }
    }

    /// # Panics
    ///
    /// If it is not an application.
    pub fn callback(self) -> Callback {
        match self {
            Self::Application(callback) => callback,
            Self::Page(page) => panic!("not an application but {}: {}", page.url, page.reply.transcript()),
        }
    }
}

impl Page {
    /// The page's own form.
    ///
    /// # Panics
    ///
    /// If it has none.
    pub fn form(&self) -> &Form {
        self.html
            .forms()
            .first()
            .unwrap_or_else(|| panic!("{} has no form: {}", self.url, self.html.text()))
    }

    pub fn heading(&self) -> &str {
        self.html.heading()
    }

    /// The reference that an error page shows.
    ///
    /// # Panics
    ///
    /// If it shows none.
    pub fn reference(&self) -> String {
        let text = self.html.text();
        let line = text.lines().find(|line| line.starts_with("err_"));
        line.unwrap_or_else(|| panic!("no reference on {text}"))
            .to_owned()
    }
}

/// Who or what starts a request.
#[derive(Debug, Clone)]
enum Initiator {
    /// The person, who types an address.
    Person,
    /// A page at this origin.
    Page(Url),
}

/// A browser.
#[derive(Debug, Clone)]
pub struct Browser {
    world: Arc<World>,
    /// It says in `Sec-Fetch-Site` where its requests come from, as today's browsers do.
    pub tells_site: bool,
    pub cookies: CookieJar,
    /// Every requested address, in order.
    pub trail: Vec<Url>,
    /// Every received `Set-Cookie` line.
    pub set_cookies: Vec<String>,
}

/// A request, before cookies are added.
struct Request {
    method: Method,
    url: Url,
    form: Option<String>,
    initiator: Initiator,
    referer: Option<Referer>,
    /// Whether it changes the address bar.
    is_navigation: bool,
}

impl Browser {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self {
            world,
            tells_site: true,
            cookies: CookieJar::default(),
            trail: Vec::new(),
            set_cookies: Vec::new(),
        }
    }

    /// Types an address.
    pub async fn open(&mut self, url: &str) -> Arrival {
        let url = Url::parse(url).unwrap();
        self.navigate(Request {
            method: Method::GET,
            url,
            form: None,
            initiator: Initiator::Person,
            referer: None,
            is_navigation: true,
        })
        .await
    }

    /// Follows a link on a page of `origin`.
    pub async fn follow_from(&mut self, origin: &str, url: &str) -> Arrival {
        let referer = Referer::of(origin);
        self.follow(origin, url, Some(referer)).await
    }

    /// Follows a link on a page of `origin` that hides its address
    /// (`Referrer-Policy: no-referrer`).
    pub async fn follow_silently_from(&mut self, origin: &str, url: &str) -> Arrival {
        self.follow(origin, url, None).await
    }

    async fn follow(&mut self, origin: &str, url: &str, referer: Option<Referer>) -> Arrival {
        self.navigate(Request {
            method: Method::GET,
            url: Url::parse(url).unwrap(),
            form: None,
            initiator: Initiator::Page(Url::parse(origin).unwrap()),
            referer,
            is_navigation: true,
        })
        .await
    }

    /// Sends a form on a page of `origin`, even if the person does not want it.
    pub async fn post_from(&mut self, origin: &str, url: &str, fields: &[(&str, &str)]) -> Arrival {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.navigate(Request {
            method: Method::POST,
            url: Url::parse(url).unwrap(),
            form: Some(form),
            initiator: Initiator::Page(Url::parse(origin).unwrap()),
            referer: Some(Referer::of(origin)),
            is_navigation: true,
        })
        .await
    }

    /// Loads an address into a frame on a page of `origin`.
    pub async fn embed_on(&mut self, origin: &str, url: &str) -> Arrival {
        self.navigate(Request {
            method: Method::GET,
            url: Url::parse(url).unwrap(),
            form: None,
            initiator: Initiator::Page(Url::parse(origin).unwrap()),
            referer: Some(Referer::of(origin)),
            is_navigation: false,
        })
        .await
    }

    /// Fills in the form of a page and sends it.
    pub async fn submit(&mut self, page: &Page, values: &[(&str, &str)]) -> Arrival {
        self.submit_form(page, page.form(), values).await
    }

    /// As [`Self::submit`], for a page with several forms.
    pub async fn submit_form(&mut self, page: &Page, form: &Form, values: &[(&str, &str)]) -> Arrival {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form.fill(values))
            .finish();
        let url = page.url.join(&form.action).unwrap();
        assert_eq!(form.method, "post", "forms here post");
        self.navigate(Request {
            method: Method::POST,
            url,
            form: Some(body),
            initiator: Initiator::Page(page.url.clone()),
            referer: Some(Referer::of_page(page)),
            is_navigation: true,
        })
        .await
    }

    async fn navigate(&mut self, mut request: Request) -> Arrival {
        for _ in 0..MAX_REDIRECTS {
            if !self.world.has_server(&request.url.origin().ascii_serialization()) {
                let shown = self.world.redactor().redact(request.url.as_str());
                let url = request.url;
                return Arrival::Application(Callback { url, shown });
            }
            // A `Referer` that a policy has removed does not come back later.
            request.referer = request
                .referer
                .filter(|referer| referer.header(&request.url).is_some());
            let reply = self.send(&request).await;
            let location = reply.header("location").to_owned();
            if !reply.status.is_redirection() || location.is_empty() {
                let html = if reply.header("content-type").starts_with("text/html") {
                    reply.html()
                } else {
                    Html::default()
                };
                let url = request.url;
                return Arrival::Page(Box::new(Page { url, reply, html }));
            }
            let here = request.url.clone();
            request.url = here.join(&location).expect("a redirect leads somewhere");
            // Fetch §4.4: 303 always, 301 and 302 after a POST.
            if !matches!(reply.status.as_u16(), 307 | 308) {
                (request.method, request.form) = (Method::GET, None);
            }
            // If a foreign site was on the way, the rest is cross-site as well.
            if !is_same_site(&here, &request.url) {
                request.initiator = Initiator::Page(here);
            }
        }
        panic!("more than {MAX_REDIRECTS} redirects, the last to {}", request.url);
    }

    async fn send(&mut self, request: &Request) -> Reply {
        let now = self.world.clock.now();
        let from = match &request.initiator {
            Initiator::Person => From::SameSite,
            Initiator::Page(page) if is_same_site(page, &request.url) => From::SameSite,
            Initiator::Page(_) if request.is_navigation && request.method == Method::GET => {
                From::CrossSiteNavigation
            }
            Initiator::Page(_) => From::CrossSite,
        };
        let mut builder = self
            .world
            .http
            .request(request.method.clone(), self.world.route(request.url.as_str()))
            .header(header::ACCEPT, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
            .header(header::USER_AGENT, "Mozilla/5.0 (testkit)");
        // Fetch Metadata §2.4.
        let fetch_site = match (&request.initiator, from) {
            (Initiator::Person, _) => "none",
            (Initiator::Page(page), From::SameSite) if page.origin() == request.url.origin() => "same-origin",
            (Initiator::Page(_), From::SameSite) => "same-site",
            (Initiator::Page(_), _) => "cross-site",
        };
        if self.tells_site {
            builder = builder.header("sec-fetch-site", fetch_site);
        }
        if let Some(referer) = request
            .referer
            .as_ref()
            .and_then(|referer| referer.header(&request.url))
        {
            builder = builder.header(header::REFERER, referer);
        }
        if let (&Method::POST, Initiator::Page(page)) = (&request.method, &request.initiator) {
            builder = builder.header(header::ORIGIN, page.origin().ascii_serialization());
        }
        if let Some(cookies) = self.cookies.header(&request.url, from, now) {
            builder = builder.header(header::COOKIE, cookies);
        }
        if let Some(form) = &request.form {
            builder = builder
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.clone());
        }
        self.trail.push(request.url.clone());
        let response = builder.send().await.expect("the server answers");
        let reply = Reply::read(response, self.world.redactor()).await;
        if request.url.as_str().starts_with(&self.world.url) {
            reply.keeps_the_rules(&self.world.url, request.url.path());
        }
        for line in reply.headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().expect("cookies are ASCII");
            self.set_cookies.push(line.to_owned());
            self.cookies.store(&request.url, line, now);
        }
        reply
    }
}

/// What a person does in a browser, step by step.
impl Browser {
    /// Signs in to an application, from its first redirect to its callback.
    ///
    /// # Panics
    ///
    /// If that does not end with a code.
    pub async fn sign_in(&mut self, rp: &Rp, person: impl Into<Person>) -> Code {
        self.sign_in_with(&rp.authorize(), person).await
    }

    /// As [`Self::sign_in`], with an own request.
    ///
    /// # Panics
    ///
    /// If that does not end with a code.
    pub async fn sign_in_with(&mut self, request: &Authorize, person: impl Into<Person>) -> Code {
        let arrival = self.start(request).await;
        let callback = self.go_on(arrival, person).await.callback();
        request.code(&callback.code())
    }

    /// Begins a test of the organization's first connection: opens a new link and presses its button.
    pub async fn begin_test(&mut self, organization: &Organization) -> Arrival {
        let page = self.open(&organization.test_link().await).await.page();
        self.submit(&page, &[]).await
    }

    /// Follows an application's redirect to the first page.
    pub async fn start(&mut self, request: &Authorize) -> Arrival {
        let from = request
            .parameter("redirect_uri")
            .unwrap_or("https://rp.test/")
            .to_owned();
        let from = if Url::parse(&from).is_ok_and(|url| url.has_host()) {
            from
        } else {
            "https://rp.test/".to_owned()
        };
        self.follow_from(&from, &request.url()).await
    }

    /// Answers every page as `person` would: says who they are, and signs in at the identity provider.
    pub async fn go_on(&mut self, arrival: Arrival, person: impl Into<Person>) -> Arrival {
        let person = person.into();
        let mut arrival = arrival;
        for _ in 0..5 {
            let page = match arrival {
                Arrival::Page(page) => page,
                application @ Arrival::Application(_) => return application,
            };
            let Some(form) = page.html.forms().first().cloned() else {
                return Arrival::Page(page);
            };
            let action = page.url.join(&form.action).unwrap();
            let goes_on = |origin: url::Origin| self.world.has_server(&origin.ascii_serialization());
            arrival = if page.heading() == "One moment" && goes_on(action.origin()) {
                // The page's script sends it.
                self.submit_form(&page, &form, &[]).await
            } else if form.field("given_name").is_some() {
                self.submit_form(&page, &form, &person.fields()).await
            } else if form.field("email").is_some() && page.html.text().contains("We send you") {
                self.submit_form(&page, &form, &[("email", &person.email)]).await
            } else {
                return Arrival::Page(page);
            };
        }
        arrival
    }
}

/// Compares scheme and host. The hosts of the tests are no sub-domains of each other.
fn is_same_site(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme() && one.host_str() == other.host_str()
}

impl Gateway {
    /// A new browser.
    pub fn browser(&self) -> Browser {
        Browser::new(Arc::clone(&self.world))
    }
}
